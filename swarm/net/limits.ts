/** Limits of the network, each with its reason. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** Bytes one direction of a memory stream holds before a writer is asked to wait: yamux's first window. */
export const MEMORY_WINDOW_BYTES = 256 * KIB;

/** Inbound streams of one protocol on one connection, unless `handle` says otherwise. */
export const INBOUND_STREAMS_MAX = 256;

/** How long a stream may stay half open after its handler returned, before it is aborted. */
export const HANDLER_LINGER_MS = 5_000;

/** Text length of a peer id: an identity multihash of an Ed25519 key in base58 has 52 digits. */
export const PEER_ID_LENGTH = 52;

/** Peers whose addresses a memory network remembers after they connected. */
export const REMEMBERED_PEERS_MAX = 1_000;
