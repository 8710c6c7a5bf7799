/** What a fetch is given. */
import type { Hash } from "../../src/core/hash.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import type { Discovery, Origin, ProviderHint, Source } from "../ports.ts";
import type { FetchPolicy, SchedulerLimits, Thrift } from "../scheduler/mod.ts";
import type { ScoreBook } from "../score.ts";
import type { BlobAttributes, BlobStore } from "../store/blob_store.ts";
import type { FetchProgress } from "./report.ts";

/** What all fetches need. */
export interface FetchContext {
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Sources known already. */
  readonly sources?: readonly Source[];
  /** Peers known already: of a ticket, of the configuration, connected ones. */
  readonly peers?: readonly ProviderHint[];
  readonly discovery?: Discovery;
  /**
   * Makes a source of a hint; undefined leaves the hint alone. May throw: then peers cannot be had,
   * and the reason is told.
   */
  readonly sourceOf?: (peer: ProviderHint) => Source | undefined;
  /** Makes a source of the origin, such as one that a fleet shares. @default the origin by itself */
  readonly originSourceOf?: (origin: Origin) => Source;
  /** @default {"swarm-first"} */
  readonly policy?: FetchPolicy;
  /**
   * What counts when peers ask prices; what is paid in the end is the payer's policy.
   *
   * @default {"balanced"}
   */
  readonly thrift?: Thrift;
  readonly scores?: ScoreBook;
  /** How members of the fleet take turns at the origin; without it everybody asks on its own. */
  readonly herd?: Herd;
  readonly limits?: Partial<SchedulerLimits>;
  readonly attributes?: BlobAttributes;
  readonly signal?: AbortSignal;
}

/** Who belongs to the fleet, and whose turn at the origin comes before ours. */
export interface Herd {
  isMember(peerId: string): boolean;
  /** Whether `peerId` asks the origin for `hash` before this node does. */
  comesBeforeUs(peerId: string, hash: Hash): boolean;
}

/** Options of `fetchBlob`. */
export interface FetchBlobOptions extends FetchContext {
  readonly hash: Hash;
  readonly origin?: Origin;
  /**
   * Where in the blob somebody reads it as it arrives, in bytes; undefined while nobody does. What
   * follows is asked for first, and in order.
   */
  readonly position?: () => number | undefined;
  /** Called as bytes of the origin come, which may be verified much later; not for who only joins. */
  readonly onReceived?: (bytes: number) => void;
  readonly onProgress?: (progress: FetchProgress) => void;
}
