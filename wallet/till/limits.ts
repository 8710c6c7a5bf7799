/** Limits of the till, each with its reason. */

/** Proofs of one token that are verified offline, about 3 ms each, on the thread that asks. */
export const VERIFIED_PROOFS_MAX = 64;

/** Proofs that were verified and are remembered: a request asks for the same ones some times in a row. */
export const PROVEN_MAX = 4_096;

/** First and longest pause before a redemption that is not decided is asked for again. */
export const REDEEM_RETRY_MS = 1_000;
export const REDEEM_RETRY_MS_MAX = 60_000;

/** When a refund that is under way is to be asked for again. */
export const REFUND_RETRY_MS = 1_000;

/** First and longest pause before a refund that cannot be paid is asked for again: it may take a person. */
export const REFUND_SHORT_RETRY_MS = 30_000;
export const REFUND_SHORT_RETRY_MS_MAX = 600_000;

/** Redemptions and refunds whose tries are counted; others begin anew. */
export const COUNTED_MAX = 1_000;

/**
 * How long ecash that is paid back stays locked to its receiver alone, in seconds: a year. After that it
 * comes back, or what nobody wants would be lost for good.
 */
export const REFUND_LOCK_S = 365 * 86_400;

/** Keysets of one mint whose keys are asked for ahead: most have a few. */
export const KEYSETS_MAX = 16;
