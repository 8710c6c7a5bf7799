/** What a mirror is given, and what it tells. */
import type { Hash } from "../../../src/core/hash.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { FetchReport } from "../../fetch/mod.ts";
import type { BlobStore, Visibility } from "../../store/blob_store.ts";
import type { RegistryIndex } from "../index/mod.ts";
import type { Platform } from "../manifest/mod.ts";
import type { Digest, RepositoryName } from "../names.ts";
import type { DigestIntake, SignedPins, SwarmFetch, Upstream } from "../ports.ts";
import type { MirrorLimits } from "./limits.ts";

/** What is done with content of a registry that nobody here has: see research/blobs.md a.4. */
export type MirrorMode = "pull-through" | "miss-404";

/** What the operator decides. */
export interface MirrorPolicy {
  /** @default {"pull-through"} for all */
  readonly modeOf?: (registry: string) => MirrorMode;
  /** Who may have what clients pull; `none`: nobody but this host. @default {"fleet"} */
  readonly visibility?: "public" | "fleet" | "none";
  /** Who may have what only our credential may pull. @default {"private"} */
  readonly privateVisibility?: "fleet" | "private";
  /** How long a tag is answered without asking its registry again, in milliseconds. @default {60000} */
  readonly tagCacheMs?: number;
  /** Whether the blobs of an answered image are fetched before they are asked for. @default {true} */
  readonly prefetches?: boolean;
}

/** Keeps pulled images as collections, which announces them; see `swarm/registry/images`. */
export interface ImageKeeper {
  /**
   * An image, or the platforms given of an index, is whole in the store.
   *
   * @returns The collection; undefined if it is not to be kept.
   */
  collect(
    name: RepositoryName,
    digest: Digest,
    options: { readonly platforms?: readonly Platform[]; readonly visibility: Visibility },
  ): Promise<Hash | undefined>;
  /** A client asked for a manifest: its image is in use. */
  used?(manifest: Digest): void;
}

/** Options of the mirror. */
export interface MirrorOptions {
  readonly store: BlobStore;
  readonly index: RegistryIndex;
  readonly images: ImageKeeper;
  /** The registries that are mirrored; undefined for all others. */
  readonly upstreamOf: (registry: string) => Upstream | undefined;
  readonly swarm: SwarmFetch;
  readonly intake: DigestIntake;
  readonly pins?: SignedPins;
  readonly clock: Clock;
  readonly policy?: MirrorPolicy;
  readonly limits?: Partial<MirrorLimits>;
  /** For metrics and logs. Must not throw. */
  readonly onEvent?: (event: MirrorEvent) => void;
}

/** Where an answer came from. */
export type AnswerSource = "store" | "swarm" | "upstream";

/** Something happened. */
export type MirrorEvent =
  /** A tag was resolved: by a signed pin, within its cache time, by its registry, or by what was known. */
  | {
    readonly type: "tag";
    readonly name: RepositoryName;
    readonly by: "pin" | "cache" | "upstream" | "stale" | "nobody";
  }
  | {
    readonly type: "manifest";
    readonly name: RepositoryName;
    readonly digest: Digest;
    readonly from: AnswerSource;
  }
  /** A blob came in. `report` is there when the swarm brought it. */
  | {
    readonly type: "blob";
    readonly name: RepositoryName;
    readonly digest: Digest;
    readonly size: number;
    readonly from: "swarm" | "intake";
    readonly ms: number;
    readonly report?: FetchReport;
  }
  /** Something asked for was not given, and why. */
  | { readonly type: "refused"; readonly name: RepositoryName; readonly reason: string }
  /** A false word about a digest cost its author a ban. */
  | { readonly type: "banned"; readonly peerId: string; readonly reason: string }
  /** A pulled image is kept, seeded and announced as a collection. */
  | {
    readonly type: "image";
    readonly name: RepositoryName;
    readonly digest: Digest;
    readonly collection: Hash;
  }
  /** Something failed that a client did not have to notice. */
  | { readonly type: "trouble"; readonly what: string; readonly error: unknown };
