/** Input fees, exactly (NUT-02): thousandths are added up first and rounded up once for a request. */
import { assert } from "../../src/core/assert.ts";
import { INPUTS_PER_REQUEST_MAX } from "../limits.ts";
import type { Coin } from "../store/wallet_store.ts";
import type { KeysetTerms } from "./terms.ts";

/** A thousandth of a sat is the smallest part of a fee. */
export const PPK = 1000n;

/**
 * The fee of a request that spends `proofs`, in their unit.
 *
 * @throws {Error} If the fee of one's keyset is not known.
 */
export function inputFee(
  proofs: Iterable<{ readonly keysetId: string }>,
  feePpkOf: (keysetId: string) => number | undefined,
): bigint {
  let ppk = 0;
  for (const { keysetId } of proofs) {
    const fee = feePpkOf(keysetId);
    assert(fee !== undefined, `the fee of keyset ${keysetId} is known`);
    ppk += fee;
  }
  return ceilPpk(BigInt(ppk));
}

/** The fee of a request that spends `count` proofs of one keyset. */
export function feeForCount(count: number, inputFeePpk: number): bigint {
  return ceilPpk(BigInt(count) * BigInt(inputFeePpk));
}

/** Thousandths as whole ones, rounded up. */
export function ceilPpk(ppk: bigint): bigint {
  return (ppk + PPK - 1n) / PPK;
}

/**
 * What a proof adds to a request in thousandths: its value less its fee. Since values are whole, the sum
 * covers a need exactly when the values do after the fee that is rounded up once.
 */
export function worthPpk(amount: bigint, inputFeePpk: number): bigint {
  return amount * PPK - BigInt(inputFeePpk);
}

/** Options of {@link maxSpendable}. */
export interface MaxSpendableOptions extends KeysetTerms {
  readonly coins: readonly Coin[];
  /** @default {INPUTS_PER_REQUEST_MAX} */
  readonly inputCountMax?: number;
}

/** The most that one request can pay with `coins` after its input fee. */
export function maxSpendable(options: MaxSpendableOptions): bigint {
  let left = options.inputCountMax ?? INPUTS_PER_REQUEST_MAX;
  const worths = options.coins.flatMap(({ keysetId, amount, count }) => {
    const fee = options.feePpkOf(keysetId);
    if (fee === undefined || options.isExpired?.(keysetId) === true) return [];
    const worth = worthPpk(amount, fee);
    return worth > 0n ? [{ worth, count }] : [];
  }).sort((a, b) => a.worth > b.worth ? -1 : a.worth < b.worth ? 1 : 0);
  let sum = 0n;
  for (const { worth, count } of worths) {
    const taken = Math.min(count, left);
    sum += worth * BigInt(taken);
    left -= taken;
  }
  return sum / PPK;
}
