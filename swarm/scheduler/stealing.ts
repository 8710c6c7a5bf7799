/**
 * The end of a fetch. A source with nothing left to ask for takes the tail of the request that
 * would end last; when that is too short to share, it races it, within a budget of bytes.
 */
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";
import { beginRequest } from "./requests.ts";
import {
  latencyOf,
  outstandingGroups,
  planSize,
  rateOf,
  type RequestState,
  type SchedulerState,
  type SourceState,
  workOf,
} from "./state.ts";
import { mayRace, reachOf } from "./thrift.ts";

/** @returns Whether a request was made. */
export function stealOrRace(
  state: SchedulerState,
  thief: SourceState,
  options: { readonly nowMs: number },
): boolean {
  // A source at work ends its own request before it helps with others'.
  if (workOf(state, thief).length > 0) return false;
  const victims = slowestFirst(state, thief, options.nowMs);
  for (const victim of victims) {
    if (steal(state, thief, { ...options, ...victim })) return true;
  }
  for (const victim of victims) {
    if (race(state, thief, { ...options, ...victim })) return true;
  }
  return false;
}

interface Victim {
  readonly request: RequestState;
  /** What it still has to bring and the thief has. */
  readonly groups: RangeSet;
  /** Expected until it ends. */
  readonly leftMs: number;
}

function slowestFirst(state: SchedulerState, thief: SourceState, nowMs: number): Victim[] {
  const victims: Victim[] = [];
  const held = reachOf(thief);
  for (const request of state.requests.values()) {
    if (request.source === thief || request.purpose === "probe") continue;
    const outstanding = outstandingGroups(state, request);
    const groups = outstanding.intersect(held);
    if (groups.isEmpty || groups.count === Infinity) continue;
    victims.push({ request, groups, leftMs: leftMs(state, request, { outstanding, nowMs }) });
  }
  return victims.sort((a, b) => b.leftMs - a.leftMs);
}

/** Milliseconds until `request` ends, as its rate and its silence let expect. */
function leftMs(
  state: SchedulerState,
  request: RequestState,
  options: { readonly outstanding: RangeSet; readonly nowMs: number },
): number {
  const rate = rateOf(state, request.source) / Math.max(1, workOf(state, request.source).length);
  const silentMs = options.nowMs - request.lastProgressMs;
  return (options.outstanding.count * GROUP_BYTES * 1000) / rate + silentMs;
}

function steal(
  state: SchedulerState,
  thief: SourceState,
  options: Victim & { readonly nowMs: number },
): boolean {
  const { limits } = state;
  const { request, groups } = options;
  const bytes = groups.count * GROUP_BYTES;
  if (bytes < 2 * limits.rangeBytesMin) return false;
  if (options.leftMs < limits.stealMsMin + 2 * latencyOf(state, thief)) return false;
  const thiefRate = rateOf(state, thief);
  const victimRate = bytes / options.leftMs * 1000;
  const share = thiefRate / (thiefRate + victimRate);
  const wanted = Math.min(bytes * share, (thiefRate * limits.rangeTargetMs) / 1000);
  const stolenBytes = Math.min(bytes, Math.max(limits.rangeBytesMin, wanted), limits.rangeBytesMax);
  const stolen = tail(groups, Math.floor(stolenBytes / GROUP_BYTES));
  request.wanted = request.wanted.subtract(stolen);
  beginRequest(state, thief, {
    groups: clip(stolen, limits.runsPerRequestMax, request),
    purpose: "work",
    nowMs: options.nowMs,
  });
  return true;
}

/** Groups past the limit of runs go back to the one they were taken from. */
function clip(stolen: RangeSet, runsMax: number, from: RequestState): RangeSet {
  if (stolen.runCount <= runsMax) return stolen;
  const kept = RangeSet.fromBoundaries(stolen.boundaries.slice(-runsMax * 2));
  from.wanted = from.wanted.union(stolen.subtract(kept));
  return kept;
}

function race(
  state: SchedulerState,
  thief: SourceState,
  options: Victim & { readonly nowMs: number },
): boolean {
  const { limits } = state;
  const { request, groups } = options;
  if (request.isRaced || request.source.kind === "origin") return false;
  if (!mayRace(state, thief, { victim: request, nowMs: options.nowMs })) return false;
  const bytes = groups.count * GROUP_BYTES;
  const thiefMs = latencyOf(state, thief) + (bytes * 1000) / rateOf(state, thief);
  if (thiefMs * 2 + limits.raceGainMs > options.leftMs) return false;
  const budget = Math.max(limits.raceBytesMin, (planSize(state) ?? 0) * limits.raceShareMax);
  if (state.raceBytes + bytes > budget) return false;
  if (groups.runCount > limits.runsPerRequestMax) return false;
  state.raceBytes += bytes;
  request.isRaced = true;
  beginRequest(state, thief, { groups, purpose: "race", nowMs: options.nowMs });
  return true;
}

/** The `count` greatest members of a finite set. */
function tail(groups: RangeSet, count: number): RangeSet {
  const head = groups.take(Math.max(0, groups.count - count));
  return groups.subtract(head);
}
