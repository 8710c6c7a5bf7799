/**
 * Hashing files on worker threads: BLAKE3, outboard and SHA-256 at once.
 *
 * Vocabulary: a *task* is one piece of work for a thread (the SHA-256 of a whole file, or the group
 * chaining values of a segment of it). May import: `src/core`, and of `swarm/bao` the kernel, the
 * tree and the geometry.
 */
export * from "./hash_pool.ts";
