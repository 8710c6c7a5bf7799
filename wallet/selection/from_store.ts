/** Selection from what the store holds: reads a few rows of sums, then only the proofs that are chosen. */
import type { MintUrl } from "../types.ts";
import type { ProofRecord, WalletReads } from "../store/wallet_store.ts";
import { selectCoins, type Selection, type SelectOptions } from "./select.ts";

/**
 * Chooses free proofs of `mint`; undefined when they do not suffice. Reserve them in the same
 * transaction.
 */
export function selectFrom(
  store: Pick<WalletReads, "coins" | "proofsOf">,
  options: SelectOptions & { readonly mint: MintUrl },
): Selection<ProofRecord> | undefined {
  const found = selectCoins(store.coins(options.mint), options);
  if (found === undefined) return undefined;
  const inputs = found.coins.flatMap((coin) => store.proofsOf(options.mint, coin));
  return { inputs, fee: found.fee, change: found.change };
}
