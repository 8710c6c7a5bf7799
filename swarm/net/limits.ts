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

/**
 * The most bytes one stream may have under way to us: what a slow reader can make us hold. 4 MiB
 * fill 320 Mbit/s at 100 ms of round trip, and a peer is asked on several streams.
 */
export const STREAM_WINDOW_BYTES_MAX = 4 * MIB;

/**
 * What libp2p may buffer of a paused stream before it aborts it: the whole window can still arrive
 * after a pause, and one message more.
 */
export const STREAM_READ_BUFFER_BYTES = STREAM_WINDOW_BYTES_MAX + MIB;

/** Above this many unread bytes a stream is paused; a few of the largest Noise messages. */
export const READ_QUEUE_HIGH_BYTES = 512 * KIB;

/** Below this many unread bytes a paused stream is resumed, early enough to keep the pipe full. */
export const READ_QUEUE_LOW_BYTES = 128 * KIB;

/** Streams of one protocol that we open on one connection. */
export const OUTBOUND_STREAMS_MAX = 256;

/** Streams of all protocols on one connection, each way. */
export const CONNECTION_STREAMS_MAX = 1_024;

/** Streams that may arrive before libp2p has set up a new connection; above it cuts the connection. */
export const EARLY_STREAMS_MAX = 256;

/** Connections kept at once unless configured; above it libp2p closes the least valued. */
export const CONNECTIONS_MAX = 300;

/** Connections per second from one address: a whole fleet may come from behind one NAT. */
export const INBOUND_CONNECTIONS_PER_SECOND_MAX = 50;

/** Connections that may be in their handshake at once. */
export const INBOUND_PENDING_MAX = 256;

/** How long an inbound handshake may take; short, so that idle strangers cannot hold all places. */
export const INBOUND_UPGRADE_TIMEOUT_MS = 5_000;

/** Addresses tried of those that a hint names; an advert is a stranger's word. */
export const DIAL_ADDRESSES_MAX = 8;

/** Text length of an address worth parsing: an onion or a circuit address is far below. */
export const ADDRESS_LENGTH_MAX = 512;

/** Hints looked at for usable addresses before the rest is ignored. */
export const HINT_ADDRESSES_MAX = 32;

/** How long one address may take to become a connection. */
export const DIAL_ADDRESS_TIMEOUT_MS = 4_000;

/** How long a peer may take to be reached over any of its addresses. */
export const DIAL_TIMEOUT_MS = 10_000;

/** Pause before the next address is tried beside one that did not answer yet (RFC 8305, section 5). */
export const DIAL_STAGGER_MS = 250;

/** Dials to different peers under way at once. */
export const PARALLEL_DIALS_MAX = 64;

/** How long two peers may take to agree on a protocol. */
export const NEGOTIATION_TIMEOUT_MS = 10_000;

/** How often connections without traffic are pinged. */
export const PING_INTERVAL_MS = 10_000;

/** How long a ping may take before it counts as lost. */
export const PING_TIMEOUT_MS = 10_000;

/** Lost pings in a row, with no byte moved meanwhile, after which a connection is dropped. */
export const PING_FAILURES_MAX = 2;

/** Bytes a relay carries per circuit unless configured: enough for images, not for a mirror. */
export const CIRCUIT_BYTES_MAX = 4 * 1024 * MIB;

/** How long a relay keeps a circuit unless configured. */
export const CIRCUIT_DURATION_MS = 2 * 60 * 60 * 1000;

/** Peers a relay keeps reservations for unless configured. */
export const RELAY_RESERVATIONS_MAX = 128;

/** Bytes a relay holds per circuit and direction while the receiver is slow. */
export const CIRCUIT_QUEUE_BYTES = MIB;

/** First pause before a lost relay is tried again; doubles up to {@link RELAY_RETRY_MS_MAX}. */
export const RELAY_RETRY_MS = 1_000;

/** Longest pause before a lost relay is tried again. */
export const RELAY_RETRY_MS_MAX = 5 * 60 * 1000;

/** How often peers on the local network are asked for. */
export const MDNS_INTERVAL_MS = 10_000;

/** Peers remembered from the local network: anybody on it can make them up. */
export const MDNS_PEERS_MAX = 256;

/** Peers whose addresses libp2p keeps without a connection. */
export const PEER_STORE_PEERS_MAX = 1_000;

/** How long a relayed connection that a direct one replaced must carry nothing before it is closed. */
export const CIRCUIT_IDLE_MS = 1_000;

/** How often the peers that libp2p remembers are counted. */
export const PEER_STORE_PRUNE_MS = 60_000;
