/** Limits of the fast TCP, Noise and Yamux, each with its reason. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** One block handed to a socket write: large enough that system calls cost little per byte. */
export const WRITE_BLOCK_BYTES = 512 * KIB;

/** Queued bytes from which a socket asks its writer to wait: one block is sent, one is filled. */
export const WRITE_HIGH_BYTES = 2 * WRITE_BLOCK_BYTES;

/** Queued bytes at or below which a waiting writer may go on, before the socket runs dry. */
export const WRITE_LOW_BYTES = WRITE_BLOCK_BYTES;

/**
 * Queued bytes at which a connection is ended: only a peer that makes us answer (pings, resets)
 * and never reads gets there, because a writer of ours waits at {@link WRITE_HIGH_BYTES}.
 */
export const WRITE_QUEUE_BYTES_MAX = 16 * MIB;

/** First read buffer of a connection, and what an idle one keeps. */
export const READ_IDLE_BYTES = 16 * KIB;

/** Read buffer of a busy connection: each read is a turn of the event loop, so they should be few. */
export const READ_BUSY_BYTES = 512 * KIB;

/** Reads that use less than an eighth of the buffer before it shrinks again. */
export const READ_SMALL_COUNT_MAX = 32;

/** Idle blocks kept for reuse by all connections of a process. */
export const POOLED_BLOCK_COUNT_MAX = 8;

/** How long a closing connection waits for the other side's end, so that no reset eats sent bytes. */
export const CLOSE_LINGER_MS = 500;

/** A connection without a byte in either direction for this long is ended (as @libp2p/tcp does). */
export const INACTIVITY_MS = 120_000;

/** Connections that one listener holds at the same time; more are closed when accepted. */
export const LISTENER_CONNECTION_COUNT_MAX = 2_000;

/** Wait after a failed accept (no descriptors left) before the next. */
export const ACCEPT_RETRY_MS = 100;

/** Largest Noise message: its length is two bytes. Noise specification, section 3. */
export const NOISE_MESSAGE_BYTES_MAX = 65_535;

/** Poly1305 tag at the end of each encrypted Noise message. */
export const NOISE_TAG_BYTES = 16;

/** Largest plaintext of one Noise message. */
export const NOISE_PLAINTEXT_BYTES_MAX = NOISE_MESSAGE_BYTES_MAX - NOISE_TAG_BYTES;

/**
 * Largest handshake message taken: keys and tags are below 100 bytes, an RSA-8192 identity with its
 * signature is about 2 KiB, and the muxer list is short.
 */
export const HANDSHAKE_MESSAGE_BYTES_MAX = 8 * KIB;

/** Bytes held during a handshake before the connection is paused: an eager peer may send ahead. */
export const HANDSHAKE_RECEIVED_BYTES_MAX = 128 * KIB;

/** Largest identity key in a handshake payload: RSA-8192 in its protobuf is 1,100 bytes. */
export const IDENTITY_KEY_BYTES_MAX = 2 * KIB;

/** Largest identity signature in a handshake payload: RSA-8192 has 1,024 bytes. */
export const IDENTITY_SIGNATURE_BYTES_MAX = 2 * KIB;

/** Stream muxers that a peer may offer in its handshake payload. */
export const HANDSHAKE_MUXER_COUNT_MAX = 32;

/** Largest name of a stream muxer. */
export const HANDSHAKE_MUXER_BYTES_MAX = 128;

/** Messages under one key; a connection ends before its nonce could repeat (Noise allows 2^64 - 1). */
export const NOISE_NONCE_MAX = 2 ** 53 - 1;

/** Header of a Yamux frame. */
export const YAMUX_HEADER_BYTES = 12;

/** Window of a stream before any update: fixed by the Yamux specification. */
export const YAMUX_INITIAL_WINDOW_BYTES = 256 * KIB;

/** To where a window may grow when its reader keeps up; fills 1.3 Gbit/s at 100 ms of round trip. */
export const YAMUX_WINDOW_BYTES_MAX = 16 * MIB;

/**
 * What a shorter round trip counts as when a window grows: both sides work in turns of the event loop
 * that take about as long, and a window of less than a few of them lets the sender run dry.
 */
export const YAMUX_ROUND_TRIP_MS_MIN = 1;

/** Payload of one frame we send: with its header it fills one Noise message. */
export const YAMUX_FRAME_BYTES_MAX = NOISE_PLAINTEXT_BYTES_MAX - YAMUX_HEADER_BYTES;

/** A send window beyond this is no window: the peer adds to it without end. */
export const YAMUX_SEND_WINDOW_BYTES_MAX = 2 ** 32;

/** Streams each side may have open on one connection, unless told otherwise. */
export const YAMUX_STREAM_COUNT_MAX = 1_000;

/** How often a connection is pinged, for the round trip time and for middleboxes that forget. */
export const YAMUX_KEEP_ALIVE_MS = 30_000;

/**
 * Bytes that one connection may have unread over all its streams. Readers that stand still stop
 * their own windows; this stops a peer that fills the first window of very many streams.
 */
export const YAMUX_UNREAD_BYTES_MAX = 64 * MIB;
