/**
 * Which proofs to spend.
 *
 * A proof is worth its amount less its own input fee, in thousandths (`worthPpk`); a set of proofs
 * covers a need when its worths do. So fees need no guessing: what is chosen pays for itself.
 */
import { assert } from "../../src/core/assert.ts";
import { INPUTS_PER_REQUEST_MAX } from "../limits.ts";
import type { Coin } from "../store/wallet_store.ts";
import { ceilPpk, PPK, worthPpk } from "./fees.ts";
import { searchTight } from "./search.ts";
import type { KeysetTerms } from "./terms.ts";

/** What to select for. */
export interface SelectOptions extends KeysetTerms {
  /** What must remain after the inputs' fee. */
  readonly amount: bigint;
  /** Added to the amount: what the receiver's fees will be. @default {0n} */
  readonly outputFee?: bigint;
  /** No change at all. @default {false} */
  readonly exact?: boolean;
  /** Most change, where it is locked up meanwhile or lost. @default {no limit} */
  readonly overshootMaxSat?: bigint;
  /** @default {INPUTS_PER_REQUEST_MAX} */
  readonly inputCountMax?: number;
}

/** What was selected: the inputs' amounts are `amount + outputFee + fee + change`. */
export interface Selection<P> {
  readonly inputs: readonly P[];
  /** Fee of the inputs in one request. */
  readonly fee: bigint;
  readonly change: bigint;
}

/** A kind of coin that may be chosen. */
export interface Candidate extends Coin {
  readonly worth: bigint;
  readonly feePpk: bigint;
  readonly isActive: boolean;
}

/** How many of each candidate, by its place. */
export type Counts = readonly number[];

/**
 * Chooses among `proofs`; undefined when they do not suffice, or no set is as exact as asked. The same
 * proofs in the same order give the same answer. Proofs that `needsRecheck` are left alone.
 */
export function selectProofs<
  P extends {
    readonly keysetId: string;
    readonly amount: bigint;
    readonly needsRecheck?: boolean;
  },
>(options: SelectOptions & { readonly proofs: readonly P[] }): Selection<P> | undefined {
  const byKeyset = new Map<string, Map<bigint, P[]>>();
  for (const proof of options.proofs) {
    if (proof.needsRecheck === true) continue;
    let byAmount = byKeyset.get(proof.keysetId);
    if (byAmount === undefined) byKeyset.set(proof.keysetId, byAmount = new Map());
    const same = byAmount.get(proof.amount);
    if (same === undefined) byAmount.set(proof.amount, [proof]);
    else same.push(proof);
  }
  const coins = [...byKeyset].flatMap(([keysetId, byAmount]) =>
    [...byAmount].map(([amount, same]) => ({ keysetId, amount, count: same.length }))
  );
  const found = selectCoins(coins, options);
  if (found === undefined) return undefined;
  const inputs = found.coins.flatMap(({ keysetId, amount, count }) =>
    byKeyset.get(keysetId)!.get(amount)!.slice(0, count)
  );
  return { inputs, fee: found.fee, change: found.change };
}

/** The same over sums of proofs. */
export function selectCoins(
  coins: readonly Coin[],
  options: SelectOptions,
):
  | { readonly coins: readonly Coin[]; readonly fee: bigint; readonly change: bigint }
  | undefined {
  const need = options.amount + (options.outputFee ?? 0n);
  assert(options.amount >= 0n && need >= options.amount, "what is selected for is not negative");
  const candidates = candidatesOf(coins, options);
  const countMax = options.inputCountMax ?? INPUTS_PER_REQUEST_MAX;
  const overshootMax = options.exact === true ? 0n : options.overshootMaxSat;
  const counts = choose(candidates, { need, countMax, overshootMax });
  if (counts === undefined) return undefined;
  const chosen = candidates.flatMap((candidate, index) =>
    counts[index]! > 0 ? [{ ...candidate, count: counts[index]! }] : []
  );
  let sum = 0n;
  let feePpk = 0n;
  for (const { amount, feePpk: each, count } of chosen) {
    sum += amount * BigInt(count);
    feePpk += each * BigInt(count);
  }
  const fee = ceilPpk(feePpk);
  const change = sum - fee - need;
  assert(change >= 0n, "what is selected suffices");
  return {
    coins: chosen.map(({ keysetId, amount, count }) => ({ keysetId, amount, count })),
    fee,
    change,
  };
}

/** What may be chosen, the most worth first, and of the same worth that of inactive keysets first. */
function candidatesOf(coins: readonly Coin[], terms: KeysetTerms): Candidate[] {
  const candidates = coins.flatMap((coin): Candidate[] => {
    const fee = terms.feePpkOf(coin.keysetId);
    if (fee === undefined || terms.isExpired?.(coin.keysetId) === true) return [];
    const worth = worthPpk(coin.amount, fee);
    // Dust: spending it costs what it is worth, or more.
    if (worth <= 0n || coin.count <= 0) return [];
    const isActive = terms.isActive?.(coin.keysetId) ?? true;
    return [{ ...coin, worth, feePpk: BigInt(fee), isActive }];
  });
  return candidates.sort((a, b) =>
    a.worth !== b.worth
      ? a.worth > b.worth ? -1 : 1
      : a.isActive !== b.isActive
      ? a.isActive ? 1 : -1
      : a.keysetId < b.keysetId
      ? -1
      : 1
  );
}

/** What a choice must reach and may not pass. */
export interface Goal {
  readonly need: bigint;
  readonly countMax: number;
  readonly overshootMax: bigint | undefined;
}

function choose(candidates: readonly Candidate[], goal: Goal): Counts | undefined {
  if (goal.need === 0n) return candidates.map(() => 0);
  const old = candidates.map((candidate) => candidate.isActive ? 0 : candidate.count);
  const all = candidates.map((candidate) => candidate.count);
  const attempts = [
    () => fewest(candidates, { ...goal, available: old }),
    () => withAllOld(candidates, { ...goal, old, all }),
    () => fewest(candidates, { ...goal, available: all }),
  ];
  for (const attempt of attempts) {
    const counts = attempt();
    if (counts !== undefined && isWithin(candidates, counts, goal)) return counts;
  }
  if (goal.overshootMax === undefined) return undefined;
  return searchTight(candidates, { ...goal, overshootMax: goal.overshootMax });
}

/** Every proof of inactive keysets, and the fewest others that make up the rest. */
function withAllOld(
  candidates: readonly Candidate[],
  goal: Goal & { readonly old: Counts; readonly all: Counts },
): Counts | undefined {
  const oldCount = goal.old.reduce((sum, count) => sum + count, 0);
  if (oldCount === 0 || oldCount >= goal.countMax) return undefined;
  const young = goal.all.map((count, index) => count - goal.old[index]!);
  const rest = goal.need * PPK - worthOf(candidates, goal.old);
  const added = cover(candidates, {
    rest,
    countMax: goal.countMax - oldCount,
    available: young,
  });
  return added?.map((count, index) => count + goal.old[index]!);
}

function fewest(
  candidates: readonly Candidate[],
  goal: Goal & { readonly available: Counts },
): Counts | undefined {
  return cover(candidates, { ...goal, rest: goal.need * PPK });
}

/**
 * The fewest coins whose worth is `rest` or more: the largest first. Then each, from the smallest up,
 * gives way to the smallest that still does, so that little is put in too much.
 */
function cover(
  candidates: readonly Candidate[],
  goal: { readonly rest: bigint; readonly countMax: number; readonly available: Counts },
): Counts | undefined {
  const counts = candidates.map(() => 0);
  let left = goal.rest;
  let countLeft = goal.countMax;
  for (let index = 0; index < candidates.length && left > 0n && countLeft > 0; index++) {
    const { worth } = candidates[index]!;
    const wanted = Number(min((left + worth - 1n) / worth, BigInt(countLeft)));
    const taken = Math.min(wanted, goal.available[index]!);
    counts[index] = taken;
    countLeft -= taken;
    left -= worth * BigInt(taken);
  }
  if (left > 0n) return undefined;
  let spare = -left;
  for (let index = candidates.length - 1; index >= 0 && spare > 0n; index--) {
    for (let again = counts[index]!; again > 0; again--) {
      const smaller = smallestInstead(candidates, { ...goal, counts, index, spare });
      if (smaller === undefined) break;
      counts[index]!--;
      counts[smaller]!++;
      spare -= candidates[index]!.worth - candidates[smaller]!.worth;
    }
  }
  return counts;
}

/** The smallest coin that can stand in for one of `index` while the sum still suffices. */
function smallestInstead(
  candidates: readonly Candidate[],
  state: {
    readonly counts: Counts;
    readonly available: Counts;
    readonly index: number;
    readonly spare: bigint;
  },
): number | undefined {
  const { worth } = candidates[state.index]!;
  for (let other = candidates.length - 1; other > state.index; other--) {
    const isFree = state.counts[other]! < state.available[other]!;
    if (isFree && worth - candidates[other]!.worth <= state.spare) return other;
  }
  return undefined;
}

function isWithin(candidates: readonly Candidate[], counts: Counts, goal: Goal): boolean {
  if (goal.overshootMax === undefined) return true;
  return worthOf(candidates, counts) / PPK - goal.need <= goal.overshootMax;
}

function worthOf(candidates: readonly Candidate[], counts: Counts): bigint {
  let sum = 0n;
  for (const [index, count] of counts.entries()) {
    if (count > 0) sum += candidates[index]!.worth * BigInt(count);
  }
  return sum;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
