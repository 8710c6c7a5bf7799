/**
 * The store of blobs: bytes that are verified, and what is known of them.
 *
 * Vocabulary: a *blob* is absent, *partial* or *complete*; an *ingest* brings verified chunk groups
 * in; a *reader* gives them out; a *draft* is a blob whose size no group has proven yet; a *pin*
 * keeps a blob from eviction, a *tag* from garbage collection.
 *
 * May import: `src/core`, `src/sqlite`, `swarm/bao`.
 */
export * from "./blob_store.ts";
export { takeDigestDuty } from "./digest_duty.ts";
export { DigestFiller, type DigestFillerOptions } from "./digest_filler.ts";
export { MemoryBlobStore, type MemoryBlobStoreOptions } from "./memory_store.ts";
export { FileBlobStore, type FileBlobStoreOptions, type StoreFigures } from "./file_store.ts";
export type { RebuildReport } from "./rebuild.ts";
export type { RecoveryReport } from "./recovery.ts";
