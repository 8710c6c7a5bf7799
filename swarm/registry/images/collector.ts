/** Turning what is here into images, and images that went into nothing. */
import type { Hash } from "../../../src/core/hash.ts";
import { hashBytes } from "../../bao/mod.ts";
import { type CollectionChild, encodeCollection } from "../../collection.ts";
import type { BlobStore, Visibility } from "../../store/blob_store.ts";
import type { ImageRow, RegistryIndex } from "../index/mod.ts";
import { readCollection } from "../../read_whole.ts";
import { buildIndex, MEDIA_TYPES, type ParsedManifest, type Platform } from "../manifest/mod.ts";
import { type Digest, formatRepository, type RepositoryName } from "../names.ts";
import type { AdoptedLayout } from "./adopt.ts";
import { assemble, type Assembled } from "./assembly.ts";
import { INDEX_FILE, LAYOUT_BYTES, LAYOUT_FILE, layoutName } from "./layout.ts";
import { type GoneImage, type Retention, storeTag, widest } from "./retention.ts";
import type { Shelf } from "./shelf.ts";

/** Options of {@link Images.collect}. */
export interface CollectOptions {
  /**
   * Platforms of an index that must be here; those that the image had before stay with them, as far as
   * they are here. @default {each that is here whole}
   */
  readonly platforms?: readonly Platform[];
  /** Whether platforms that are not given go. @default {false} */
  readonly isExact?: boolean;
  /**
   * Who may see it, if it is new: what somebody said of an image later is not undone by a pull.
   *
   * @default {"fleet"}
   */
  readonly visibility?: Visibility;
  /** Keep it whatever the quota says. @default {as it was} */
  readonly isPinned?: boolean;
}

/** What {@link Collector.collect} is told besides. */
export interface CollectorRequest extends CollectOptions {
  /** Who may see it from now on, new or not. */
  readonly showAs?: Visibility;
}

/** Options of {@link Collector}. */
export interface CollectorOptions {
  readonly store: BlobStore;
  readonly index: RegistryIndex;
  readonly shelf: Shelf;
  readonly retention: Retention;
}

/** Makes and unmakes images, one at a time: its caller sees to that. */
export class Collector {
  readonly #options: CollectorOptions;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** Makes an image of blobs whose digests were checked, and which are open to whoever has the name. */
  async admit(
    name: RepositoryName,
    { root, digests }: AdoptedLayout,
    options: CollectorRequest,
  ): Promise<Hash> {
    const { store, index, shelf } = this.#options;
    const { blobs } = await assemble(root, {
      store,
      shelf,
      ...(options.platforms === undefined ? {} : { platforms: options.platforms }),
    });
    const checked = new Set(digests);
    index.transaction(() => {
      for (const { digest, isManifest } of blobs) {
        if (!checked.has(digest)) continue;
        index.members.add(name, digest, { kind: isManifest ? "manifest" : "blob" });
      }
    });
    return await this.collect(name, root, options);
  }

  /** See `Images.collect`. */
  async collect(name: RepositoryName, digest: Digest, options: CollectorRequest): Promise<Hash> {
    const { store, index, shelf, retention } = this.#options;
    const { platforms, isExact = false } = options;
    const before = index.images.get(name, digest);
    const gone = before && this.#goneOf(before);
    const assembled = await assemble(digest, {
      store,
      shelf,
      ...(platforms === undefined ? {} : { platforms }),
      ...(before === undefined || isExact ? {} : { alsoPlatforms: before.platforms }),
    });
    const files = layoutFiles(assembled.root.manifest);
    const bytes = encodeCollection(childrenOf(assembled, files));
    const collection = hashBytes(bytes);
    const visibility = options.showAs ?? before?.visibility ?? options.visibility ?? "fleet";
    const isPinned = options.isPinned ?? (before && store.status(before.collection)?.pinned);
    // First: should this process die now, the next start makes the collection again.
    index.images.put(name, {
      digest,
      collection,
      platforms: assembled.platforms,
      visibility,
      size: assembled.blobs.reduce((sum, { size }) => sum + size, 0),
    }, assembled.blobs);
    try {
      await this.#keep({ name, digest, bytes, files, visibility, isPinned: isPinned === true });
    } catch (error) {
      if (gone === undefined) index.images.remove(name, digest);
      else index.images.put(name, before!, gone.blobs);
      index.images.forget(collection);
      for (const { hash } of files) {
        if (store.status(hash) !== undefined && !store.isListed(hash)) await store.remove(hash);
      }
      throw error;
    }
    if (options.isPinned === false) store.unpin(collection);
    const image = index.images.get(name, digest)!;
    retention.show(image, { mayHide: options.showAs !== undefined });
    retention.touch(image);
    if (gone !== undefined && gone.collection !== collection) await retention.letGo(gone);
    return collection;
  }

  /** Brings a collection and the files of its form into the store. */
  async #keep(
    image: {
      readonly name: RepositoryName;
      readonly digest: Digest;
      readonly bytes: Uint8Array<ArrayBuffer>;
      readonly files: readonly LayoutPart[];
      readonly visibility: Visibility;
      readonly isPinned: boolean;
    },
  ): Promise<void> {
    const { store, index } = this.#options;
    const { name, digest, bytes, visibility, isPinned } = image;
    const shown = widest(
      index.images.withManifest(digest).filter((one) => one.digest === digest)
        .map((one) => one.visibility),
    );
    for (const file of image.files) {
      // Some bytes that eviction must not take alone: the collection would be of no use.
      await store.importBytes(file.bytes, {
        pinned: true,
        mediaType: file.mediaType,
        visibility: file.name === LAYOUT_FILE ? "public" : shown,
      });
    }
    await store.importBytes(bytes, {
      ...this.#visible(hashBytes(bytes), visibility),
      kind: "collection",
      name: formatRepository(name),
      tag: storeTag(name, digest),
      ...(isPinned ? { pinned: true } : {}),
    });
  }

  /** Lets go of collections that an earlier run did not come to let go of. */
  async finishRemovals(): Promise<void> {
    const { store, index, retention } = this.#options;
    for (const collection of index.images.abandoned()) {
      const children = store.status(collection)?.state === "complete"
        ? await readCollection(store, collection)
        : [];
      await retention.letGo({
        collection,
        blobs: index.images.blobsOf(collection),
        files: children.filter(({ name }) => name === LAYOUT_FILE || name === INDEX_FILE)
          .map(({ hash }) => hash),
      });
    }
  }

  /** Forgets an image. Returns the bytes that it freed. */
  async remove(image: ImageRow): Promise<number> {
    const gone = this.#goneOf(image);
    this.#options.index.images.remove(image.name, image.digest);
    return await this.#options.retention.letGo(gone);
  }

  #goneOf(image: ImageRow): GoneImage {
    const { index } = this.#options;
    const root = index.manifests.get(image.digest)?.manifest;
    return {
      collection: image.collection,
      blobs: index.images.blobsOf(image.collection),
      files: root === undefined ? [] : layoutFiles(root).map(({ hash }) => hash),
    };
  }

  /** What the store is told of a small file of ours: what others see stays visible. */
  #visible(hash: Hash, visibility: Visibility): { readonly visibility?: Visibility } {
    return this.#options.store.status(hash) === undefined ? { visibility } : {};
  }
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
