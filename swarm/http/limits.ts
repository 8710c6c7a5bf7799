/** Limits of speaking HTTP/1.1, each with its reason. */

/** The most bytes of a request's head: a token of 16 proofs with locks and DLEQ has some 14,000. */
export const HEAD_BYTES_MAX = 32 * 1024;

/** The most header lines: browsers send about 20. */
export const HEADER_LINES_MAX = 64;

/** The most characters of a request's target: a hash and 32 hints fit, a manifest's 16 tags too. */
export const TARGET_CHARS_MAX = 4096;

/** An unwanted body up to this size is read away, so that its sender sees the answer. */
export const DRAIN_BYTES_MAX = 1024 * 1024;

/**
 * How much is read of a connection that we are done with, and for how long in milliseconds: who sends
 * a body that is too large should get to read that it is.
 */
export const LINGER_BYTES_MAX = 16 * 1024 * 1024;
export const LINGER_MS = 1000;

/** Bytes of a body read at once. */
export const BODY_PIECE_BYTES = 64 * 1024;

/** The most bytes of the line that begins a chunk: 16 digits, and extensions that nobody reads. */
export const CHUNK_LINE_BYTES_MAX = 256;

/** The most bytes of the fields behind the last chunk, which nobody reads. */
export const TRAILER_BYTES_MAX = 4096;

/** Content read and sent at once: measured best between 64 KiB and 1 MiB on the direct path. */
export const PIECE_BYTES = 256 * 1024;

/** Read ahead of who watches whether the other side went away: a head or two. */
export const WATCH_BYTES = 4096;
