/** Limits of outputs, each with its reason. */

/** Most blank outputs for change: 2^53 sat come back in at most so many powers of two. */
export const BLANK_COUNT_MAX = 53;

/** After so many sends without an end, a mint that signed only a part is held to be dishonest. */
export const PARTIAL_SEND_COUNT_MAX = 8;

/**
 * How long a mint must say that inputs are spent and nothing was signed for them, of a request that was
 * sent before: one that spends before it signs may be at it still, and what is written off is lost.
 */
export const WRITE_OFF_MS = 60_000;

/** So many sends in a row, a mint that says "paid" of a quote whose outputs it signed may be late. */
export const STALE_SEND_COUNT_MAX = 3;
