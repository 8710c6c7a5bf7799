/**
 * A blob while it is being ingested.
 *
 *     draft --last group verified--> proven --all groups verified--> complete
 *       |                              |
 *       +--last ingest ends--> gone    +--last ingest ends--> partial, in the catalog alone
 *
 * A draft's size is only claimed: it has files, and no record. Ingests that are still under way
 * when a blob is complete or gone go on verifying, and what they write changes nothing: the bytes
 * are the same, or the file has no name any more.
 */
import type { Hash } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { groupCountOf } from "../bao/geometry.ts";
import type { BlobAttributes } from "./blob_store.ts";

/** Where a live blob stands. */
export type LiveState = "draft" | "proven" | "complete" | "gone";

/** What a live blob can do to its ingests. */
export interface Stoppable {
  stop(error: Error): void;
}

/** State shared by the ingests of one blob and claimed size. */
export class LiveBlob {
  readonly hash: Hash;
  readonly size: number;
  readonly groupCount: number;
  readonly lane: string;
  readonly ingests: Set<Stoppable> = new Set();
  state: LiveState = "draft";
  groups: RangeSet = RangeSet.EMPTY;
  /** What ingests said of it while it is a draft. */
  given: BlobAttributes = {};
  /** Bytes reserved for it in the quota. */
  reservedBytes = 0;
  /** Whether another lane of the same blob has its room reserved. */
  isUncounted = false;
  /** Bytes verified since the last commit. */
  dirtyBytes = 0;
  /** Workers that have not opened the files yet: until then they keep their names. */
  openingCount = 0;
  #onOpened: (() => void)[] = [];

  constructor(options: { readonly hash: Hash; readonly size: number; readonly lane: string }) {
    this.hash = options.hash;
    this.size = options.size;
    this.groupCount = groupCountOf(options.size);
    this.lane = options.lane;
  }

  get isFull(): boolean {
    return this.groups.count === this.groupCount;
  }

  /** Calls `action` once no worker is opening the files. */
  whenOpened(action: () => void): void {
    if (this.openingCount === 0) action();
    else this.#onOpened.push(action);
  }

  opened(): void {
    if (--this.openingCount > 0) return;
    for (const action of this.#onOpened.splice(0)) action();
  }

  stopAll(error: Error): void {
    for (const ingest of [...this.ingests]) ingest.stop(error);
  }
}
