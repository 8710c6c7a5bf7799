/** Limits of the development mint, each with its reason. */

/** Denominations of a keyset: 2^0 to 2^39 sat, more than anybody funds a test with. */
export const DENOMINATION_COUNT = 40;

/** Most inputs of one request; nutshell takes 1000. */
export const INPUTS_MAX = 1000;

/** Most outputs of one request, restores included; nutshell takes 1000. */
export const OUTPUTS_MAX = 1000;

/** Most states asked for in one request. */
export const STATES_MAX = 1000;

/** Longest secret, in characters, as nutshell has it. */
export const SECRET_CHARS_MAX = 1024;

/** Longest witness, in characters: 11 keys that signed. */
export const WITNESS_CHARS_MAX = 2048;

/** Largest body of a request: 1000 proofs with witnesses. */
export const BODY_BYTES_MAX = 4 << 20;

/** Most keys in one spending path, and most signatures in one witness: each pair costs 1.5 ms. */
export const LOCK_KEYS_MAX = 16;
export const LOCK_SIGNATURES_MAX = 64;

/** Answers kept for NUT-19; the oldest goes first. */
export const CACHED_ANSWERS_MAX = 1000;

/** Requests kept in the log of the admin interface; the oldest goes first. */
export const LOGGED_REQUESTS_MAX = 10_000;

/** WebSocket subscriptions of one connection, and filters of one subscription. */
export const SUBSCRIPTIONS_MAX = 100;
export const FILTERS_MAX = 200;

/** Largest message on a WebSocket, in characters. */
export const WS_MESSAGE_CHARS_MAX = 64 << 10;

/** How often Lightning is asked about what somebody waits for. */
export const POLL_MS = 100;

/** How long a mint quote can be paid, and how long a melt quote can be used, in seconds. */
export const MINT_QUOTE_EXPIRY_S = 3600;
export const MELT_QUOTE_EXPIRY_S = 600;
