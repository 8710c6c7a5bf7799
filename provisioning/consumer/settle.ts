/**
 * What answers do to the book: each in one transaction, so an answer counts once and wholly. What
 * cannot happen any more, as a second answer to the same payment, does nothing.
 */
import { durationMsOf } from "../leases/credit.ts";
import { type Answer, type ErrorAnswer, isLeaseGone, type TopUpAnswer } from "../wire/mod.ts";
import type { BookedLease, LeaseEnd } from "./book/lease.ts";
import type { BookedPayment, BookedRefund } from "./book/payment.ts";
import { refundIdOf } from "./book/payment_cost.ts";
import { isPaymentOpen } from "./book/payment_transition.ts";
import { checkAccess, feeMs } from "./check_access.ts";
import { complain, type LesseeContext, type Step } from "./context.ts";
import { LESSEE_LIMITS } from "./limits.ts";
import { isPassing } from "./line/expectation.ts";
import { look } from "./look.ts";

/** Notes what a provider answered to a payment's request. @returns When to go on with the payment. */
export function settlePayment(
  payment: BookedPayment,
  lease: BookedLease,
  answer: Answer,
  context: LesseeContext,
): Step {
  if (answer.type === "error") return settleError(payment, lease, answer, context);
  if (answer.type === "access" && payment.purpose === "spawn") {
    return settleAccess(payment, lease, answer, context);
  }
  if (answer.type === "topup" && payment.purpose !== "spawn") {
    return settleTopUp(payment, lease, answer, context);
  }
  return refuse(payment, lease, {
    error: "protocol",
    message: `it answered with ${answer.type}`,
  }, context);
}

function settleAccess(
  payment: BookedPayment,
  lease: BookedLease,
  answer: Extract<Answer, { type: "access" }>,
  context: LesseeContext,
): Step {
  const { book, clock } = context;
  const nowMs = clock.nowMs();
  const checked = checkAccess(answer, { lease, amountSat: payment.amountSat, nowMs });
  if (typeof checked === "string") {
    return refuse(payment, lease, { error: "protocol", message: checked }, context);
  }
  book.transaction(() => {
    if (book.toPayment(payment.id, { type: "accepted" }, nowMs) === undefined) return;
    book.letters.close(lease.address.provider, payment.id);
    const twin = book.leases.of(lease.address.provider).find((one) =>
      one.id !== lease.id && one.stage === "live" && one.access?.lease === checked.access.lease &&
      one.access.leaseId === checked.access.leaseId
    );
    const { access, expiresMs } = checked;
    book.toLease(lease.id, { type: "access", access, expiresMs }, nowMs);
    for (const complaint of checked.complaints) complain(context, lease, complaint);
    if (twin !== undefined) complain(context, lease, `It gave the same lease as for ${twin.id}`);
    addRefund(context, { payment, lease, answer, source: "spawn" });
  });
  context.changed(lease.id);
  context.nudge("lease", lease.id);
  return "done";
}

function settleTopUp(
  payment: BookedPayment,
  lease: BookedLease,
  answer: TopUpAnswer,
  context: LesseeContext,
): Step {
  const { book, clock } = context;
  const nowMs = clock.nowMs();
  const { rateMsatPerS } = lease.wanted;
  const paidMs = durationMsOf(payment.amountSat * 1000, rateMsatPerS);
  // Several top-ups may be on their way; their sum bounds what can be believed.
  const all = book.payments.of(lease.id).filter(({ state, purpose }) =>
    purpose !== "spawn" && (state === "sent" || state === "taken" || state === "recovering")
  ).reduce((sum, one) => sum + durationMsOf(one.amountSat * 1000, rateMsatPerS), 0);
  const boundMs = (lease.expiresMs ?? nowMs) + all + LESSEE_LIMITS.clockSkewMs;
  const isNews = book.transaction(() => {
    if (book.toPayment(payment.id, { type: "accepted" }, nowMs) === undefined) return false;
    book.letters.close(lease.address.provider, payment.id);
    const expiresMs = Math.min(answer.expiresMs, boundMs);
    book.toLease(lease.id, { type: "extended", expiresMs }, nowMs);
    const toleranceMs = feeMs(payment.amountSat, rateMsatPerS) + 1_000;
    if (answer.extendedS * 1000 < paidMs - toleranceMs) {
      complain(
        context,
        lease,
        `It gave ${answer.extendedS} s for a top-up of ${payment.amountSat} sat, which buy ${
          Math.floor(paidMs / 1000)
        } s`,
      );
    }
    return true;
  });
  if (isNews && payment.purpose === "keepalive") {
    const { amountSat } = payment;
    context.emit({ type: "kept-alive", lease: book.leases.get(lease.id) ?? lease, amountSat });
  }
  context.changed(lease.id);
  context.nudge("lease", lease.id);
  return "done";
}

function settleError(
  payment: BookedPayment,
  lease: BookedLease,
  answer: ErrorAnswer,
  context: LesseeContext,
): Step {
  const { book, clock } = context;
  const nowMs = clock.nowMs();
  // Told again, a refund that was worth nothing is none.
  const isTold = refundOf(payment, context)?.state === "worthless";
  if (answer.refund !== undefined && !isTold) {
    book.transaction(() => {
      const error = answer.errorName ?? answer.error;
      const event = { type: "refunded", error, message: answer.message } as const;
      if (book.toPayment(payment.id, event, nowMs) === undefined) return;
      book.letters.close(lease.address.provider, payment.id);
      addRefund(context, { payment, lease, answer, source: sourceOf(payment) });
      if (payment.purpose === "spawn") {
        book.toLease(lease.id, { type: "failed", end: endOf(answer.message, nowMs) }, nowMs);
      }
    });
    context.changed(lease.id);
    nudgeLease(payment, context);
    lookIfGone(payment, lease, answer, context);
    return "done";
  }
  if (isPassing(answer) && payment.state === "sent") {
    const waitMs = Math.min(answer.retryMs ?? 10_000, LESSEE_LIMITS.retryLastMs);
    book.toPayment(payment.id, { type: "wait", untilMs: nowMs + waitMs }, nowMs);
    return { waitMs };
  }
  lookIfGone(payment, lease, answer, context);
  return refuse(payment, lease, {
    error: answer.errorName ?? answer.error,
    message: answer.message,
  }, context);
}

/** A top-up that comes too late says something of its lease, which is asked after then. */
function lookIfGone(
  payment: BookedPayment,
  lease: BookedLease,
  answer: ErrorAnswer,
  context: LesseeContext,
): void {
  if (payment.purpose === "spawn" || lease.stage !== "live" || !isLeaseGone(answer.error)) return;
  // What cannot be told now is told when it is asked after next.
  look(lease, context).catch(() => {});
}

/** Nothing is given for a payment: it is to come back. */
export function refuse(
  payment: BookedPayment,
  lease: BookedLease,
  problem: { readonly error: string; readonly message: string },
  context: LesseeContext,
): Step {
  const { book, clock } = context;
  const nowMs = clock.nowMs();
  const isNew = book.transaction(() => {
    const event = problem.error === "silence"
      ? { type: "silence", message: problem.message } as const
      : problem.error === "abandoned"
      ? { type: "abandon", message: problem.message } as const
      : { type: "refused", ...problem } as const;
    const after = book.toPayment(payment.id, event, nowMs);
    if (after === undefined) return false;
    if (payment.purpose === "spawn") {
      book.toLease(lease.id, { type: "failed", end: endOf(problem.message, nowMs) }, nowMs);
    }
    return true;
  });
  if (!isNew) return "done";
  context.changed(lease.id);
  nudgeLease(payment, context);
  return "again";
}

/** A top-up came to something: what keeps its lease alive decides anew. */
export function nudgeLease(payment: BookedPayment, context: Pick<LesseeContext, "nudge">): void {
  if (payment.purpose !== "spawn") context.nudge("lease", payment.lease);
}

/** How a lease that never began ended, for all that is known yet. */
export function endOf(message: string, atMs: number): LeaseEnd {
  return { reason: "unserved", message, atMs };
}

/** Keeps money that came with an answer; once for each payment and stop. In a transaction. */
export function addRefund(
  context: LesseeContext,
  from: {
    readonly payment?: BookedPayment;
    readonly lease: BookedLease;
    readonly answer: Answer;
    readonly source: BookedRefund["source"];
  },
): void {
  const { payment, lease, answer, source } = from;
  const refund = "refund" in answer ? answer.refund : undefined;
  if (refund === undefined) return;
  const id = payment === undefined ? `${lease.id}.${source}` : refundIdOf(payment);
  const { book, clock } = context;
  if (book.refunds.get(id) !== undefined) return;
  book.refunds.put({
    id,
    lease: lease.id,
    source,
    state: "received",
    token: refund.token,
    claimedSat: refund.amountSat,
    attemptCount: 0,
    createdMs: clock.nowMs(),
  });
  context.nudge("refund", id);
}

/** What came back for a payment with its provider's answer, if anything did. */
export function refundOf(
  payment: Pick<BookedPayment, "id" | "purpose">,
  { book }: Pick<LesseeContext, "book">,
): BookedRefund | undefined {
  return book.refunds.get(refundIdOf(payment));
}

/** What became of a failed lease's money, once all of it has come to rest. In a transaction. */
export function settleFailed(leaseId: string, context: LesseeContext): void {
  const { book, clock } = context;
  const lease = book.leases.get(leaseId);
  if (lease?.stage !== "failed" || lease.end === undefined) return;
  const payments = book.payments.of(leaseId);
  const refunds = book.refunds.of(leaseId);
  if (payments.some(isPaymentOpen) || refunds.some((one) => one.state === "received")) return;
  const isRobbed = payments.some((one) => one.state === "lost");
  const isRefunded = payments.some((one) => one.state === "refunded");
  const reason = isRobbed ? "robbed" : isRefunded ? "refunded" : "unserved";
  const isSilent = payments.some((one) => one.problem?.error === "silence");
  const end = { ...lease.end, reason } as const;
  book.toLease(leaseId, { type: "settled", end, isSilent }, clock.nowMs());
  context.nudge("lease", leaseId);
}

function sourceOf(payment: BookedPayment): BookedRefund["source"] {
  return payment.purpose === "spawn" ? "spawn" : "topup";
}
