/**
 * The registry that is pushed to: repositories of this node's own, under names that never answer for
 * a registry elsewhere. What was acknowledged is on the disk; what is visible has its digest.
 *
 * Vocabulary: an *upload* is a file that grows by *chunks*, each kept whole or not at all; a *member* is a blob or
 * manifest that a repository has; an *orphan* is a blob that no manifest of its repository lists.
 *
 * May import: `src/core`, `swarm/store`, `swarm/read_whole.ts`, `swarm/registry/{names,ports}.ts`,
 * `swarm/registry/{index,manifest}`.
 */
export { LocalRegistry, type LocalRegistryOptions, type PushedManifest } from "./local_registry.ts";
export { openStoredBlob, readManifestBytes } from "./stored_blob.ts";
export { UPLOAD_BYTES_MAX, UPLOAD_IDLE_MS, UPLOADS_MAX } from "./limits.ts";
