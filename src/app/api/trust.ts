/** Catalogs as the handlers see them; `src/app/lifecycle` puts the follower behind it. */
import type { Hash } from "../../core/hash.ts";
import type { Catalog, CatalogFile, Seal } from "../../../trust/catalog/mod.ts";
import type { CatalogKey, Follow, FollowStatus, RefreshReport } from "../../../trust/follow/mod.ts";
import type { SignedRoot } from "../../../trust/root/mod.ts";
import type { TransferReport } from "./transfers.ts";
import type { NoteEvent, ProgressEvent } from "./methods.ts";

/** How long work is watched and ended. */
export interface CatalogWork {
  readonly signal: AbortSignal;
  readonly emit: (event: ProgressEvent | NoteEvent) => void;
}

/** What can be done with signed catalogs. */
export interface CatalogDesk {
  /**
   * Reads `NAME` or `ROOT/NAME`.
   *
   * @throws {SeedmintError} `usage`
   */
  keyOf(text: string): CatalogKey;
  /** How each catalog that is followed fares. */
  status(): readonly FollowStatus[];
  /** @throws {SeedmintError} `usage`, `busy`. */
  follow(follow: Follow): void;
  /** Ends following. @returns Whether it was followed. */
  unfollow(key: CatalogKey): boolean;
  /** Looks for a newer one now. */
  refresh(key: CatalogKey, work: Pick<CatalogWork, "signal">): Promise<RefreshReport>;
  /** What a file of a catalog is, fetched, from peers first and never paid for. */
  fetch(file: CatalogFile, work: CatalogWork): Promise<TransferReport>;
  /** Tells relays and peers of a catalog, now and from time to time. */
  publish(
    publication: {
      readonly catalog: Catalog;
      readonly bytes: Uint8Array;
      readonly seal: Seal;
      readonly roots: readonly SignedRoot[];
      readonly urls: readonly string[];
    },
    work: CatalogWork,
  ): Promise<{
    readonly hash: Hash;
    readonly relayCount: number;
    readonly relayCountAll: number;
  }>;
}

/** The catalogs of a node. */
export interface CatalogAccess {
  /**
   * Opened when it is asked for first.
   *
   * @throws {SeedmintError} If its database cannot be opened, or a pinned root cannot be read.
   */
  readonly open: () => Promise<CatalogDesk>;
  /** The problems of what is followed, in words. */
  readonly problems: () => readonly string[];
}
