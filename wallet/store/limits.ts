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
