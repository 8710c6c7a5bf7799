/** Limits of the wallet's database, each with its reason. */

/** Most counters taken at once: a batch of a restore is 100, a request has at most 200 outputs. */
export const COUNTERS_PER_TAKE_MAX = 1_000;

/** Counters are children of a BIP-32 path (NUT-13), which end here. */
export const COUNTER_MAX = 2 ** 31 - 1;

/** Longest plan of an operation, as JSON: a swap of 200 outputs plans about 100 KiB. */
export const PLAN_CHARS_MAX = 4 * 1024 * 1024;

/** Longest frozen body: mints refuse more than 1 MiB. */
export const BODY_CHARS_MAX = 1024 * 1024;

/** Longest reason kept: what a person reads, and no mint's essay. */
export const REASON_CHARS_MAX = 500;

/** Longest payment id, payer, payee or subject. */
export const NAME_CHARS_MAX = 200;

/** Longest cached answer of a mint, info and keysets together. */
export const MINT_CACHE_CHARS_MAX = 8 * 1024 * 1024;

/**
 * How far counters move on after a backup is restored, past what was used since it was made. Less than
 * the 300 empty counters after which a restore from the words gives up looking.
 */
export const COUNTER_MARGIN_AFTER_RESTORE = 100;

/** Most accounts of payers read at a time: a round of housekeeping goes on with the next. */
export const CREDIT_ACCOUNTS_PER_READ_MAX = 1_000;

/** Most prices: one for each blob or collection that an operator names, and a few for the rest. */
export const SERVICE_COUNT_MAX = 10_000;

/** Longest list of a service's mints, as JSON: a hundred addresses of a hundred characters. */
export const SERVICE_MINTS_CHARS_MAX = 10_000;
