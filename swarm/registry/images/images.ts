/** The images of this node: see `mod.ts`. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Hash, Sha256 } from "../../../src/core/hash.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { hashBytes } from "../../bao/mod.ts";
import { type CollectionChild, encodeCollection } from "../../collection.ts";
import type { BlobStore, Visibility } from "../../store/blob_store.ts";
import { type ImageBlob, type ImageRow, LOCAL_REGISTRY, type RegistryIndex } from "../index/mod.ts";
import { buildIndex, MEDIA_TYPES, type ParsedManifest, type Platform } from "../manifest/mod.ts";
import { type Digest, formatRepository, type RepositoryName, sha256Of } from "../names.ts";
import { assemble, type Assembled, type AssembledBlob } from "./assembly.ts";
import { INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, layoutName } from "./layout.ts";
import { ADVERT_DIGESTS_MAX } from "./limits.ts";
import { type GoneImage, Retention } from "./retention.ts";
import { Shelf } from "./shelf.ts";

/** One image, for people and programs. */
export interface ImageInfo {
  readonly name: RepositoryName;
  /** Tags that point to it, as last seen. */
  readonly tags: readonly string[];
  /** Of the manifest or index that it is named by. */
  readonly digest: Digest;
  /** The blob that lists all of it. */
  readonly collection: Hash;
  readonly platforms: readonly Platform[];
  /** Bytes of all that it is made of. */
  readonly size: number;
  /** Bytes of it that no other image has: what removing it frees. */
  readonly ownSize: number;
  readonly visibility: Visibility;
  readonly isPinned: boolean;
  /** Whether every byte of it is here and as it should be. */
  readonly isWhole: boolean;
  /** Milliseconds since 1970. */
  readonly addedMs: number;
  /** Milliseconds since 1970; exact to a minute. */
  readonly lastUsedMs: number;
}

/** Options of {@link Images.collect}. */
export interface CollectOptions {
  /** Wanted platforms of an index. @default {each that is here whole} */
  readonly platforms?: readonly Platform[];
  /** Who may see it. @default {"fleet", or as it was} */
  readonly visibility?: Visibility;
  /** Keep it whatever the quota says. @default {false} */
  readonly isPinned?: boolean;
}

/** Options of {@link Images.open}. */
export interface ImagesOptions {
  readonly store: BlobStore;
  readonly index: RegistryIndex;
  readonly clock: Clock;
  /** Told of images that went as a whole because the quota, or somebody, took a blob of them. */
  readonly onBroken?: (image: ImageRow) => void;
  /** Told what went wrong in the background. */
  readonly onError?: (error: unknown) => void;
}

/** See `mod.ts`. */
export class Images implements AsyncDisposable {
  readonly #options: ImagesOptions;
  readonly #shelf: Shelf;
  readonly #retention: Retention;
  /** One image changes at a time: what it takes is some small reads. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: ImagesOptions) {
    this.#options = options;
    this.#shelf = new Shelf(options);
    this.#retention = new Retention({
      ...options,
      drop: (image) => this.#inTurn(() => this.#drop(image)),
    });
  }

  /** Takes up the images of an earlier run; what cannot be put together any more is forgotten. */
  static async open(options: ImagesOptions): Promise<Images> {
    const images = new Images(options);
    for (const row of options.index.images.all()) {
      if (options.store.status(row.collection)?.state === "complete") continue;
      await images.#collectAgain(row);
    }
    images.#retention.start();
    return images;
  }

  /** All images, in order of name. */
  list(): readonly ImageInfo[] {
    return this.#options.index.images.all().map((row) => this.#infoOf(row));
  }

  /** The image that a tag or a digest names; undefined if it is not kept here. */
  find(
    name: RepositoryName,
    reference: { readonly tag?: string; readonly digest?: Digest },
  ): ImageInfo | undefined {
    const { tags, images } = this.#options.index;
    const digest = reference.digest ??
      (reference.tag === undefined ? undefined : tags.get(name, reference.tag)?.digest);
    const row = digest && images.get(name, digest);
    return row && this.#infoOf(row);
  }

  /**
   * Makes an image of what is here, as a collection that is seeded as `visibility` says. Again for the
   * same image, it takes in platforms that came meanwhile.
   *
   * @returns The collection.
   * @throws {SeedmintError} `not-found` if a blob of a wanted platform is not here.
   */
  async collect(
    name: RepositoryName,
    digest: Digest,
    options: CollectOptions = {},
  ): Promise<Hash> {
    return await this.#inTurn(() => this.#collect(name, digest, options));
  }

  /**
   * Changes who may see an image, and all that it is made of.
   *
   * @throws {SeedmintError} `not-found` if there is no such image.
   */
  async setVisibility(
    name: RepositoryName,
    digest: Digest,
    visibility: Visibility,
  ): Promise<ImageInfo> {
    const { platforms } = this.#known(name, digest, "change");
    await this.collect(name, digest, {
      visibility,
      ...(platforms.length === 0 ? {} : { platforms }),
    });
    return this.#infoOf(this.#known(name, digest, "change"));
  }

  /**
   * Forgets an image and removes the blobs that nothing else keeps.
   *
   * @returns Bytes freed; undefined if there is no such image.
   */
  async remove(name: RepositoryName, digest: Digest): Promise<number | undefined> {
    return await this.#inTurn(async () => {
      const { index } = this.#options;
      const image = index.images.get(name, digest);
      if (image === undefined) return undefined;
      const freedBytes = await this.#remove(image);
      // What was pushed here is its registry's to delete.
      if (name.registry !== LOCAL_REGISTRY) {
        index.transaction(() => {
          for (const tag of index.tags.of(name, digest)) index.tags.remove(name, tag);
          index.members.remove(name, digest, "manifest");
        });
      }
      return freedBytes;
    });
  }

  /** Digests by which others may look for a collection: those of its manifests, the root first. */
  digestsOf(collection: Hash): readonly Sha256[] {
    const { images } = this.#options.index;
    const roots = images.ofCollection(collection).map(({ digest }) => digest);
    if (roots.length === 0) return [];
    const manifests = images.blobsOf(collection).flatMap(({ manifest }) => manifest ?? []);
    return [...new Set([...roots, ...manifests])].slice(0, ADVERT_DIGESTS_MAX).map(sha256Of);
  }

  /** Somebody asked for a manifest: the images that have it are used now, with all their blobs. */
  used(manifest: Digest): void {
    this.#retention.used(manifest);
  }

  /** Resolves when nothing is being changed. */
  async settled(): Promise<void> {
    await this.#retention.settled();
    await this.#turn.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#retention[Symbol.asyncDispose]();
    await this.#turn.catch(() => {});
  }

  async #collect(name: RepositoryName, digest: Digest, options: CollectOptions): Promise<Hash> {
    const { store, index } = this.#options;
    const { platforms } = options;
    const before = index.images.get(name, digest);
    const gone = before && this.#goneOf(before);
    const assembled = await assemble(digest, {
      store,
      shelf: this.#shelf,
      ...(platforms === undefined ? {} : { platforms }),
    });
    const files = layoutFiles(assembled.root.manifest);
    const bytes = encodeCollection(childrenOf(assembled, files));
    const collection = hashBytes(bytes);
    const visibility = options.visibility ?? before?.visibility ?? "fleet";
    const isPinned = options.isPinned ?? (before && store.status(before.collection)?.pinned);
    // First, so that what cannot be kept now is made again at the next start.
    index.images.put(name, {
      digest,
      collection,
      platforms: assembled.platforms,
      visibility,
      size: assembled.blobs.reduce((sum, { size }) => sum + size, 0),
    }, assembled.blobs.map(blobOf));
    // Some bytes that eviction must not take alone: an image would break for them.
    for (const file of files) {
      await store.importBytes(file.bytes, {
        pinned: true,
        ...this.#visible(file.hash, visibility),
      });
    }
    await store.importBytes(bytes, {
      ...this.#visible(collection, visibility),
      kind: "collection",
      name: formatRepository(name),
      tag: storeTag(name, digest),
      ...(isPinned === true ? { pinned: true } : {}),
    });
    const image = index.images.get(name, digest)!;
    this.#retention.show(image, { mayHide: options.visibility !== undefined });
    this.#retention.touch(image);
    if (gone !== undefined && gone.collection !== collection) await this.#retention.letGo(gone);
    return collection;
  }

  /** After a start without the collection: makes it again, or forgets the image. */
  async #collectAgain(row: ImageRow): Promise<void> {
    try {
      await this.#collect(row.name, row.digest, {});
    } catch (error) {
      if (!(error instanceof SeedmintError)) throw error;
      await this.#drop(row);
    }
  }

  /** What the store is told of a small file of ours: what others see stays visible. */
  #visible(hash: Hash, visibility: Visibility): { readonly visibility?: Visibility } {
    return this.#options.store.status(hash) === undefined ? { visibility } : {};
  }

  /** Removes what is left of an image that is broken. */
  async #drop(image: ImageRow): Promise<void> {
    const now = this.#options.index.images.get(image.name, image.digest);
    // It was mended or removed meanwhile.
    if (now === undefined || now.collection !== image.collection || this.#isAllHere(now)) return;
    await this.#remove(now);
    this.#options.onBroken?.(now);
  }

  async #remove(image: ImageRow): Promise<number> {
    const gone = this.#goneOf(image);
    this.#options.index.images.remove(image.name, image.digest);
    return await this.#retention.letGo(gone);
  }

  #goneOf(image: ImageRow): GoneImage {
    const { index } = this.#options;
    const root = index.manifests.get(image.digest)?.manifest;
    return {
      collection: image.collection,
      tag: storeTag(image.name, image.digest),
      blobs: index.images.blobsOf(image.collection),
      files: root === undefined ? [] : layoutFiles(root).map(({ hash }) => hash),
    };
  }

  #isAllHere(image: ImageRow): boolean {
    const { store, index } = this.#options;
    return store.status(image.collection) !== undefined &&
      index.images.blobsOf(image.collection).every(({ hash }) => store.status(hash) !== undefined);
  }

  #infoOf(row: ImageRow): ImageInfo {
    const { store, index } = this.#options;
    const root = store.status(row.collection);
    let ownSize = 0;
    let isWhole = root?.state === "complete";
    for (const { hash } of index.images.blobsOf(row.collection)) {
      const record = store.status(hash);
      if (record?.state !== "complete") isWhole = false;
      const isShared = index.images.madeOf(hash).some(({ collection }) =>
        collection !== row.collection
      );
      if (!isShared) ownSize += record?.size ?? 0;
    }
    return {
      name: row.name,
      tags: index.tags.of(row.name, row.digest),
      digest: row.digest,
      collection: row.collection,
      platforms: row.platforms,
      size: row.size,
      ownSize,
      visibility: row.visibility,
      isPinned: root?.pinned ?? false,
      isWhole,
      addedMs: row.addedMs,
      lastUsedMs: root?.lastUsedMs ?? row.addedMs,
    };
  }

  #known(name: RepositoryName, digest: Digest, action: string): ImageRow {
    const row = this.#options.index.images.get(name, digest);
    if (row !== undefined) return row;
    throw new SeedmintError(
      "not-found",
      `Cannot ${action} ${
        formatRepository(name)
      }@${digest}: no such image is kept here; pull it first`,
    );
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn;
    return turn;
  }
}

/** What keeps an image's collection from garbage collection. */
function storeTag(name: RepositoryName, digest: Digest): string {
  return `image:${formatRepository(name)}@${digest}`;
}

function blobOf({ hash, digest, isManifest }: AssembledBlob): ImageBlob {
  return isManifest ? { hash, manifest: digest } : { hash };
}

interface LayoutPart {
  readonly name: string;
  readonly hash: Hash;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mediaType: string;
}

/** The files of the layout that say what it is; the same for every name of the image. */
function layoutFiles({ mediaType, digest, size }: ParsedManifest): readonly LayoutPart[] {
  const index = buildIndex([{ mediaType, digest, size }]);
  return [
    {
      name: LAYOUT_FILE,
      hash: hashBytes(LAYOUT_BYTES),
      bytes: LAYOUT_BYTES,
      mediaType: MEDIA_TYPES.ociLayout,
    },
    {
      name: INDEX_FILE,
      hash: hashBytes(index.bytes),
      bytes: index.bytes,
      mediaType: index.mediaType,
    },
  ];
}

function childrenOf(
  { blobs }: Assembled,
  files: readonly LayoutPart[],
): readonly CollectionChild[] {
  return [
    ...files.map(({ name, hash, bytes, mediaType }) => ({
      name,
      hash,
      size: bytes.length,
      mediaType,
    })),
    ...blobs.map(({ digest, hash, size, mediaType }) => ({
      name: layoutName(digest),
      hash,
      size,
      ...(mediaType === undefined ? {} : { mediaType }),
    })),
  ];
}
