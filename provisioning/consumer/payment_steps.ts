/** A payment, one step at a time: each looks at the book, asks one thing, and notes what it learnt. */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import { pauseMs } from "../provider/deadline.ts";
import { type ErrorAnswer, readAnswer, type SpawnRequest, type TopUpRequest } from "../wire/mod.ts";
import { ask } from "./ask.ts";
import type { BookedLease } from "./book/lease.ts";
import type { BookedPayment } from "./book/payment.ts";
import type { LesseeContext, Step } from "./context.ts";
import { LESSEE_LIMITS } from "./limits.ts";
import { isPassing, isUntouched } from "./line/expectation.ts";
import { isSilence } from "./look.ts";
import type { NamedRequest } from "./ports.ts";
import { nudgeLease, refuse, settleFailed, settlePayment } from "./settle.ts";

/** Codes of the purse's errors that no waiting mends. */
const FINAL = ["denied", "usage", "invalid", "payment-required", "not-found", "conflict"] as const;

/** One step of a payment. */
export async function stepPayment(id: string, context: LesseeContext): Promise<Step> {
  const payment = context.book.payments.get(id);
  const lease = payment && context.book.leases.get(payment.lease);
  if (payment === undefined || lease === undefined) return "done";
  const leftMs = (payment.nextMs ?? 0) - context.clock.nowMs();
  // Longer than any pause: the clock was set back, and nothing is waited for.
  if (leftMs > 0 && leftMs <= LESSEE_LIMITS.recoverLastMs) return { waitMs: leftMs };
  switch (payment.state) {
    case "planned":
      return await stepPlanned(payment, lease, context);
    case "ready":
      return stepReady(payment, lease, context);
    case "sent":
      return await stepSent(payment, lease, context);
    case "recovering":
      return await stepRecovering(payment, lease, context);
    case "taken":
    case "refunded":
    case "returned":
    case "lost":
    case "declined":
      return "done";
    default:
      return payment.state satisfies never;
  }
}

/** The purse makes the token, or has made it before. */
async function stepPlanned(
  payment: BookedPayment,
  lease: BookedLease,
  context: LesseeContext,
): Promise<Step> {
  const { book, clock, purse, signal } = context;
  if (isStale(payment, context)) return giveUp(payment, lease, "It took too long to pay", context);
  const { id, mints, amountSat, lockTo, locktimeS } = payment;
  let paid: Awaited<ReturnType<typeof purse.pay>>;
  try {
    paid = await purse.pay({
      id,
      mints,
      amountSat,
      payee: lease.address.provider,
      ...(lockTo === undefined ? {} : { lockTo }),
      ...(locktimeS === undefined ? {} : { locktimeS }),
    }, { signal });
  } catch (error) {
    if (!FINAL.some((code) => isSeedmintError(error, code))) throw error;
    // Whether a token was made is for the purse to say when it is asked back.
    return giveUp(payment, lease, messageOf(error), context);
  }
  const nowMs = clock.nowMs();
  if (paid.status === "declined") {
    const { reason } = paid;
    book.transaction(() => {
      book.toPayment(id, { type: "declined", message: reason }, nowMs);
      if (payment.purpose !== "spawn") return;
      const end = { reason: "unserved", message: reason, atMs: nowMs } as const;
      book.toLease(lease.id, { type: "failed", end }, nowMs);
    });
    context.changed(lease.id);
    nudgeLease(payment, context);
    return "done";
  }
  const { token, mint, feeSat } = paid;
  book.toPayment(id, { type: "token", token, mint, feeSat }, nowMs);
  return "again";
}

function stepReady(payment: BookedPayment, lease: BookedLease, context: LesseeContext): Step {
  if (isStale(payment, context)) {
    return giveUp(payment, lease, "It took too long to ask for the lease", context);
  }
  // On disk before anybody sees the token.
  context.book.toPayment(payment.id, { type: "send" }, context.clock.nowMs());
  context.changed(lease.id);
  return "again";
}

async function stepSent(
  payment: BookedPayment,
  lease: BookedLease,
  context: LesseeContext,
): Promise<Step> {
  const { book, clock, signal } = context;
  const waitMs = patienceMs(payment, lease);
  const endMs = (payment.sentMs ?? payment.changedMs) + waitMs;
  const leftMs = Math.min(endMs - clock.nowMs(), waitMs);
  if (leftMs <= 0) return silence(payment, lease, context);
  try {
    const answer = await ask(context, lease.address, requestFor(payment, lease), {
      signal,
      timeoutMs: leftMs,
      onProgress: ({ state }) => context.onProgress(lease.id, state),
    });
    if (answer.type === "error" && isLastWord(lease, answer)) {
      const { error, errorName = error, message } = answer;
      return refuse(payment, lease, { error: errorName, message }, context);
    }
    return settlePayment(payment, lease, answer, context);
  } catch (error) {
    signal.throwIfAborted();
    if (isSeedmintError(error, "timeout")) return silence(payment, lease, context);
    if (isSeedmintError(error, "invalid") || isSeedmintError(error, "conflict")) {
      return refuse(payment, lease, { error: "unsendable", message: error.message }, context);
    }
    if (!isSilence(error)) throw error;
    const pause = pauseMs(payment.attemptCount, {
      firstMs: LESSEE_LIMITS.retryFirstMs,
      lastMs: LESSEE_LIMITS.retryLastMs,
    });
    const nowMs = clock.nowMs();
    book.toPayment(payment.id, { type: "wait", untilMs: nowMs + pause }, nowMs);
    return { waitMs: pause };
  }
}

/**
 * Whether asking again is in vain, though an answer of this kind passes elsewhere: a provider of Paygress
 * knows no ids, has redeemed the token before it failed, and says of the next request that it is spent.
 */
function isLastWord(lease: BookedLease, answer: ErrorAnswer): boolean {
  return !lease.address.isOurs && isPassing(answer) && !isUntouched(answer);
}

function silence(payment: BookedPayment, lease: BookedLease, context: LesseeContext): Step {
  const message = "The provider does not answer";
  return refuse(payment, lease, { error: "silence", message }, context);
}

/** First the provider is asked once more, then the mint: what is spent is gone, the rest is ours. */
async function stepRecovering(
  payment: BookedPayment,
  lease: BookedLease,
  context: LesseeContext,
): Promise<Step> {
  const { book, clock } = context;
  const listenedMs = clock.nowMs() - payment.changedMs;
  if (payment.sentMs !== undefined && !lease.address.isOurs && payment.attemptCount === 0) {
    const waitMs = LESSEE_LIMITS.listenMs - listenedMs;
    if (waitMs > 0 && listenedMs >= 0) return { waitMs };
  }
  const heard = await heardLate(payment, lease, context);
  if (heard === "settled") return "again";
  const taken = await takeBack(payment, context);
  const nowMs = clock.nowMs();
  // Who says that the money is on its way back is given time, though not for ever.
  const isPromised = heard === "promised" &&
    nowMs - payment.createdMs < LESSEE_LIMITS.stopPatienceMs;
  const back: Back = taken.status === "spent" && isPromised
    ? { status: "waiting", retryMs: LESSEE_LIMITS.recoverFirstMs }
    : taken;
  if (back.status === "waiting") {
    const waitMs = waitFor(payment, back.retryMs, nowMs);
    book.toPayment(payment.id, { type: "wait", untilMs: nowMs + waitMs }, nowMs);
    return { waitMs };
  }
  const event = back.status === "returned"
    ? { type: "returned", amountSat: back.amountSat } as const
    : { type: back.status } as const;
  book.transaction(() => {
    if (book.toPayment(payment.id, event, nowMs) === undefined) return;
    book.letters.close(lease.address.provider, payment.id);
    if (back.status === "spent" && payment.purpose !== "spawn") {
      const complaint = `It took a top-up of ${payment.amountSat} sat and gave nothing for it`;
      book.toLease(lease.id, { type: "complain", complaint }, nowMs);
    }
    settleFailed(lease.id, context);
  });
  const shown = book.leases.get(lease.id) ?? lease;
  if (back.status === "returned") {
    context.emit({ type: "money-back", lease: shown, amountSat: back.amountSat });
  }
  if (back.status === "spent") {
    const why = payment.problem?.message ?? "nothing was given for it";
    const message = `${payment.amountSat} sat were taken by ${lease.providerName}: ${why}`;
    context.emit({ type: "loss", lease: shown, message });
  }
  context.changed(lease.id);
  nudgeLease(payment, context);
  return "done";
}

/** Whether an answer came after all, or one that says to ask again. */
async function heardLate(
  payment: BookedPayment,
  lease: BookedLease,
  context: LesseeContext,
): Promise<"settled" | "promised" | "nothing"> {
  const { book, signal } = context;
  if (payment.sentMs === undefined || payment.problem?.error === "unsendable") return "nothing";
  const { provider } = lease.address;
  const letter = book.letters.get(provider, payment.id);
  const kept = letter?.answer === undefined ? undefined : readAnswer(letter.answer);
  let answer = kept;
  if (lease.address.isOurs && payment.problem?.error !== "protocol") {
    try {
      answer = await ask(context, lease.address, requestFor(payment, lease), {
        signal,
        timeoutMs: LESSEE_LIMITS.outcomeMs,
        onlyOutcome: true,
      });
    } catch (error) {
      signal.throwIfAborted();
      if (!isSeedmintError(error)) throw error;
    }
  }
  if (answer === undefined) return "nothing";
  settlePayment(payment, lease, answer, context);
  if (book.payments.get(payment.id)?.state !== "recovering") return "settled";
  const isPromised = lease.address.isOurs && isPassing(answer) && !isUntouched(answer);
  return isPromised ? "promised" : "nothing";
}

type Back =
  | { readonly status: "returned"; readonly amountSat: number }
  | { readonly status: "spent" }
  | { readonly status: "nothing" }
  | { readonly status: "waiting"; readonly retryMs: number };

async function takeBack(payment: BookedPayment, context: LesseeContext): Promise<Back> {
  const { purse, signal } = context;
  if (!payment.isBare) return await purse.reclaim(payment.id);
  try {
    return { status: "returned", amountSat: await purse.receive(payment.token!, { signal }) };
  } catch (error) {
    signal.throwIfAborted();
    const isWorthless = isSeedmintError(error, "denied") || isSeedmintError(error, "invalid");
    if (!isWorthless) throw error;
    return { status: "spent" };
  }
}

function waitFor(payment: BookedPayment, retryMs: number, nowMs: number): number {
  const { recoverFirstMs, recoverLastMs, lockSkewMs } = LESSEE_LIMITS;
  const growing = pauseMs(payment.attemptCount, { firstMs: recoverFirstMs, lastMs: recoverLastMs });
  const waitMs = Math.min(Math.max(retryMs, growing), recoverLastMs);
  if (payment.locktimeS === undefined) return waitMs;
  // Nobody is to wait an hour for a lock that ends in a minute.
  const unlockMs = payment.locktimeS * 1000 + lockSkewMs - nowMs;
  return unlockMs > 0 ? Math.min(waitMs, unlockMs) : waitMs;
}

function giveUp(
  payment: BookedPayment,
  lease: BookedLease,
  message: string,
  context: LesseeContext,
): Step {
  return refuse(payment, lease, { error: "abandoned", message }, context);
}

/** Whoever wished for it so long ago went elsewhere. */
function isStale(payment: BookedPayment, context: LesseeContext): boolean {
  return context.clock.nowMs() - payment.createdMs > LESSEE_LIMITS.planMs;
}

function patienceMs(payment: BookedPayment, lease: BookedLease): number {
  if (!lease.address.isOurs) return LESSEE_LIMITS.oldPatienceMs;
  return payment.purpose === "spawn"
    ? LESSEE_LIMITS.spawnPatienceMs
    : LESSEE_LIMITS.topUpPatienceMs;
}

/** The request that a payment goes with: made of the book alone, so it is the same after a crash. */
export function requestFor(payment: BookedPayment, lease: BookedLease): NamedRequest {
  const { wanted, access } = lease;
  const common = {
    requestId: payment.id,
    token: payment.token!,
    refundKey: lease.payment.refundKey,
  };
  if (payment.purpose !== "spawn") {
    const request: TopUpRequest = { type: "topup", lease: access!.lease, ...common };
    return { ...request, requestId: payment.id };
  }
  const request: SpawnRequest = {
    type: "spawn",
    ...common,
    specId: wanted.specId,
    image: wanted.image,
    sshUsername: wanted.sshUser ?? "root",
    sshPassword: wanted.sshPassword,
    sshPublicKey: wanted.sshPublicKey,
    ...(lease.address.isOurs ? { wantsProgress: true } : {}),
    ...(wanted.imageDigest === undefined ? {} : { imageDigest: wanted.imageDigest }),
    ...(wanted.env === undefined ? {} : { env: wanted.env }),
    ...(wanted.ports === undefined ? {} : { ports: wanted.ports }),
    ...(wanted.template === undefined ? {} : { template: wanted.template }),
  };
  return { ...request, requestId: payment.id };
}
