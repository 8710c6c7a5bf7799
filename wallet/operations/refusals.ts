/** What a mint's typed refusals mean for a plan (error codes of the NUTs). */
import { RESTORE_GAP } from "./limits.ts";
import type { OutputRecord, WalletTransaction } from "../store/wallet_store.ts";

/** Outputs that one request has at most, but for the largest. */
const OUTPUTS_LIKELY_MAX = 50;

/** The quote is not paid, is pending, or has expired: of a quote that was seen paid, it passes. */
export const UNPAID: readonly number[] = [20001, 20005, 20007];

/** Keyset unknown, inactive or expired; transaction not balanced, whose fee changed: plan anew. */
export function isKeysetRefusal(code: number): boolean {
  return code === 11005 || (code >= 12000 && code < 13000);
}

/** A proof, or its witness, is not valid to the mint. */
export function isProofRefusal(code: number): boolean {
  return code === 10001 || code === 10003;
}

/**
 * Moves the counters of `outputs` on by a stride that doubles with each round, past what is used. It
 * stays below the gap at which a restore from the words stops looking.
 */
export function skipCounters(
  tx: WalletTransaction,
  outputs: readonly OutputRecord[],
  round: number,
): void {
  const stride = Math.min(32 * 2 ** Math.min(round, 10), RESTORE_GAP - OUTPUTS_LIKELY_MAX);
  for (const keysetId of new Set(outputs.map((output) => output.keysetId))) {
    tx.advanceCounter(keysetId, tx.counter(keysetId) + stride);
  }
}
