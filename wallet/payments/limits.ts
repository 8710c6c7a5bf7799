/** Limits of payments, each with its reason. */

/** Longest name of a payment or payer, in characters: a peer id has 52, a hash 64. */
export const PAYMENT_NAME_CHARS_MAX = 64;

/**
 * Most that one payment is said to be worth, in sat: what is not redeemed yet is anybody's word, and all
 * of it together stays a number that can be reckoned with.
 */
export const PAYMENT_SAT_MAX = 1_000_000_000_000n;

/** Payments of payers that never paid that are looked at at a time; others are told to come back. */
export const INTAKE_STRANGERS_MAX = 32;

/** The same of payers that have paid: strangers take nothing from them. */
export const INTAKE_KNOWN_MAX = 64;

/** Longest token taken from a peer, in characters: 16 proofs that are locked are about 9,000. */
export const PEER_TOKEN_CHARS_MAX = 32_768;

/** Threads that verify: a second helps while one has sixteen proofs of somebody else. */
export const VERIFIERS_MAX = 2;

/** Payments that wait for a thread, of those that have paid and of all others. */
export const VERIFY_QUEUE_MAX = 128;

/** Proofs verified in the calling thread while the first verifying thread loads. */
export const VERIFY_HERE_PROOFS_MAX = 4;

/** Verifying threads end when no payment came for this long. */
export const VERIFY_IDLE_MS = 300_000;

/** What a payer may get wrong before it is heard less: see `payer_throttle.ts`. */
export const PAYER_ALLOWANCE = 4;

/** How long one of it takes to grow back. */
export const PAYER_REFILL_MS = 15_000;

/** Payers whose allowance is remembered; who is forgotten has a whole one. */
export const PAYERS_REMEMBERED_MAX = 10_000;

/** Proofs of all payers together that never paid, which may come to nothing at once. */
export const STRANGERS_ALLOWANCE = 1_000;

/** How many of them grow back in a second: at 3 ms each, a third of one core. */
export const STRANGERS_REFILL_PER_S = 100;

/** Characters of a token for each proof, at least, so that its cost is known before it is read. */
export const TOKEN_CHARS_PER_PROOF = 450;

/** What a text of strangers costs of their allowance that is no proof worth verifying: reading it. */
export const UNVERIFIED_COST = 1;

/** Longest time that a payer is told to wait for being heard again. */
export const THROTTLE_RETRY_MS_MAX = 60_000;

/**
 * Redemptions of payments that do not count yet begin this far apart, for each mint: with one bad payment
 * in each they are ten transactions a minute, half of what a stock mint takes.
 */
export const QUEUED_SPACING_MS = 12_000;

/** Payments of one payer that wait for their redemption; each may cost a request to a mint. */
export const QUEUED_PER_PAYER_MAX = 4;

/** Payments of all payers that wait for their redemption. */
export const QUEUED_MAX = 100;

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
