/** The scheduler's memory: sources, requests, and what is missing. Plain records, no I/O. */
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf } from "../bao/geometry.ts";
import { SCHEDULER_LIMITS, type SchedulerLimits } from "./limits.ts";
import type {
  FetchPolicy,
  RequestPurpose,
  SchedulerEffect,
  SchedulerOptions,
  SourceFailure,
  SourcePrior,
  Thrift,
} from "./types.ts";

/** What a source holds: unknown counts as all until it says otherwise. */
export type KnownHoldings =
  | { readonly state: "unknown" }
  | { readonly state: "all" }
  | { readonly state: "some"; readonly groups: RangeSet };

/** One source. */
export interface SourceState {
  readonly id: string;
  readonly kind: "peer" | "origin";
  readonly tellsHoldings: boolean;
  prior: SourcePrior;
  isFleet: boolean;
  fetchesBeforeUs: boolean;
  /** What it asks for a MiB, as far as it is known; 0: nothing. */
  priceMsatPerMiB: number;
  /** What it may be asked for now, whatever it holds; all unless it is paid. See `thrift.ts`. */
  reach: RangeSet;
  /** Its place among the paid sources, from 1 on; 0 for free ones, which come first. */
  rank: number;
  /** A paid source that works because the others are too slow. */
  isAdmitted: boolean;
  /** Since when the others have been too slow without it; undefined while they are not. */
  neededSinceMs: number | undefined;
  holdings: KnownHoldings;
  /** When it was last asked what it holds; undefined before the first time. */
  holdingsAskedMs: number | undefined;
  isAskingHoldings: boolean;
  /** The pause before it is asked again. */
  refreshMs: number;
  /** When it last told what it holds. */
  holdingsToldMs: number;
  /** The size it claims, unproven. */
  claimedSize: number | undefined;
  /** It delivered a group of our choice, or is an origin. */
  isProbed: boolean;
  /** Not asked before this time. */
  coolUntilMs: number;
  failuresInRow: number;
  /** Given up for this fetch; a liar stays so, and whoever is not paid. */
  dropped:
    | { readonly reason: string; readonly isBanned: boolean; readonly isUnpaid: boolean }
    | undefined;
  /** Measured bytes a second, undefined before the first measurement. */
  rate: number | undefined;
  latencyMs: number | undefined;
  windowStartMs: number | undefined;
  windowBytes: number;
  lastProgressMs: number;
  newBytes: number;
  requestCount: number;
}

/** One request under way. */
export interface RequestState {
  readonly id: number;
  readonly source: SourceState;
  readonly purpose: RequestPurpose;
  startedMs: number;
  /** Asked and not delivered by this request; what the source will still send. */
  unsent: RangeSet;
  /** The part of `unsent` that is still wanted from it: not stolen, not delivered by others. */
  wanted: RangeSet;
  /** Where the plain bytes of an origin have got to; 0 for a peer. */
  cursor: number;
  claimedSize: number | undefined;
  hasFirstByte: boolean;
  lastProgressMs: number;
  receivedBytes: number;
  /** It began before the size was proven. */
  readonly isUnproven: boolean;
  /** It was told that others bring the rest. */
  isWindingUp: boolean;
  /** Another request fetches the same groups. */
  isRaced: boolean;
}

/** Everything. */
export interface SchedulerState {
  readonly limits: SchedulerLimits;
  readonly policy: FetchPolicy;
  readonly thrift: Thrift;
  readonly racesPaid: boolean;
  readonly hasOrigin: boolean;
  readonly sources: Map<string, SourceState>;
  readonly requests: Map<number, RequestState>;
  readonly failures: SourceFailure[];
  effects: SchedulerEffect[];
  nextRequestId: number;
  randomState: number;
  isStarted: boolean;
  startMs: number;
  lastProgressMs: number;
  lastTickMs: number | undefined;
  /** Until when another member of the fleet was waited for. */
  herdWaitedMs: number;
  hasFirstByte: boolean;
  /** Not verified yet; endless while the size is unknown. */
  missing: RangeSet;
  /** Proven size in bytes. */
  size: number | undefined;
  /** Size that a source claims, for planning only. */
  claim: { readonly size: number; readonly sourceId: string } | undefined;
  /** The group that a reader wants next. */
  readingGroup: number | undefined;
  /** A request that should have proven the size ended without: next time the last group alone. */
  hasProofFailed: boolean;
  isDiscoveryEnded: boolean;
  originState: "unused" | "starting" | "added" | "unavailable";
  raceBytes: number;
  newBytes: number;
  duplicateBytes: number;
  /** Bytes a second over all sources. */
  rate: number | undefined;
  windowStartMs: number | undefined;
  windowBytes: number;
  outcome: "done" | "failed" | undefined;
}

/** The state before `start`. */
export function initialState(options: SchedulerOptions): SchedulerState {
  return {
    limits: { ...SCHEDULER_LIMITS, ...options.limits },
    policy: options.policy ?? "swarm-first",
    thrift: options.thrift ?? "balanced",
    racesPaid: options.racesPaid ?? options.thrift === "fastest",
    hasOrigin: options.hasOrigin && options.policy !== "swarm-only",
    sources: new Map(),
    requests: new Map(),
    failures: [],
    effects: [],
    nextRequestId: 1,
    randomState: options.seed >>> 0,
    isStarted: false,
    startMs: 0,
    lastProgressMs: 0,
    lastTickMs: undefined,
    herdWaitedMs: -Infinity,
    hasFirstByte: false,
    missing: RangeSet.ALL,
    size: undefined,
    claim: undefined,
    readingGroup: undefined,
    hasProofFailed: false,
    isDiscoveryEnded: false,
    originState: "unused",
    raceBytes: 0,
    newBytes: 0,
    duplicateBytes: 0,
    rate: undefined,
    windowStartMs: undefined,
    windowBytes: 0,
    outcome: undefined,
  };
}

/** The size to plan with: proven, else claimed, else unknown. */
export function planSize(state: SchedulerState): number | undefined {
  return state.size ?? state.claim?.size;
}

/** Groups to plan with, or undefined while nobody said how many there are. */
export function planGroupCount(state: SchedulerState): number | undefined {
  const size = planSize(state);
  return size === undefined ? undefined : groupCountOf(size);
}

/** Groups that some request still has to bring. */
export function assignedGroups(state: SchedulerState): RangeSet {
  let assigned = RangeSet.EMPTY;
  for (const request of state.requests.values()) assigned = assigned.union(request.wanted);
  return assigned;
}

/** What `source` can be asked for, as far as it is known. */
export function groupsOf(source: SourceState): RangeSet {
  return source.holdings.state === "some" ? source.holdings.groups : RangeSet.ALL;
}

/** Whether `source` may be given something now. */
export function isUsable(source: SourceState, nowMs: number): boolean {
  return source.dropped === undefined && source.coolUntilMs <= nowMs;
}

/** Bytes a second to plan with. */
export function rateOf(state: SchedulerState, source: SourceState): number {
  return Math.max(1024, source.rate ?? source.prior.throughput ?? state.limits.rateUnknown);
}

/** Milliseconds to plan with before a first byte. */
export function latencyOf(state: SchedulerState, source: SourceState): number {
  return source.latencyMs ?? source.prior.latencyMs ?? state.limits.latencyUnknownMs;
}

/** Requests of `source` under way, other than probes. */
export function workOf(state: SchedulerState, source: SourceState): RequestState[] {
  const work: RequestState[] = [];
  if (source.requestCount === 0) return work;
  for (const request of state.requests.values()) {
    if (request.source === source && request.purpose !== "probe") work.push(request);
  }
  return work;
}

/** Groups that `request` still has to bring and has not even received. */
export function outstandingGroups(state: SchedulerState, request: RequestState): RangeSet {
  const groupCount = planGroupCount(state);
  const wanted = groupCount === undefined ? request.wanted : request.wanted.below(groupCount);
  return request.cursor === 0 ? wanted : wanted.intersect(RangeSet.of(Math.floor(request.cursor)));
}

/** Bytes that `request` still has to bring; endless while the size is unknown. */
export function outstandingBytes(state: SchedulerState, request: RequestState): number {
  return outstandingGroups(state, request).count * GROUP_BYTES;
}

/** A number from 0 up to, never including, `end`, from the state's own seed (mulberry32). */
export function nextRandom(state: SchedulerState, end: number): number {
  state.randomState = (state.randomState + 0x6d2b79f5) >>> 0;
  let mixed = state.randomState;
  mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end);
}
