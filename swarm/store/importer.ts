/** Imports: from files, streams and memory to complete blobs. */
import { basename, resolve } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { HashedFile, HashPool } from "../bao/mod.ts";
import { checkAttributes } from "./attributes.ts";
import type { BlobAttributes, ImportMode, ImportOptions } from "./blob_store.ts";
import type { NewRow } from "./catalog.ts";
import {
  compareFingerprints,
  type Fingerprint,
  fingerprintOf,
  settledFingerprint,
} from "./guard.ts";
import { INLINE_BYTES_MAX, PROGRESS_INTERVAL_MS } from "./limits.ts";
import {
  abortable,
  attributesIn,
  checkExpected,
  checkSmall,
  digestsOf,
  sha256Of,
} from "./small.ts";
import type { Described, StoreCore } from "./store_core.ts";
import { storageError } from "./store_error.ts";

/** Room is reserved for a stream of unknown length in steps of this many bytes. */
const RESERVE_STEP_BYTES = 16 * 1024 * 1024;

/** What imports need of the rest of the store. */
export interface ImporterOptions {
  readonly core: StoreCore;
  readonly hashPool: () => HashPool;
  /** Tells ingests of the same blob that it is complete now. */
  readonly onComplete: (hash: Hash, size: number) => void;
}

/** Makes complete blobs. */
export class Importer {
  readonly #core: StoreCore;
  readonly #options: ImporterOptions;

  constructor(options: ImporterOptions) {
    this.#core = options.core;
    this.#options = options;
  }

  /** See `BlobStore.importFile`. */
  async file(
    path: string,
    options: ImportOptions & { readonly mode?: ImportMode },
  ): Promise<Hash> {
    const named = { name: basename(path), ...options };
    checkAttributes(named);
    options.signal?.throwIfAborted();
    try {
      const info = await Deno.stat(path);
      if (!info.isFile) throw new TypeError(`Cannot import ${path}: it is not a file`);
      if (options.mode === "move") return await this.#moved(path, info.size, named);
      if (info.size <= INLINE_BYTES_MAX && options.mode !== "in-place") {
        return this.bytes(await Deno.readFile(path), named);
      }
      if (options.mode === "in-place") return await this.#inPlace(resolve(path), named);
      if (options.mode === "link") return await this.#linked(path, named);
      return await this.#copied(path, info.size, named);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw storageError(`import ${path}`, error);
    }
  }

  /** See `BlobStore.importStream`. */
  async stream(source: ReadableStream<Uint8Array>, options: ImportOptions): Promise<Hash> {
    checkAttributes(options);
    const temporary = this.#core.layout.temporary();
    const progress = throttled(this.#core, options.onProgress);
    let bytes = 0;
    let reservedBytes = 0;
    try {
      {
        this.#core.files.create(temporary);
        using file = Deno.openSync(temporary, { write: true });
        for await (const part of abortable(source, options.signal)) {
          options.signal?.throwIfAborted();
          if (bytes + part.length > reservedBytes) {
            const stepBytes = Math.max(RESERVE_STEP_BYTES, part.length);
            this.#core.reserve(stepBytes);
            reservedBytes += stepBytes;
          }
          this.#core.files.fault?.("write", temporary);
          for (let done = 0; done < part.length;) done += await file.write(part.subarray(done));
          bytes += part.length;
          progress(bytes);
        }
      }
      if (bytes <= INLINE_BYTES_MAX) return this.bytes(await Deno.readFile(temporary), options);
      return await this.#adopt(temporary, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw storageError("import a stream", error);
    } finally {
      this.#core.release(reservedBytes);
      this.#core.removeLater(temporary);
    }
  }

  /** See `BlobStore.importBytes`. */
  bytes(bytes: Uint8Array, options: ImportOptions): Hash {
    checkAttributes(options);
    options.signal?.throwIfAborted();
    const { hash, sha256, parents } = digestsOf(bytes);
    checkExpected(options.name ?? "the bytes", { hash, sha256 }, options.expected);
    const described = { ...attributesIn(options), sha256 };
    if (bytes.length <= INLINE_BYTES_MAX) this.small([{ hash, bytes }], described);
    else if (!this.#describeComplete(hash, described)) {
      const temporary = this.#core.layout.temporary();
      try {
        this.#core.reserve(bytes.length);
        this.#core.files.write(temporary, Uint8Array.from(bytes));
        this.#core.release(bytes.length);
        this.#install(temporary, { hash, size: bytes.length, parents, sha256 }, described);
      } catch (error) {
        this.#core.removeLater(temporary);
        throw storageError("import bytes", error);
      }
    }
    options.onProgress?.(bytes.length);
    return hash;
  }

  /** Stores small blobs whose hashes were checked, all in one transaction. */
  small(
    items: readonly { readonly hash: Hash; readonly bytes: Uint8Array }[],
    described: Described,
  ): void {
    checkAttributes(described);
    const core = this.#core;
    const fresh = new Map<Hash, Uint8Array>();
    for (const { hash, bytes } of items) fresh.set(hash, bytes);
    for (const hash of [...fresh.keys()]) {
      if (this.#describeComplete(hash, described)) fresh.delete(hash);
    }
    let freshBytes = 0;
    for (const bytes of fresh.values()) freshBytes += bytes.length;
    core.reserve(freshBytes);
    core.release(freshBytes);
    core.catalog.database.transaction(() => {
      for (const [hash, bytes] of fresh) {
        const sha256 = described.sha256 ?? sha256Of(bytes);
        const row = core.completeRow(hash, bytes.length, {
          before: undefined,
          described: { ...described, sha256 },
        });
        core.catalog.put({ ...row, storage: "inline", synced: true });
        core.catalog.putInline(hash, bytes);
        core.catalog.setChildren(hash, core.childrenIn(row, () => bytes));
        if (described.tag !== undefined) core.catalog.addTag(hash, described.tag);
      }
    });
    for (const [hash, bytes] of fresh) {
      core.blobCount++;
      core.heldBytes += bytes.length;
      core.feed.mark(hash);
      this.#options.onComplete(hash, bytes.length);
    }
  }

  /** See `BlobStore.importSmall`. */
  checkedSmall(
    items: readonly { readonly hash: Hash; readonly bytes: Uint8Array }[],
    attributes: BlobAttributes,
  ): void {
    checkSmall(items);
    this.small(items, attributes);
  }

  async #copied(path: string, size: number, options: ImportOptions): Promise<Hash> {
    const temporary = this.#core.layout.temporary();
    this.#core.reserve(size);
    try {
      await this.#core.files.copy(path, temporary);
      options.signal?.throwIfAborted();
      return await this.#adopt(temporary, options);
    } finally {
      this.#core.release(size);
      this.#core.removeLater(temporary);
    }
  }

  /** Hashes a file in `tmp/` that nobody else writes, and makes it a blob. */
  async #adopt(temporary: string, options: ImportOptions): Promise<Hash> {
    const hashed = await this.#hash(temporary, options);
    const described = { ...attributesIn(options), sha256: hashed.sha256 };
    if (!this.#describeComplete(hashed.hash, described)) {
      this.#install(temporary, hashed, described);
    }
    return hashed.hash;
  }

  async #moved(path: string, size: number, options: ImportOptions): Promise<Hash> {
    const temporary = this.#core.layout.temporary();
    try {
      if (size <= INLINE_BYTES_MAX) return this.bytes(await Deno.readFile(path), options);
      try {
        this.#core.files.rename(path, temporary);
      } catch (error) {
        // Another file system.
        if (error instanceof Deno.errors.NotFound) throw error;
        return await this.#copied(path, size, options);
      }
      this.#core.reserve(size);
      try {
        return await this.#adopt(temporary, options);
      } finally {
        this.#core.release(size);
      }
    } finally {
      this.#core.removeLater(temporary);
      this.#core.removeLater(path);
    }
  }

  async #linked(path: string, options: ImportOptions): Promise<Hash> {
    const temporary = this.#core.layout.temporary();
    try {
      this.#core.files.link(path, temporary);
    } catch (error) {
      // Another file system, or one without links.
      if (error instanceof Deno.errors.NotFound) throw error;
      return await this.#copied(path, (await Deno.stat(path)).size, options);
    }
    try {
      const { hashed, fingerprint } = await this.#hashGuarded(temporary, options);
      const described = { ...attributesIn(options), sha256: hashed.sha256 };
      if (this.#describeComplete(hashed.hash, described)) return hashed.hash;
      this.#core.reserve(hashed.size);
      this.#core.release(hashed.size);
      this.#install(temporary, hashed, described, fingerprint);
      return hashed.hash;
    } finally {
      this.#core.removeLater(temporary);
    }
  }

  async #inPlace(path: string, options: ImportOptions): Promise<Hash> {
    const core = this.#core;
    const { hashed, fingerprint } = await this.#hashGuarded(path, options);
    const { hash, size, sha256, parents } = hashed;
    const described = { ...attributesIn(options), sha256 };
    if (this.#describeComplete(hash, described)) return hash;
    const before = core.catalog.get(hash);
    const { outboard } = core.layout.complete(hash);
    const oldFiles = before === undefined ? [] : core.filesOf(before);
    core.layout.folderOf(hash);
    core.addDebris(outboard);
    core.files.write(outboard, parents);
    const row: NewRow = {
      ...core.completeRow(hash, size, { before, described }),
      storage: "in-place",
      path,
      guard: JSON.stringify(fingerprint),
      heldBytes: 0,
    };
    const children = core.childrenIn(row, () => Deno.readFileSync(path));
    core.change(before, row, () => {
      core.catalog.setChildren(hash, children);
      core.catalog.addDebris(...core.toDebris(oldFiles));
      if (described.tag !== undefined) core.catalog.addTag(hash, described.tag);
    });
    core.sweep(oldFiles);
    this.#options.onComplete(hash, size);
    return hash;
  }

  /** Moves the file `temporary` to its final name, beside its outboard, and records it. */
  #install(
    temporary: string,
    content: Pick<HashedFile, "hash" | "size" | "sha256" | "parents">,
    described: Described,
    fingerprint?: Fingerprint,
  ): void {
    const core = this.#core;
    const { hash, size } = content;
    const before = core.catalog.get(hash);
    const files = core.layout.complete(hash);
    const oldFiles = before === undefined ? [] : core.filesOf(before);
    core.layout.folderOf(hash);
    core.addDebris(files.data, files.outboard);
    core.files.write(files.outboard, content.parents);
    core.files.rename(temporary, files.data);
    const guard = fingerprint === undefined ? undefined : renamedGuard(files.data, fingerprint);
    const row = core.completeRow(hash, size, { before, described });
    const children = core.childrenIn(row, () => Deno.readFileSync(files.data));
    core.change(before, { ...row, guard }, () => {
      core.catalog.setChildren(hash, children);
      core.catalog.addDebris(...core.toDebris(oldFiles));
      if (described.tag !== undefined) core.catalog.addTag(hash, described.tag);
    });
    core.sweep(oldFiles);
    this.#options.onComplete(hash, size);
  }

  /** If the blob is complete already, adds what is said of it: importing again changes no bytes. */
  #describeComplete(hash: Hash, described: Described): boolean {
    const row = this.#core.catalog.get(hash);
    if (row?.state !== "complete") return false;
    this.#core.describe(row, described);
    this.#core.touch(row);
    return true;
  }

  async #hash(path: string, options: ImportOptions): Promise<HashedFile> {
    const hashed = await this.#options.hashPool().hashFile(path, {
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      onProgress: throttled(this.#core, options.onProgress),
    });
    checkExpected(options.name ?? "the content", hashed, options.expected);
    return hashed;
  }

  /** Hashes a file that somebody else may write, and makes sure that nobody did meanwhile. */
  async #hashGuarded(
    path: string,
    options: ImportOptions,
  ): Promise<{ readonly hashed: HashedFile; readonly fingerprint: Fingerprint }> {
    const before = await settledFingerprint(path, { ...options, clock: this.#core.clock });
    const hashed = await this.#hash(path, options);
    const comparison = compareFingerprints(
      before,
      await settledFingerprint(path, {
        ...options,
        clock: this.#core.clock,
      }),
    );
    if (comparison.result !== "same") {
      throw new SeedmintError(
        "storage",
        `Cannot import ${
          options.name ?? path
        }: it changed while it was read; try again when nothing writes it`,
        { retryable: true },
      );
    }
    return { hashed, fingerprint: before };
  }
}

/** Renaming moved the change time of the file, which alone means nothing. */
function renamedGuard(path: string, before: Fingerprint): string {
  const now = fingerprintOf(Deno.statSync(path));
  return JSON.stringify(compareFingerprints(before, now).result === "unsure" ? now : before);
}

/** Passes on at most a few calls a second. */
function throttled(
  core: StoreCore,
  onProgress: ((bytes: number) => void) | undefined,
): (bytes: number) => void {
  let lastMs = -Infinity;
  return (bytes) => {
    const nowMs = core.clock.monotonicMs();
    if (onProgress === undefined || nowMs - lastMs < PROGRESS_INTERVAL_MS) return;
    lastMs = nowMs;
    onProgress(bytes);
  };
}
