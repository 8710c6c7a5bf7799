/**
 * Time for money, exactly. Credit is whole msat; a second costs `rateMsatPerS`. Durations are rounded
 * down to the millisecond, what was used up to the msat, so nobody gets what was not paid for, and
 * what is left over stays credit.
 */
import type { Lease } from "./lease.ts";

/** How long `creditMsat` lasts, in milliseconds, at most what a number holds exactly. */
export function durationMsOf(creditMsat: number, rateMsatPerS: number): number {
  checkRate(rateMsatPerS);
  const ms = BigInt(creditMsat) * 1000n / BigInt(rateMsatPerS);
  return ms > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(ms);
}

/** What `ms` milliseconds cost, in msat, rounded up. */
export function costMsatOf(ms: number, rateMsatPerS: number): number {
  checkRate(rateMsatPerS);
  const msat = (BigInt(Math.max(0, Math.floor(ms))) * BigInt(rateMsatPerS) + 999n) / 1000n;
  return msat > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(msat);
}

/** What buys `ms` milliseconds at least, in whole sats. */
export function satFor(ms: number, rateMsatPerS: number): number {
  return Math.ceil(costMsatOf(ms, rateMsatPerS) / 1000);
}

/** What a lease has used up at `nowMs`; never more than its credit. */
export function usedMsat(lease: Lease, nowMs: number): number {
  if (lease.sinceMs === undefined) return lease.spentMsat;
  const untilMs = Math.min(nowMs, lease.expiresMs ?? nowMs);
  const running = costMsatOf(untilMs - lease.sinceMs, lease.terms.spec.rateMsatPerS);
  return Math.min(lease.creditMsat, lease.spentMsat + running);
}

/** What a lease has left at `nowMs`, in msat. */
export function leftMsat(lease: Lease, nowMs: number): number {
  return lease.creditMsat - usedMsat(lease, nowMs);
}

/** When the paid time of a lease is over, if it runs from `sinceMs` on. */
export function expiryOf(
  lease: Pick<Lease, "creditMsat" | "spentMsat" | "terms">,
  sinceMs: number,
): number {
  const ms = durationMsOf(lease.creditMsat - lease.spentMsat, lease.terms.spec.rateMsatPerS);
  return Math.min(sinceMs + ms, Number.MAX_SAFE_INTEGER);
}

function checkRate(rateMsatPerS: number): void {
  if (Number.isSafeInteger(rateMsatPerS) && rateMsatPerS > 0) return;
  throw new RangeError(
    `Cannot reckon with ${rateMsatPerS} msat per second: a whole number above 0 wanted`,
  );
}
