/**
 * Content known by its SHA-256 alone, brought in once for a whole fleet and passed on between its
 * members while it is still being read.
 *
 * May import: `src/core`, the swarm's ports, `swarm/store`, `swarm/origin`, `swarm/fleet.ts`.
 */
export { Cascade, type CascadeOptions } from "./cascade.ts";
