/**
 * The requester: one peer as a source of blobs. It asks over `/seedmint/blobs/1`, or over the direct
 * path where that is offered and faster, and hands every byte to the store, which verifies it.
 *
 * What the peer asks for it is paid through one session of the wallet's (`ports.ts`): the first
 * payment goes with the first want, the others over a line of their own while the bytes come.
 *
 * Vocabulary: a *line* is a stream lent to one request and kept for the next; the *direct path* is
 * plain HTTP beside the stream (`swarm/direct`); a *purchase* is all that is bought of one peer in
 * one fetch; a *ticket* is what goes with one want.
 *
 * May import: `src/core`, and of the swarm `ports.ts`, `protocol`, `bao`, `store`, `direct`,
 * `collection.ts` and `read_whole.ts`.
 */
export type { DirectPathSettings } from "./direct_path.ts";
export { PathMemory } from "./path_memory.ts";
export { PeerSource, type PeerSourceOptions } from "./peer_source.ts";
export { askRefund, type Refund } from "./refund.ts";
export type { PaySettings } from "./sessions.ts";
