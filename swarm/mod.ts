/**
 * The swarm: content-addressed blobs between peers, verified every 16 KiB, with the origin behind.
 *
 * Vocabulary: docs/glossary.md. Each folder is one part; what they need from outside and from each
 * other across a seam stands in `ports.ts`, what more than one of them speaks of in the files of
 * this folder: collections, the fleet, the scores of providers. May import: `src/core`, `src/nostr`.
 */
export * from "./collection.ts";
export * from "./fleet.ts";
export type * from "./ports.ts";
export * from "./score.ts";
