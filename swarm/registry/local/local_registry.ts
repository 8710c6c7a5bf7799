/** The push registry: see `mod.ts`. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock, Random } from "../../../src/core/ports.ts";
import type { BlobRecord, BlobStore, Visibility } from "../../store/blob_store.ts";
import { LOCAL_REGISTRY, type RegistryIndex } from "../index/mod.ts";
import { accepts, buildIndex, type ParsedManifest, parseManifest } from "../manifest/mod.ts";
import {
  type Digest,
  isDigest,
  isRepository,
  type Reference,
  type RepositoryName,
  sha256Of,
} from "../names.ts";
import type {
  AskOptions,
  BlobDelivery,
  Descriptor,
  Page,
  PageRequest,
  RegistryReader,
  RegistryWriter,
  StoredManifest,
  UploadStatus,
} from "../ports.ts";
import { Keeping, type KeptBlob } from "./keeping.ts";
import {
  ORPHAN_MS,
  TIDY_INTERVAL_MS,
  UPLOAD_BYTES_MAX,
  UPLOAD_IDLE_MS,
  UPLOADS_MAX,
} from "./limits.ts";
import { openStoredBlob, readManifestBytes } from "./stored_blob.ts";
import { UploadDesk } from "./upload_desk.ts";

/** A manifest that was pushed. */
export interface PushedManifest {
  readonly repository: string;
  readonly digest: Digest;
  readonly tag?: string;
}

/** Options of {@link LocalRegistry.open}. */
export interface LocalRegistryOptions {
  readonly store: BlobStore;
  readonly index: RegistryIndex;
  /** Where uploads under way lie; nothing else may be in it. */
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Who may see what is pushed; blobs that are here already stay as they are. @default {"private"} */
  readonly visibility?: Visibility;
  /** Called after a manifest was kept and before it is acknowledged. Must not throw. */
  readonly onPushed?: (pushed: PushedManifest) => void;
  /** @default {the limits of this folder} */
  readonly limits?: {
    readonly uploadsMax?: number;
    readonly uploadBytesMax?: number;
    readonly uploadIdleMs?: number;
    readonly orphanMs?: number;
  };
}

/** The tag under which registries without a referrers API keep what refers to a digest. */
const FALLBACK_TAG = /^sha256-([0-9a-f]{64})$/;

/** Repositories of this node's own. Repositories are paths below {@link LOCAL_REGISTRY}. */
export class LocalRegistry implements RegistryReader, RegistryWriter, AsyncDisposable {
  readonly #options: LocalRegistryOptions;
  readonly #desk: UploadDesk;
  readonly #keeping: Keeping;
  readonly #orphanMs: number;
  #cancelTidy: () => void = () => {};
  #tidying: Promise<void> = Promise.resolve();
  #isClosed = false;

  private constructor(options: LocalRegistryOptions, desk: UploadDesk) {
    this.#options = options;
    this.#desk = desk;
    this.#keeping = new Keeping(options);
    this.#orphanMs = options.limits?.orphanMs ?? ORPHAN_MS;
  }

  /**
   * Takes up what an earlier run left: its uploads go on, and what was pushed is kept.
   *
   * @throws {SeedmintError} `storage` if the directory cannot be used.
   */
  static async open(options: LocalRegistryOptions): Promise<LocalRegistry> {
    const { limits, store } = options;
    const desk = await UploadDesk.open({
      ...options,
      uploadsMax: limits?.uploadsMax ?? UPLOADS_MAX,
      uploadBytesMax: limits?.uploadBytesMax ?? UPLOAD_BYTES_MAX,
      idleMs: limits?.uploadIdleMs ?? UPLOAD_IDLE_MS,
      bytesMax: () => store.usage().quotaBytes,
    });
    const registry = new LocalRegistry(options, desk);
    registry.#keeping.restore();
    registry.#scheduleTidy();
    return registry;
  }

  async manifest(
    name: RepositoryName,
    reference: Reference,
    options: AskOptions & { readonly accept: readonly string[]; readonly isHead: boolean },
  ): Promise<StoredManifest | undefined> {
    if (name.registry !== LOCAL_REGISTRY) return undefined;
    const { index, store } = this.#options;
    const digest = reference.digest ?? index.tags.get(name, reference.tag)?.digest;
    if (digest === undefined) return this.#fallbackIndex(name, reference.tag!, options.accept);
    if (!index.members.has(name, digest, "manifest")) return undefined;
    const entry = index.manifests.get(digest);
    if (entry === undefined || !accepts(options.accept, entry.manifest.mediaType)) return undefined;
    const bytes = await readManifestBytes(store, entry.hash);
    return bytes && { digest, mediaType: entry.manifest.mediaType, bytes };
  }

  async blob(
    name: RepositoryName,
    digest: Digest,
    options: AskOptions & { readonly isHead: boolean },
  ): Promise<BlobDelivery | undefined> {
    if (name.registry !== LOCAL_REGISTRY) return undefined;
    const record = this.#blobRecord(name, digest);
    if (record === undefined) return undefined;
    return await openStoredBlob(this.#options.store, { digest, record, isHead: options.isHead });
  }

  tags(
    name: RepositoryName,
    page: PageRequest,
    _options?: AskOptions,
  ): Promise<Page | undefined> {
    const { members, tags } = this.#options.index;
    const isKnown = name.registry === LOCAL_REGISTRY && members.isRepository(name);
    return Promise.resolve(isKnown ? tags.page(name, page) : undefined);
  }

  referrers(
    name: RepositoryName,
    digest: Digest,
    options: AskOptions & { readonly artifactType?: string },
  ): Promise<readonly Descriptor[]> {
    if (name.registry !== LOCAL_REGISTRY) return Promise.resolve([]);
    return Promise.resolve(this.#options.index.members.referrers(name, digest, options));
  }

  repositories(page: PageRequest): Promise<Page> {
    return Promise.resolve(this.#options.index.members.repositories(LOCAL_REGISTRY, page));
  }

  async beginUpload(repository: string): Promise<UploadStatus> {
    nameOf(repository);
    return await this.#desk.begin(repository);
  }

  uploadStatus(repository: string, id: string): UploadStatus | undefined {
    return this.#desk.status(repository, id);
  }

  async append(
    repository: string,
    id: string,
    chunk: AsyncIterable<Uint8Array<ArrayBuffer>>,
    options: { readonly start?: number; readonly signal: AbortSignal },
  ): Promise<UploadStatus | undefined> {
    return await this.#desk.append(repository, id, chunk, options);
  }

  async finishUpload(repository: string, id: string, digest: Digest): Promise<boolean> {
    const name = nameOf(repository);
    const { store, index } = this.#options;
    const record = await this.#desk.finish(repository, id, async (path) => {
      const record = await store.importFile(path, {
        ...this.#keeping.attributesFor(digest),
        mode: "copy",
        expected: { sha256: sha256Of(digest) },
      });
      this.#keeping.keep([{ digest, record }], () => {
        index.members.add(name, digest, { kind: "blob" });
        index.uploads.remove(id);
      });
      return record;
    });
    return record !== undefined;
  }

  async cancelUpload(repository: string, id: string): Promise<boolean> {
    return await this.#desk.cancel(repository, id);
  }

  mount(repository: string, digest: Digest, from: string | undefined): Promise<boolean> {
    const name = nameOf(repository);
    const { index, store } = this.#options;
    const record = store.findBySha256(sha256Of(digest));
    const isThere = record?.state === "complete" &&
      (from === undefined
        ? index.members.repositoriesOf(digest, { registry: LOCAL_REGISTRY, kind: "blob" }).length >
          0
        : isRepository(from) && index.members.has(nameOf(from), digest, "blob"));
    if (!isThere) return Promise.resolve(false);
    this.#keeping.keep([{ digest, record }], () => {
      index.members.add(name, digest, { kind: "blob" });
    });
    return Promise.resolve(true);
  }

  async putManifest(
    repository: string,
    reference: Reference,
    manifest: { readonly mediaType: string; readonly bytes: Uint8Array<ArrayBuffer> },
  ): Promise<{ readonly digest: Digest; readonly subject?: Digest }> {
    const name = nameOf(repository);
    const { index, store, onPushed } = this.#options;
    const parsed = parseManifest(manifest.mediaType, manifest.bytes);
    const { digest, subject } = parsed;
    if (reference.digest !== undefined && reference.digest !== digest) {
      throw new SeedmintError(
        "corrupt",
        `Cannot keep the manifest: its digest is ${digest}, and it is pushed as ${reference.digest}`,
      );
    }
    this.#childrenOf(name, parsed);
    const record = await store.importBytes(manifest.bytes, {
      ...this.#keeping.attributesFor(digest, parsed.mediaType),
      expected: { sha256: sha256Of(digest) },
    });
    // Again: somebody may have deleted a layer while the bytes were kept.
    const children = this.#childrenOf(name, parsed);
    this.#keeping.keep([...children, { digest, record }], () => {
      index.manifests.put(parsed, record.hash);
      index.members.add(name, digest, { kind: "manifest" });
      if (reference.tag !== undefined) index.tags.set(name, reference.tag, { digest });
    });
    const { tag } = reference;
    onPushed?.({ repository, digest, ...(tag === undefined ? {} : { tag }) });
    return { digest, ...(subject === undefined ? {} : { subject: subject.digest }) };
  }

  async deleteManifest(repository: string, reference: Reference): Promise<boolean> {
    const name = nameOf(repository);
    const { index } = this.#options;
    if (reference.tag !== undefined) return index.tags.remove(name, reference.tag);
    const { digest } = reference;
    const isGone = index.transaction(() => {
      for (const tag of index.tags.of(name, digest)) index.tags.remove(name, tag);
      return index.members.remove(name, digest, "manifest");
    });
    if (isGone) await this.#keeping.release(digest);
    return isGone;
  }

  async deleteBlob(repository: string, digest: Digest): Promise<boolean> {
    const isGone = this.#options.index.members.remove(nameOf(repository), digest, "blob");
    if (isGone) await this.#keeping.release(digest);
    return isGone;
  }

  /**
   * Deletes an image: its manifest with all its tags, and what no other manifest of the repository
   * lists, manifests without a tag and blobs alike. What clients delete goes piece by piece instead.
   *
   * @returns False if it is not here.
   */
  async removeImage(repository: string, digest: Digest): Promise<boolean> {
    const name = nameOf(repository);
    const { members, manifests, tags } = this.#options.index;
    const entry = manifests.get(digest);
    if (!await this.deleteManifest(repository, { digest })) return false;
    for (const child of new Set(entry?.manifest.children.map((child) => child.digest))) {
      if (members.isListed(name, child)) continue;
      if (members.has(name, child, "manifest")) {
        if (tags.of(name, child).length === 0) await this.removeImage(repository, child);
      } else await this.deleteBlob(repository, child);
    }
    return true;
  }

  /**
   * Drops idle uploads, and orphans that are old enough. Runs by itself now and then.
   *
   * @returns How many of each went.
   */
  async tidy(): Promise<{ readonly uploadCount: number; readonly orphanCount: number }> {
    const uploadCount = await this.#desk.sweep();
    const orphanCount = await this.#keeping.dropOrphans(this.#orphanMs);
    return { uploadCount, orphanCount };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#cancelTidy();
    await this.#tidying;
    await this.#desk[Symbol.asyncDispose]();
  }

  #scheduleTidy(): void {
    this.#cancelTidy = this.#options.clock.timer(TIDY_INTERVAL_MS, () => {
      this.#tidying = this.tidy().then(() => {}, () => {
        // A disk that fails now may be fine at the next round.
      }).finally(() => {
        if (!this.#isClosed) this.#scheduleTidy();
      });
    });
  }

  /** What refers to a digest, for clients that look for it under a tag. */
  #fallbackIndex(
    name: RepositoryName,
    tag: string,
    accept: readonly string[],
  ): StoredManifest | undefined {
    const digest = `sha256:${FALLBACK_TAG.exec(tag)?.[1]}`;
    if (!isDigest(digest)) return undefined;
    const referrers = this.#options.index.members.referrers(name, digest);
    if (referrers.length === 0) return undefined;
    const manifest = buildIndex(referrers);
    return accepts(accept, manifest.mediaType) ? manifest : undefined;
  }

  #blobRecord(name: RepositoryName, digest: Digest): BlobRecord | undefined {
    const { index, store } = this.#options;
    if (!index.members.has(name, digest, "blob")) return undefined;
    const record = store.findBySha256(sha256Of(digest));
    return record?.state === "complete" ? record : undefined;
  }

  /** What a manifest lists, all of it here. @throws {SeedmintError} `not-found`, `invalid` */
  #childrenOf(name: RepositoryName, manifest: ParsedManifest): readonly KeptBlob[] {
    const { index, store } = this.#options;
    return manifest.children.map(({ digest, size }) => {
      const isManifest = index.members.has(name, digest, "manifest");
      const record = manifest.kind === "index" && isManifest
        ? store.status(index.manifests.get(digest)!.hash)
        : this.#blobRecord(name, digest);
      if (record?.state !== "complete") {
        throw new SeedmintError(
          "not-found",
          `Cannot keep the manifest: it lists ${digest}, which ${name.repository} does not have; push it first`,
        );
      }
      if (record.size !== size) {
        throw new SeedmintError(
          "invalid",
          `Cannot keep the manifest: it lists ${digest} with ${size} bytes, and it has ${record.size}`,
        );
      }
      return { digest, record };
    });
  }
}

/** @throws {SeedmintError} `invalid` if `repository` is no repository's path. */
function nameOf(repository: string): RepositoryName {
  if (!isRepository(repository)) {
    throw new SeedmintError(
      "invalid",
      `Cannot use "${
        repository.slice(0, 80)
      }" as a repository: wanted lower-case names with / between`,
    );
  }
  return { registry: LOCAL_REGISTRY, repository };
}
