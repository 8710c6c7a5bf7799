/** What goes into the scheduler and what comes out of it. */
import type { ErrorCode } from "../../src/core/errors.ts";
import type { Range, RangeSet } from "../../src/core/range_set.ts";
import type { Holdings } from "../ports.ts";
import type { SchedulerLimits } from "./limits.ts";

/**
 * When the origin takes part: after the swarm had its chance, together with it, before it, or never.
 */
export type FetchPolicy = "swarm-first" | "race" | "origin-first" | "swarm-only";

/** What counts when sources ask prices: little money, both, or little time. See `thrift.ts`. */
export type Thrift = "cheapest" | "balanced" | "fastest";

/** What earlier fetches taught about a source. */
export interface SourcePrior {
  readonly latencyMs?: number;
  /** Bytes a second. */
  readonly throughput?: number;
  /** From 0, avoid, to 1, prefer; 0.5 when nothing is known. */
  readonly score?: number;
}

/** Something happened. Times are passed beside it. */
export type SchedulerEvent =
  | {
    readonly type: "start";
    /** Groups not held yet; the last run has no end while the size is unproven. */
    readonly missing: RangeSet;
    /** Proven size in bytes, if it is. */
    readonly size?: number;
  }
  | {
    readonly type: "source-added";
    readonly sourceId: string;
    readonly kind: "peer" | "origin";
    /** Whether it can be asked what it holds. */
    readonly tellsHoldings: boolean;
    readonly holdings?: Holdings;
    readonly prior?: SourcePrior;
    /** A member of our fleet: its word that it fetches the blob itself is worth waiting for. */
    readonly isFleet?: boolean;
    /** It fetches the same blob and comes before us in the fleet's order. */
    readonly fetchesBeforeUs?: boolean;
    /** What it asks for a MiB; 0 or absent: nothing. Added once more, a source may have another price. */
    readonly priceMsatPerMiB?: number;
  }
  /** A source told its price, or another one than before. */
  | { readonly type: "priced"; readonly sourceId: string; readonly priceMsatPerMiB: number }
  | { readonly type: "source-removed"; readonly sourceId: string; readonly reason: string }
  /** No more sources are to be expected. */
  | { readonly type: "discovery-ended" }
  /** The answer to `ask-holdings`; undefined when there was none. */
  | {
    readonly type: "holdings";
    readonly sourceId: string;
    readonly holdings: Holdings | undefined;
  }
  /** The source granted the request and claims this size. */
  | { readonly type: "granted"; readonly requestId: number; readonly size: number }
  /** Bytes came that are not verified yet. */
  | { readonly type: "received"; readonly requestId: number; readonly bytes: number }
  /** Groups are verified and stored, in the order of the request. */
  | { readonly type: "verified"; readonly requestId: number; readonly groups: Range }
  | { readonly type: "finished"; readonly requestId: number }
  /** What the store really holds; with an unproven size it may have let go of what it had. */
  | { readonly type: "held"; readonly groups: RangeSet; readonly size?: number }
  | {
    readonly type: "failed";
    readonly requestId: number;
    readonly code: ErrorCode;
    readonly message: string;
  }
  /** The origin asked for by `start-origin` cannot be had at all. */
  | { readonly type: "origin-unavailable"; readonly reason: string }
  /** Somebody reads the blob as it arrives, from this group on; undefined: nobody any more. */
  | { readonly type: "reading"; readonly group: number | undefined }
  /** Time passed; at least every 100 ms while a fetch is under way. */
  | { readonly type: "tick" };

/** Something is to be done. */
export type SchedulerEffect =
  | {
    readonly type: "request";
    readonly requestId: number;
    readonly sourceId: string;
    readonly groups: RangeSet;
    /** Proven size, once it is. */
    readonly size?: number;
    readonly purpose: RequestPurpose;
  }
  | { readonly type: "cancel"; readonly requestId: number; readonly reason: string }
  /** Others bring the rest: let the source keep what can be verified, and end. */
  | { readonly type: "wind-up"; readonly requestId: number }
  | { readonly type: "ask-holdings"; readonly sourceId: string }
  | { readonly type: "start-origin"; readonly reason: string }
  | { readonly type: "done" }
  | { readonly type: "fail"; readonly code: ErrorCode; readonly reason: string };

/** Why a request is made: to learn the size, to test a peer, for its groups, or as a second try. */
export type RequestPurpose = "opener" | "probe" | "work" | "race";

/** What went wrong with one source, for the report. */
export interface SourceFailure {
  readonly id: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** Options of a scheduler. */
export interface SchedulerOptions {
  readonly policy?: FetchPolicy;
  /** @default {"balanced"} */
  readonly thrift?: Thrift;
  /**
   * Whether what one source is paid for may be asked a second time of another that is paid.
   *
   * @default Only with the thrift `fastest`.
   */
  readonly racesPaid?: boolean;
  /** Whether `start-origin` can be answered. */
  readonly hasOrigin: boolean;
  /** Makes the choice of probes and of starting points; equal seeds choose equally. */
  readonly seed: number;
  readonly limits?: Partial<SchedulerLimits>;
}
