/**
 * Search for a set of coins whose worth lies between a need and a little more: a subset sum, which is
 * hard in general and easy for powers of two. The search goes from the largest coin down, cuts what can
 * no longer fit, and gives up after a fixed number of steps, so that its time is bounded.
 */
import { PPK } from "./fees.ts";
import type { Candidate, Counts } from "./select.ts";

/** Steps after which the best that was found counts: a millisecond or two. */
const STEPS_MAX = 8_000;

/** The bounds of a search. */
interface Bounds {
  readonly need: bigint;
  readonly countMax: number;
  readonly overshootMax: bigint;
}

/**
 * Of the sets within the bounds that were found, one with the fewest coins. `candidates` are in
 * descending order of worth.
 */
export function searchTight(
  candidates: readonly Candidate[],
  bounds: Bounds,
): Counts | undefined {
  const least = bounds.need * PPK;
  // Whole sats are left over: anything below the next one is the rounding of the fee.
  const most = (bounds.need + bounds.overshootMax + 1n) * PPK - 1n;
  const suffix = suffixWorths(candidates, bounds.countMax);
  const counts: number[] = candidates.map(() => 0);
  let best: Counts | undefined;
  let bestCount = bounds.countMax + 1;
  let steps = 0;

  const descend = (index: number, sum: bigint, count: number): void => {
    if (++steps > STEPS_MAX || count >= bestCount) return;
    if (sum >= least) {
      best = [...counts];
      bestCount = count;
      return;
    }
    if (index === candidates.length || sum + suffix[index]! < least) return;
    const { worth, count: held } = candidates[index]!;
    const fitting = (most - sum) / worth;
    const room = Math.min(held, bestCount - 1 - count);
    let taken = fitting < BigInt(room) ? Number(fitting) : room;
    for (; taken >= 0; taken--) {
      counts[index] = taken;
      descend(index + 1, sum + worth * BigInt(taken), count + taken);
      if (steps > STEPS_MAX) break;
    }
    counts[index] = 0;
  };
  descend(0, 0n, 0);
  return best;
}

/** The most that the candidates from each place on can add. */
function suffixWorths(candidates: readonly Candidate[], countMax: number): bigint[] {
  const suffix = [0n];
  for (const { worth, count } of [...candidates].reverse()) {
    suffix.unshift(suffix[0]! + worth * BigInt(Math.min(count, countMax)));
  }
  return suffix;
}
