/**
 * Container images: the node as an OCI registry, towards clients and towards registries elsewhere.
 *
 * Vocabulary: a *registry* has *repositories* of *manifests* and blobs, named by *digests* and *tags*;
 * an *upstream* is a registry elsewhere; the *mirror* answers for those, the *local registry* for what was
 * pushed here; an *image* is a manifest kept whole, as a collection.
 *
 * Each part is a folder with its own door: `http` (listeners), `mirror`, `local`, `index`, `manifest`,
 * `images`, `upstream`. This one exports what they share. May import: `src/core`, the swarm's ports, store
 * and fetch.
 */
export * from "./names.ts";
export * from "./ports.ts";
