/** A node's images over a store, with an index in memory or on disk. */
import { join } from "node:path";
import { decodeCollection } from "../../../../swarm/collection.ts";
import type { Hash } from "../../../../src/core/hash.ts";
import { Images } from "../../../../swarm/registry/images/mod.ts";
import { type ImageRow, RegistryIndex } from "../../../../swarm/registry/index/mod.ts";
import { parseManifest } from "../../../../swarm/registry/manifest/mod.ts";
import type { RepositoryName } from "../../../../swarm/registry/names.ts";
import { type BlobStore, MemoryBlobStore } from "../../../../swarm/store/mod.ts";
import type { Visibility } from "../../../../swarm/store/blob_store.ts";
import { ManualClock } from "../../../support/manual_clock.ts";
import { openStore, TemporaryDirectory } from "../../store/fixture.ts";
import type { Part, TestImage } from "../manifest/fixture.ts";

export const NGINX: RepositoryName = { registry: "docker.io", repository: "library/nginx" };
export const REDIS: RepositoryName = { registry: "docker.io", repository: "library/redis" };

export class ImagesKit implements AsyncDisposable {
  readonly directory: TemporaryDirectory;
  readonly clock: ManualClock;
  readonly store: BlobStore;
  readonly broken: ImageRow[] = [];
  readonly errors: unknown[] = [];
  index: RegistryIndex;
  images!: Images;

  readonly #indexPath: string;

  private constructor(
    parts: Pick<ImagesKit, "directory" | "clock" | "store">,
    hasIndexInMemory: boolean,
  ) {
    this.directory = parts.directory;
    this.clock = parts.clock;
    this.store = parts.store;
    this.#indexPath = hasIndexInMemory ? ":memory:" : this.path("registry.sqlite");
    this.index = this.#openIndex();
  }

  static async open(
    options: {
      readonly quotaBytes?: number;
      readonly isOnDisk?: boolean;
      /** Faster; such an index cannot be opened again. */
      readonly hasIndexInMemory?: boolean;
    } = {},
  ): Promise<ImagesKit> {
    const { isOnDisk = false, hasIndexInMemory = false, ...quota } = options;
    const directory = new TemporaryDirectory();
    const clock = new ManualClock();
    const about = { clock, childrenOf, ...quota };
    const store = isOnDisk
      ? await openStore(`${directory.path}/store`, about)
      : new MemoryBlobStore(about);
    const kit = new ImagesKit({ directory, clock, store }, hasIndexInMemory);
    kit.images = await kit.#openImages();
    return kit;
  }

  /** Closes the images and the index and opens them again, as a restart does. */
  async reopen(between: () => Promise<void> | void = () => {}): Promise<void> {
    await this.images[Symbol.asyncDispose]();
    this.index[Symbol.dispose]();
    await between();
    this.index = this.#openIndex();
    this.images = await this.#openImages();
  }

  path(name: string): string {
    return join(this.directory.path, name);
  }

  /** Brings parts in as the mirror does for a repository that is open to all. */
  async bring(
    name: RepositoryName,
    parts: readonly Part[],
    options: { readonly visibility?: Visibility; readonly isMember?: boolean } = {},
  ): Promise<void> {
    const { visibility = "fleet", isMember = true } = options;
    for (const part of parts) {
      const isKnown = this.store.findBySha256(part.digest.slice(7) as never) !== undefined;
      const record = await this.store.importBytes(part.bytes, {
        mediaType: part.mediaType,
        ...(isKnown ? {} : { visibility }),
      });
      const isManifest = /manifest|index/.test(part.mediaType);
      if (isManifest) {
        this.index.manifests.put(parseManifest(part.mediaType, part.bytes), record.hash);
      }
      if (isMember) {
        this.index.members.add(name, part.digest, { kind: isManifest ? "manifest" : "blob" });
      }
    }
  }

  async bringImage(
    name: RepositoryName,
    image: TestImage,
    options: { readonly visibility?: Visibility; readonly isMember?: boolean } = {},
  ): Promise<void> {
    await this.bring(name, [image.manifest, image.config, ...image.layers], options);
  }

  has(part: Part): boolean {
    return this.store.findBySha256(part.digest.slice(7) as never)?.state === "complete";
  }

  visibilityOf(part: Part): Visibility | undefined {
    return this.store.findBySha256(part.digest.slice(7) as never)?.visibility;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.images[Symbol.asyncDispose]();
    this.index[Symbol.dispose]();
    await this.store[Symbol.asyncDispose]();
    this.directory[Symbol.dispose]();
  }

  #openIndex(): RegistryIndex {
    return RegistryIndex.open({ path: this.#indexPath, clock: this.clock });
  }

  #openImages(): Promise<Images> {
    return Images.open({
      store: this.store,
      index: this.index,
      clock: this.clock,
      onBroken: (image) => this.broken.push(image),
      onError: (error) => this.errors.push(error),
    });
  }
}

export function childrenOf(bytes: Uint8Array): Iterable<Hash> {
  return decodeCollection(bytes).map(({ hash }) => hash);
}
