/** Which groups a source is given, and how many. */
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";
import { groupsOf, nextRandom, rateOf, type SchedulerState, type SourceState } from "./state.ts";

/** Ranges begin and end at multiples of 1 MiB where they can, so that few parents are sent twice. */
const ALIGN_GROUPS = 64;

/** A range for `source` out of `available`, which it holds and nobody brings yet. */
export function pickGroups(
  state: SchedulerState,
  source: SourceState,
  options: { readonly available: RangeSet; readonly sources: readonly SourceState[] },
): RangeSet {
  const count = rangeGroups(state, source, options);
  const next = readNext(state, options.available);
  if (!next.isEmpty) return clipRuns(alignEnd(next, count), state.limits.runsPerRequestMax);
  const rare = rarest(source, options);
  const others = options.sources.filter((other) => other !== source);
  const isShared = others.some((other) => other.holdings.state === "some");
  const from = isShared ? startAnywhere(state, rare, count) : rare;
  return clipRuns(alignEnd(from, count), state.limits.runsPerRequestMax);
}

/** What a reader of the growing blob comes to next; empty when there is none. */
function readNext(state: SchedulerState, available: RangeSet): RangeSet {
  const { readingGroup, limits } = state;
  if (readingGroup === undefined) return RangeSet.EMPTY;
  return available.intersect(RangeSet.of(readingGroup, readingGroup + limits.readAheadGroups));
}

/** How many groups are about the target's worth of work, and no more than a fair share of the rest. */
export function rangeGroups(
  state: SchedulerState,
  source: SourceState,
  options: { readonly available: RangeSet; readonly sources: readonly SourceState[] },
): number {
  const { limits } = state;
  const rate = rateOf(state, source);
  let bytes = (rate * limits.rangeTargetMs) / 1000;
  const workers = options.sources.filter((other) => other.kind === "peer");
  if (workers.length > 1) {
    // Guided self-scheduling: ranges shrink towards the end, so that all end at the same time.
    let rateSum = 0;
    for (const other of workers) rateSum += rateOf(state, other);
    const fairShare = (options.available.count * GROUP_BYTES * rate) / rateSum;
    bytes = Math.min(bytes, fairShare / 2);
  }
  bytes = Math.min(limits.rangeBytesMax, Math.max(limits.rangeBytesMin, bytes));
  return Math.ceil(bytes / GROUP_BYTES);
}

/**
 * Rarest first: of what is available, the part that the fewest others hold. Taken greedily: what
 * another source holds is left to it as long as something remains.
 */
function rarest(
  source: SourceState,
  options: { readonly available: RangeSet; readonly sources: readonly SourceState[] },
): RangeSet {
  let rare = options.available;
  for (const other of options.sources) {
    if (other === source || other.holdings.state !== "some") continue;
    const left = rare.subtract(groupsOf(other));
    if (!left.isEmpty) rare = left;
  }
  return rare;
}

/** Where peers hold parts of each other, starting points differ, so that they can exchange. */
function startAnywhere(state: SchedulerState, groups: RangeSet, count: number): RangeSet {
  if (groups.count <= count) return groups;
  const first = groups.first!;
  const end = groups.boundaries.at(-1)!;
  const steps = Math.ceil((end - first) / ALIGN_GROUPS);
  const start = first + nextRandom(state, steps) * ALIGN_GROUPS;
  const from = groups.intersect(RangeSet.of(start));
  return from.isEmpty ? groups : from;
}

/** The first `count` groups, a little fewer if that ends at a multiple of the alignment. */
function alignEnd(groups: RangeSet, count: number): RangeSet {
  const taken = groups.take(count);
  const end = taken.boundaries.at(-1)!;
  const aligned = Math.floor(end / ALIGN_GROUPS) * ALIGN_GROUPS;
  if (count < 2 * ALIGN_GROUPS || taken.equals(groups)) return taken;
  const cut = taken.below(aligned);
  return cut.isEmpty ? taken : cut;
}

function clipRuns(groups: RangeSet, runsMax: number): RangeSet {
  if (groups.runCount <= runsMax) return groups;
  return RangeSet.fromBoundaries(groups.boundaries.slice(0, runsMax * 2));
}
