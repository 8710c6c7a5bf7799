/** How an amount that is kept is split into proofs. */
import { assert } from "../../src/core/assert.ts";
import type { Coin } from "../store/wallet_store.ts";

/** Options of {@link splitForKeep}. */
export interface SplitOptions {
  /** The amounts that the keyset signs. */
  readonly denominations: readonly bigint[];
  /** What is held already, of any keyset of the mint. */
  readonly held?: readonly Coin[];
  /**
   * How many of each small amount to have at hand, so that future sends need no large coin. 0 splits
   * into the fewest proofs. @default {0}
   */
  readonly wantedCount?: number;
  /** Most proofs to split into. @default {64} */
  readonly countMax?: number;
}

/**
 * Splits `amount` into the fewest proofs, in ascending order.
 *
 * @throws {Error} If the denominations cannot make it.
 */
export function splitFewest(amount: bigint, denominations: readonly bigint[]): bigint[] {
  const parts: bigint[] = [];
  let left = amount;
  for (const denomination of descending(denominations)) {
    const count = left / denomination;
    assert(parts.length + Number(count) <= 1000, "an amount is split into at most 1000 proofs");
    for (let index = 0n; index < count; index++) parts.push(denomination);
    left -= denomination * count;
  }
  assert(left === 0n, `denominations that make ${amount} are wanted`);
  return parts.reverse();
}

/**
 * Splits what is kept: first one coin of each amount of which fewer than `wantedCount` are held, from
 * the smallest up and while the rest allows it, then the fewest proofs. Ascending.
 */
export function splitForKeep(amount: bigint, options: SplitOptions): bigint[] {
  const countMax = options.countMax ?? 64;
  const heldCount = new Map<bigint, number>();
  for (const { amount, count } of options.held ?? []) {
    heldCount.set(amount, (heldCount.get(amount) ?? 0) + count);
  }
  const parts: bigint[] = [];
  let left = amount;
  for (const denomination of descending(options.denominations).reverse()) {
    let count = heldCount.get(denomination) ?? 0;
    for (; count < (options.wantedCount ?? 0) && denomination <= left; count++) {
      const rest = splitFewest(left - denomination, options.denominations);
      if (parts.length + 1 + rest.length > countMax) break;
      parts.push(denomination);
      left -= denomination;
    }
  }
  return [...parts, ...splitFewest(left, options.denominations)].sort(ascending);
}

function descending(amounts: readonly bigint[]): bigint[] {
  return [...amounts].sort((a, b) => ascending(b, a));
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
