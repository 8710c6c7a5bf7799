/**
 * A mirror that hangs is worse than none: silent requests are asked elsewhere, the origin joins at
 * its deadlines, and a fetch that cannot go on says so.
 */
import { isHerdAhead } from "./herd.ts";
import { cancelRequest, coolSource, noteFailure } from "./requests.ts";
import {
  groupsOf,
  isUsable,
  outstandingGroups,
  type RequestState,
  type SchedulerState,
  type SourceState,
} from "./state.ts";
import { isOriginCheaper, isPaid } from "./thrift.ts";
import type { SourceFailure } from "./types.ts";

/**
 * A machine that slept, or a process too busy to look, was silent itself: that time counts against
 * nobody.
 */
export function forgiveOwnSilence(state: SchedulerState, nowMs: number): void {
  const gapMs = nowMs - (state.lastTickMs ?? nowMs);
  state.lastTickMs = nowMs;
  if (gapMs <= state.limits.tickGapMsMax) return;
  const later = (ms: number) => Math.min(nowMs, ms + gapMs);
  state.startMs = later(state.startMs);
  state.lastProgressMs = later(state.lastProgressMs);
  state.windowStartMs = undefined;
  state.windowBytes = 0;
  for (const source of state.sources.values()) {
    source.lastProgressMs = later(source.lastProgressMs);
  }
  for (const request of state.requests.values()) {
    request.startedMs = later(request.startedMs);
    request.lastProgressMs = later(request.lastProgressMs);
  }
}

/** Ends requests that are silent for too long and can be asked elsewhere. */
export function watchRequests(state: SchedulerState, nowMs: number): void {
  for (const request of [...state.requests.values()]) {
    const silentMs = silenceOf(request, nowMs);
    if (silentMs < patienceOf(state, request)) continue;
    const mustEnd = nowMs - request.lastProgressMs >= silenceMax(state, request);
    if (!mustEnd && !hasAlternative(state, request, nowMs)) continue;
    const message = request.hasFirstByte
      ? `it made no progress for ${Math.round(silentMs)} ms`
      : `it sent no byte within ${Math.round(silentMs)} ms`;
    noteFailure(state, { id: request.source.id, code: "timeout", message });
    cancelRequest(state, request, { reason: message, nowMs });
    coolSource(state, request.source, { reason: message, nowMs });
  }
}

/** A pipelined request is as silent as its source, not as itself. */
function silenceOf(request: RequestState, nowMs: number): number {
  return nowMs - Math.max(request.lastProgressMs, request.source.lastProgressMs);
}

function patienceOf(state: SchedulerState, request: RequestState): number {
  const { limits } = state;
  const { source, hasFirstByte } = request;
  const patienceMs = hasFirstByte
    ? limits.progressMs
    : source.kind === "origin"
    ? limits.originFirstByteMs
    : limits.firstByteMs;
  // A peer behind a long line gets more time when it is tried again, or it could never serve.
  const doubledMs = patienceMs * 2 ** Math.min(3, source.failuresInRow);
  if (!isPaid(source)) return doubledMs;
  return Math.max(doubledMs, hasFirstByte ? limits.paidProgressMs : limits.paidFirstByteMs);
}

function silenceMax(state: SchedulerState, request: RequestState): number {
  const factor = request.source.kind === "origin" ? 2 : 1;
  return state.limits.silenceMsMax * factor;
}

/** Whether another source that is not silent itself may bring some of what `request` should. */
function hasAlternative(state: SchedulerState, request: RequestState, nowMs: number): boolean {
  const wanted = outstandingGroups(state, request);
  for (const source of state.sources.values()) {
    if (source === request.source || !isUsable(source, nowMs)) continue;
    if (!groupsOf(source).intersects(wanted)) continue;
    if (!isSilent(state, source, nowMs)) return true;
  }
  return false;
}

function isSilent(state: SchedulerState, source: SourceState, nowMs: number): boolean {
  if (source.requestCount === 0) return false;
  for (const request of state.requests.values()) {
    if (request.source !== source) continue;
    if (silenceOf(request, nowMs) < patienceOf(state, request)) return false;
  }
  return true;
}

/** Asks for the origin when the policy and the clock say so. */
export function watchOrigin(state: SchedulerState, nowMs: number): void {
  if (!state.hasOrigin || state.originState !== "unused") return;
  const reason = originReason(state, nowMs);
  if (reason === undefined) return;
  state.originState = "starting";
  state.effects.push({ type: "start-origin", reason });
}

function originReason(state: SchedulerState, nowMs: number): string | undefined {
  const { limits } = state;
  if (state.policy === "race") return "the policy is to race it";
  if (state.policy === "origin-first") return "the policy is to ask it first";
  const live = [...state.sources.values()].filter((source) => source.dropped === undefined);
  if (live.length === 0 && state.isDiscoveryEnded) {
    return state.sources.size === 0 ? "no peer has the blob" : whyNobodyIsLeft(state);
  }
  if (isHerdAhead(state, live, nowMs)) {
    state.herdWaitedMs = nowMs;
    return undefined;
  }
  if (isOriginCheaper(state)) return "peers ask a price for what is missing, and it asks none";
  // When the member that was waited for has the blob, it gets its chance to send it.
  const sinceMs = nowMs - Math.max(state.lastProgressMs, state.herdWaitedMs);
  if (!state.hasFirstByte) {
    return sinceMs >= limits.originStartMs - limits.originLeadMs
      ? andMoney(state, "no peer sent a byte in time")
      : undefined;
  }
  if (sinceMs >= limits.originStallMs - limits.originLeadMs) {
    return andMoney(state, "the peers made no progress");
  }
  const isJudged = nowMs - state.startMs >= limits.rateFloorGraceMs && state.rate !== undefined;
  if (isJudged && state.rate! < limits.rateFloor) {
    return andMoney(state, `the peers give ${Math.round(state.rate! / 1024)} KiB/s`);
  }
  return undefined;
}

/** Says that money was why, where it was; the failure's own words tell what was asked and offered. */
function whyNobodyIsLeft(state: SchedulerState): string {
  const unpaid = unpaidFailures(state);
  const [first] = unpaid;
  if (first === undefined) return "all peers failed";
  const others = state.failures.length > unpaid.length ? "the other peers failed, and " : "";
  return `${others}no peer serves for what the policy pays: ${first.message.slice(0, 200)}`;
}

function andMoney(state: SchedulerState, reason: string): string {
  const count = unpaidFailures(state).length;
  return count === 0 ? reason : `${reason}, and ${count} ask more than the policy pays`;
}

function unpaidFailures(state: SchedulerState): readonly SourceFailure[] {
  return state.failures.filter((failure) => failure.code === "payment-required");
}

/** Ends a fetch that nobody can complete. */
export function watchEnd(state: SchedulerState, nowMs: number): void {
  if (state.requests.size > 0 && !isHopeless(state, nowMs)) return;
  if (state.originState === "starting") return;
  const live = [...state.sources.values()].filter((source) => source.dropped === undefined);
  if (isHopeless(state, nowMs)) {
    fail(state, { code: "timeout", reason: "no source made progress", nowMs });
    return;
  }
  if (live.length > 0 || !state.isDiscoveryEnded) return;
  if (state.hasOrigin && state.originState === "unused") return;
  fail(state, { code: endCode(state), reason: "every source failed", nowMs });
}

/** Not having the blob comes after asking to be paid for it, and both after any other failure. */
function endCode(state: SchedulerState): "not-found" | "payment-required" | "unavailable" {
  const codes = new Set(state.failures.map((failure) => failure.code));
  codes.delete("not-found");
  if (codes.size === 0) return "not-found";
  codes.delete("payment-required");
  return codes.size === 0 ? "payment-required" : "unavailable";
}

function isHopeless(state: SchedulerState, nowMs: number): boolean {
  if (nowMs - state.lastProgressMs >= state.limits.giveUpMs) return true;
  if (state.size !== undefined || nowMs - state.startMs < state.limits.giveUpMs) return false;
  // Peers prove a size with their first answer. An origin does it with its last byte.
  for (const request of state.requests.values()) {
    if (request.source.kind === "origin") return false;
  }
  return true;
}

/** Ends the fetch without the blob. */
export function fail(
  state: SchedulerState,
  options: {
    readonly code:
      | "not-found"
      | "payment-required"
      | "unavailable"
      | "timeout"
      | "no-space"
      | "storage"
      | "locked";
    readonly reason: string;
    readonly nowMs: number;
  },
): void {
  state.outcome = "failed";
  for (const request of [...state.requests.values()]) cancelRequest(state, request, options);
  state.effects.push({ type: "fail", code: options.code, reason: options.reason });
}
