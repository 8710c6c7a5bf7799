/** Takes the children of a collection off one answer and puts them into the store. */
import { concatBytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";
import { encodedSize } from "../bao/mod.ts";
import type { CollectionChild } from "../collection.ts";
import { childAttributes } from "../narrowing.ts";
import type { BlobAttributes, BlobStore, Ingest } from "../store/blob_store.ts";
import type { Cancellation } from "./cancellation.ts";
import { SMALL_BATCH_BYTES_MAX, SMALL_BATCH_COUNT_MAX } from "./limits.ts";

/** Options of {@link ChildSink}. */
export interface ChildSinkOptions {
  readonly store: BlobStore;
  readonly children: readonly CollectionChild[];
  /** Indexes that were asked for, all below the count of children. */
  readonly wanted: RangeSet;
  readonly root: Hash;
  readonly attributes?: BlobAttributes;
  readonly onChild?: (index: number) => void;
  /** Called with content as it verifies, in bytes. */
  readonly onVerified?: (bytes: number) => void;
  /** The most of small children that is held back until it is verified. */
  readonly batchBytesMax?: number;
  readonly cancel: Cancellation;
}

/** The child whose bytes are coming. */
interface Current {
  readonly index: number;
  readonly child: CollectionChild;
  /** Bytes of its encoding that are still to come. */
  left: number;
  readonly parts: Uint8Array[];
  readonly ingest: Ingest | undefined;
}

/** Cuts the bytes of an answer into children. A breach of the order or the sizes is `protocol`. */
export class ChildSink implements AsyncDisposable {
  readonly #options: ChildSinkOptions;
  readonly #indexes: Generator<number>;
  #next: number | undefined;
  #current: Current | undefined;
  #batch: { readonly index: number; readonly hash: Hash; readonly bytes: Uint8Array }[] = [];
  #batchBytes = 0;
  #missingCount = 0;
  readonly #batchBytesMax: number;

  constructor(options: ChildSinkOptions) {
    this.#options = options;
    this.#batchBytesMax = Math.min(SMALL_BATCH_BYTES_MAX, options.batchBytesMax ?? Infinity);
    this.#indexes = indexesOf(options.wanted);
    this.#next = this.#indexes.next().value ?? undefined;
  }

  /** How many of the wanted children the provider does not have. */
  get missingCount(): number {
    return this.#missingCount;
  }

  async data(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      const current = this.#current ?? await this.#begin();
      const part = rest.subarray(0, current.left);
      rest = rest.subarray(part.length);
      current.left -= part.length;
      if (current.ingest === undefined) current.parts.push(part);
      else {
        const room = current.ingest.push(part);
        if (room !== undefined) await this.#options.cancel.wait(room);
      }
      if (current.left === 0) await this.#complete(current);
    }
  }

  /** Takes note of children that do not come. */
  missing(children: RangeSet): void {
    if (this.#current !== undefined) throw breach("it left out children in the middle of one");
    const first = children.first;
    while (this.#next !== undefined && this.#next !== first) this.#emptyChild();
    for (const index of indexesOf(children)) {
      if (index !== this.#next) throw breach("it left out children that were not asked for");
      this.#missingCount += 1;
      this.#advance();
    }
  }

  /** The answer is over: everything must have come. */
  end(): void {
    if (this.#current !== undefined) throw breach("it ended in the middle of a child");
    while (this.#next !== undefined) this.#emptyChild();
    this.flush();
  }

  /** Verifies and stores what is held back of small children. */
  flush(): void {
    if (this.#batch.length === 0) return;
    const batch = this.#batch;
    const bytes = this.#batchBytes;
    this.#batch = [];
    this.#batchBytes = 0;
    const kinds = new Map<string, { attributes: BlobAttributes; blobs: typeof batch }>();
    for (const blob of batch) {
      const attributes = this.#attributesOf(blob.hash);
      const key = attributes.visibility ?? "";
      const kind = kinds.get(key);
      if (kind === undefined) kinds.set(key, { attributes, blobs: [blob] });
      else kind.blobs.push(blob);
    }
    for (const { attributes, blobs } of kinds.values()) {
      this.#options.store.importSmall(blobs, attributes);
    }
    this.#options.onVerified?.(bytes);
    for (const { index } of batch) this.#options.onChild?.(index);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#current?.ingest?.[Symbol.asyncDispose]();
  }

  /** Makes the next child with bytes the current one; children without any are whole already. */
  async #begin(): Promise<Current> {
    while (true) {
      if (this.#next === undefined) throw breach("it sent more than was asked for");
      const index = this.#next;
      const child = this.#options.children[index]!;
      if (child.size === 0) {
        this.#emptyChild();
        continue;
      }
      this.#advance();
      const isSmall = child.size <= GROUP_BYTES;
      const ingest = isSmall ? undefined : await this.#ingestOf(child);
      const left = isSmall ? child.size : encodedSize(child.size, RangeSet.ALL);
      this.#current = { index, child, left, parts: [], ingest };
      return this.#current;
    }
  }

  async #ingestOf(child: CollectionChild): Promise<Ingest> {
    const { store, cancel, onVerified } = this.#options;
    // What came before is stored first, so that children complete in order.
    this.flush();
    return await store.ingestEncoded(child.hash, RangeSet.ALL, {
      ...this.#attributesOf(child.hash),
      size: child.size,
      // What is paid for is verified to its end, since the seller has counted it.
      ...(onVerified === undefined ? { signal: cancel.signal } : {
        onVerified: ({ start, end }) => {
          onVerified(Math.min(end * GROUP_BYTES, child.size) - start * GROUP_BYTES);
        },
      }),
    });
  }

  async #complete(current: Current): Promise<void> {
    const { index, child, parts, ingest } = current;
    if (ingest === undefined) {
      this.#current = undefined;
      this.#small(index, child, parts.length === 1 ? parts[0]! : concatBytes(...parts));
      return;
    }
    await this.#options.cancel.wait(ingest.finish());
    this.#current = undefined;
    await ingest[Symbol.asyncDispose]();
    this.#options.onChild?.(index);
  }

  #emptyChild(): void {
    const index = this.#next!;
    const child = this.#options.children[index]!;
    if (child.size !== 0) throw breach("it left out a child without saying so");
    this.#advance();
    this.#small(index, child, new Uint8Array(0));
  }

  #advance(): void {
    this.#next = this.#indexes.next().value ?? undefined;
  }

  #attributesOf(child: Hash): BlobAttributes {
    const { store, root, attributes } = this.#options;
    return childAttributes(store, { root, child }, attributes);
  }

  #small(index: number, child: CollectionChild, bytes: Uint8Array): void {
    this.#batch.push({ index, hash: child.hash, bytes });
    this.#batchBytes += bytes.length;
    const isFull = this.#batch.length >= SMALL_BATCH_COUNT_MAX ||
      this.#batchBytes >= this.#batchBytesMax;
    if (isFull) this.flush();
  }
}

function* indexesOf(set: RangeSet): Generator<number, undefined> {
  for (const range of set) {
    for (let index = range.start; index < range.end; index++) yield index;
  }
}

function breach(why: string): SeedmintError {
  return new SeedmintError("protocol", why);
}
