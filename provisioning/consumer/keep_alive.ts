/**
 * Keeping leases alive: a top-up when the time gets short, within a budget that is counted from the
 * book, so that no crash pays twice; and a word to people before a lease ends.
 */
import { durationMsOf, satFor } from "../leases/credit.ts";
import type { BookedLease, KeepAlive } from "./book/lease.ts";
import type { BookedPayment, BookedRefund } from "./book/payment.ts";
import { costSat } from "./book/payment_cost.ts";
import { isPaymentOpen } from "./book/payment_transition.ts";
import { feeMs } from "./check_access.ts";
import type { LesseeContext } from "./context.ts";
import { LESSEE_LIMITS } from "./limits.ts";
import type { LesseeEvent } from "./wishes.ts";

type Why = Extract<LesseeEvent, { type: "ending" }>["why"];

/** Looks after the time of leases. */
export class KeepAliveDesk {
  readonly #context: LesseeContext;
  readonly #pay: (lease: BookedLease, amountSat: number) => void;
  /** Of which end people were told already, by lease and reason. */
  readonly #told = new Map<string, number>();

  /** @param pay Books a top-up, which then goes its way. */
  constructor(context: LesseeContext, pay: (lease: BookedLease, amountSat: number) => void) {
    this.#context = context;
    this.#pay = pay;
  }

  /** Does what is due for a live lease. @returns When to look again, in milliseconds since 1970. */
  step(lease: BookedLease): number {
    const nowMs = this.#context.clock.nowMs();
    const expiresMs = lease.expiresMs ?? nowMs;
    const { keepAlive } = lease;
    if (keepAlive === undefined) return this.#warn(lease, "no-keepalive", "Nothing keeps it alive");
    const dueMs = expiresMs - keepAlive.leadMs;
    if (nowMs < dueMs) return dueMs;
    const payments = this.#context.book.payments.of(lease.id);
    const paying = payments.find((one) => one.purpose === "keepalive" && isMoving(one));
    // What is under way nudges the lease when it is done.
    if (paying !== undefined) return this.#await(lease, paying);
    if (keepAlive.untilMs !== undefined && expiresMs >= keepAlive.untilMs) {
      return this.#warn(lease, "no-keepalive", "It was to be kept alive no longer");
    }
    const failures = failuresInARow(payments);
    if (failures >= LESSEE_LIMITS.keepAliveFailuresMax) {
      return this.#warn(lease, "failing", `${failures} top-ups in a row failed`);
    }
    if (failures > 0) {
      const why = problemOf(payments);
      this.#warn(lease, "failing", `It could not be topped up and is tried again: ${why}`);
      // Failing once is no reason to fail again at once.
      const pausedMs = lastOf(payments) + failures * LESSEE_LIMITS.retryLastMs;
      if (pausedMs > nowMs) return pausedMs;
    }
    const trustedMs = paidUntilMs(lease, payments) - keepAlive.leadMs;
    if (nowMs < trustedMs) {
      const why = "Its provider counts less time than was paid for";
      return Math.min(trustedMs, this.#warn(lease, "failing", why));
    }
    const { refunds } = this.#context.book;
    const leftSat = keepAlive.budgetSat - keptAliveSat(payments, (id) => refunds.get(id));
    const amountSat = amountFor(lease, keepAlive, leftSat);
    if (amountSat === undefined) return this.#warn(lease, "budget", "Its budget is used up");
    this.#pay(lease, amountSat);
    return nowMs + LESSEE_LIMITS.slowTopUpMs;
  }

  /** A top-up that takes long is told of, and goes on. @returns When to look again. */
  #await(lease: BookedLease, { createdMs }: BookedPayment): number {
    const nowMs = this.#context.clock.nowMs();
    const slowMs = createdMs + LESSEE_LIMITS.slowTopUpMs;
    if (nowMs < slowMs) return slowMs;
    this.#warn(lease, "failing", "A top-up is under way and takes long");
    return Math.max(nowMs + LESSEE_LIMITS.retryLastMs, lease.expiresMs ?? nowMs);
  }

  /** Tells people once for each end and reason. @returns When to look again. */
  #warn(lease: BookedLease, why: Why, reason: string): number {
    const nowMs = this.#context.clock.nowMs();
    const expiresMs = lease.expiresMs ?? nowMs;
    const whole = expiresMs - (lease.access?.readyMs ?? lease.createdMs);
    // Of a lease that is short as a whole everybody knows that its end is near. What fails is told at once.
    const warnMs = why === "failing"
      ? nowMs
      : expiresMs - Math.min(LESSEE_LIMITS.warnMs, Math.floor(whole / 4));
    if (nowMs < warnMs) return warnMs;
    const told = `${lease.id} ${why}`;
    if (this.#told.get(told) !== expiresMs && expiresMs > nowMs) {
      this.#told.set(told, expiresMs);
      const leftMs = expiresMs - nowMs;
      const message = `Lease ${lease.id} with ${lease.providerName} ends in ${
        Math.round(leftMs / 1000)
      } s: ${reason}`;
      this.#context.emit({ type: "ending", lease, leftMs, why, message });
    }
    return expiresMs + LESSEE_LIMITS.overFirstMs;
  }
}

/** What keeping a lease alive has cost, or may cost still: all that did not come back. In sat. */
function keptAliveSat(
  payments: readonly BookedPayment[],
  refund: (id: string) => BookedRefund | undefined,
): number {
  return payments.filter(({ purpose }) => purpose === "keepalive")
    .reduce((sum, one) => sum + costSat(one, refund), 0);
}

/** Until when a lease should last at least by what was paid for it; 0 if that is not known. */
function paidUntilMs(lease: BookedLease, payments: readonly BookedPayment[]): number {
  const { access, wanted: { rateMsatPerS } } = lease;
  const taken = payments.filter(({ state }) => state === "taken");
  if (access === undefined || !taken.some(({ purpose }) => purpose === "spawn")) return 0;
  // What redeeming costs is taken off by the mint.
  const paidMs = taken.reduce((sum, { amountSat }) => {
    const givenMs = durationMsOf(amountSat * 1000, rateMsatPerS) - feeMs(amountSat, rateMsatPerS);
    return sum + Math.max(0, givenMs);
  }, 0);
  return access.readyMs + paidMs - LESSEE_LIMITS.clockSkewMs;
}

/** A top-up that can give time still; one that is only to come back cannot. */
function isMoving(payment: BookedPayment): boolean {
  return isPaymentOpen(payment) && payment.state !== "recovering";
}

function amountFor(
  lease: BookedLease,
  keepAlive: KeepAlive,
  leftSat: number,
): number | undefined {
  const { rateMsatPerS } = lease.wanted;
  const untilMs = keepAlive.untilMs ?? Infinity;
  const stepMs = Math.min(keepAlive.stepMs, untilMs - (lease.expiresMs ?? 0));
  const amountSat = Math.min(satFor(Math.max(stepMs, 1000), rateMsatPerS), leftSat);
  if (amountSat <= 0) return undefined;
  const isWorth = durationMsOf(amountSat * 1000, rateMsatPerS) >=
    Math.min(LESSEE_LIMITS.keepAliveMin, stepMs);
  return isWorth ? amountSat : undefined;
}

function failuresInARow(payments: readonly BookedPayment[]): number {
  const tries = payments.filter(({ purpose }) => purpose === "keepalive");
  const lastGood = tries.findLastIndex(({ state }) => state === "taken");
  return tries.length - 1 - lastGood;
}

/** Why the last top-up failed. */
function problemOf(payments: readonly BookedPayment[]): string {
  const last = payments.findLast(({ purpose }) => purpose === "keepalive");
  return last?.problem?.message ?? "nothing was given for it";
}

function lastOf(payments: readonly BookedPayment[]): number {
  return payments.findLast(({ purpose }) => purpose === "keepalive")?.changedMs ?? 0;
}
