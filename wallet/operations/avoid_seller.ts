/** A seller that cheated is not bought of for a while, longer each time. */
import type { WalletTransaction } from "../store/wallet_store.ts";
import { AVOID_MS, AVOID_MS_MAX } from "./limits.ts";

/** Marks it, with the reason in words for people. */
export function avoidSeller(
  tx: WalletTransaction,
  peer: string,
  mark: { readonly reason: string; readonly nowMs: number },
): void {
  const strikes = tx.sellerAccount(peer)?.strikes ?? 0;
  const ms = Math.min(AVOID_MS_MAX, AVOID_MS * 2 ** Math.min(strikes, 30));
  tx.avoidSeller(peer, { untilMs: mark.nowMs + ms, reason: mark.reason });
}
