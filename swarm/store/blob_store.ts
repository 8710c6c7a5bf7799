/**
 * The port that every store of blobs implements: the one on disk, and its memory twin. The suite in
 * `tests/conformance/blob_store.ts` is its contract in code.
 *
 * A blob is `absent`, `partial` (some chunk groups, each verified) or `complete`. A store never
 * writes a byte it has not verified under a name that anyone may read, and never gives one away.
 */
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { Range, RangeSet } from "../../src/core/range_set.ts";

/** Who may see a blob: anyone, members of the fleet (DESIGN section 7), or this node alone. */
export type Visibility = "public" | "fleet" | "private";

/** What the bytes are: opaque, or the canonical CBOR list of a collection's children. */
export type BlobKind = "blob" | "collection";

/** Where the bytes lie: in SQLite (16 KiB or less), in a file of the store, or in the user's file. */
export type BlobStorage = "inline" | "owned" | "in-place";

/** What is known of one blob that is not absent. */
export interface BlobRecord {
  readonly hash: Hash;
  /** Proven size in bytes. */
  readonly size: number;
  readonly state: "partial" | "complete";
  /** The chunk groups held; all of them when complete. */
  readonly groups: RangeSet;
  readonly kind: BlobKind;
  readonly visibility: Visibility;
  /** A pinned blob is never evicted or collected. */
  readonly pinned: boolean;
  /** Names that keep it from garbage collection (not from eviction), in ascending order. */
  readonly tags: readonly string[];
  readonly storage: BlobStorage;
  /** Path of an in-place file. */
  readonly path?: string;
  readonly sha256?: Sha256;
  readonly mediaType?: string;
  /** A name to show; for a file that was added, its base name. */
  readonly name?: string;
  /** Milliseconds since 1970. */
  readonly addedMs: number;
  /** Milliseconds since 1970; exact to a minute. */
  readonly lastUsedMs: number;
}

/** What an import or a fetch says of a blob besides its bytes. */
export interface BlobAttributes {
  /** @default {"public"} */
  readonly visibility?: Visibility;
  /** @default {"blob"} */
  readonly kind?: BlobKind;
  readonly mediaType?: string;
  readonly name?: string;
  readonly tag?: string;
  /** @default {false} */
  readonly pinned?: boolean;
}

/**
 * How a file enters: copied, hard-linked into the store, left where it is, or given up to the store:
 * moved, for a file that nobody else writes any more, and gone whether it is taken or not.
 */
export type ImportMode = "copy" | "link" | "in-place" | "move";

/** Options of every import. */
export interface ImportOptions extends BlobAttributes {
  readonly signal?: AbortSignal;
  /** Called with the bytes read so far, at most a few times a second. */
  readonly onProgress?: (bytes: number) => void;
  /** Refuse (`corrupt`) and keep nothing unless the content hashes to these. */
  readonly expected?: { readonly hash?: Hash; readonly sha256?: Sha256 };
}

/** Options of {@link BlobReader.encode}. */
export interface EncodeOptions {
  readonly signal?: AbortSignal;
  readonly roomBytes?: number;
}

/** A blob opened for reading. Holding it keeps the blob from eviction. */
export interface BlobReader extends AsyncDisposable {
  readonly hash: Hash;
  readonly size: number;
  /** The groups held when it was opened; only these can be read. */
  readonly groups: RangeSet;
  /**
   * Reads verified bytes from `offset` into `target`.
   *
   * @returns How many bytes were read; fewer than asked only at the end of the blob or of what is held.
   */
  read(offset: number, target: Uint8Array): Promise<number>;
  /**
   * The Bao encoding (pre-order: 64-byte parents and groups, no size prefix) of `ranges`, which is
   * cut to the blob as bao-tree does: asking past the end gives the last group.
   * Each piece is a fresh array that the caller may keep; with `roomBytes` so many bytes of its
   * memory lie in front of it, for the caller to use.
   *
   * @throws {SeedmintError} `not-found` if a group of `ranges` is not held.
   */
  encode(ranges: RangeSet, options?: EncodeOptions): AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** Options of both kinds of ingest. */
export interface IngestOptions extends BlobAttributes {
  /** The size that the source claims. It proves nothing until the last group verified. */
  readonly size: number;
  /** Called in order after groups were verified and written; the source's progress. */
  readonly onVerified?: (groups: Range) => void;
  readonly signal?: AbortSignal;
}

/** Bytes of one response on their way into the store. Disposing one early keeps what was verified. */
export interface Ingest extends AsyncDisposable {
  /**
   * Takes the next bytes; they are copied before it returns.
   *
   * @returns A promise to wait for before pushing more, when enough is under way.
   * @throws {SeedmintError} `corrupt` (here or in {@link finish}) once bytes do not match the root.
   */
  push(bytes: Uint8Array): Promise<void> | undefined;
  /**
   * Room for the next bytes, for who can write them there and spare the copy of {@link push}; undefined
   * if bytes are to be pushed. Until {@link filled} tells how many came, nothing else is pushed.
   */
  room?(): Uint8Array<ArrayBuffer> | undefined;
  /** Takes the first `count` bytes of the {@link room} given last. As {@link push} otherwise. */
  filled?(count: number): Promise<void> | undefined;
  /**
   * Resolves when all that was pushed is verified and stored.
   *
   * @throws {SeedmintError} `corrupt` if bytes did not match, `reset` if some are missing.
   */
  finish(): Promise<void>;
}

/** Options of {@link BlobStore.exportFile}. */
export interface ExportOptions {
  readonly signal?: AbortSignal;
  /** Replace a file that exists. @default {false} */
  readonly overwrite?: boolean;
  /**
   * `link` gives the store's own file a second name where it can: no byte is copied, and the store
   * watches from then on that nobody changes the file. @default {"copy"}
   */
  readonly mode?: "copy" | "link";
}

/** What {@link BlobStore.verify} found. */
export interface VerifyReport {
  readonly hash: Hash;
  readonly size: number;
  /** Groups whose bytes match the root. */
  readonly good: RangeSet;
  /** Groups that were held and do not match: no longer held after the call. */
  readonly bad: RangeSet;
}

/** What {@link BlobStore.collectGarbage} removed or, in a dry run, would remove. */
export interface GarbageReport {
  readonly removed: readonly { readonly hash: Hash; readonly size: number }[];
  readonly bytes: number;
}

/** Sums over the store. */
export interface StoreUsage {
  readonly blobCount: number;
  readonly partialCount: number;
  /** Bytes held by the store itself; in-place files are not counted. */
  readonly bytes: number;
  readonly quotaBytes: number;
}

/** A store of blobs. One process at a time owns it. */
export interface BlobStore extends AsyncDisposable {
  /** What is known of `hash`, or undefined when it is absent. */
  status(hash: Hash): BlobRecord | undefined;
  findBySha256(sha256: Sha256): BlobRecord | undefined;
  /** Whether a collection that is here lists `hash`. */
  isListed(hash: Hash): boolean;
  /** Every blob, in order of hash. */
  list(): Iterable<BlobRecord>;
  usage(): StoreUsage;

  importFile(path: string, options?: ImportOptions & { readonly mode?: ImportMode }): Promise<
    BlobRecord
  >;
  importStream(
    stream: ReadableStream<Uint8Array>,
    options?: ImportOptions,
  ): Promise<BlobRecord>;
  importBytes(bytes: Uint8Array, options?: ImportOptions): Promise<BlobRecord>;
  /** Verifies and stores many blobs of 16 KiB or less in one transaction; all or none. */
  importSmall(
    items: readonly { readonly hash: Hash; readonly bytes: Uint8Array }[],
    attributes?: BlobAttributes,
  ): void;

  openReader(hash: Hash): Promise<BlobReader>;
  /**
   * A Bao-encoded response for `ranges` (cut to the claimed size as the encoder cuts them). Until a
   * last group verified, the blob has no record; if no ingest of it gets so far before the last one
   * ends, what was verified is dropped. So the first request asks for the last group.
   *
   * @throws {SeedmintError} `corrupt` if another size is proven; `no-space`.
   */
  ingestEncoded(hash: Hash, ranges: RangeSet, options: IngestOptions): Promise<Ingest>;
  /**
   * Plain bytes from group `startGroup` on, from an origin: staged, and held once a subtree that
   * covers them matches a chaining value already proven, at the latest the root.
   *
   * @throws {RangeError} Unless `startGroup` is 0 or the first missing group after one that is held:
   * what lies before it in the same unproven subtree would be needed to verify it.
   */
  ingestPlain(hash: Hash, startGroup: number, options: IngestOptions): Promise<Ingest>;
  /**
   * Writes a complete blob to `path` (clone or copy, or a link if asked for), under a temporary name
   * first.
   */
  exportFile(hash: Hash, path: string, options?: ExportOptions): Promise<void>;

  setAttributes(
    hash: Hash,
    attributes: {
      readonly visibility?: Visibility;
      readonly mediaType?: string;
      readonly name?: string;
      readonly sha256?: Sha256;
    },
  ): void;
  pin(hash: Hash): void;
  unpin(hash: Hash): void;
  tag(hash: Hash, name: string): void;
  untag(hash: Hash, name: string): void;
  /** Marks it as used now. */
  touch(hash: Hash): void;

  /**
   * Forgets a blob at once and stops its ingests (`aborted`); an in-place file stays. A reader that
   * is open goes on reading, and the bytes go when the last one closes.
   */
  remove(hash: Hash): Promise<void>;
  /** Removes what is neither pinned, tagged, a child of a kept collection, nor in use. */
  collectGarbage(options?: { readonly dryRun?: boolean }): Promise<GarbageReport>;
  /** Reads every byte again and demotes what does not match. */
  verify(
    hash: Hash,
    options?: { readonly signal?: AbortSignal; readonly onProgress?: (bytes: number) => void },
  ): Promise<VerifyReport>;
  /**
   * Learns the SHA-256 of a complete blob on a thread of its own, and keeps it. Undefined where it can
   * be had by reading the blob alone; absent where that is so of all blobs.
   *
   * @throws {SeedmintError} `storage` if its file cannot be read, or was written to meanwhile.
   */
  learnSha256?(
    hash: Hash,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Sha256 | undefined>;
  /**
   * Writes down now which groups are held, so that the death of the process loses none that
   * `onVerified` has told of. Absent where nothing outlives the process.
   *
   * @throws {SeedmintError} `storage`, `no-space`
   */
  commit?(): void;
  /** Called after a blob became complete, partial, changed its attributes, or went away. */
  onChange(listener: (hash: Hash) => void): () => void;
}
