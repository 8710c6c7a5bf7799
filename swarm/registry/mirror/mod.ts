/**
 * The read-only mirror: what container clients pull through. It answers for registries elsewhere, from the
 * store, from peers and from the registries themselves, and promises nothing that it cannot keep.
 *
 * - A tag is resolved by a signed pin, by its registry, or by what its registry said last; never by peers.
 * - A manifest is answered when its bytes are here and each blob that it lists is here or has a source
 *   that was confirmed within ten minutes. After that its blobs are fetched ahead.
 * - A blob comes in once, whoever asks; its bytes leave when they are verified: group by group under a
 *   mapping from SHA-256 to BLAKE3 that is trusted, else as a whole.
 * - What only our credential may pull is answered for a repository that has it and that took the
 *   credential within the last hour.
 *
 * Vocabulary: a *target* is a repository with its registry behind it; a *claim* is what a peer says of a
 * digest, a *candidate* what claims come to; a *flight* is one blob on its way in; a *pull* is an image
 * that a client was given; *scouting* is finding out who has a digest.
 *
 * May import: `src/core`, `swarm/ports.ts`, `swarm/bao`'s geometry, `swarm/read_whole.ts`, `swarm/fetch`'s
 * report, the port of the store, `swarm/registry/{names,ports}.ts`, `swarm/registry/{index,manifest}`.
 */
export { MIRROR_LIMITS, type MirrorLimits } from "./limits.ts";
export { Mirror } from "./mirror.ts";
export type {
  AnswerSource,
  ImageKeeper,
  MirrorEvent,
  MirrorMode,
  MirrorOptions,
  MirrorPolicy,
} from "./options.ts";
