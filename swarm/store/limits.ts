/** Limits of the store, each with the reason for its size. */
import { assert } from "../../src/core/assert.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";

/** Blobs up to this size lie in SQLite: they have one chunk group, so no outboard and no file. */
export const INLINE_BYTES_MAX = GROUP_BYTES;

/** Bytes of one slab that carries pushed bytes to a worker: large enough that messages are cheap. */
export const SLAB_BYTES = 1024 * 1024;

/** Slabs of one ingest that may be under way before `push` asks its caller to wait. */
export const SLABS_PER_INGEST_MAX = 4;

/** Slabs of all ingests together that may be under way; with the workers' own it bounds memory. */
export const SLABS_TOTAL_MAX = 24;

/** Free slabs kept for reuse; more are left to the garbage collector. */
export const FREE_SLABS_MAX = 8;

/** A store open for so many milliseconds is a node's, not a verb's: its workers may as well start. */
export const WARM_UP_MS = 500;

/** Bytes verified since the last commit of a bitfield that make the next one due. */
export const COMMIT_BYTES = 32 * 1024 * 1024;

/** Milliseconds after which a changed bitfield is committed however little changed. */
export const COMMIT_INTERVAL_MS = 250;

/** Milliseconds between two rounds of the background syncer. */
export const SYNC_INTERVAL_MS = 5_000;

/** How long closing may go on syncing where no boot id tells whether that is needed. */
export const SYNC_AT_CLOSE_MS = 2_000;

/** Bytes that a reader takes from the disk at once, and about the size of an encoded piece. */
export const PIECE_BYTES = 1024 * 1024;

/** A read of at most a piece that takes no longer came out of the page cache, not from a disk. */
export const QUICK_READ_MS = 2;

/** Reads that go to a thread of their own after one on the calling thread was not quick. */
export const SLOW_READS_AFTER_ONE = 64;

/** Bytes of the outboard that a reader keeps at hand: the parents of about 16 MiB of data. */
export const PARENT_WINDOW_BYTES = 64 * 1024;

/** A use younger than this is not written again: `lastUsedMs` is exact to a minute. */
export const TOUCH_INTERVAL_MS = 60_000;

/** Eviction begins when the store would hold more than this part of the quota… */
export const EVICT_ABOVE = 1;

/** …and goes on until it holds no more than this part, so that it does not run at every import. */
export const EVICT_TO = 0.95;

/** The largest collection whose children are looked up for pins and garbage collection. */
export const COLLECTION_BYTES_MAX = 16 * 1024 * 1024;

/** Sizes that are claimed for one hash at a time, none proven: one per lying source. */
export const DRAFTS_PER_BLOB_MAX = 8;

/** Blobs being fetched whose size is not proven, over all hashes. */
export const DRAFTS_MAX = 1024;

/** Characters of a tag, a name or a media type. */
export const TEXT_LENGTH_MAX = 1024;

/** Milliseconds that an in-place file must have been left alone: the kernel's clock for it is coarse. */
export const SETTLE_MS = 20;

/** Calls of `onProgress` are at least this far apart. */
export const PROGRESS_INTERVAL_MS = 200;

assert(SLAB_BYTES % GROUP_BYTES === 0, "a slab holds whole chunk groups");
assert(PIECE_BYTES % GROUP_BYTES === 0, "a piece is made of whole chunk groups");
assert(EVICT_TO <= EVICT_ABOVE, "eviction ends below where it begins");

/** How much of a blob is read at a time to learn its SHA-256: under a millisecond of work. */
export const DIGEST_PIECE_BYTES = 1024 * 1024;

/** The pause after each such piece, which leaves most of a core to transfers. */
export const DIGEST_PAUSE_MS = 4;
