/** What a mint's typed refusals mean for a plan (error codes of the NUTs). */
import type { OutputRecord, WalletTransaction } from "../store/wallet_store.ts";

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

/** Moves the counters of `outputs` on by a stride that doubles with each round, past what is used. */
export function skipCounters(
  tx: WalletTransaction,
  outputs: readonly OutputRecord[],
  round: number,
): void {
  const stride = 32 * 2 ** round;
  for (const keysetId of new Set(outputs.map((output) => output.keysetId))) {
    tx.advanceCounter(keysetId, tx.counter(keysetId) + stride);
  }
}
