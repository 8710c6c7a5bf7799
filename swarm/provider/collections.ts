/** The children of a collection as they go onto the wire. */
import type { Bytes } from "../../src/core/bytes.ts";
import type { Hash } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";
import type { CollectionChild } from "../collection.ts";
import type { Viewer } from "../ports.ts";
import { WANT_BOUNDARIES_MAX } from "../protocol/mod.ts";
import { readCollection, readWhole } from "../read_whole.ts";
import type { BlobRecord, BlobStore, Visibility } from "../store/blob_store.ts";
import { CACHED_CHILDREN_MAX, SMALL_CHILDREN_PER_BATCH } from "./limits.ts";
import { lookUp } from "./lookup.ts";

/** What {@link childItems} yields, in the order of the children. */
export type ChildItem =
  /** These are not sent. */
  | { readonly kind: "missing"; readonly children: RangeSet }
  /** A whole small child, which is its own encoding. */
  | { readonly kind: "small"; readonly bytes: Bytes }
  /** The pieces of a large child of `size` bytes follow. */
  | { readonly kind: "begin"; readonly size: number }
  /** The next piece of a large child's encoding. */
  | { readonly kind: "piece"; readonly bytes: Bytes };

/** Decoded collections, so that a request for some children does not read all of the list again. */
export class CollectionCache {
  readonly #store: BlobStore;
  readonly #collections = new Map<Hash, readonly CollectionChild[]>();
  #childCount = 0;

  constructor(store: BlobStore) {
    this.#store = store;
  }

  /**
   * The children of a complete collection.
   *
   * @throws {SeedmintError} `protocol` if the blob is no collection, or what the store throws.
   */
  async childrenOf(root: BlobRecord): Promise<readonly CollectionChild[]> {
    const known = this.#collections.get(root.hash);
    if (known !== undefined) {
      this.#collections.delete(root.hash);
      this.#collections.set(root.hash, known);
      return known;
    }
    const children = await readCollection(this.#store, root.hash);
    if (!this.#collections.has(root.hash)) {
      this.#collections.set(root.hash, children);
      this.#childCount += children.length;
    }
    for (const [hash, cached] of this.#collections) {
      if (this.#childCount <= CACHED_CHILDREN_MAX || hash === root.hash) break;
      this.#collections.delete(hash);
      this.#childCount -= cached.length;
    }
    return children;
  }
}

/**
 * Yields the wanted children in order. A child that is only partly here, not seen, seen by fewer than
 * the collection, or not to be had on its terms is missing: asked for alone, it comes with its own.
 */
export async function* childItems(
  options: {
    readonly store: BlobStore;
    readonly viewer: Viewer;
    /** Of the collection: what comes as its part is stored as it is. */
    readonly visibility: Visibility;
    readonly children: readonly CollectionChild[];
    readonly wanted: RangeSet;
    /** Whether a child goes on the collection's terms. */
    readonly isOnTerms: (child: Hash) => boolean | Promise<boolean>;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<ChildItem, void, undefined> {
  const { store, children } = options;
  const missing = new MissingRuns();
  let batch: SmallBatch = [];
  for (const index of indexesOf(options.wanted.below(children.length))) {
    const child = children[index]!;
    const record = lookUp(store, { hash: child.hash }, options.viewer);
    const isHeld = record?.state === "complete" && record.size === child.size &&
      (record.visibility === "public" || options.visibility !== "public") &&
      await options.isOnTerms(child.hash);
    if (isHeld && child.size <= GROUP_BYTES) {
      batch.push({ index, read: readSmall(store, child) });
    } else if (isHeld) {
      yield* readBatch(batch, missing);
      batch = [];
      yield* missing.take();
      yield* largeChild(store, child.hash, options.signal);
    } else {
      batch.push({ index, read: undefined });
    }
    if (batch.length >= SMALL_CHILDREN_PER_BATCH) {
      yield* readBatch(batch, missing);
      batch = [];
    }
  }
  yield* readBatch(batch, missing);
  yield* missing.take();
}

type SmallBatch = {
  readonly index: number;
  readonly read: Promise<Bytes | undefined> | undefined;
}[];

async function* readBatch(
  batch: SmallBatch,
  missing: MissingRuns,
): AsyncGenerator<ChildItem, void, undefined> {
  const read = await Promise.all(batch.map((entry) => entry.read));
  for (let at = 0; at < batch.length; at++) {
    const bytes = read[at];
    if (bytes === undefined) {
      yield* missing.add(batch[at]!.index);
      continue;
    }
    yield* missing.take();
    if (bytes.length > 0) yield { kind: "small", bytes };
  }
}

/** Gathers neighbouring children that are missing into few messages. */
class MissingRuns {
  #indexes: number[] = [];

  *add(index: number): Generator<ChildItem> {
    this.#indexes.push(index);
    if (this.#indexes.length >= WANT_BOUNDARIES_MAX / 2) yield* this.take();
  }

  *take(): Generator<ChildItem> {
    if (this.#indexes.length === 0) return;
    const children = RangeSet.from(this.#indexes.map((start) => ({ start, end: start + 1 })));
    this.#indexes = [];
    yield { kind: "missing", children };
  }
}

/** Undefined when it went away since it was looked up. */
async function readSmall(store: BlobStore, child: CollectionChild): Promise<Bytes | undefined> {
  try {
    const bytes = await readWhole(store, child.hash, GROUP_BYTES);
    return bytes.length === child.size ? bytes : undefined;
  } catch {
    return undefined;
  }
}

async function* largeChild(
  store: BlobStore,
  hash: Hash,
  signal: AbortSignal,
): AsyncGenerator<ChildItem, void, undefined> {
  await using reader = await store.openReader(hash);
  yield { kind: "begin", size: reader.size };
  for await (const bytes of reader.encode(RangeSet.ALL, { signal })) yield { kind: "piece", bytes };
}

function* indexesOf(set: RangeSet): Generator<number> {
  for (const range of set) {
    for (let index = range.start; index < range.end; index++) yield index;
  }
}
