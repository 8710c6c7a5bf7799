/**
 * Who is asked for what next. Called after every event: idle sources get a range of what nobody
 * brings yet; when all is under way they take the tail of the slowest request, or race it.
 */
import { RangeSet } from "../../src/core/range_set.ts";
import { BLOB_BYTES_MAX, GROUP_BYTES } from "../bao/geometry.ts";
import { beginRequest, isOriginFarAhead } from "./requests.ts";
import { giveOriginRun } from "./origin_run.ts";
import { pickGroups } from "./picking.ts";
import { stealOrRace } from "./stealing.ts";
import { isPaid, mayProveToo, reachOf, setReach } from "./thrift.ts";
import {
  assignedGroups,
  groupsOf,
  isUsable,
  latencyOf,
  nextRandom,
  outstandingBytes,
  planGroupCount,
  planSize,
  rateOf,
  type SchedulerState,
  type SourceState,
  workOf,
} from "./state.ts";

/** Past the end of any blob: asking from here on asks for the last group, whatever the size. */
const PAST_ANY_END = BLOB_BYTES_MAX / GROUP_BYTES;

/** A source runs at most this many requests: the one at work and the one after it. */
const WORK_PER_SOURCE_MAX = 2;

/** Gives every source that has room its next request. */
export function plan(state: SchedulerState, nowMs: number): void {
  setReach(state, nowMs);
  const sources = readySources(state, nowMs);
  for (const source of state.sources.values()) {
    if (isUsable(source, nowMs)) askHoldingsIfUseful(state, source, nowMs);
  }
  const askable = sources.filter((source) => !isWaitingForHoldings(state, source, nowMs));
  for (const source of askable) {
    if (state.size === undefined && source.kind === "peer") {
      prepare(state, source, nowMs);
      continue;
    }
    // One source may take two turns: the range at work and the one pipelined behind it.
    for (let turn = 0; turn < WORK_PER_SOURCE_MAX; turn++) {
      if (!hasRoom(state, source, nowMs)) break;
      if (!giveWork(state, source, { sources: askable, nowMs })) break;
    }
  }
}

/** Usable sources, the best first, no more than may be at work. */
function readySources(state: SchedulerState, nowMs: number): SourceState[] {
  const sources: SourceState[] = [];
  for (const source of state.sources.values()) {
    if (!isUsable(source, nowMs)) continue;
    if (source.kind === "peer" && arePeersHeldBack(state)) continue;
    // What holds nothing that is missing takes no place of one that does.
    if (source.holdings.state === "some" && !source.holdings.groups.intersects(state.missing)) {
      continue;
    }
    if (source.reach !== RangeSet.ALL && !reachOf(source).intersects(state.missing)) continue;
    sources.push(source);
  }
  const worth = new Map(sources.map((source) => [source, worthOf(state, source)]));
  sources.sort((a, b) => a.rank - b.rank || worth.get(b)! - worth.get(a)!);
  return sources.slice(0, state.limits.activeSourcesMax);
}

/** With `origin-first`, peers wait until the origin is in trouble. */
function arePeersHeldBack(state: SchedulerState): boolean {
  if (state.policy !== "origin-first" || !state.hasOrigin) return false;
  if (state.originState === "unavailable") return false;
  for (const source of state.sources.values()) {
    if (source.kind !== "origin") continue;
    return source.dropped === undefined && source.failuresInRow === 0;
  }
  return true;
}

function worthOf(state: SchedulerState, source: SourceState): number {
  const score = source.prior.score ?? 0.5;
  const failures = 1 / (1 + source.failuresInRow);
  return rateOf(state, source) * (0.1 + score) * failures / (20 + latencyOf(state, source));
}

/** Whether `source` can take another request: it has none, or is about to end its only one. */
function hasRoom(state: SchedulerState, source: SourceState, nowMs: number): boolean {
  const work = workOf(state, source);
  if (work.length === 0) return true;
  if (work.length >= WORK_PER_SOURCE_MAX || source.kind === "origin") return false;
  const current = work[0]!;
  // What is silent gets nothing more until it speaks.
  if (nowMs - current.lastProgressMs > state.limits.pipelineMs && !current.hasFirstByte) {
    return false;
  }
  const bytes = outstandingBytes(state, current);
  const leadMs = Math.max(state.limits.pipelineMs, 2 * latencyOf(state, source));
  return bytes <= (rateOf(state, source) * leadMs) / 1000;
}

/** @returns Whether a request was made. */
function giveWork(
  state: SchedulerState,
  source: SourceState,
  options: { readonly sources: readonly SourceState[]; readonly nowMs: number },
): boolean {
  if (source.kind === "origin") return giveOriginRun(state, source, options.nowMs);
  const { nowMs } = options;
  const available = state.missing.subtract(assignedGroups(state)).intersect(reachOf(source));
  if (needsProbe(state, source)) {
    giveProbe(state, source, { available, nowMs });
    return false;
  }
  if (available.isEmpty) return stealOrRace(state, source, { nowMs });
  const groups = pickGroups(state, source, { available, sources: options.sources });
  beginRequest(state, source, { groups, purpose: "work", nowMs });
  return true;
}

/**
 * Before the size is proven nothing big is asked for: a store keeps no group of a blob whose size is
 * not proven. The opener asks for the beginning and the last group, which proves the size; once a
 * size is claimed that is larger, the last group is asked for alone, so that it comes at once.
 */
function prepare(state: SchedulerState, source: SourceState, nowMs: number): void {
  if (isOriginFarAhead(state)) return;
  const groupCount = planGroupCount(state);
  if (groupCount === undefined) {
    giveOpener(state, source, nowMs);
    return;
  }
  const held = reachOf(source);
  const available = state.missing.below(groupCount).subtract(assignedGroups(state)).intersect(held);
  if (needsProbe(state, source)) giveProbe(state, source, { available, nowMs });
  if (!held.has(groupCount - 1)) return;
  const own = workOf(state, source);
  if (own.some((request) => isProofAlone(request.unsent))) return;
  const proofs = [...state.requests.values()].filter((request) =>
    request.source.kind === "peer" && request.unsent.has(groupCount - 1)
  );
  if (proofs.some((victim) => !mayProveToo(state, source, { victim, nowMs }))) return;
  const alone = proofs.filter((request) => isProofAlone(request.unsent));
  // An opener that brings the whole blob proves it as fast as anything.
  const isSmall = groupCount <= state.limits.openerGroups + 1;
  const waited = alone.length > 0 ? alone : isSmall ? proofs : [];
  const isUnderWay = waited.some((request) =>
    nowMs - request.lastProgressMs <= hedgeMs(state, request.source)
  );
  if (isUnderWay) return;
  beginRequest(state, source, { groups: RangeSet.of(PAST_ANY_END), purpose: "opener", nowMs });
}

/** Whether a request asks for the last group and nothing else. */
function isProofAlone(groups: RangeSet): boolean {
  return groups.runCount === 1 && (groups.first === PAST_ANY_END || groups.count === 1);
}

/** The first request of all. */
function giveOpener(state: SchedulerState, source: SourceState, nowMs: number): void {
  const openers = [...state.requests.values()].filter((one) => one.source.kind === "peer");
  const hasOrigin = [...state.requests.values()].some((one) => one.source.kind === "origin");
  if (openers.some((request) => request.source === source)) return;
  // A second peer opens as well if the first is slow to say anything; others wait for the size.
  const isSlow = openers.length === 1 &&
    nowMs - openers[0]!.startedMs > hedgeMs(state, openers[0]!.source);
  if (openers.length > 0 && !isSlow) return;
  if (openers.some((victim) => !mayProveToo(state, source, { victim, nowMs }))) return;
  const isAlone = hasOrigin || state.hasProofFailed || openers.length > 0;
  const { openerGroups, paidOpenerGroups } = state.limits;
  const headCount = isPaid(source) ? paidOpenerGroups : openerGroups;
  const head = isAlone ? RangeSet.EMPTY : RangeSet.of(0, headCount);
  const groups = state.missing.intersect(head.union(RangeSet.of(PAST_ANY_END)))
    .intersect(reachOf(source));
  if (!groups.has(PAST_ANY_END)) return;
  beginRequest(state, source, { groups, purpose: "opener", nowMs });
}

/** How long a first answer may take before somebody else is asked as well. */
function hedgeMs(state: SchedulerState, source: SourceState): number {
  return Math.min(state.limits.firstByteMs, Math.max(100, 4 * latencyOf(state, source)));
}

function needsProbe(state: SchedulerState, source: SourceState): boolean {
  return !source.isProbed && (planSize(state) ?? 0) >= state.limits.probeBytesMin;
}

/** One random group that this source should have; nothing else before it came. */
function giveProbe(
  state: SchedulerState,
  source: SourceState,
  options: { readonly available: RangeSet; readonly nowMs: number },
): void {
  for (const request of state.requests.values()) {
    if (request.source === source && request.purpose === "probe") return;
  }
  const groupCount = planGroupCount(state)!;
  // What somebody is at work on is tried a second time only where that costs nothing.
  const choice = options.available.isEmpty && !isPaid(source)
    ? state.missing.below(groupCount).intersect(groupsOf(source))
    : options.available;
  if (choice.isEmpty) return;
  let skip = nextRandom(state, choice.count);
  for (const range of choice) {
    const length = range.end - range.start;
    if (skip < length) {
      const groups = RangeSet.of(range.start + skip, range.start + skip + 1);
      beginRequest(state, source, { groups, purpose: "probe", nowMs: options.nowMs });
      return;
    }
    skip -= length;
  }
}

/** Asks a peer what it holds when that can change what it is asked for. */
function askHoldingsIfUseful(state: SchedulerState, source: SourceState, nowMs: number): void {
  if (!source.tellsHoldings || source.isAskingHoldings || source.holdings.state === "all") return;
  if ((planSize(state) ?? 0) < state.limits.holdingsBytesMin && source.holdings.state !== "some") {
    return;
  }
  const askedMs = source.holdingsAskedMs;
  if (askedMs !== undefined) {
    if (nowMs - askedMs < source.refreshMs) return;
    if (source.holdings.state === "unknown") return;
    // What it has is enough to keep it at work for now.
    if (workOf(state, source).length > 0) return;
  }
  askHoldings(state, source, nowMs);
}

/** Sends the question. */
export function askHoldings(state: SchedulerState, source: SourceState, nowMs: number): void {
  source.isAskingHoldings = true;
  source.holdingsAskedMs = nowMs;
  state.effects.push({ type: "ask-holdings", sourceId: source.id });
}

/** A peer of which nothing is known waits shortly for its answer, unless it is at work already. */
function isWaitingForHoldings(
  state: SchedulerState,
  source: SourceState,
  nowMs: number,
): boolean {
  return source.isAskingHoldings && source.holdings.state === "unknown" &&
    source.requestCount === 0 && source.newBytes === 0 &&
    nowMs - source.holdingsAskedMs! < state.limits.holdingsWaitMs;
}
