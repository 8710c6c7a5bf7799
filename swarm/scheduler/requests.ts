/** Beginning and ending requests, and giving up sources. Every effect on a request is made here. */
import type { ErrorCode } from "../../src/core/errors.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { groupCountOf } from "../bao/geometry.ts";
import { noteEnd } from "./rates.ts";
import {
  outstandingGroups,
  type RequestState,
  type SchedulerState,
  type SourceState,
} from "./state.ts";
import type { RequestPurpose } from "./types.ts";

/** Asks `source` for `groups`; `wanted` is less when a part of them is brought by others. */
export function beginRequest(
  state: SchedulerState,
  source: SourceState,
  options: {
    readonly groups: RangeSet;
    readonly wanted?: RangeSet;
    readonly purpose: RequestPurpose;
    readonly nowMs: number;
  },
): RequestState {
  const request: RequestState = {
    id: state.nextRequestId++,
    source,
    purpose: options.purpose,
    startedMs: options.nowMs,
    unsent: options.groups,
    wanted: options.wanted ?? options.groups,
    cursor: source.kind === "origin" ? options.groups.first ?? 0 : 0,
    claimedSize: undefined,
    hasFirstByte: false,
    lastProgressMs: options.nowMs,
    receivedBytes: 0,
    isUnproven: state.size === undefined,
    isWindingUp: false,
    isRaced: options.purpose === "race",
  };
  state.requests.set(request.id, request);
  source.requestCount++;
  state.effects.push({
    type: "request",
    requestId: request.id,
    sourceId: source.id,
    groups: options.groups,
    ...(state.size === undefined ? {} : { size: state.size }),
    purpose: options.purpose,
  });
  return request;
}

/** Forgets `request`; what it still wanted may be asked elsewhere. */
export function endRequest(state: SchedulerState, request: RequestState, nowMs: number): void {
  if (!state.requests.delete(request.id)) return;
  request.source.requestCount--;
  if (state.size === undefined && request.source.kind === "peer") state.hasProofFailed = true;
  noteEnd(request, nowMs);
}

/** Ends `request` from our side. */
export function cancelRequest(
  state: SchedulerState,
  request: RequestState,
  options: { readonly reason: string; readonly nowMs: number },
): void {
  if (!state.requests.has(request.id)) return;
  endRequest(state, request, options.nowMs);
  state.effects.push({ type: "cancel", requestId: request.id, reason: options.reason });
}

/** Keeps a failure for the report, at most one per source and code. */
export function noteFailure(
  state: SchedulerState,
  failure: { readonly id: string; readonly code: ErrorCode; readonly message: string },
): void {
  const known = state.failures.some((one) => one.id === failure.id && one.code === failure.code);
  if (!known && state.failures.length < state.limits.failuresKeptMax) {
    state.failures.push({ id: failure.id, code: failure.code, message: failure.message });
  }
}

/**
 * Gives `source` up; a banned one also when it is announced again, an unpaid one unless it asks less
 * then.
 */
export function dropSource(
  state: SchedulerState,
  source: SourceState,
  options: {
    readonly reason: string;
    readonly isBanned?: boolean;
    readonly isUnpaid?: boolean;
    readonly nowMs: number;
  },
): void {
  source.dropped = {
    reason: options.reason,
    isBanned: options.isBanned ?? false,
    isUnpaid: options.isUnpaid ?? false,
  };
  if (state.claim?.sourceId === source.id) state.claim = otherClaim(state);
  for (const request of [...state.requests.values()]) {
    if (request.source === source) cancelRequest(state, request, options);
  }
}

function otherClaim(state: SchedulerState): SchedulerState["claim"] {
  for (const source of state.sources.values()) {
    if (source.dropped === undefined && source.claimedSize !== undefined) {
      return { size: source.claimedSize, sourceId: source.id };
    }
  }
  return undefined;
}

/** Pauses `source` after a failure, longer each time, and gives it up after too many in a row. */
export function coolSource(
  state: SchedulerState,
  source: SourceState,
  options: { readonly reason: string; readonly nowMs: number },
): void {
  source.failuresInRow++;
  if (source.failuresInRow >= state.limits.failuresInRowMax) {
    dropSource(state, source, options);
    return;
  }
  const pauseMs = Math.min(
    state.limits.cooldownMsMax,
    state.limits.cooldownMsMin * 2 ** (source.failuresInRow - 1),
  );
  source.coolUntilMs = options.nowMs + pauseMs;
}

/**
 * A store keeps the plain bytes of an origin apart while the size is unproven, and lets go of them
 * when a peer proves it. So the origin begins anew; {@link isOriginFarAhead} keeps that cheap.
 */
export function restartUnprovenOrigin(state: SchedulerState, nowMs: number): void {
  if (state.size === undefined) return;
  for (const request of [...state.requests.values()]) {
    if (request.source.kind !== "origin" || !request.isUnproven) continue;
    cancelRequest(state, request, { reason: "it begins anew under the proven size", nowMs });
  }
}

/**
 * An origin that sent all that is wanted of it goes on into what peers bring. Once the first group
 * of theirs is held, what came before it can be verified: then it is told that this is enough.
 */
export function windUpOrigins(state: SchedulerState): void {
  for (const request of state.requests.values()) {
    if (request.source.kind !== "origin" || request.isWindingUp || request.isUnproven) continue;
    if (request.wanted.isEmpty || !outstandingGroups(state, request).isEmpty) continue;
    const end = request.wanted.boundaries.at(-1)!;
    const isBounded = request.wanted.boundaries.length % 2 === 0 && request.unsent.has(end);
    if (!isBounded || state.missing.has(end)) continue;
    request.isWindingUp = true;
    state.effects.push({ type: "wind-up", requestId: request.id });
  }
}

/** Whether an origin brought so much under an unproven size that peers must not prove it now. */
export function isOriginFarAhead(state: SchedulerState): boolean {
  const { originRestartBytesMax, originRestartShareMax } = state.limits;
  for (const request of state.requests.values()) {
    if (request.source.kind !== "origin" || !request.isUnproven) continue;
    const share = (request.claimedSize ?? 0) * originRestartShareMax;
    if (request.receivedBytes > Math.max(originRestartBytesMax, share)) return true;
  }
  return false;
}

/** Takes over a size that a source claims, for planning until it is proven. */
export function noteClaim(state: SchedulerState, request: RequestState, size: number): void {
  request.claimedSize = size;
  request.source.claimedSize = size;
  const cut = cutToSize(size);
  request.unsent = cut(request.unsent);
  request.wanted = cut(request.wanted);
  if (state.size === undefined && state.claim === undefined) {
    state.claim = { size, sourceId: request.source.id };
  }
}

/** The last group verified: the size that this request's source claimed is true. */
export function proveSize(state: SchedulerState, size: number, nowMs: number): void {
  state.size = size;
  state.claim = undefined;
  const groupCount = groupCountOf(size);
  state.missing = state.missing.below(groupCount);
  for (const request of [...state.requests.values()]) {
    if (request.claimedSize === undefined) {
      request.unsent = cutToSize(size)(request.unsent);
      request.wanted = cutToSize(size)(request.wanted);
    }
  }
  for (const source of state.sources.values()) {
    if (source.claimedSize === undefined || source.claimedSize === size) continue;
    if (source.dropped !== undefined) continue;
    const message = `it claimed ${source.claimedSize} bytes, and ${size} are proven`;
    noteFailure(state, { id: source.id, code: "corrupt", message });
    dropSource(state, source, { reason: message, isBanned: true, nowMs });
  }
}

/**
 * Ends `request` when what it sends next is long and wanted by nobody: a source of parts took it out
 * of the middle. The rest is asked for anew.
 */
export function endIdleSending(
  state: SchedulerState,
  request: RequestState,
  nowMs: number,
): void {
  const next = request.unsent.first;
  const wanted = request.wanted.first;
  if (next === undefined || wanted === undefined || request.source.kind === "origin") return;
  const idleGroups = request.unsent.below(wanted).count;
  if (idleGroups < state.limits.idleGroupsMax) return;
  cancelRequest(state, request, { reason: "others bring what it sends next", nowMs });
}

/**
 * What a paid source passed over it does not hold: it is not wanted of it any more, so that it is not
 * paid for sending on what nobody wants.
 */
export function endPassedOver(
  state: SchedulerState,
  request: RequestState,
  options: { readonly from: number; readonly nowMs: number },
): void {
  const { from, nowMs } = options;
  if (!request.wanted.intersects(RangeSet.of(0, from))) return;
  request.wanted = request.wanted.subtract(RangeSet.of(0, from));
  if (!request.wanted.isEmpty || request.unsent.isEmpty) return;
  cancelRequest(state, request, { reason: "it has nothing more that is wanted", nowMs });
}

/** Takes groups that are verified from every request, and ends those that have nothing left. */
export function settleGroups(state: SchedulerState, groups: RangeSet, nowMs: number): void {
  for (const request of [...state.requests.values()]) {
    if (request.wanted.intersects(groups)) request.wanted = request.wanted.subtract(groups);
    if (request.wanted.isEmpty && !request.unsent.isEmpty && !request.isWindingUp) {
      cancelRequest(state, request, { reason: "others brought the rest", nowMs });
    }
  }
}

/** As bao-tree cuts ranges: what lies past the end asks for the last group. */
function cutToSize(size: number): (groups: RangeSet) => RangeSet {
  const groupCount = groupCountOf(size);
  return (groups) => {
    const lastBoundary = groups.boundaries.at(-1);
    if (lastBoundary === undefined) return groups;
    const isPastEnd = groups.boundaries.length % 2 === 1 || lastBoundary > groupCount;
    if (!isPastEnd) return groups;
    return groups.below(groupCount).union(RangeSet.of(groupCount - 1, groupCount));
  };
}
