/** One blob of the memory store: its groups, its parents, and what is said of it. */
import type { Bytes } from "../../src/core/bytes.ts";
import type { Hash } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf, PARENT_BYTES } from "../bao/geometry.ts";
import { truncateRanges } from "../bao/mod.ts";
import type { Attributes } from "./attributes.ts";
import type { BlobReader, BlobRecord, EncodeOptions } from "./blob_store.ts";
import { encodePieces } from "./encode.ts";
import { INLINE_BYTES_MAX } from "./limits.ts";
import { bytesInGroups } from "./group_bytes.ts";
import { incompleteError } from "./store_error.ts";

/** A blob in memory, or a draft of one whose size is not proven. */
export class MemoryEntry {
  readonly hash: Hash;
  readonly size: number;
  readonly data: Map<number, Bytes> = new Map();
  readonly parents: Map<number, Bytes> = new Map();
  readonly tags: Set<string> = new Set();
  readonly addedMs: number;
  groups: RangeSet = RangeSet.EMPTY;
  attributes: Attributes;
  lastUsedMs: number;
  readerCount = 0;
  ingestCount = 0;
  /** Children, once the blob is a complete collection. */
  children: readonly Hash[] = [];
  /** Why ingests of it must stop, once they must. */
  stopped: Error | undefined;

  constructor(hash: Hash, size: number, options: { attributes: Attributes; nowMs: number }) {
    this.hash = hash;
    this.size = size;
    this.attributes = options.attributes;
    this.addedMs = options.nowMs;
    this.lastUsedMs = options.nowMs;
  }

  get groupCount(): number {
    return groupCountOf(this.size);
  }

  get isComplete(): boolean {
    return this.groups.count === this.groupCount;
  }

  get isBusy(): boolean {
    return this.readerCount > 0 || this.ingestCount > 0;
  }

  /** Bytes of verified data held. */
  get bytes(): number {
    return bytesInGroups(this.size, this.groups);
  }

  record(): BlobRecord {
    const { mediaType, name, sha256, ...rest } = this.attributes;
    return {
      hash: this.hash,
      size: this.size,
      state: this.isComplete ? "complete" : "partial",
      groups: this.groups,
      ...rest,
      tags: [...this.tags].sort(),
      storage: this.size <= INLINE_BYTES_MAX ? "inline" : "owned",
      ...(sha256 === undefined ? {} : { sha256 }),
      ...(mediaType === undefined ? {} : { mediaType }),
      ...(name === undefined ? {} : { name }),
      addedMs: this.addedMs,
      lastUsedMs: this.lastUsedMs,
    };
  }

  /** Copies bytes from `offset` on; every group touched is held. */
  copy(offset: number, target: Uint8Array): void {
    let done = 0;
    while (done < target.length) {
      const at = offset + done;
      const group = this.data.get(Math.floor(at / GROUP_BYTES));
      // Verification found it damaged after the reader was opened.
      if (group === undefined) throw incompleteError(this.hash, "read");
      const part = group.subarray(at % GROUP_BYTES, (at % GROUP_BYTES) + target.length - done);
      target.set(part, done);
      done += part.length;
    }
  }

  /** Copies parents from `offset` of the outboard on. */
  copyParents(offset: number, target: Uint8Array): void {
    for (let done = 0; done < target.length; done += PARENT_BYTES) {
      target.set(this.parents.get(offset + done)!, done);
    }
  }
}

/** Reads the groups that were held when it was opened. */
export class MemoryReader implements BlobReader {
  readonly hash: Hash;
  readonly size: number;
  readonly groups: RangeSet;
  readonly #entry: MemoryEntry;
  #open = true;

  constructor(entry: MemoryEntry) {
    this.hash = entry.hash;
    this.size = entry.size;
    this.groups = entry.groups;
    this.#entry = entry;
    entry.readerCount++;
  }

  // deno-lint-ignore require-await -- the port is asynchronous, memory is not
  async read(offset: number, target: Uint8Array): Promise<number> {
    const count = readableCount(this, offset, target.length);
    this.#entry.copy(offset, target.subarray(0, count));
    return count;
  }

  encode(ranges: RangeSet, options: EncodeOptions = {}): AsyncIterable<Bytes> {
    const wanted = truncateRanges(ranges, this.size);
    if (!this.groups.includes(wanted)) throw incompleteError(this.hash, "encode ranges of");
    const entry = this.#entry;
    return encodePieces(
      {
        size: this.size,
        readData: (offset, target) => Promise.resolve(entry.copy(offset, target)),
        readParents: (offset, target) => Promise.resolve(entry.copyParents(offset, target)),
      },
      wanted,
      options,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#open) this.#entry.readerCount--;
    this.#open = false;
    return Promise.resolve();
  }
}

/** How many bytes from `offset` on are held without a gap, at most `bytesMax`. */
export function readableCount(
  blob: { readonly size: number; readonly groups: RangeSet },
  offset: number,
  bytesMax: number,
): number {
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new RangeError(`Cannot read a blob at ${offset}: a non-negative integer wanted`);
  }
  const index = Math.floor(offset / GROUP_BYTES);
  const run = [...blob.groups].find((range) => range.start <= index && index < range.end);
  if (run === undefined) return 0;
  const end = Math.min(run.end * GROUP_BYTES, blob.size);
  return Math.max(0, Math.min(bytesMax, end - offset));
}
