/** What all parts of the store on disk share: names, rows, sums, room, and files to get rid of. */
import { isAbsolute, join, relative } from "node:path";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { groupCountOf } from "../bao/geometry.ts";
import { mergeAttributes } from "./attributes.ts";
import type { BlobAttributes } from "./blob_store.ts";
import type { Catalog, CatalogRow, NewRow } from "./catalog.ts";
import type { ChangeFeed } from "./change_feed.ts";
import type { Files } from "./files.ts";
import type { Layout } from "./layout.ts";
import { COLLECTION_BYTES_MAX, EVICT_ABOVE, EVICT_TO, TOUCH_INTERVAL_MS } from "./limits.ts";
import { quotaError } from "./store_error.ts";

/** Candidates for eviction looked at in one query. */
const VICTIM_PAGE = 64;

/** Attributes and what was computed from the bytes. */
export type Described = BlobAttributes & { readonly sha256?: Sha256 | undefined };

/** Figures that only grow, for metrics. */
export interface StoreCounters {
  /** Bytes of groups that ingests verified and wrote. */
  verifiedBytes: number;
  /** Ingests that ended because bytes did not match. */
  corruptCount: number;
  evictedCount: number;
  evictedBytes: number;
  /** Bytes that readers took from the store. */
  readBytes: number;
}

/** What {@link StoreCore} is made of. */
export interface StoreParts {
  readonly layout: Layout;
  readonly files: Files;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly feed: ChangeFeed;
  readonly quotaBytes: number;
  readonly childrenOf: ((bytes: Uint8Array) => Iterable<Hash>) | undefined;
}

/** Shared state of one open store. */
export class StoreCore {
  readonly layout: Layout;
  readonly files: Files;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly feed: ChangeFeed;
  readonly quotaBytes: number;
  readonly childrenOf: ((bytes: Uint8Array) => Iterable<Hash>) | undefined;
  readonly counters: StoreCounters = {
    verifiedBytes: 0,
    corruptCount: 0,
    evictedCount: 0,
    evictedBytes: 0,
    readBytes: 0,
  };
  /** Open readers of each blob. */
  readonly readers: Map<Hash, number> = new Map();
  /** Blobs that are being ingested. */
  readonly ingesting: Set<Hash> = new Set();
  blobCount: number;
  partialCount: number;
  heldBytes: number;
  /** Bytes that imports and ingests under way will hold or hold unproven. */
  reservedBytes = 0;
  readonly #removals: Set<Promise<void>> = new Set();
  #laneCount = 0;

  constructor(parts: StoreParts) {
    this.layout = parts.layout;
    this.files = parts.files;
    this.catalog = parts.catalog;
    this.clock = parts.clock;
    this.feed = parts.feed;
    this.quotaBytes = parts.quotaBytes;
    this.childrenOf = parts.childrenOf;
    const sums = parts.catalog.sums();
    this.blobCount = sums.blobCount;
    this.partialCount = sums.partialCount;
    this.heldBytes = sums.bytes;
  }

  isBusy(hash: Hash): boolean {
    return this.ingesting.has(hash) || (this.readers.get(hash) ?? 0) > 0;
  }

  /**
   * Replaces `before`, what is known of a blob now, by `after` and does `also` in the same
   * transaction.
   */
  change(before: CatalogRow | undefined, after: NewRow, also?: () => void): void {
    this.catalog.database.transaction(() => {
      this.catalog.put(after);
      also?.();
      // Last, so that no file of a blob is ever debris, whatever was listed before.
      this.catalog.removeDebris(...this.toDebris(this.filesOf(after)));
    });
    this.#count(before, after);
  }

  /** As {@link change}, when only what is held of a partial blob is new. */
  holds(before: CatalogRow, held: Pick<CatalogRow, "groups" | "heldBytes">): void {
    const after = { ...before, ...held };
    this.catalog.database.transaction(() => this.catalog.setGroups(after));
    this.#count(before, after);
  }

  /** A row for a complete blob of which `before` is known. */
  completeRow(
    hash: Hash,
    size: number,
    options: { readonly before: CatalogRow | undefined; readonly described: Described },
  ): NewRow {
    const nowMs = this.clock.nowMs();
    return {
      hash,
      size,
      state: "complete",
      storage: "owned",
      attributes: mergeAttributes(options.before?.attributes, options.described),
      groups: RangeSet.of(0, groupCountOf(size)),
      syncedGroups: RangeSet.EMPTY,
      synced: false,
      lane: undefined,
      path: undefined,
      guard: undefined,
      heldBytes: size,
      addedMs: options.before?.addedMs ?? nowMs,
      lastUsedMs: nowMs,
    };
  }

  /** Adds what `described` says to a blob that is there already. */
  describe(row: CatalogRow, described: Described): void {
    const attributes = mergeAttributes(row.attributes, described);
    const isSame = JSON.stringify(attributes) === JSON.stringify(row.attributes);
    const { tag } = described;
    if (isSame && (tag === undefined || row.tags.includes(tag))) return;
    const becomesCollection = row.state === "complete" && row.attributes.kind === "blob" &&
      attributes.kind === "collection";
    const children = becomesCollection
      ? this.childrenIn(
        { ...row, attributes },
        () =>
          row.storage === "inline"
            ? this.catalog.inlineBytes(row.hash)!
            : Deno.readFileSync(row.path ?? this.layout.complete(row.hash).data),
      )
      : [];
    this.catalog.database.transaction(() => {
      this.catalog.setAttributes(row.hash, attributes);
      this.catalog.setChildren(row.hash, children);
      if (tag !== undefined) this.catalog.addTag(row.hash, tag);
    });
    this.feed.mark(row.hash);
  }

  /** Marks `row` as used now, unless that was said a moment ago. */
  touch(row: CatalogRow): void {
    const nowMs = this.clock.nowMs();
    if (Math.abs(nowMs - row.lastUsedMs) < TOUCH_INTERVAL_MS) return;
    this.catalog.database.transaction(() => this.catalog.touch(row.hash, nowMs));
  }

  /** Makes the files of a new lane; they are debris until a row claims them. */
  newLane(hash: Hash, size: number): string {
    this.layout.folderOf(hash);
    const lane = `${size}-${this.clock.nowMs()}${String(++this.#laneCount).padStart(4, "0")}`;
    const files = this.layout.lane(hash, lane);
    this.addDebris(files.data, files.outboard);
    this.files.create(files.data);
    this.files.create(files.outboard);
    return lane;
  }

  addDebris(...paths: readonly string[]): void {
    this.catalog.database.transaction(() => this.catalog.addDebris(...this.toDebris(paths)));
  }

  /** Paths as the debris table has them: relative, so that the data directory may move. */
  toDebris(paths: readonly string[]): string[] {
    return paths.map((path) => isAbsolute(path) ? relative(this.layout.directory, path) : path);
  }

  /**
   * Removes files that are listed as debris: their names go now, so that new files may take them;
   * the bytes go in the background. What fails, as on a full disk, is done at the next open.
   */
  sweep(paths: readonly string[]): void {
    if (paths.length === 0) return;
    const moved: string[] = [];
    try {
      for (const path of paths) {
        const temporary = this.layout.temporary();
        if (this.#moveIfThere(path, temporary)) moved.push(temporary);
      }
      this.catalog.database.transaction(() => this.catalog.removeDebris(...this.toDebris(paths)));
    } catch {
      // They stay listed.
    }
    for (const path of moved) this.removeLater(path);
  }

  /** Removes a file in `tmp/`; if that fails, the next open does it. */
  removeLater(path: string): void {
    const removal: Promise<void> = Deno.remove(path).catch(() => {})
      .finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  /** Makes blobs absent and removes their files. */
  drop(...rows: readonly CatalogRow[]): void {
    const paths = rows.flatMap((row) => this.filesOf(row));
    this.catalog.database.transaction(() => {
      for (const row of rows) this.catalog.remove(row.hash);
      this.catalog.addDebris(...this.toDebris(paths));
    }, { freesRoom: true });
    for (const row of rows) this.#count(row, undefined);
    this.sweep(paths);
  }

  /** The files of the store's own that hold `row`. */
  filesOf(row: Pick<CatalogRow, "hash" | "storage" | "lane">): string[] {
    if (row.storage === "inline") return [];
    const files = row.lane === undefined
      ? this.layout.complete(row.hash)
      : this.layout.lane(row.hash, row.lane);
    return row.storage === "in-place" ? [files.outboard] : [files.data, files.outboard];
  }

  /**
   * Makes room for `bytes` more by evicting what was used least recently, and keeps it reserved.
   *
   * @throws {SeedmintError} `no-space` if they cannot fit; then nothing is evicted.
   */
  reserve(bytes: number): void {
    this.#makeRoom(bytes);
    this.reservedBytes += bytes;
  }

  release(bytes: number): void {
    this.reservedBytes -= bytes;
  }

  /** Waits until what is being removed is gone. */
  async removalsDone(): Promise<void> {
    await Promise.all(this.#removals);
  }

  /** The children to record with a blob that becomes complete; none unless it is a collection. */
  childrenIn(
    row: Pick<NewRow, "attributes" | "size">,
    readBytes: () => Uint8Array,
  ): readonly Hash[] {
    const isCollection = row.attributes.kind === "collection" && row.size <= COLLECTION_BYTES_MAX;
    if (!isCollection || this.childrenOf === undefined) return [];
    const bytes = readBytes();
    try {
      return [...this.childrenOf(bytes)];
    } catch {
      // Whoever marked it as a collection was wrong: it keeps nothing alive but itself.
      return [];
    }
  }

  /** Keeps a blob from eviction; the returned function, however often called, ends that once. */
  hold(hash: Hash): () => void {
    this.readers.set(hash, (this.readers.get(hash) ?? 0) + 1);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const count = this.readers.get(hash)! - 1;
      if (count === 0) this.readers.delete(hash);
      else this.readers.set(hash, count);
    };
  }

  /** Keeps the sums in step with a change that was committed. */
  #count(before: CatalogRow | undefined, after: NewRow | undefined): void {
    this.blobCount += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
    this.partialCount += (after?.state === "partial" ? 1 : 0) -
      (before?.state === "partial" ? 1 : 0);
    this.heldBytes += (after?.heldBytes ?? 0) - (before?.heldBytes ?? 0);
    const hash = after?.hash ?? before?.hash;
    if (hash !== undefined) this.feed.mark(hash);
  }

  #moveIfThere(from: string, to: string): boolean {
    try {
      this.files.rename(from, to);
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }

  #makeRoom(bytes: number): void {
    const usedBytes = this.heldBytes + this.reservedBytes;
    if (usedBytes + bytes <= this.quotaBytes * EVICT_ABOVE) return;
    const goalBytes = usedBytes + bytes - this.quotaBytes * EVICT_TO;
    const victims: Hash[] = [];
    let freedBytes = 0;
    for (let offset = 0; freedBytes < goalBytes; offset += VICTIM_PAGE) {
      const page = this.catalog.victims(VICTIM_PAGE, offset);
      for (const { hash, heldBytes } of page) {
        if (freedBytes >= goalBytes) break;
        if (this.isBusy(hash)) continue;
        victims.push(hash);
        freedBytes += heldBytes;
      }
      if (page.length < VICTIM_PAGE) break;
    }
    const freeBytes = this.quotaBytes - usedBytes + freedBytes;
    if (bytes > freeBytes) throw quotaError(bytes, freeBytes, this.quotaBytes);
    this.drop(...victims.map((hash) => this.catalog.get(hash)!));
    this.counters.evictedCount += victims.length;
    this.counters.evictedBytes += freedBytes;
  }
}

/** A debris path as an absolute one. */
export function fromDebris(layout: Layout, path: string): string {
  return join(layout.directory, path);
}
