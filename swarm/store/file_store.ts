/** The store on disk: files for bytes, SQLite for what is known of them. See `layout.ts`. */
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import { ProcessLock } from "../../src/sqlite/mod.ts";
import { HashPool } from "../bao/mod.ts";
import { checkAttributes, checkText, mergeAttributes } from "./attributes.ts";
import type {
  BlobAttributes,
  BlobReader,
  BlobRecord,
  BlobStore,
  ExportOptions,
  GarbageReport,
  ImportMode,
  ImportOptions,
  Ingest,
  IngestOptions,
  StoreUsage,
  VerifyReport,
} from "./blob_store.ts";
import { Catalog, type CatalogRow, recordOf } from "./catalog.ts";
import { ChangeFeed } from "./change_feed.ts";
import { Database } from "./database.ts";
import { exportBlob } from "./export.ts";
import { type FaultPoint, Files } from "./files.ts";
import { Importer } from "./importer.ts";
import { IngestPool } from "./ingest_pool.ts";
import { Ingests } from "./ingests.ts";
import { Layout } from "./layout.ts";
import { collectGarbage, learnSha256, verifyBlob, type VerifyOptions } from "./maintenance.ts";
import { SYNC_AT_CLOSE_MS, WARM_UP_MS } from "./limits.ts";
import { openBlobReader } from "./open_reader.ts";
import { type RebuildReport, rebuildStore } from "./rebuild.ts";
import { readBootId, recover, type RecoveryReport } from "./recovery.ts";
import { StoreCore, type StoreCounters } from "./store_core.ts";
import { absentError, incompleteError, storageError } from "./store_error.ts";
import { Syncer } from "./syncer.ts";

/** Rows that {@link FileBlobStore.list} takes from the database at once. */
const LIST_PAGE = 256;

/** Options of {@link FileBlobStore.open}. */
export interface FileBlobStoreOptions {
  /** The data directory, made if it is missing. */
  readonly directory: string;
  readonly clock: Clock;
  /** The most bytes held; in-place files do not count. @default {Infinity} */
  readonly quotaBytes?: number;
  /** The children of a collection, from its bytes; throwing means it has none. */
  readonly childrenOf?: (bytes: Uint8Array) => Iterable<Hash>;
  /** Threads that verify and write; 0 works on the calling one. @default {1 or 2, by cores} */
  readonly workerCount?: number;
  /** Hashes imported files; the store makes its own if none is given. */
  readonly hashPool?: HashPool;
  /** For tests: called before every change to the disk, throws to stop the world there. */
  readonly fault?: FaultPoint;
  /** For tests: the boot of the machine that this is. */
  readonly bootId?: string;
}

/** Figures for metrics besides {@link StoreUsage}. */
export interface StoreFigures extends StoreUsage, StoreCounters {
  /** Bytes that imports and ingests under way have reserved. */
  readonly reservedBytes: number;
  readonly openReaderCount: number;
  readonly ingestingCount: number;
}

/** A {@link BlobStore} in a directory. One process at a time owns it. */
export class FileBlobStore implements BlobStore {
  /** What opening found to repair. */
  readonly recovery: RecoveryReport;
  readonly #core: StoreCore;
  readonly #pool: IngestPool;
  readonly #ingests: Ingests;
  readonly #importer: Importer;
  readonly #hashPool: () => HashPool;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    options: FileBlobStoreOptions,
    parts: {
      readonly core: StoreCore;
      readonly recovery: RecoveryReport;
      readonly isBootKnown: boolean;
      readonly resources: AsyncDisposableStack;
    },
  ) {
    const { core, resources } = parts;
    this.#core = core;
    this.recovery = parts.recovery;
    this.#resources = resources;
    this.#hashPool = lazyHashPool(options.hashPool, resources);
    this.#pool = resources.use(
      new IngestPool({
        clock: core.clock,
        workerCount: options.workerCount ?? ingestWorkerCount(navigator.hardwareConcurrency),
        files: core.files,
      }),
    );
    resources.defer(core.clock.timer(WARM_UP_MS, () => this.#pool.prepare()));
    // Where no boot can be told from another, what is not synced is read again at every open.
    resources.use(new Syncer(core, { closeMs: parts.isBootKnown ? 0 : SYNC_AT_CLOSE_MS }));
    const onComplete = (hash: Hash, size: number) => this.#ingests.settle(hash, size);
    this.#importer = new Importer({ core, hashPool: this.#hashPool, onComplete });
    this.#ingests = new Ingests({
      core,
      pool: this.#pool,
      storeSmall: (hash, bytes, given) =>
        this.#importer.small([{ hash, bytes }], {
          ...given,
        }),
    });
    resources.defer(() => this.#ingests.close());
  }

  /**
   * Opens the store in `directory` and puts right what a crash left.
   *
   * @throws {SeedmintError} `locked` if another process uses it; `storage` if the directory cannot
   * be written or the database is damaged or newer than this program.
   */
  static async open(options: FileBlobStoreOptions): Promise<FileBlobStore> {
    const layout = new Layout(options.directory);
    await using opened = new AsyncDisposableStack();
    try {
      layout.prepare();
      opened.use(ProcessLock.take(layout.lock, `the store in ${options.directory}`));
    } catch (error) {
      throw storageError(`open the store in ${options.directory}`, error);
    }
    const catalog = new Catalog(opened.use(new Database(layout.database, options.fault)));
    const core = new StoreCore({
      layout,
      files: new Files(options.fault),
      catalog,
      clock: options.clock,
      feed: new ChangeFeed(),
      quotaBytes: options.quotaBytes ?? Infinity,
      childrenOf: options.childrenOf,
    });
    opened.defer(() => core.removalsDone());
    try {
      const bootId = options.bootId ?? readBootId();
      const recovery = await recover(core, bootId);
      return new FileBlobStore(options, {
        core,
        recovery,
        isBootKnown: bootId !== undefined,
        resources: opened.move(),
      });
    } catch (error) {
      throw storageError(`open the store in ${options.directory}`, error);
    }
  }

  /**
   * Makes a new database from the blob files, each of which is read and verified again, and from
   * what can still be read of the old one, which is kept under another name. What was said of a blob
   * (pins, tags, visibility) and cannot be read is lost; such a blob becomes private.
   *
   * @throws {SeedmintError} `locked` if another process uses the store.
   */
  static rebuild(
    options: Pick<FileBlobStoreOptions, "directory" | "clock" | "childrenOf">,
  ): Promise<RebuildReport> {
    return rebuildStore(options);
  }

  /** Starts the workers now; they start by themselves when the store has been open for a while. */
  prepareWorkers(): void {
    this.#pool.prepare();
  }

  status(hash: Hash): BlobRecord | undefined {
    const row = this.#core.catalog.get(hash);
    return row === undefined ? undefined : this.#record(row);
  }

  findBySha256(sha256: Sha256): BlobRecord | undefined {
    const row = this.#core.catalog.findBySha256(sha256);
    return row === undefined ? undefined : this.#record(row);
  }

  isListed(hash: Hash): boolean {
    return this.#core.catalog.isChild(hash);
  }

  *list(): Iterable<BlobRecord> {
    let after: Hash | undefined;
    for (;;) {
      const page = this.#core.catalog.page(after, LIST_PAGE);
      for (const row of page) yield this.#record(row);
      after = page.at(-1)?.hash;
      if (page.length < LIST_PAGE) return;
    }
  }

  usage(): StoreUsage {
    const { blobCount, partialCount, heldBytes, quotaBytes } = this.#core;
    return { blobCount, partialCount, bytes: heldBytes, quotaBytes };
  }

  /** Usage and counters, for metrics. */
  figures(): StoreFigures {
    const { counters, reservedBytes, readers, ingesting } = this.#core;
    let openReaderCount = 0;
    for (const count of readers.values()) openReaderCount += count;
    return {
      ...this.usage(),
      ...counters,
      reservedBytes,
      openReaderCount,
      ingestingCount: ingesting.size,
    };
  }

  async importFile(
    path: string,
    options: ImportOptions & { readonly mode?: ImportMode } = {},
  ): Promise<BlobRecord> {
    return this.status(await this.#importer.file(path, options))!;
  }

  async importStream(
    stream: ReadableStream<Uint8Array>,
    options: ImportOptions = {},
  ): Promise<BlobRecord> {
    return this.status(await this.#importer.stream(stream, options))!;
  }

  // deno-lint-ignore require-await -- errors become rejections
  async importBytes(bytes: Uint8Array, options: ImportOptions = {}): Promise<BlobRecord> {
    return this.status(this.#importer.bytes(bytes, options))!;
  }

  importSmall(
    items: readonly { readonly hash: Hash; readonly bytes: Uint8Array }[],
    attributes: BlobAttributes = {},
  ): void {
    this.#importer.checkedSmall(items, attributes);
  }

  openReader(hash: Hash): Promise<BlobReader> {
    return openBlobReader(this.#parts(), hash);
  }

  ingestEncoded(hash: Hash, ranges: RangeSet, options: IngestOptions): Promise<Ingest> {
    return this.#ingests.encoded(hash, ranges, options);
  }

  ingestPlain(hash: Hash, startGroup: number, options: IngestOptions): Promise<Ingest> {
    return this.#ingests.plain(hash, startGroup, options);
  }

  async exportFile(hash: Hash, path: string, options: ExportOptions = {}): Promise<void> {
    const row = this.#known(hash, "export");
    if (row.state === "partial") throw incompleteError(hash, "export");
    await using reader = await this.openReader(hash);
    const mode = this.#ingests.isWriting(hash) ? "copy" : options.mode ?? "copy";
    await exportBlob(this.#core, { row, reader, path }, { ...options, mode });
  }

  setAttributes(hash: Hash, attributes: Parameters<BlobStore["setAttributes"]>[1]): void {
    checkAttributes(attributes);
    this.#core.describe(this.#known(hash, "set attributes of"), attributes);
  }

  pin(hash: Hash): void {
    this.#core.describe(this.#known(hash, "pin"), { pinned: true });
  }

  unpin(hash: Hash): void {
    const { attributes } = this.#known(hash, "unpin");
    this.#change(hash, () => {
      const unpinned = { ...mergeAttributes(attributes, {}), pinned: false };
      this.#core.catalog.setAttributes(hash, unpinned);
    });
  }

  tag(hash: Hash, name: string): void {
    checkText("tag", name);
    this.#known(hash, "tag");
    this.#change(hash, () => this.#core.catalog.addTag(hash, name));
  }

  untag(hash: Hash, name: string): void {
    this.#known(hash, "untag");
    this.#change(hash, () => this.#core.catalog.removeTag(hash, name));
  }

  touch(hash: Hash): void {
    const row = this.#core.catalog.get(hash);
    if (row !== undefined) this.#core.touch(row);
  }

  commit(): void {
    this.#ingests.commitAll();
  }

  // deno-lint-ignore require-await -- errors become rejections
  async remove(hash: Hash): Promise<void> {
    this.#ingests.settle(hash, undefined);
    const row = this.#core.catalog.get(hash);
    if (row !== undefined) this.#core.drop(row);
  }

  collectGarbage(options: { readonly dryRun?: boolean } = {}): Promise<GarbageReport> {
    return collectGarbage(this.#core, options);
  }

  learnSha256(
    hash: Hash,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Sha256 | undefined> {
    return learnSha256(this.#parts(), hash, options);
  }

  verify(hash: Hash, options: VerifyOptions = {}): Promise<VerifyReport> {
    return verifyBlob(this.#parts(), hash, options);
  }

  onChange(listener: (hash: Hash) => void): () => void {
    return this.#core.feed.listen(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }

  #parts() {
    return { core: this.#core, ingests: this.#ingests, hashPool: this.#hashPool };
  }

  #record(row: CatalogRow): BlobRecord {
    return recordOf(row, row.state === "partial" ? this.#ingests.groupsOf(row.hash) : row.groups);
  }

  #known(hash: Hash, action: string): CatalogRow {
    const row = this.#core.catalog.get(hash);
    if (row === undefined) throw absentError(hash, action);
    return row;
  }

  #change(hash: Hash, change: () => void): void {
    this.#core.catalog.database.transaction(change);
    this.#core.feed.mark(hash);
  }
}

/** Makes the pool when something is first hashed; verbs that only look need none. */
function lazyHashPool(
  given: HashPool | undefined,
  resources: AsyncDisposableStack,
): () => HashPool {
  let pool = given;
  return () => pool ??= resources.use(new HashPool());
}

/**
 * One core has enough to do with receiving and decrypting what the others verify; and one worker
 * verifies and writes faster than most disks and networks.
 */
function ingestWorkerCount(coreCount: number): number {
  return coreCount > 2 ? 2 : 1;
}
