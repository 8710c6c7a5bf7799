/**
 * What is kept of images, and for how long. The store evicts blobs, the least recently used first; an
 * image is used as a whole and so grows old as a whole, and when a blob of it went, the rest goes, too: half
 * an image helps nobody. A pinned collection keeps its children (see `BlobStore`).
 */
import type { Hash } from "../../../src/core/hash.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { BlobRecord, BlobStore, Visibility } from "../../store/blob_store.ts";
import { type ImageBlob, type ImageRow, LOCAL_REGISTRY, type RegistryIndex } from "../index/mod.ts";
import { type Digest, formatRepository, type RepositoryName } from "../names.ts";
import {
  FRESH_MS,
  MARK_DELAY_MS,
  REFRESH_INTERVAL_MS,
  USE_INTERVAL_MS,
  USES_MAX,
} from "./limits.ts";

/** Options of {@link Retention}. */
export interface RetentionOptions {
  readonly store: BlobStore;
  readonly index: RegistryIndex;
  readonly clock: Clock;
  /** Removes what is left of an image. */
  readonly drop: (image: ImageRow) => Promise<unknown>;
  readonly onError?: (error: unknown) => void;
}

/** An image that has no row any more, and what it was made of. */
export interface GoneImage {
  readonly collection: Hash;
  readonly blobs: readonly ImageBlob[];
  /** Blobs that the collection has for its form alone. */
  readonly files: readonly Hash[];
}

const TAG_PREFIX = "image:";

/** What keeps an image's collection from garbage collection. */
export function storeTag(name: RepositoryName, digest: Digest): string {
  return `${TAG_PREFIX}${formatRepository(name)}@${digest}`;
}

const WIDTH: Readonly<Record<Visibility, number>> = { private: 0, fleet: 1, public: 2 };

/** See the head of this file. */
export class Retention implements AsyncDisposable {
  readonly #options: RetentionOptions;
  /** When manifests were last said to be used. */
  readonly #usedMs = new Map<Digest, number>();
  readonly #dropping = new Set<Promise<unknown>>();
  #stopListening: () => void = () => {};
  #cancelRefresh: () => void = () => {};
  /** Manifests that were used and are not marked yet. */
  readonly #used = new Set<Digest>();
  #cancelMarking: (() => void) | undefined;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** Begins to watch the store. */
  start(): void {
    this.#stopListening = this.#options.store.onChange((hash) => this.#changed(hash));
    this.#scheduleRefresh();
  }

  /** Somebody was answered with a manifest. Costs that answer nothing: the marks are made later. */
  used(manifest: Digest): void {
    const { clock, index } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - (this.#usedMs.get(manifest) ?? -Infinity) < USE_INTERVAL_MS) return;
    this.#usedMs.delete(manifest);
    this.#usedMs.set(manifest, nowMs);
    if (this.#usedMs.size > USES_MAX) this.#usedMs.delete(this.#usedMs.keys().next().value!);
    this.#used.add(manifest);
    this.#cancelMarking ??= clock.timer(MARK_DELAY_MS, () => {
      this.#cancelMarking = undefined;
      const used = [...this.#used];
      this.#used.clear();
      this.#guard(() => {
        for (const image of used.flatMap((one) => index.images.withManifest(one))) {
          this.touch(image);
        }
      });
    });
  }

  /** Marks an image as used now, with all that it is made of. */
  touch({ collection }: Pick<ImageRow, "collection">): void {
    const { store, index } = this.#options;
    store.touch(collection);
    for (const { hash } of index.images.blobsOf(collection)) store.touch(hash);
  }

  /**
   * Makes the blobs of an image as visible as the image, or as another one that has them. A blob is
   * shown to more only if the image's repository has it for everyone: whoever writes a manifest
   * may list what is none of his.
   *
   * @param options `mayHide`: show blobs to fewer, too, if no image shows them to more.
   */
  show(image: ImageRow, options: { readonly mayHide: boolean }): void {
    const { store, index } = this.#options;
    for (const { hash, digest } of index.images.blobsOf(image.collection)) {
      const record = store.status(hash);
      if (record === undefined) continue;
      const visibility = widest(index.images.madeOf(hash).map((other) => other.visibility));
      const isWider = WIDTH[visibility] > WIDTH[record.visibility];
      const isOpen = index.members.isOpen(image.name, digest);
      const mayChange = isWider ? isOpen : options.mayHide;
      if (visibility !== record.visibility && mayChange) store.setAttributes(hash, { visibility });
    }
    const all = widest(
      index.images.ofCollection(image.collection).map((other) => other.visibility),
    );
    const record = store.status(image.collection);
    if (record !== undefined && record.visibility !== all) {
      store.setAttributes(image.collection, { visibility: all });
    }
  }

  /** Removes what an image alone kept. Returns the bytes that it freed. */
  async letGo(gone: GoneImage): Promise<number> {
    const { store, index } = this.#options;
    const { collection } = gone;
    const images = index.images.ofCollection(collection);
    const kept = new Set(images.map((image) => storeTag(image.name, image.digest)));
    for (const tag of store.status(collection)?.tags ?? []) {
      if (tag.startsWith(TAG_PREFIX) && !kept.has(tag)) store.untag(collection, tag);
    }
    if (images.length > 0) return 0;
    const left = store.status(collection);
    // Somebody tagged the collection for a reason of his own.
    const isKept = left !== undefined && left.tags.length > 0;
    const freedBytes = isKept ? 0 : await this.#removeAll(gone);
    // Last: until then the next start lets go of it again.
    index.images.forget(collection);
    return freedBytes;
  }

  async #removeAll(gone: GoneImage): Promise<number> {
    const { store, index } = this.#options;
    await store.remove(gone.collection);
    for (const file of gone.files) {
      if (store.status(file) === undefined || store.isListed(file)) continue;
      await store.remove(file);
    }
    let freedBytes = 0;
    const removed = new Set<Digest>();
    const manifests = gone.blobs.filter(({ isManifest }) => isManifest);
    // Indexes before what they list, however deep.
    for (let before = -1; before < removed.size;) {
      before = removed.size;
      for (const blob of manifests) {
        if (removed.has(blob.digest) || !this.#isFree(blob, removed)) continue;
        freedBytes += await this.#removeBlob(blob.hash);
        index.manifests.remove(blob.digest);
        removed.add(blob.digest);
      }
    }
    for (const blob of gone.blobs) {
      if (!blob.isManifest && this.#isFree(blob, removed)) {
        freedBytes += await this.#removeBlob(blob.hash);
      }
    }
    return freedBytes;
  }

  /** Resolves when no image is being dropped. */
  async settled(): Promise<void> {
    while (this.#dropping.size > 0) await Promise.all(this.#dropping);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopListening();
    this.#cancelRefresh();
    this.#cancelMarking?.();
    await this.settled();
  }

  /** Whether nothing keeps a blob: no pin, tag, collection, image, or manifest that came just now. */
  #isFree({ hash, digest }: ImageBlob, removed: ReadonlySet<Digest>): boolean {
    const { store, index } = this.#options;
    const record = store.status(hash);
    if (record === undefined) return true;
    if (record.pinned || record.tags.length > 0 || store.isListed(hash)) return false;
    if (index.images.madeOf(hash).length > 0) return false;
    if (index.members.repositoriesOf(digest, { registry: LOCAL_REGISTRY }).length > 0) return false;
    return !index.manifests.parentsOf(digest).some((parent) =>
      !removed.has(parent) && this.#isOnItsWay(parent)
    );
  }

  /** Whether a manifest is of no image, and was used so lately that one may be being pulled. */
  #isOnItsWay(manifest: Digest): boolean {
    const { store, index, clock } = this.#options;
    const entry = index.manifests.get(manifest);
    const record = entry && store.status(entry.hash);
    return record !== undefined && clock.nowMs() - record.lastUsedMs < FRESH_MS &&
      index.images.madeOf(record.hash).length === 0;
  }

  async #removeBlob(hash: Hash): Promise<number> {
    const { store } = this.#options;
    const record: BlobRecord | undefined = store.status(hash);
    if (record === undefined) return 0;
    await store.remove(hash);
    return record.size;
  }

  #changed(hash: Hash): void {
    const { store, index } = this.#options;
    if (store.status(hash) !== undefined) return;
    for (const image of [...index.images.ofCollection(hash), ...index.images.madeOf(hash)]) {
      const dropped: Promise<unknown> = this.#options.drop(image)
        .catch((error) => this.#options.onError?.(error))
        .finally(() => this.#dropping.delete(dropped));
      this.#dropping.add(dropped);
    }
  }

  #scheduleRefresh(): void {
    this.#cancelRefresh = this.#options.clock.timer(REFRESH_INTERVAL_MS, () => {
      this.#guard(() => this.#refresh());
      this.#scheduleRefresh();
    });
  }

  /** Work of a timer: what fails there fails nobody. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onError?.(error);
    }
  }

  /** Peers read blobs, not images: of an image of which some were used lately, all are. */
  #refresh(): void {
    const { store, index } = this.#options;
    for (const image of index.images.all()) {
      const own = index.images.blobsOf(image.collection).map(({ hash }) => hash)
        .filter((hash) => index.images.madeOf(hash).length === 1);
      const usedMs = [image.collection, ...own].flatMap((hash) =>
        store.status(hash)?.lastUsedMs ?? []
      );
      // Blobs that were all used at one time say nothing new.
      const isUneven = Math.max(...usedMs) - Math.min(...usedMs) > 2 * USE_INTERVAL_MS;
      if (isUneven) this.touch(image);
    }
  }
}

/** The visibility of what is a part of several images. */
export function widest(visibilities: readonly Visibility[]): Visibility {
  return visibilities.reduce(
    (wide, visibility) => WIDTH[visibility] > WIDTH[wide] ? visibility : wide,
    "private",
  );
}
