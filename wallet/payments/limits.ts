/** Limits of payments, each with its reason. */

/** Longest name of a payment or payer, in characters: a peer id has 52, a hash 64. */
export const PAYMENT_NAME_CHARS_MAX = 64;

/**
 * Most that one payment is said to be worth, in sat: what is not redeemed yet is anybody's word, and all
 * of it together stays a number that can be reckoned with.
 */
export const PAYMENT_SAT_MAX = 1_000_000_000_000n;

/** Payments whose proofs are verified or waited for at a time; others are told to come back. */
export const INTAKE_QUEUE_MAX = 32;

/** Payments of one payer that wait for their redemption; each may cost a request to a mint. */
export const QUEUED_PER_PAYER_MAX = 8;

/** Payments of all payers that wait for their redemption. */
export const QUEUED_MAX = 500;

/** Tokens remembered as worthless: 10,000 hashes take about a megabyte. */
export const REFUSED_TOKENS_MAX = 10_000;

/** How long they are remembered. */
export const REFUSED_TOKEN_MS = 24 * 3_600_000;

/** A mint's answer about itself is believed so long when it is not asked. */
export const INFO_AGE_MS_MAX = 24 * 3_600_000;

/** What a mint must support for its tokens to be taken without asking it: state, restore, locks, DLEQ. */
export const OFFLINE_NUTS: readonly number[] = [7, 9, 10, 11, 12];

/** Longest locked secret taken without asking the mint, in characters. */
export const OFFLINE_SECRET_CHARS_MAX = 512;

/** How long we want for redeeming a token before its locktime. */
export const REDEEM_WINDOW_MS = 3_600_000;

/** How wrong the mint's clock may be, which decides about locktimes. */
export const LOCKTIME_SKEW_MS = 600_000;

/** Longest wait for a mint's answer about itself when a payment comes in. */
export const INFO_WAIT_MS = 3_000;

/** Longest time that preparing one payment takes before the caller is sent to the origin. */
export const PREPARE_MS = 30_000;
