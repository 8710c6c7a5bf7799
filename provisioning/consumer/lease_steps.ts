/** A lease that is live, and its end: one step at a time. */
import { SeedmintError } from "../../src/core/errors.ts";
import { costMsatOf } from "../leases/credit.ts";
import { pauseMs } from "../provider/deadline.ts";
import { type ErrorAnswer, isLeaseGone, type ReceiptAnswer, type StopAnswer } from "../wire/mod.ts";
import { ask } from "./ask.ts";
import type { BookedLease, LeaseEnd } from "./book/lease.ts";
import { isPaymentOpen } from "./book/payment_transition.ts";
import { feeSat } from "./check_access.ts";
import { complain, type LesseeContext, type Step } from "./context.ts";
import type { KeepAliveDesk } from "./keep_alive.ts";
import { LESSEE_LIMITS } from "./limits.ts";
import { isSilence, look, noteGone, questionId } from "./look.ts";
import type { EndedLease, NamedRequest } from "./ports.ts";
import { refundedSat } from "./refund_steps.ts";
import { addRefund } from "./settle.ts";

/** One step of a lease. */
export async function stepLease(
  id: string,
  context: LesseeContext,
  desk: { readonly keepAlive: KeepAliveDesk; readonly failureCount: number },
): Promise<Step> {
  const lease = context.book.leases.get(id);
  if (lease === undefined) return "done";
  switch (lease.stage) {
    case "live":
      return await stepLive(lease, context, desk.keepAlive);
    case "stopping":
      return await stepStopping(lease, context, desk.failureCount);
    case "ended":
    case "failed":
      return lease.owesReceipt ? await stepReceipt(lease, context) : "done";
    // Its payment drives it.
    case "asking":
      return "done";
    default:
      return lease.stage satisfies never;
  }
}

async function stepLive(
  lease: BookedLease,
  context: LesseeContext,
  keepAlive: KeepAliveDesk,
): Promise<Step> {
  const { clock, book } = context;
  const expiresMs = lease.expiresMs ?? clock.nowMs();
  if (clock.nowMs() >= expiresMs + LESSEE_LIMITS.overFirstMs) return await stepOver(lease, context);
  const dueMs = keepAlive.step(lease);
  const lookMs = (lease.heardMs ?? lease.changedMs) + LESSEE_LIMITS.lookMs;
  if (lease.address.isOurs && clock.nowMs() >= lookMs) {
    try {
      await look(lease, context);
    } catch (error) {
      context.signal.throwIfAborted();
      if (!isSilence(error)) throw error;
      return { waitMs: Math.min(LESSEE_LIMITS.lookMs / 3, Math.max(1, dueMs - clock.nowMs())) };
    }
    return book.leases.get(lease.id)?.heardMs === lease.heardMs
      ? { waitMs: LESSEE_LIMITS.lookMs / 3 }
      : "again";
  }
  const nextMs = Math.min(
    dueMs,
    expiresMs + LESSEE_LIMITS.overFirstMs,
    lease.address.isOurs ? lookMs : Infinity,
  );
  return { waitMs: Math.max(1, nextMs - clock.nowMs()) };
}

/**
 * By the book its time is over: the provider may have reasons to see that otherwise. Silence is no end:
 * time in which its machine was down is given back when it is there again.
 */
async function stepOver(lease: BookedLease, context: LesseeContext): Promise<Step> {
  const { clock, book } = context;
  const expiresMs = lease.expiresMs ?? 0;
  const sinceMs = clock.nowMs() - expiresMs;
  const over = (): Step => {
    noteGone(lease, "The paid time is over", context);
    return "again";
  };
  if (!lease.address.isOurs || sinceMs >= LESSEE_LIMITS.absenceMs) return over();
  let isSilent = false;
  try {
    await look(lease, context);
  } catch (error) {
    context.signal.throwIfAborted();
    if (!isSilence(error)) throw error;
    isSilent = true;
  }
  const after = book.leases.get(lease.id);
  if (after?.stage !== "live" || (after.expiresMs ?? 0) > expiresMs) return "again";
  const { overPauseMs, overLastMs, lookMs } = LESSEE_LIMITS;
  if (!isSilent) return sinceMs >= overLastMs ? over() : { waitMs: overPauseMs };
  return { waitMs: Math.min(Math.max(overPauseMs, Math.floor(sinceMs / 4)), lookMs) };
}

/** What is left of its money is asked for until there is an answer. */
async function stepStopping(
  lease: BookedLease,
  context: LesseeContext,
  failureCount: number,
): Promise<Step> {
  const { clock, book, signal } = context;
  const { access } = lease;
  const isLate = clock.nowMs() - lease.changedMs > LESSEE_LIMITS.stopPatienceMs;
  if (access === undefined || !lease.address.isOurs || isLate) {
    return endUnpaid(lease, "The provider does not answer", context);
  }
  const request: NamedRequest = {
    type: "stop",
    lease: access.lease,
    requestId: `${lease.id}.stop`,
    refundKey: lease.payment.refundKey,
  };
  let answer;
  try {
    answer = await ask(context, lease.address, request, {
      signal,
      timeoutMs: LESSEE_LIMITS.stopMs,
    });
  } catch (error) {
    signal.throwIfAborted();
    if (!isSilence(error)) throw error;
    return { waitMs: recoverPause(failureCount) };
  }
  if (answer.type === "stop") {
    noteStopped(lease, answer, context);
    return "again";
  }
  if (answer.type === "error" && isLeaseGone(answer.error)) {
    return endUnpaid(lease, answer.message, context);
  }
  const retryMs = answer.type === "error" ? answer.retryMs : undefined;
  const isFinal = book.letters.get(lease.address.provider, request.requestId)?.isOpen === false;
  if (isFinal && retryMs === undefined) {
    const message = answer.type === "error" ? answer.message : `It answered with ${answer.type}`;
    return endUnpaid(lease, message, context);
  }
  return { waitMs: Math.min(retryMs ?? recoverPause(failureCount), LESSEE_LIMITS.retryLastMs) };
}

function recoverPause(failureCount: number): number {
  return pauseMs(failureCount, {
    firstMs: LESSEE_LIMITS.recoverFirstMs,
    lastMs: LESSEE_LIMITS.recoverLastMs,
  });
}

/** The lease is ended, and what the provider paid back is in the book. */
function noteStopped(lease: BookedLease, answer: StopAnswer, context: LesseeContext): void {
  const { book, clock } = context;
  const nowMs = clock.nowMs();
  // Our wish, or what we noticed, came first; the provider may have ended it before that.
  const noticedMs = lease.end?.atMs ?? lease.changedMs;
  const endedMs = Math.min(answer.endedMs, noticedMs + LESSEE_LIMITS.clockSkewMs);
  const dueSat = leftSat(lease, endedMs);
  const paidBackSat = answer.refund?.amountSat ?? 0;
  book.transaction(() => {
    addRefund(context, { lease, answer, source: "stop" });
    const end: LeaseEnd = { reason: "stopped", message: "We ended it", atMs: endedMs };
    book.toLease(lease.id, { type: "over", end }, nowMs);
    if (dueSat - paidBackSat > feeSat(dueSat)) {
      complain(
        context,
        lease,
        `It paid back ${paidBackSat} sat where ${dueSat} sat were left`,
      );
    }
  });
  context.changed(lease.id);
}

/** The lease is over, and nothing was paid back. */
function endUnpaid(lease: BookedLease, message: string, context: LesseeContext): Step {
  const { book, clock } = context;
  const nowMs = clock.nowMs();
  const dueSat = leftSat(lease, lease.end?.atMs ?? lease.changedMs);
  book.transaction(() => {
    const end: LeaseEnd = { reason: "stopped", message, atMs: lease.changedMs };
    book.toLease(lease.id, { type: "over", end }, nowMs);
    if (dueSat > feeSat(0)) {
      complain(context, lease, `It paid back nothing where ${dueSat} sat were left: ${message}`);
    }
  });
  context.changed(lease.id);
  return "again";
}

/** What a lease has left at `atMs`, in whole sats, by its end in the book. */
export function leftSat(lease: BookedLease, atMs: number): number {
  const leftMs = Math.max(0, (lease.expiresMs ?? atMs) - atMs);
  return Math.floor(costMsatOf(leftMs, lease.wanted.rateMsatPerS) / 1000);
}

async function stepReceipt(lease: BookedLease, context: LesseeContext): Promise<Step> {
  const { book, clock, receipts, signal } = context;
  const payments = book.payments.of(lease.id);
  const isMoving = payments.some(isPaymentOpen) ||
    book.refunds.of(lease.id).some(({ state }) => state === "received");
  // What moves nudges the lease when it has come to rest.
  if (isMoving) return { waitMs: LESSEE_LIMITS.retryLastMs };
  const sinceMs = clock.nowMs() - (lease.end?.atMs ?? lease.changedMs);
  if (receipts !== undefined && sinceMs < LESSEE_LIMITS.receiptPatienceMs) {
    await receipts.ended(endedLease(lease, context), {
      signal,
      exchange: (receipt) => askReceipt(lease, receipt, context, signal),
    });
  }
  book.transaction(() => {
    const nowMs = clock.nowMs();
    book.toLease(lease.id, { type: "receipted" }, nowMs);
    for (const payment of payments) book.toPayment(payment.id, { type: "forget" }, nowMs);
  });
  context.changed(lease.id);
  return "done";
}

/**
 * Asks a provider for the receipt of a lease, or to sign ours.
 *
 * @throws {SeedmintError} As the line; `not-found` if the provider never said the lease's id.
 */
export async function askReceipt(
  lease: BookedLease,
  receipt: Readonly<Record<string, unknown>> | undefined,
  context: Pick<LesseeContext, "line" | "random">,
  signal: AbortSignal,
): Promise<ReceiptAnswer | ErrorAnswer> {
  const leaseId = lease.access?.leaseId;
  if (leaseId === undefined) {
    throw new SeedmintError(
      "not-found",
      `Cannot ask for a receipt of lease ${lease.id}: its provider gave it no id`,
    );
  }
  const answer = await ask(context, lease.address, {
    type: "receipt",
    leaseId,
    requestId: questionId(context),
    ...(receipt === undefined ? {} : { receipt }),
  }, { signal, timeoutMs: LESSEE_LIMITS.questionMs });
  if (answer.type === "receipt" || answer.type === "error") return answer;
  return { type: "error", error: "unknown", message: `It answered with ${answer.type}` };
}

function isOutcome(state: string): state is EndedLease["payments"][number]["outcome"] {
  return ["taken", "refunded", "lost", "returned"].includes(state);
}

/** A lease that is over, as receipts see it. */
export function endedLease(lease: BookedLease, context: LesseeContext): EndedLease {
  const { wanted, access, end } = lease;
  const { rateMsatPerS, diskMb } = wanted;
  const payments = context.book.payments.of(lease.id).flatMap((payment) => {
    const { state: outcome } = payment;
    if (!isOutcome(outcome)) return [];
    return [{
      paymentId: payment.id,
      amountSat: payment.amountSat,
      outcome,
      ...(payment.mint === undefined ? {} : { mint: payment.mint }),
      ...(payment.token === undefined ? {} : { token: payment.token }),
    }];
  });
  return {
    id: lease.id,
    provider: lease.address.provider,
    owner: context.owner,
    spec: {
      id: wanted.specId,
      name: wanted.specName,
      cpuMillicores: wanted.cpuMillicores,
      memoryMb: wanted.memoryMb,
      rateMsatPerS,
      ...(diskMb === undefined ? {} : { diskMb }),
    },
    image: wanted.image,
    payments,
    refundedSat: refundedSat(lease.id, context),
    endedMs: end?.atMs ?? lease.changedMs,
    reason: end?.reason ?? "expired",
    complaints: lease.complaints,
    ...(wanted.imageDigest === undefined ? {} : { imageDigest: wanted.imageDigest }),
    ...(access === undefined ? {} : { lease: access.lease, readyMs: access.readyMs }),
    ...(access?.leaseId === undefined ? {} : { leaseId: access.leaseId }),
  };
}
