/**
 * The memory twin of the store on disk: the same contract and the same care, without files. For
 * tests, simulations and small tools. Files are always copied in: there is nothing to link to.
 */
import { basename } from "node:path";
import type { Bytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { type Range, RangeSet } from "../../src/core/range_set.ts";
import { BLOB_BYTES_MAX, GROUP_BYTES, groupCountOf, PARENT_BYTES } from "../bao/geometry.ts";
import { validateGroups } from "../bao/mod.ts";
import { checkAttributes, checkText, mergeAttributes } from "./attributes.ts";
import type {
  BlobAttributes,
  BlobReader,
  BlobRecord,
  BlobStore,
  ExportOptions,
  GarbageReport,
  ImportMode,
  ImportOptions,
  Ingest,
  IngestOptions,
  StoreUsage,
  VerifyReport,
} from "./blob_store.ts";
import { ChangeFeed } from "./change_feed.ts";
import { Drafts } from "./drafts.ts";
import { writeExport } from "./export.ts";
import { EVICT_TO, INLINE_BYTES_MAX, TOUCH_INTERVAL_MS } from "./limits.ts";
import { MemoryEntry, MemoryReader } from "./memory_entry.ts";
import { MemoryEncodedIngest, type MemoryIngestHost, MemoryPlainIngest } from "./memory_ingest.ts";
import {
  abortable,
  attributesIn,
  checkExpected,
  checkSmall,
  digestsOf,
  sha256Of,
} from "./small.ts";
import {
  abortedError,
  absentError,
  incompleteError,
  quotaError,
  sizeError,
  storageError,
} from "./store_error.ts";

/** Options of {@link MemoryBlobStore}. */
export interface MemoryBlobStoreOptions {
  readonly clock: Pick<Clock, "nowMs">;
  /** The most bytes held. @default {Infinity} */
  readonly quotaBytes?: number;
  /** The children of a collection, from its bytes; throwing means it has none. */
  readonly childrenOf?: (bytes: Uint8Array) => Iterable<Hash>;
}

/** A {@link BlobStore} in memory. */
export class MemoryBlobStore implements BlobStore {
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #quotaBytes: number;
  readonly #childrenOf: ((bytes: Uint8Array) => Iterable<Hash>) | undefined;
  readonly #entries: Map<Hash, MemoryEntry> = new Map();
  readonly #drafts = new Drafts<MemoryEntry>();
  readonly #feed = new ChangeFeed();
  readonly #attributesOf: WeakMap<MemoryEntry, BlobAttributes> = new WeakMap();
  readonly #host: MemoryIngestHost = {
    verified: (entry, range) => this.#verified(entry, range),
    staging: (_entry, count) => this.#makeRoom(count),
    closed: (entry) => this.#ingestClosed(entry),
  };
  #heldBytes = 0;

  constructor(options: MemoryBlobStoreOptions) {
    this.#clock = options.clock;
    this.#quotaBytes = options.quotaBytes ?? Infinity;
    this.#childrenOf = options.childrenOf;
  }

  status(hash: Hash): BlobRecord | undefined {
    return this.#entries.get(hash)?.record();
  }

  findBySha256(sha256: Sha256): BlobRecord | undefined {
    for (const entry of this.#entries.values()) {
      if (entry.attributes.sha256 === sha256) return entry.record();
    }
    return undefined;
  }

  isListed(hash: Hash): boolean {
    return this.#entries.values().some((entry) => entry.children.includes(hash));
  }

  *list(): Iterable<BlobRecord> {
    for (const hash of [...this.#entries.keys()].sort()) {
      const record = this.status(hash);
      if (record !== undefined) yield record;
    }
  }

  usage(): StoreUsage {
    let partialCount = 0;
    for (const entry of this.#entries.values()) if (!entry.isComplete) partialCount++;
    return {
      blobCount: this.#entries.size,
      partialCount,
      bytes: this.#heldBytes,
      quotaBytes: this.#quotaBytes,
    };
  }

  async importFile(
    path: string,
    options: ImportOptions & { readonly mode?: ImportMode } = {},
  ): Promise<BlobRecord> {
    let bytes: Bytes;
    try {
      bytes = await Deno.readFile(
        path,
        options.signal === undefined ? {} : { signal: options.signal },
      );
    } catch (error) {
      options.signal?.throwIfAborted();
      throw storageError(`import ${path}`, error);
    }
    if (options.mode === "move") await Deno.remove(path);
    return await this.importBytes(bytes, { name: basename(path), ...options });
  }

  async importStream(
    stream: ReadableStream<Uint8Array>,
    options: ImportOptions = {},
  ): Promise<BlobRecord> {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of abortable(stream, options.signal)) {
      options.signal?.throwIfAborted();
      bytes += part.length;
      this.#makeRoom(bytes);
      parts.push(Uint8Array.from(part));
      options.onProgress?.(bytes);
    }
    const joined = new Uint8Array(bytes);
    let at = 0;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return await this.importBytes(joined, options);
  }

  // deno-lint-ignore require-await -- the port is asynchronous, memory is not
  async importBytes(bytes: Uint8Array, options: ImportOptions = {}): Promise<BlobRecord> {
    checkAttributes(options);
    options.signal?.throwIfAborted();
    const { hash, sha256, parents } = digestsOf(bytes);
    checkExpected(options.name ?? "the bytes", { hash, sha256 }, options.expected);
    this.#insert(hash, bytes, parents, { ...options, sha256 });
    options.onProgress?.(bytes.length);
    return this.status(hash)!;
  }

  importSmall(
    items: readonly { readonly hash: Hash; readonly bytes: Uint8Array }[],
    attributes: BlobAttributes = {},
  ): void {
    checkAttributes(attributes);
    checkSmall(items);
    let newBytes = 0;
    for (const { hash, bytes } of items) if (!this.#entries.has(hash)) newBytes += bytes.length;
    this.#makeRoom(newBytes);
    for (const { hash, bytes } of items) {
      this.#insert(hash, bytes, new Uint8Array(0), { ...attributes, sha256: sha256Of(bytes) });
    }
  }

  // deno-lint-ignore require-await -- the port is asynchronous, memory is not
  async openReader(hash: Hash): Promise<BlobReader> {
    const entry = this.#entries.get(hash);
    if (entry === undefined) throw absentError(hash, "read");
    this.touch(hash);
    return new MemoryReader(entry);
  }

  // deno-lint-ignore require-await -- the port is asynchronous, memory is not
  async ingestEncoded(hash: Hash, ranges: RangeSet, options: IngestOptions): Promise<Ingest> {
    return new MemoryEncodedIngest(this.#ingestEntry(hash, options), this.#host, {
      ...options,
      ranges,
    });
  }

  // deno-lint-ignore require-await -- the port is asynchronous, memory is not
  async ingestPlain(hash: Hash, startGroup: number, options: IngestOptions): Promise<Ingest> {
    const entry = this.#ingestEntry(hash, options);
    return new MemoryPlainIngest(entry, this.#host, { ...options, startGroup });
  }

  async exportFile(
    hash: Hash,
    path: string,
    options: ExportOptions = {},
  ): Promise<void> {
    const entry = this.#known(hash, "export");
    if (!entry.isComplete) throw incompleteError(hash, "export");
    await using reader = await this.openReader(hash);
    await writeExport(reader, path, options);
  }

  setAttributes(hash: Hash, attributes: Parameters<BlobStore["setAttributes"]>[1]): void {
    checkAttributes(attributes);
    const entry = this.#known(hash, "set attributes of");
    entry.attributes = mergeAttributes(entry.attributes, attributes);
    this.#feed.mark(hash);
  }

  pin(hash: Hash): void {
    this.#setPinned(hash, true);
  }

  unpin(hash: Hash): void {
    this.#setPinned(hash, false);
  }

  tag(hash: Hash, name: string): void {
    checkText("tag", name);
    this.#known(hash, "tag").tags.add(name);
    this.#feed.mark(hash);
  }

  untag(hash: Hash, name: string): void {
    if (this.#known(hash, "untag").tags.delete(name)) this.#feed.mark(hash);
  }

  touch(hash: Hash): void {
    const entry = this.#entries.get(hash);
    const nowMs = this.#clock.nowMs();
    if (entry !== undefined && Math.abs(nowMs - entry.lastUsedMs) >= TOUCH_INTERVAL_MS) {
      entry.lastUsedMs = nowMs;
    }
  }

  remove(hash: Hash): Promise<void> {
    const entry = this.#entries.get(hash);
    if (entry !== undefined) this.#drop(entry);
    for (const draft of this.#drafts.take(hash)) {
      draft.stopped = abortedError(hash, "the blob was removed");
    }
    return Promise.resolve();
  }

  collectGarbage(options: { readonly dryRun?: boolean } = {}): Promise<GarbageReport> {
    const kept = this.#withChildren((entry) =>
      entry.attributes.pinned || entry.tags.size > 0 || entry.isBusy
    );
    const doomed = [...this.#entries.values()].filter((entry) => !kept.has(entry.hash))
      .sort((a, b) => a.hash < b.hash ? -1 : 1);
    const removed = doomed.map(({ hash, size, bytes }) => ({ hash, size, bytes }));
    if (options.dryRun !== true) { for (const entry of doomed) this.#drop(entry); }
    return Promise.resolve({
      removed: removed.map(({ hash, size }) => ({ hash, size })),
      bytes: removed.reduce((sum, { bytes }) => sum + bytes, 0),
    });
  }

  async verify(
    hash: Hash,
    options: { readonly signal?: AbortSignal; readonly onProgress?: (bytes: number) => void } = {},
  ): Promise<VerifyReport> {
    const entry = this.#known(hash, "verify");
    const held = entry.groups;
    let bytes = 0;
    const good = await validateGroups({
      hash,
      size: entry.size,
      groups: held,
      readGroup: (index) => {
        options.signal?.throwIfAborted();
        const group = entry.data.get(index)!;
        options.onProgress?.(bytes += group.length);
        return Promise.resolve(group);
      },
      readParent: (offset) => Promise.resolve(entry.parents.get(offset)!),
    });
    const bad = held.subtract(good);
    if (!bad.isEmpty && this.#entries.get(hash) === entry) {
      if (good.isEmpty) this.#drop(entry);
      else this.#demote(entry, bad);
    }
    return { hash, size: entry.size, good, bad };
  }

  onChange(listener: (hash: Hash) => void): () => void {
    return this.#feed.listen(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    const stop = new SeedmintError("aborted", "The store was closed");
    for (const entry of this.#entries.values()) entry.stopped = stop;
    for (const draft of this.#drafts) {
      draft.stopped = stop;
      this.#drafts.delete(draft);
    }
    return Promise.resolve();
  }

  /** Damages one held byte, so that tests can see how rot is found. */
  corruptForTest(hash: Hash, offset: number): void {
    const group = this.#known(hash, "damage").data.get(Math.floor(offset / GROUP_BYTES))!;
    group[offset % GROUP_BYTES]! ^= 1;
  }

  #known(hash: Hash, action: string): MemoryEntry {
    const entry = this.#entries.get(hash);
    if (entry === undefined) throw absentError(hash, action);
    return entry;
  }

  #setPinned(hash: Hash, pinned: boolean): void {
    const entry = this.#known(hash, pinned ? "pin" : "unpin");
    entry.attributes = { ...entry.attributes, pinned };
    this.#feed.mark(hash);
  }

  #describe(entry: MemoryEntry, given: BlobAttributes & { readonly sha256?: Sha256 }): void {
    entry.attributes = mergeAttributes(entry.attributes, given);
    if (given.tag !== undefined) entry.tags.add(given.tag);
  }

  /** Makes `bytes`, whose hash and parents are computed here, a complete blob. */
  #insert(
    hash: Hash,
    bytes: Uint8Array,
    parents: Uint8Array,
    given: BlobAttributes & { readonly sha256: Sha256 },
  ): void {
    let entry = this.#entries.get(hash);
    if (entry === undefined) {
      this.#makeRoom(bytes.length);
      entry = this.#newEntry(hash, bytes.length);
      this.#entries.set(hash, entry);
      for (const draft of this.#drafts.take(hash)) {
        if (draft.size !== bytes.length) draft.stopped = sizeError(hash, draft.size, bytes.length);
      }
    } else if (!entry.isComplete) this.#makeRoom(bytes.length - entry.bytes, entry);
    this.#describe(entry, given);
    if (!entry.isComplete) {
      const copy = Uint8Array.from(bytes);
      for (let index = 0; index < entry.groupCount; index++) {
        entry.data.set(index, copy.slice(index * GROUP_BYTES, (index + 1) * GROUP_BYTES));
      }
      for (let offset = 0; offset < parents.length; offset += PARENT_BYTES) {
        entry.parents.set(offset, Uint8Array.from(parents.subarray(offset, offset + PARENT_BYTES)));
      }
      this.#hold(entry, { start: 0, end: entry.groupCount });
    } else if (given.kind === "collection") this.#readChildren(entry);
    this.touch(hash);
    this.#feed.mark(hash);
  }

  #newEntry(hash: Hash, size: number): MemoryEntry {
    return new MemoryEntry(hash, size, {
      attributes: mergeAttributes(undefined, {}),
      nowMs: this.#clock.nowMs(),
    });
  }

  /** The entry that an ingest writes to: the blob's own, or a draft while its size is unproven. */
  #ingestEntry(hash: Hash, options: IngestOptions): MemoryEntry {
    checkAttributes(options);
    const { size } = options;
    if (!Number.isSafeInteger(size) || size < 0 || size > BLOB_BYTES_MAX) {
      throw sizeError(hash, size);
    }
    if (options.signal?.aborted) throw abortedError(hash, "its signal was aborted");
    const known = this.#entries.get(hash);
    if (known !== undefined) {
      if (known.size !== size) throw sizeError(hash, size, known.size);
      this.#makeRoom(size - known.bytes, known);
      this.#describe(known, options);
      this.touch(hash);
      return known;
    }
    const draft = this.#drafts.open({ hash, size }, () => this.#newEntry(hash, size));
    this.#attributesOf.set(draft, { ...this.#attributesOf.get(draft), ...attributesIn(options) });
    return draft;
  }

  #verified(entry: MemoryEntry, range: Range): void {
    const isDraft = this.#entries.get(entry.hash) !== entry;
    if (!isDraft) {
      const fresh = RangeSet.of(range.start, range.end).subtract(entry.groups);
      this.#makeRoom(fresh.count * GROUP_BYTES, entry);
      this.#hold(entry, range);
      this.#feed.mark(entry.hash);
      return;
    }
    entry.groups = entry.groups.union(RangeSet.of(range.start, range.end));
    if (range.end === groupCountOf(entry.size)) this.#prove(entry);
    else this.#makeRoom(entry.bytes);
  }

  /** The last group of a draft verified, so its size is true and every other claim is a lie. */
  #prove(draft: MemoryEntry): void {
    const { hash } = draft;
    if (this.#drafts.get(draft) !== draft) return;
    this.#makeRoom(draft.size);
    this.#drafts.delete(draft);
    for (const liar of this.#drafts.take(hash)) {
      liar.stopped = sizeError(hash, liar.size, draft.size);
    }
    this.#entries.set(hash, draft);
    this.#describe(draft, this.#attributesOf.get(draft) ?? {});
    const groups = draft.groups;
    draft.groups = RangeSet.EMPTY;
    for (const range of groups) this.#hold(draft, range);
    this.#feed.mark(hash);
  }

  #hold(entry: MemoryEntry, range: Range): void {
    const wasComplete = entry.isComplete;
    const before = entry.bytes;
    entry.groups = entry.groups.union(RangeSet.of(range.start, range.end));
    this.#heldBytes += entry.bytes - before;
    if (wasComplete || !entry.isComplete) return;
    if (entry.size <= INLINE_BYTES_MAX) {
      entry.attributes = { ...entry.attributes, sha256: sha256Of(entry.data.get(0)!) };
    }
    this.#readChildren(entry);
  }

  #readChildren(entry: MemoryEntry): void {
    if (entry.attributes.kind !== "collection" || !entry.isComplete) return;
    const bytes = new Uint8Array(entry.size);
    entry.copy(0, bytes);
    try {
      entry.children = [...this.#childrenOf?.(bytes) ?? []];
    } catch {
      // Whoever made it marked opaque bytes as a collection: it has no children to keep.
      entry.children = [];
    }
  }

  #ingestClosed(entry: MemoryEntry): void {
    if (entry.ingestCount === 0) this.#drafts.delete(entry);
  }

  #drop(entry: MemoryEntry): void {
    this.#entries.delete(entry.hash);
    this.#heldBytes -= entry.bytes;
    entry.stopped = abortedError(entry.hash, "the blob was removed");
    this.#feed.mark(entry.hash);
  }

  /** Forgets groups that no longer match; a reader that opened them before fails on them. */
  #demote(entry: MemoryEntry, bad: RangeSet): void {
    this.#heldBytes -= entry.bytes;
    entry.groups = entry.groups.subtract(bad);
    for (const range of bad) {
      for (let index = range.start; index < range.end; index++) entry.data.delete(index);
    }
    this.#heldBytes += entry.bytes;
    this.#feed.mark(entry.hash);
  }

  /** Evicts the least recently used until `bytes` more fit. `except` stays. */
  #makeRoom(bytes: number, except?: MemoryEntry): void {
    if (this.#heldBytes + bytes <= this.#quotaBytes) return;
    const kept = this.#withChildren((entry) => entry.attributes.pinned);
    const victims = [...this.#entries.values()]
      .filter((entry) => !kept.has(entry.hash) && !entry.isBusy && entry !== except)
      .sort((a, b) => a.lastUsedMs - b.lastUsedMs || a.addedMs - b.addedMs);
    const freeable = victims.reduce((sum, entry) => sum + entry.bytes, 0);
    const freeBytes = this.#quotaBytes - this.#heldBytes + freeable;
    if (bytes > freeBytes) throw quotaError(bytes, freeBytes, this.#quotaBytes);
    for (const victim of victims) {
      if (this.#heldBytes + bytes <= this.#quotaBytes * EVICT_TO) break;
      this.#drop(victim);
    }
  }

  /** The blobs for which `isKept` holds, and all that their collections list. */
  #withChildren(isKept: (entry: MemoryEntry) => boolean): Set<Hash> {
    const kept = new Set<Hash>();
    const queue = [...this.#entries.values()].filter(isKept).map((entry) => entry.hash);
    for (let hash = queue.pop(); hash !== undefined; hash = queue.pop()) {
      if (kept.has(hash)) continue;
      kept.add(hash);
      queue.push(...this.#entries.get(hash)?.children ?? []);
    }
    return kept;
  }
}
