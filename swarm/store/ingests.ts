/**
 * Everything that is being ingested: drafts, partial blobs with a writer, and the commits of their
 * bitfields. Data is written before parents and both before the bitfield, so a process that dies at
 * any moment leaves a bitfield that is true.
 */
import { assert } from "../../src/core/assert.ts";
import type { Hash } from "../../src/core/hash.ts";
import { type Range, RangeSet } from "../../src/core/range_set.ts";
import { BLOB_BYTES_MAX, GROUP_BYTES, groupCountOf } from "../bao/geometry.ts";
import { encodedSize, truncateRanges } from "../bao/mod.ts";
import { checkAttributes, mergeAttributes } from "./attributes.ts";
import type { Ingest, IngestOptions } from "./blob_store.ts";
import type { CatalogRow } from "./catalog.ts";
import { finishLane, promote } from "./completion.ts";
import { Drafts } from "./drafts.ts";
import { FileIngest, type IngestHost, SmallIngest } from "./file_ingest.ts";
import { fileSizeOf } from "./files.ts";
import { bytesInGroups } from "./group_bytes.ts";
import type { JobSpec } from "./ingest_job.ts";
import type { IngestPool } from "./ingest_pool.ts";
import { COMMIT_BYTES, COMMIT_INTERVAL_MS, INLINE_BYTES_MAX } from "./limits.ts";
import { LiveBlob, type LiveState } from "./live_blob.ts";
import { attributesIn } from "./small.ts";
import type { StoreCore } from "./store_core.ts";
import { abortedError, sizeError } from "./store_error.ts";

/** What ingests need of the rest of the store. */
export interface IngestsOptions {
  readonly core: StoreCore;
  readonly pool: IngestPool;
  /** Makes verified bytes of 16 KiB or less a blob. */
  readonly storeSmall: (hash: Hash, bytes: Uint8Array, options: IngestOptions) => void;
}

/** Opens ingests and keeps what they share. */
export class Ingests {
  readonly #core: StoreCore;
  readonly #pool: IngestPool;
  readonly #storeSmall: IngestsOptions["storeSmall"];
  readonly #drafts = new Drafts<LiveBlob>();
  /** Drafts of plain bytes: each has its lane for itself, since unverified bytes lie in it. */
  readonly #plainDrafts: Set<LiveBlob> = new Set();
  readonly #live: Map<Hash, LiveBlob> = new Map();
  /** Complete or gone, with ingests that still write what changes nothing. */
  readonly #trailing: Set<LiveBlob> = new Set();
  readonly #host: IngestHost;
  #cancelCommit: (() => void) | undefined;
  #isClosed = false;

  constructor(options: IngestsOptions) {
    this.#core = options.core;
    this.#pool = options.pool;
    this.#storeSmall = options.storeSmall;
    this.#host = {
      verified: (live, runs) => this.#verified(live, runs),
      staging: (live, count) => this.#staging(live, count),
      settled: (live) => this.#settled(live),
      closed: (live) => this.#closed(live),
      corrupt: () => void options.core.counters.corruptCount++,
    };
  }

  /** Groups of a partial blob that are held, committed or not. */
  groupsOf(hash: Hash): RangeSet | undefined {
    return this.#live.get(hash)?.groups;
  }

  /** Whether a worker may still write to the file of a complete blob, the same bytes again. */
  isWriting(hash: Hash): boolean {
    return [...this.#trailing].some((live) => live.hash === hash);
  }

  // deno-lint-ignore require-await -- errors become rejections
  async encoded(hash: Hash, ranges: RangeSet, options: IngestOptions): Promise<Ingest> {
    const row = this.#admit(hash, options);
    if (options.size <= INLINE_BYTES_MAX) {
      return this.#small(hash, {
        ...options,
        isEmpty: truncateRanges(ranges, options.size).isEmpty,
      });
    }
    const live = row?.state === "complete" ? undefined : this.#join(row, hash, options);
    const ingest = this.#newIngest(hash, { live, isStaging: false, options });
    const spec: JobSpec = {
      hash,
      size: options.size,
      input: { kind: "encoded", boundaries: ranges.boundaries },
      ...(live === undefined ? {} : { lane: this.#core.layout.lane(hash, live.lane) }),
    };
    ingest.connect(this.#pool.open(spec, encodedSize(options.size, ranges), ingest));
    return ingest;
  }

  // deno-lint-ignore require-await -- errors become rejections
  async plain(hash: Hash, startGroup: number, options: IngestOptions): Promise<Ingest> {
    const row = this.#admit(hash, options);
    if (options.size <= INLINE_BYTES_MAX && startGroup === 0) {
      return this.#small(hash, { ...options, isEmpty: false });
    }
    const bytesMax = options.size - startGroup * GROUP_BYTES;
    if (!Number.isSafeInteger(startGroup) || startGroup < 0 || bytesMax <= 0) {
      throw new RangeError(`Cannot ingest blob ${hash} from group ${startGroup}: it has less`);
    }
    if (row === undefined && startGroup > 0) {
      throw new RangeError(
        `Cannot ingest blob ${hash} from group ${startGroup}: nothing of it is proven, begin at 0`,
      );
    }
    const { layout } = this.#core;
    const { outboard } = layout.complete(hash);
    const spec = { hash, size: options.size, outboard };
    if (row?.state === "complete") {
      const ingest = this.#newIngest(hash, { live: undefined, isStaging: false, options });
      const input = { kind: "plain", startGroup } as const;
      ingest.connect(this.#pool.open({ ...spec, input }, bytesMax, ingest));
      return ingest;
    }
    const isAlone = row === undefined;
    const live = isAlone ? this.#newPlainDraft(hash, options) : this.#attach(row);
    const lane = layout.lane(hash, live.lane);
    const stage = isAlone ? lane.data : layout.temporary();
    if (!isAlone) this.#core.files.create(stage);
    const ingest = this.#newIngest(hash, {
      live,
      isStaging: isAlone,
      options,
      ...(isAlone ? {} : { cleanUp: () => this.#core.removeLater(stage) }),
    });
    const input = { kind: "plain", startGroup, stage } as const;
    ingest.connect(this.#pool.open({ ...spec, lane, input }, bytesMax, ingest));
    return ingest;
  }

  /**
   * The blob is complete by other means, as `row` of which this is the size, or absent
   * (undefined): stops what claims another size, detaches the rest.
   */
  settle(hash: Hash, size: number | undefined): void {
    const live = this.#live.get(hash);
    if (live !== undefined) this.#detach(live, size);
    for (const draft of this.#drafts.take(hash)) this.#detach(draft, size);
    for (const draft of [...this.#plainDrafts]) {
      if (draft.hash === hash) this.#detach(draft, size);
    }
  }

  /**
   * Takes groups that turned out damaged from a blob that is being ingested. Returns false, and does
   * nothing, if it is not.
   */
  forget(hash: Hash, bad: RangeSet): boolean {
    const live = this.#live.get(hash);
    if (live === undefined) return false;
    live.groups = live.groups.subtract(bad);
    const row = this.#core.catalog.get(hash)!;
    const heldBytes = bytesInGroups(live.size, live.groups);
    this.#core.change(row, { ...row, groups: live.groups, heldBytes });
    live.reservedBytes += row.heldBytes - heldBytes;
    this.#core.release(heldBytes - row.heldBytes);
    live.dirtyBytes = 0;
    return true;
  }

  /** Commits every bitfield that changed. */
  commitAll(): void {
    this.#cancelCommit?.();
    this.#cancelCommit = undefined;
    for (const live of this.#live.values()) this.#commit(live);
  }

  /** Stops all ingests and commits what they brought. */
  async close(): Promise<void> {
    const all = [...this.#live.values(), ...this.#drafts, ...this.#plainDrafts];
    const ingests = all.flatMap((live) => [...live.ingests]) as FileIngest[];
    for (const live of all) live.stopAll(abortedError(live.hash, "the store was closed"));
    await Promise.allSettled(ingests.map((ingest) => ingest[Symbol.asyncDispose]()));
    this.#isClosed = true;
    this.#cancelCommit?.();
  }

  /** What every ingest is checked for; returns what is known of the blob. */
  #admit(hash: Hash, options: IngestOptions): CatalogRow | undefined {
    checkAttributes(options);
    const { size } = options;
    if (!Number.isSafeInteger(size) || size < 0 || size > BLOB_BYTES_MAX) {
      throw sizeError(hash, size);
    }
    if (options.signal?.aborted) throw abortedError(hash, "its signal was aborted");
    let row = this.#core.catalog.get(hash);
    if (row === undefined) return undefined;
    if (row.size !== size) throw sizeError(hash, size, row.size);
    this.#core.describe(row, attributesIn(options));
    this.#core.touch(row);
    if (row.state === "partial" && !this.#live.has(hash)) {
      const lane = this.#core.layout.lane(hash, row.lane!);
      if (fileSizeOf(lane.data) === undefined || fileSizeOf(lane.outboard) === undefined) {
        this.#core.drop(row);
        row = undefined;
      } else if (row.groups.count === groupCountOf(size)) {
        // An earlier attempt to give it its final name failed.
        finishLane(this.#core, row);
        row = this.#core.catalog.get(hash);
      }
    }
    return row;
  }

  #small(hash: Hash, options: IngestOptions & { readonly isEmpty: boolean }): SmallIngest {
    return new SmallIngest(hash, options, (bytes) => this.#storeSmall(hash, bytes, options));
  }

  #newIngest(
    hash: Hash,
    options: {
      readonly live: LiveBlob | undefined;
      readonly isStaging: boolean;
      readonly options: IngestOptions;
      readonly cleanUp?: () => void;
    },
  ): FileIngest {
    if (options.live !== undefined) this.#core.ingesting.add(hash);
    return new FileIngest({ ...options, hash, host: this.#host });
  }

  /** The live blob that an encoded response adds to. */
  #join(row: CatalogRow | undefined, hash: Hash, options: IngestOptions): LiveBlob {
    if (row !== undefined) return this.#attach(row);
    const { size } = options;
    const draft = this.#drafts.open({ hash, size }, () => this.#newDraft(hash, size));
    draft.given = { ...draft.given, ...attributesIn(options) };
    return draft;
  }

  #newDraft(hash: Hash, size: number): LiveBlob {
    return new LiveBlob({ hash, size, lane: this.#core.newLane(hash, size) });
  }

  #newPlainDraft(hash: Hash, options: IngestOptions): LiveBlob {
    const draft = this.#newDraft(hash, options.size);
    draft.given = attributesIn(options);
    this.#plainDrafts.add(draft);
    return draft;
  }

  /** The live blob of a partial one, with room reserved for the rest. */
  #attach(row: CatalogRow): LiveBlob {
    const known = this.#live.get(row.hash);
    if (known !== undefined) {
      // One that waits to be recorded has given its room back.
      if (known.ingests.size === 0) {
        const missingBytes = row.size - row.heldBytes;
        this.#core.reserve(missingBytes - known.reservedBytes);
        known.reservedBytes = missingBytes;
      }
      return known;
    }
    const live = new LiveBlob({ hash: row.hash, size: row.size, lane: row.lane! });
    live.state = "proven";
    live.groups = row.groups;
    this.#core.ingesting.add(row.hash);
    try {
      this.#core.reserve(row.size - row.heldBytes);
    } catch (error) {
      this.#core.ingesting.delete(row.hash);
      throw error;
    }
    live.reservedBytes = row.size - row.heldBytes;
    this.#live.set(row.hash, live);
    return live;
  }

  #staging(live: LiveBlob, count: number): void {
    if (live.state !== "draft" || live.isUncounted) return;
    const wantedBytes = Math.min(count, live.size - live.reservedBytes);
    if (wantedBytes <= 0) return;
    this.#core.reserve(wantedBytes);
    live.reservedBytes += wantedBytes;
  }

  #verified(live: LiveBlob, runs: readonly Range[]): void {
    if (live.state === "complete" || live.state === "gone") return;
    const fresh = RangeSet.from(runs).subtract(live.groups);
    if (fresh.isEmpty) return;
    const freshBytes = bytesInGroups(live.size, fresh);
    if (live.state === "draft") {
      this.#staging(live, bytesInGroups(live.size, live.groups) + freshBytes - live.reservedBytes);
    }
    live.groups = live.groups.union(fresh);
    this.#core.counters.verifiedBytes += freshBytes;
    if (live.state === "draft") {
      if (live.groups.has(live.groupCount - 1)) this.#prove(live);
      return;
    }
    live.dirtyBytes += freshBytes;
    if (live.isFull) this.#complete(live);
    else if (live.dirtyBytes >= COMMIT_BYTES) this.commitAll();
    else this.#scheduleCommit();
  }

  /** A commit that fails on its own time stops the ingests, which tell their sources. */
  #commitLater(): void {
    try {
      this.commitAll();
    } catch (error) {
      for (const live of this.#live.values()) live.stopAll(error as Error);
    }
    for (const live of [...this.#live.values()]) {
      if (live.ingests.size === 0) this.#retire(live);
    }
  }

  /** Writes the bitfield; what was reserved for these groups is now held. */
  #commit(live: LiveBlob): void {
    if (live.dirtyBytes === 0 || live.state !== "proven") return;
    const row = this.#core.catalog.get(live.hash);
    if (row === undefined) return;
    const heldBytes = bytesInGroups(live.size, live.groups);
    this.#core.holds(row, { groups: live.groups, heldBytes });
    const releasedBytes = Math.min(live.reservedBytes, heldBytes - row.heldBytes);
    this.#core.release(releasedBytes);
    live.reservedBytes -= releasedBytes;
    live.dirtyBytes = 0;
  }

  /** The last group verified: the size is true, and whoever claims another one lies. */
  #prove(draft: LiveBlob): void {
    const { hash, size } = draft;
    const core = this.#core;
    const row = core.catalog.get(hash);
    assert(row === undefined || row.size === size, "two sizes of one blob cannot both be proven");
    if (row !== undefined && !draft.isFull) return this.#detach(draft, size);
    this.#reserveRest(draft, row);
    this.#drafts.delete(draft);
    this.#plainDrafts.delete(draft);
    this.#settleOthers(draft);
    const heldBytes = bytesInGroups(size, draft.groups);
    const attributes = mergeAttributes(row?.attributes, draft.given);
    promote(core, draft, { before: row, attributes, heldBytes });
    const newlyHeldBytes = heldBytes - (row?.heldBytes ?? 0);
    core.release(newlyHeldBytes);
    draft.reservedBytes -= newlyHeldBytes;
    draft.state = "proven";
    this.#live.set(hash, draft);
    core.ingesting.add(hash);
    if (draft.isFull) this.#complete(draft);
  }

  /**
   * Of what else is fetched of a proven draft: liars are stopped; if the draft is whole, nothing else
   * is needed; if not, plain bytes of the same size go on, since they may be whole first.
   */
  #settleOthers(draft: LiveBlob): void {
    if (draft.isFull) return this.settle(draft.hash, draft.size);
    for (const other of this.#drafts.take(draft.hash)) this.#detach(other, draft.size);
    for (const other of [...this.#plainDrafts]) {
      if (other.hash !== draft.hash) continue;
      if (other.size !== draft.size) this.#detach(other, draft.size);
      else this.#uncount(other);
    }
  }

  /** The room of a blob is reserved once, however many lanes it has for a while. */
  #uncount(draft: LiveBlob): void {
    draft.isUncounted = true;
    this.#core.release(draft.reservedBytes);
    draft.reservedBytes = 0;
  }

  /**
   * Reserves what a draft lacks beyond what is held of the blob itself, which it replaces and which
   * must not be evicted for it.
   */
  #reserveRest(draft: LiveBlob, row: CatalogRow | undefined): void {
    const core = this.#core;
    const wasIngesting = core.ingesting.has(draft.hash);
    const replaced = this.#live.get(draft.hash);
    if (replaced !== undefined) this.#uncount(replaced);
    for (const other of this.#plainDrafts) {
      if (other.hash === draft.hash && other !== draft) this.#uncount(other);
    }
    const missingBytes = draft.size - (row?.heldBytes ?? 0) - draft.reservedBytes;
    core.ingesting.add(draft.hash);
    try {
      if (missingBytes > 0) core.reserve(missingBytes);
      else core.release(-missingBytes);
    } catch (error) {
      if (!wasIngesting) core.ingesting.delete(draft.hash);
      throw error;
    }
    draft.reservedBytes += missingBytes;
  }

  #complete(live: LiveBlob): void {
    this.#commit(live);
    live.whenOpened(() => {
      if (live.state !== "proven") return;
      try {
        finishLane(this.#core, this.#core.catalog.get(live.hash)!);
      } catch (error) {
        return live.stopAll(error as Error);
      }
      this.#detach(live, live.size);
    });
  }

  async #settled(live: LiveBlob): Promise<void> {
    if (live.state !== "proven" || !live.isFull) return;
    await new Promise<void>((resolve) => live.whenOpened(resolve));
  }

  /**
   * Takes a live blob out of what is shared: `size` is the proven one of the blob that is held
   * otherwise now, or undefined if there is none.
   */
  #detach(live: LiveBlob, size: number | undefined): void {
    const state: LiveState = size === live.size ? "complete" : "gone";
    const wasDraft = live.state === "draft";
    live.state = state;
    if (live.ingests.size > 0) this.#trailing.add(live);
    this.#core.release(live.reservedBytes);
    live.reservedBytes = 0;
    this.#drafts.delete(live);
    this.#plainDrafts.delete(live);
    if (this.#live.get(live.hash) === live) this.#live.delete(live.hash);
    if (!this.#live.has(live.hash)) this.#core.ingesting.delete(live.hash);
    if (size === undefined) live.stopAll(abortedError(live.hash, "the blob was removed"));
    else if (size !== live.size) live.stopAll(sizeError(live.hash, live.size, size));
    if (wasDraft) this.#dropLane(live);
  }

  #dropLane(live: LiveBlob): void {
    const { data, outboard } = this.#core.layout.lane(live.hash, live.lane);
    live.whenOpened(() => this.#core.sweep([data, outboard]));
  }

  #closed(live: LiveBlob): void {
    if (live.ingests.size > 0) return;
    this.#trailing.delete(live);
    if (live.state === "draft") return this.#detach(live, undefined);
    if (live.state !== "proven") return;
    this.#core.release(live.reservedBytes);
    live.reservedBytes = 0;
    this.#retire(live);
  }

  /** Forgets a blob without ingests, unless its last groups cannot be recorded now. */
  #retire(live: LiveBlob): void {
    try {
      this.#commit(live);
      this.#live.delete(live.hash);
      this.#core.ingesting.delete(live.hash);
    } catch {
      // As on a full disk: the groups are held and shown, and recording them is tried again.
      this.#scheduleCommit();
    }
  }

  #scheduleCommit(): void {
    if (this.#isClosed) return;
    this.#cancelCommit ??= this.#core.clock.timer(COMMIT_INTERVAL_MS, () => this.#commitLater());
  }
}
