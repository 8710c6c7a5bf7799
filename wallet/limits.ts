/** Limits of the wallet, each with its reason. Those of one folder are in its own `limits.ts`. */

/** Most sat in one amount: what a number of SQLite and JSON holds exactly; all bitcoin is less. */
export const AMOUNT_SAT_MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** Most proofs in one request: nutshell takes arrays up to 1000, and bodies stay under 1 MiB. */
export const INPUTS_PER_REQUEST_MAX = 200;

/** Most outputs in one request, for the same reason. */
export const OUTPUTS_PER_REQUEST_MAX = 200;

/** Most proofs in one payment that is accepted offline: each costs about 10 ms to verify. */
export const PROOFS_PER_PAYMENT_MAX = 16;

/** Longest token taken, in characters: 200 proofs with DLEQ are about 90,000. */
export const TOKEN_CHARS_MAX = 200_000;

/** Longest secret taken, in characters; nutshell refuses more than 1024. */
export const SECRET_CHARS_MAX = 1024;
