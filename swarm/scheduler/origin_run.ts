/**
 * What an origin is asked for. It sends plain bytes without parents, which can be verified only from
 * the beginning of a subtree whose chaining value is proven. In a run of missing groups, those are
 * the subtrees that the run is made of: whoever brought the groups beside it brought their values.
 */
import { type Range, RangeSet } from "../../src/core/range_set.ts";
import { groupCountOf, leftCountOf } from "../bao/geometry.ts";
import { beginRequest } from "./requests.ts";
import {
  assignedGroups,
  outstandingBytes,
  rateOf,
  type SchedulerState,
  type SourceState,
} from "./state.ts";

/**
 * Gives an origin the longest run of missing groups, from the first subtree that no peer is at work
 * on. It goes on to the end of the run: peers take from its tail, and it is told when they meet.
 *
 * @returns Whether a request was made.
 */
export function giveOriginRun(state: SchedulerState, source: SourceState, nowMs: number): boolean {
  if (willPeersEndSoon(state, nowMs)) return false;
  const run = longestRun(state);
  if (run === undefined) return false;
  const groups = RangeSet.of(startIn(state, run), run.end);
  const wanted = groups.intersect(state.missing);
  beginRequest(state, source, { groups, wanted, purpose: "work", nowMs });
  return true;
}

function longestRun(state: SchedulerState): Range | undefined {
  let best: Range | undefined;
  let current: Range | undefined;
  for (const range of state.missing) {
    // Small gaps are cheaper read again than asked around.
    const isNear = current !== undefined &&
      range.start - current.end <= state.limits.originGapGroups;
    current = isNear ? { start: current!.start, end: range.end } : range;
    if (best === undefined || current.end - current.start > best.end - best.start) best = current;
  }
  return best;
}

function startIn(state: SchedulerState, run: Range): number {
  if (state.size === undefined) return run.start;
  const available = state.missing.subtract(assignedGroups(state));
  const first = [...state.missing.intersect(RangeSet.of(run.start, run.end))];
  const groupCount = groupCountOf(state.size);
  for (const range of first) {
    for (const start of subtreeStarts(range, { start: 0, count: groupCount })) {
      if (available.has(start)) return start;
    }
  }
  return run.start;
}

/** Where the largest subtrees begin that lie within `range`, in order. */
export function* subtreeStarts(
  range: Range,
  node: { readonly start: number; readonly count: number },
): Generator<number> {
  const end = node.start + node.count;
  if (range.end <= node.start || end <= range.start) return;
  if (range.start <= node.start && end <= range.end) {
    yield node.start;
    return;
  }
  const leftCount = leftCountOf(node.count);
  yield* subtreeStarts(range, { start: node.start, count: leftCount });
  yield* subtreeStarts(range, { start: node.start + leftCount, count: node.count - leftCount });
}

/** Whether peers bring all that is missing, and sooner than an origin would be of use. */
function willPeersEndSoon(state: SchedulerState, nowMs: number): boolean {
  if (!assignedGroups(state).includes(state.missing)) return false;
  for (const request of state.requests.values()) {
    const leftMs = (outstandingBytes(state, request) * 1000) / rateOf(state, request.source);
    const silentMs = nowMs - request.lastProgressMs;
    if (!request.hasFirstByte || leftMs + silentMs > state.limits.rangeTargetMs) return false;
  }
  return true;
}
