/** A seller that cheated is not bought of for a while, longer each time. */
import type { WalletTransaction } from "../store/wallet_store.ts";
import { AVOID_MS } from "./limits.ts";

/** Marks it, with the reason in words for people. */
export function avoidSeller(
  tx: WalletTransaction,
  peer: string,
  mark: { readonly reason: string; readonly nowMs: number },
): void {
  const strikes = tx.sellerAccount(peer)?.strikes ?? 0;
  tx.avoidSeller(peer, { untilMs: mark.nowMs + avoidMsAfter(strikes), reason: mark.reason });
}

/** How long a seller is avoided that had cheated so often before, in milliseconds. */
export function avoidMsAfter(strikes: number): number {
  return AVOID_MS[Math.min(strikes, AVOID_MS.length - 1)]!;
}
