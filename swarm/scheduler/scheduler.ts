/**
 * The scheduler of one fetch: which source is asked for which chunk groups, and when. It does no
 * I/O and knows no clock: events and the time go in, effects come out, and equal inputs give equal
 * outputs, so that the simulator in `tests/sim` can drive it through thousands of networks.
 *
 *     start -> planning <-> requests under way -> done
 *                  |  watchdog: silent, slow, lying sources lose their ranges
 *                  |  origin joins by policy and deadline
 *                  '-> fail, when nobody is left to ask
 */
import type { ErrorCode } from "../../src/core/errors.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf } from "../bao/geometry.ts";
import type { Holdings } from "../ports.ts";
import { askHoldings, plan } from "./planning.ts";
import { noteBytes, noteTick } from "./rates.ts";
import {
  coolSource,
  dropSource,
  endIdleSending,
  endPassedOver,
  endRequest,
  noteClaim,
  noteFailure,
  proveSize,
  restartUnprovenOrigin,
  settleGroups,
  windUpOrigins,
} from "./requests.ts";
import {
  groupsOf,
  initialState,
  planSize,
  type RequestState,
  type SchedulerState,
  type SourceState,
} from "./state.ts";
import { isPaid } from "./thrift.ts";
import type { SchedulerEffect, SchedulerEvent, SchedulerOptions, SourceFailure } from "./types.ts";
import { fail, forgiveOwnSilence, watchEnd, watchOrigin, watchRequests } from "./watchdog.ts";

/** What a fetch looks like from outside, for progress bars. */
export interface SchedulerProgress {
  /** Proven or claimed size. */
  readonly size: number | undefined;
  readonly isSizeProven: boolean;
  readonly missing: RangeSet;
  /** Sources with a request under way. */
  readonly activeSourceCount: number;
  /** Bytes a second over all sources, undefined before it was measured. */
  readonly rate: number | undefined;
  /** Verified groups that came more than once, in bytes. */
  readonly duplicateBytes: number;
}

/** See the head of this file. */
export class Scheduler {
  readonly #state: SchedulerState;

  constructor(options: SchedulerOptions) {
    this.#state = initialState(options);
  }

  /**
   * Takes one event.
   *
   * @param nowMs A monotonic time; never less than in the call before.
   * @returns What to do now, in order. Nothing more comes after `done` or `fail`.
   */
  step(event: SchedulerEvent, nowMs: number): readonly SchedulerEffect[] {
    const state = this.#state;
    if (state.outcome !== undefined) return [];
    state.effects = [];
    applyEvent(state, event, nowMs);
    if (state.isStarted && state.outcome === undefined) settle(state, event, nowMs);
    return state.effects;
  }

  progress(): SchedulerProgress {
    const state = this.#state;
    const active = new Set([...state.requests.values()].map((request) => request.source));
    return {
      size: planSize(state),
      isSizeProven: state.size !== undefined,
      missing: state.missing,
      activeSourceCount: active.size,
      rate: state.rate,
      duplicateBytes: state.duplicateBytes,
    };
  }

  /** What went wrong so far, at most one entry for each source and code. */
  get failures(): readonly SourceFailure[] {
    return this.#state.failures;
  }

  /** What was measured of each source. */
  *measured(): Generator<
    { readonly id: string; readonly latencyMs?: number; readonly throughput?: number }
  > {
    for (const source of this.#state.sources.values()) {
      yield {
        id: source.id,
        ...(source.latencyMs === undefined ? {} : { latencyMs: source.latencyMs }),
        ...(source.rate === undefined ? {} : { throughput: source.rate }),
      };
    }
  }
}

function applyEvent(state: SchedulerState, event: SchedulerEvent, nowMs: number): void {
  switch (event.type) {
    case "start":
      state.isStarted = true;
      state.startMs = nowMs;
      state.lastProgressMs = nowMs;
      state.missing = event.missing;
      state.size = event.size;
      break;
    case "source-added":
      addSource(state, event, nowMs);
      break;
    case "priced": {
      const source = state.sources.get(event.sourceId);
      if (source !== undefined) source.priceMsatPerMiB = cleanPrice(event.priceMsatPerMiB);
      break;
    }
    case "source-removed": {
      const source = state.sources.get(event.sourceId);
      if (source !== undefined && source.dropped === undefined) {
        dropSource(state, source, { reason: event.reason, nowMs });
      }
      break;
    }
    case "held":
      if (event.size !== undefined && state.size === undefined) proveSize(state, event.size, nowMs);
      state.missing =
        (state.size === undefined ? RangeSet.ALL : RangeSet.of(0, groupCountOf(state.size)))
          .subtract(event.groups);
      break;
    case "discovery-ended":
      state.isDiscoveryEnded = true;
      break;
    case "reading":
      state.readingGroup = event.group;
      break;
    case "holdings": {
      const source = state.sources.get(event.sourceId);
      if (source !== undefined) applyHoldings(state, source, { ...event, nowMs });
      break;
    }
    case "origin-unavailable":
      state.originState = "unavailable";
      noteFailure(state, { id: "origin", code: "unavailable", message: event.reason });
      break;
    case "tick":
      forgiveOwnSilence(state, nowMs);
      noteTick(state, nowMs);
      break;
    default:
      applyRequestEvent(state, event, nowMs);
  }
}

function applyRequestEvent(
  state: SchedulerState,
  event: Extract<SchedulerEvent, { readonly requestId: number }>,
  nowMs: number,
): void {
  const request = state.requests.get(event.requestId);
  // It was cancelled, and this crossed the cancellation. Groups that came are groups that came.
  if (request === undefined) {
    if (event.type === "verified") acceptGroups(state, event.groups, nowMs);
    return;
  }
  switch (event.type) {
    case "granted":
      if (event.size > state.limits.blobBytesMax) {
        endTooLarge(state, request, { size: event.size, nowMs });
        break;
      }
      noteClaim(state, request, event.size);
      if (state.size !== undefined && event.size !== state.size) {
        proveSize(state, state.size, nowMs);
      }
      break;
    case "received":
      noteBytes(state, request, { bytes: event.bytes, nowMs });
      request.cursor += event.bytes / GROUP_BYTES;
      break;
    case "verified":
      applyVerified(state, request, { groups: event.groups, nowMs });
      break;
    case "finished":
      endRequest(state, request, nowMs);
      // An origin that met what peers brought did its part; the next plan says what is left.
      if (
        !request.wanted.isEmpty && !(request.source.kind === "origin" && request.receivedBytes > 0)
      ) {
        noteShortAnswer(state, request, nowMs);
      }
      break;
    case "failed":
      endRequest(state, request, nowMs);
      applyFailure(state, request, { code: event.code, message: event.message, nowMs });
      break;
    default:
      event satisfies never;
  }
}

function addSource(
  state: SchedulerState,
  event: Extract<SchedulerEvent, { readonly type: "source-added" }>,
  nowMs: number,
): void {
  if (event.kind === "origin") state.originState = "added";
  const known = state.sources.get(event.sourceId);
  if (known !== undefined) {
    known.isFleet = event.isFleet ?? known.isFleet;
    known.fetchesBeforeUs = event.fetchesBeforeUs ?? known.fetchesBeforeUs;
    const priceBefore = known.priceMsatPerMiB;
    if (event.priceMsatPerMiB !== undefined) {
      known.priceMsatPerMiB = cleanPrice(event.priceMsatPerMiB);
    }
    // Who was out because of its price is asked again when it asks less.
    const isCheaper = known.priceMsatPerMiB < priceBefore;
    if (known.dropped?.isUnpaid === true && !isCheaper) return;
    if (known.dropped !== undefined && !known.dropped.isBanned) {
      known.dropped = undefined;
      known.failuresInRow = 0;
      known.coolUntilMs = nowMs;
      known.holdings = { state: "unknown" };
      known.holdingsAskedMs = undefined;
    }
    if (event.holdings !== undefined) {
      applyHoldings(state, known, { holdings: event.holdings, nowMs });
    }
    return;
  }
  if (event.kind === "peer" && state.sources.size >= state.limits.sourcesMax) return;
  const source: SourceState = {
    id: event.sourceId,
    kind: event.kind,
    tellsHoldings: event.tellsHoldings,
    prior: event.prior ?? {},
    isFleet: event.isFleet ?? false,
    fetchesBeforeUs: event.fetchesBeforeUs ?? false,
    priceMsatPerMiB: cleanPrice(event.priceMsatPerMiB),
    reach: RangeSet.ALL,
    rank: 0,
    isAdmitted: false,
    neededSinceMs: undefined,
    holdings: { state: "unknown" },
    holdingsAskedMs: undefined,
    isAskingHoldings: false,
    refreshMs: state.limits.holdingsRefreshMs,
    holdingsToldMs: -Infinity,
    claimedSize: undefined,
    isProbed: event.kind === "origin",
    coolUntilMs: nowMs,
    failuresInRow: 0,
    dropped: undefined,
    rate: undefined,
    latencyMs: undefined,
    windowStartMs: undefined,
    windowBytes: 0,
    lastProgressMs: -Infinity,
    newBytes: 0,
    requestCount: 0,
  };
  state.sources.set(source.id, source);
  if (event.holdings !== undefined) {
    applyHoldings(state, source, { holdings: event.holdings, nowMs });
  }
}

function applyHoldings(
  state: SchedulerState,
  source: SourceState,
  options: { readonly holdings: Holdings | undefined; readonly nowMs: number },
): void {
  source.isAskingHoldings = false;
  const { holdings } = options;
  if (holdings === undefined || source.dropped !== undefined) return;
  if (holdings.state === "none") {
    const reason = "it does not have the blob";
    noteFailure(state, { id: source.id, code: "not-found", message: reason });
    dropSource(state, source, { reason, nowMs: options.nowMs });
    return;
  }
  source.claimedSize = holdings.size;
  source.holdingsToldMs = options.nowMs;
  const { limits } = state;
  const bringsNew = holdings.state === "all" ||
    holdings.groups.subtract(groupsOf(source)).intersects(state.missing);
  source.refreshMs = bringsNew
    ? limits.holdingsRefreshMs
    // Whoever is waited for is asked often, so that its end is seen at once.
    : source.fetchesBeforeUs
    ? limits.holdingsRefreshMs
    : Math.min(limits.holdingsRefreshMsMax, 2 * source.refreshMs);
  source.holdings = holdings.state === "all"
    ? { state: "all" }
    : { state: "some", groups: holdings.groups };
  if (state.size !== undefined) proveSize(state, state.size, options.nowMs);
}

function applyVerified(
  state: SchedulerState,
  request: RequestState,
  options: {
    readonly groups: { readonly start: number; readonly end: number };
    readonly nowMs: number;
  },
): void {
  const { nowMs } = options;
  const { start, end } = options.groups;
  // A run may end past the claimed end only by a mistake of the driver; a set of it is harmless.
  const groups = RangeSet.of(start, end);
  const source = request.source;
  const bytes = groups.count * GROUP_BYTES;
  if (source.kind === "peer") noteBytes(state, request, { bytes, nowMs });
  request.unsent = request.unsent.subtract(groups);
  source.failuresInRow = 0;
  source.isProbed ||= request.purpose === "probe";
  source.newBytes += bytes;
  const claimed = request.claimedSize;
  if (state.size === undefined && claimed !== undefined && end >= groupCountOf(claimed)) {
    proveSize(state, claimed, nowMs);
  }
  acceptGroups(state, options.groups, nowMs);
  endIdleSending(state, request, nowMs);
  if (isPaid(source) && start > 0) endPassedOver(state, request, { from: start, nowMs });
}

function acceptGroups(
  state: SchedulerState,
  run: { readonly start: number; readonly end: number },
  nowMs: number,
): void {
  const groups = RangeSet.of(run.start, run.end);
  const fresh = state.missing.intersect(groups).count;
  state.newBytes += fresh * GROUP_BYTES;
  state.duplicateBytes += (groups.count - fresh) * GROUP_BYTES;
  state.missing = state.missing.subtract(groups);
  settleGroups(state, groups, nowMs);
}

/** It ended without all that was asked: it holds less than we thought, and is asked what. */
function noteShortAnswer(state: SchedulerState, request: RequestState, nowMs: number): void {
  const source = request.source;
  const message = "it sent only a part of what it was asked for";
  if (!source.tellsHoldings || source.holdings.state === "all") {
    noteFailure(state, { id: source.id, code: "reset", message });
    coolSource(state, source, { reason: message, nowMs });
    source.holdings = { state: "unknown" };
    return;
  }
  if (request.receivedBytes === 0) coolSource(state, source, { reason: message, nowMs });
  // Until its answer comes it is asked for nothing of what it did not send.
  source.holdings = { state: "some", groups: groupsOf(source).subtract(request.wanted) };
  if (source.dropped === undefined && !source.isAskingHoldings) askHoldings(state, source, nowMs);
}

/** Nobody wants so much: a lie, or not the kind of blob that it was asked as. */
function endTooLarge(
  state: SchedulerState,
  request: RequestState,
  options: { readonly size: number; readonly nowMs: number },
): void {
  const reason =
    `it claims ${options.size} bytes, and at most ${state.limits.blobBytesMax} are wanted`;
  noteFailure(state, { id: request.source.id, code: "protocol", message: reason });
  dropSource(state, request.source, { reason, nowMs: options.nowMs });
}

const FATAL: readonly ErrorCode[] = ["no-space", "storage", "locked"];
const HOPELESS: readonly ErrorCode[] = ["denied", "payment-required", "protocol", "usage"];

/** A price to plan with: what is no price is none. */
function cleanPrice(priceMsatPerMiB: number | undefined): number {
  return priceMsatPerMiB !== undefined && priceMsatPerMiB > 0 ? priceMsatPerMiB : 0;
}

function applyFailure(
  state: SchedulerState,
  request: RequestState,
  options: { readonly code: ErrorCode; readonly message: string; readonly nowMs: number },
): void {
  const { code, message, nowMs } = options;
  const source = request.source;
  if (source.dropped !== undefined) return;
  if (code === "not-found" && request.receivedBytes > 0) {
    noteShortAnswer(state, request, nowMs);
    return;
  }
  noteFailure(state, { id: source.id, code, message });
  if (FATAL.includes(code)) {
    fail(state, { code: code as "no-space" | "storage" | "locked", reason: message, nowMs });
  } else if (code === "corrupt") {
    dropSource(state, source, { reason: message, isBanned: true, nowMs });
  } else if (HOPELESS.includes(code)) {
    dropSource(state, source, { reason: message, isUnpaid: code === "payment-required", nowMs });
  } else if (code === "not-found") applyNotFound(state, source, { message, nowMs });
  else coolSource(state, source, { reason: message, nowMs });
}

/** It may hold a part, or less than a moment ago: ask before it is given up. */
function applyNotFound(
  state: SchedulerState,
  source: SourceState,
  options: { readonly message: string; readonly nowMs: number },
): void {
  const wasAsked = source.holdingsAskedMs !== undefined &&
    options.nowMs - source.holdingsAskedMs < state.limits.holdingsRefreshMs;
  if (!source.tellsHoldings || source.kind === "origin") {
    dropSource(state, source, { reason: options.message, nowMs: options.nowMs });
    return;
  }
  coolSource(state, source, { reason: options.message, nowMs: options.nowMs });
  if (source.dropped === undefined && !wasAsked && !source.isAskingHoldings) {
    askHoldings(state, source, options.nowMs);
  }
}

/** After every event: is it done, is something silent, who is asked next. */
function settle(state: SchedulerState, event: SchedulerEvent, nowMs: number): void {
  if (state.missing.isEmpty && state.size !== undefined) {
    state.outcome = "done";
    for (const request of [...state.requests.values()]) {
      endRequest(state, request, nowMs);
      if (!request.unsent.isEmpty) {
        state.effects.push({
          type: "cancel",
          requestId: request.id,
          reason: "the blob is complete",
        });
      }
    }
    state.effects.push({ type: "done" });
    return;
  }
  restartUnprovenOrigin(state, nowMs);
  if (event.type === "tick") watchRequests(state, nowMs);
  watchOrigin(state, nowMs);
  windUpOrigins(state);
  // Bytes alone change nothing in who is asked for what; they come often.
  if (event.type !== "received") plan(state, nowMs);
  watchEnd(state, nowMs);
}
