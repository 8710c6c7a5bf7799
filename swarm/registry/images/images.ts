/** The images of this node: see `mod.ts`. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Hash, Sha256 } from "../../../src/core/hash.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { BlobRecord, BlobStore, Visibility } from "../../store/blob_store.ts";
import { type ImageRow, LOCAL_REGISTRY, type RegistryIndex } from "../index/mod.ts";
import { MEDIA_TYPES } from "../manifest/mod.ts";
import {
  type Digest,
  digestOf,
  formatRepository,
  type RepositoryName,
  sha256Of,
} from "../names.ts";
import { checkLayout } from "./adopt.ts";
import { type CollectOptions, Collector } from "./collector.ts";
import {
  archiveOf,
  type ExportImageOptions,
  type ImageArchive,
  writeArchive,
  writeDirectory,
} from "./export.ts";
import { type ImportedLayout, type LayoutImage, readLayout } from "./import.ts";
import { type ImageInfo, infoOf } from "./info.ts";
import { ADVERT_DIGESTS_MAX } from "./limits.ts";
import { Retention, widest } from "./retention.ts";
import { Shelf } from "./shelf.ts";

/** Options of {@link Images.importLayout}. */
export interface ImportImageOptions extends CollectOptions {
  /** The repository to take the images into. @default {their own names, in this node's own registry} */
  readonly name?: RepositoryName;
  /** The tag, where the layout has one image. @default {the one that it carries} */
  readonly tag?: string;
  readonly signal?: AbortSignal;
  /** Called with the bytes of blobs read so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** An image that was taken in. */
export interface ImportedImage {
  readonly name: RepositoryName;
  readonly tag?: string;
  readonly digest: Digest;
  readonly collection: Hash;
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
  readonly #collector: Collector;
  /** One image changes at a time: what it takes is some small reads. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: ImagesOptions) {
    this.#options = options;
    this.#shelf = new Shelf(options);
    this.#retention = new Retention({
      ...options,
      drop: (image) => this.#inTurn(() => this.#drop(image)),
    });
    this.#collector = new Collector({
      ...options,
      shelf: this.#shelf,
      retention: this.#retention,
    });
  }

  /** Takes up the images of an earlier run; what cannot be put together any more is forgotten. */
  static async open(options: ImagesOptions): Promise<Images> {
    const images = new Images(options);
    for (const row of options.index.images.all()) {
      if (!images.#isAllHere(row)) await images.#collectAgain(row);
    }
    await images.#collector.finishRemovals();
    images.#retention.start();
    return images;
  }

  /** All images, in order of name. */
  list(): readonly ImageInfo[] {
    return this.#options.index.images.all().map((row) => infoOf(this.#options, row));
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
    return row && infoOf(this.#options, row);
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
    return await this.#inTurn(() => this.#collector.collect(name, digest, options));
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
    await this.#inTurn(async () => {
      const { platforms } = this.#known(name, digest, "change");
      await this.#collector.collect(name, digest, {
        showAs: visibility,
        ...(platforms.length === 0 ? {} : { platforms }),
      });
    });
    return infoOf(this.#options, this.#known(name, digest, "change"));
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
      const freedBytes = await this.#collector.remove(image);
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

  /**
   * Makes an image of a collection that was fetched, with what of it is here. Each blob is checked
   * against the digest that the collection names it by.
   *
   * @returns The image's collection: the same, unless platforms of it are not here.
   * @throws {SeedmintError} `invalid` if it is no image; `corrupt` if its maker lied; `not-found` if no
   * platform of it is here whole.
   */
  async adopt(
    name: RepositoryName,
    collection: Hash,
    options: CollectOptions & { readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly digest: Digest; readonly collection: Hash }> {
    const { visibility: showAs } = options;
    // What takes long keeps no other image waiting.
    const { root, digests } = await checkLayout(this.#options.store, collection, options);
    return await this.#inTurn(async () => {
      const admitted = await this.#collector.admit(name, {
        root,
        digests: digests.filter((digest) => !this.#isSecret(digest)),
      }, { ...options, ...(showAs === undefined ? {} : { showAs }) });
      return { digest: root, collection: admitted };
    });
  }

  /**
   * Takes in the images of an OCI layout, a directory or a tar archive, under `name`, or under the names
   * that they carry as repositories of this node's own: whoever wrote an archive cannot make this
   * node answer for a registry elsewhere.
   *
   * @throws {SeedmintError} `invalid` if it is none, or carries no name and none is given; `corrupt` if a
   * blob has another digest than it says; then nothing is kept.
   */
  async importLayout(
    path: string,
    options: ImportImageOptions = {},
  ): Promise<readonly ImportedImage[]> {
    const { visibility = "private" } = options;
    const layout = await readLayout(path, { ...options, store: this.#options.store, visibility });
    return await this.#inTurn(() => this.#takeIn(layout, { ...options, visibility }));
  }

  /**
   * Writes an image as an OCI layout into a tar archive or a directory at `path`.
   *
   * @returns Bytes written.
   * @throws {SeedmintError} `not-found` if it is not kept here whole; `storage`, `no-space`
   */
  async export(
    name: RepositoryName,
    digest: Digest,
    target: ExportImageOptions & { readonly path: string },
  ): Promise<number> {
    const image = this.#known(name, digest, "export");
    return target.format === "directory"
      ? await writeDirectory(this.#options, image, { path: target.path, options: target })
      : await writeArchive(archiveOf(this.#options, image), target.path, target);
  }

  /** An image as an archive, to be sent somewhere. @throws {SeedmintError} `not-found` */
  archive(name: RepositoryName, digest: Digest): ImageArchive {
    return archiveOf(this.#options, this.#known(name, digest, "export"));
  }

  /** Digests by which others may look for a collection: those of its manifests, the root first. */
  digestsOf(collection: Hash): readonly Sha256[] {
    const { images } = this.#options.index;
    const roots = images.ofCollection(collection).map(({ digest }) => digest);
    if (roots.length === 0) return [];
    const manifests = images.blobsOf(collection).filter(({ isManifest }) => isManifest)
      .map(({ digest }) => digest);
    return [...new Set([...roots, ...manifests])].slice(0, ADVERT_DIGESTS_MAX).map(sha256Of);
  }

  /**
   * Whether the advert of an image stands for a blob, so that it needs none of its own: manifests and
   * what they list, unless their user tagged or pinned them.
   */
  isPart(record: BlobRecord): boolean {
    const { store, index } = this.#options;
    const { hash, kind, mediaType, sha256 } = record;
    if (kind === "collection") return false;
    const isIndex = mediaType === MEDIA_TYPES.ociIndex && store.isListed(hash);
    if (mediaType === MEDIA_TYPES.ociLayout || isIndex) return true;
    const isUsers = record.tags.length > 0 || (record.pinned && !index.pinned.has(hash));
    if (isUsers || sha256 === undefined) return false;
    const digest = digestOf(sha256);
    return index.manifests.has(digest) || index.manifests.isListed(digest);
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

  async #takeIn(
    layout: ImportedLayout,
    options: ImportImageOptions & { readonly visibility: Visibility },
  ): Promise<readonly ImportedImage[]> {
    const { index } = this.#options;
    const imported: ImportedImage[] = [];
    try {
      const named = layout.images.map((image) => ({ image, ...importedName(image, options) }));
      for (const { image, name, tag } of named) {
        const { digest } = image.descriptor;
        const known = index.images.get(name, digest);
        const collection = await this.#collector.admit(name, {
          root: digest,
          digests: layout.digests,
        }, {
          isPinned: true,
          ...options,
          ...(known === undefined
            ? {}
            : { showAs: widest([known.visibility, options.visibility]) }),
        });
        if (tag !== undefined && name.registry === LOCAL_REGISTRY) {
          index.tags.set(name, tag, { digest });
        }
        imported.push({ name, digest, collection, ...(tag === undefined ? {} : { tag }) });
      }
    } finally {
      await this.#dropUnused(layout.added.map(({ hash }) => hash));
    }
    return imported;
  }

  /**
   * Whether a digest is known of private repositories, of what was pushed here or of what was added
   * here by name, and not to be seen by others: a collection that lists it does not make it anybody's.
   * What was fetched as a part of the collection has no name, and nobody keeps it.
   */
  #isSecret(digest: Digest): boolean {
    const { store, index } = this.#options;
    if (index.members.isPrivate(digest)) return true;
    const record = store.findBySha256(sha256Of(digest));
    if (record?.visibility !== "private") return false;
    return record.pinned || record.tags.length > 0 || record.name !== undefined ||
      index.members.repositoriesOf(digest).length > 0;
  }

  /** Removes blobs that came in a layout and that none of its images needs. */
  async #dropUnused(hashes: readonly Hash[]): Promise<void> {
    const { store } = this.#options;
    for (const hash of hashes) {
      const record = store.status(hash);
      const isUsed = record === undefined || record.pinned || record.tags.length > 0 ||
        store.isListed(hash);
      if (!isUsed) await store.remove(hash);
    }
  }

  /** After a start without the collection: makes it again, or forgets the image. */
  async #collectAgain(row: ImageRow): Promise<void> {
    try {
      // The platforms that it had, not what happens to be here.
      const platforms = row.platforms.length === 0 ? {} : { platforms: [] };
      await this.#collector.collect(row.name, row.digest, platforms);
    } catch (error) {
      if (!(error instanceof SeedmintError)) throw error;
      await this.#drop(row);
    }
  }

  /** Removes what is left of an image that is broken. */
  async #drop(image: ImageRow): Promise<void> {
    const now = this.#options.index.images.get(image.name, image.digest);
    // It was mended or removed meanwhile.
    if (now === undefined || now.collection !== image.collection || this.#isAllHere(now)) return;
    await this.#collector.remove(now);
    this.#options.onBroken?.(now);
  }

  #isAllHere(image: ImageRow): boolean {
    const { store, index } = this.#options;
    return store.status(image.collection) !== undefined &&
      index.images.blobsOf(image.collection).every(({ hash }) => store.status(hash) !== undefined);
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

/** @throws {SeedmintError} `invalid` if nobody says under which name. */
function importedName(
  image: LayoutImage,
  options: ImportImageOptions,
): { readonly name: RepositoryName; readonly tag?: string } {
  const repository = image.name?.repository;
  const name = options.name ??
    (repository === undefined ? undefined : { registry: LOCAL_REGISTRY, repository });
  if (name === undefined) {
    throw new SeedmintError(
      "invalid",
      `Cannot take in ${image.descriptor.digest}: the layout does not say its name; give one`,
    );
  }
  const tag = options.tag ?? image.tag;
  return { name, ...(tag === undefined ? {} : { tag }) };
}
