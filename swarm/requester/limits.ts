/** Limits of asking, each with its reason. */

/** Streams to one peer that are kept for the next request. */
export const IDLE_LINES_MAX = 8;

/** A stream that was idle for this long is not used again: the provider may be closing it. */
export const LINE_IDLE_MS = 20_000;

/** Small children that are stored in one transaction. */
export const SMALL_BATCH_COUNT_MAX = 512;

/** Bytes of small children that are stored in one transaction. */
export const SMALL_BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** The least payload for which the direct path is used: below, its set-up costs more. */
export const DIRECT_BYTES_MIN = 1024 * 1024;

/** How long the direct address may take to answer before the stream is used, in milliseconds. */
export const DIRECT_ANSWER_MS = 300;

/** How long a peer whose direct path failed is not asked for it, in milliseconds. */
export const DIRECT_PAUSE_MS = 60_000;

/** How much faster the stream must have been before the direct path is left aside. */
export const DIRECT_SLOWER_FACTOR = 1.15;

/** The weight of the newest transfer in a path's remembered rate. */
export const RATE_WEIGHT = 0.3;

/** Transfers of fewer bytes say nothing about a path's rate. */
export const MEASURED_BYTES_MIN = 1024 * 1024;

/** Bytes after which a path that is never idle is measured all the same. */
export const MEASURED_BYTES_DUE = 32 * 1024 * 1024;

/** Peers whose paths are remembered. */
export const PATHS_REMEMBERED_MAX = 1024;

/** Direct sessions with one peer that are kept, one per blob. */
export const DIRECT_SESSIONS_MAX = 32;
