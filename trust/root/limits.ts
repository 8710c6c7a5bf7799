/** How much there may be of each thing in a root, with the reason. */

/** Bytes of one root document with its signatures: 16 keys and 64 delegations fit well. */
export const ROOT_BYTES_MAX: number = 32 * 1024;

/** Documents of one chain that are read: a change a month for ten years. */
export const ROOT_CHAIN_MAX = 128;

/** Bytes of a file with a whole chain. */
export const ROOT_CHAIN_BYTES_MAX: number = 1024 * 1024;

/** Keys of a root, or of one delegation: people who can meet. */
export const ROOT_KEYS_MAX = 16;

/** Delegations of one root. */
export const DELEGATIONS_MAX = 64;

/** Patterns of catalogs in one delegation. */
export const PATTERNS_MAX = 32;

/** Revoked keys that a root carries; they are never taken out. */
export const REVOCATIONS_MAX = 128;

/** Signatures of one text that are looked at: every key of the old root and every one of the new. */
export const SIGNATURES_MAX: number = 2 * ROOT_KEYS_MAX;

/** Characters of the reason of a revocation. */
export const REASON_CHARS_MAX = 200;

/** Bytes of a file with a master seed or a key. */
export const SEED_FILE_BYTES_MAX = 1024;

/** How far ahead the clock of who signed may be, in seconds. */
export const ROOT_CLOCK_SKEW_S: number = 60 * 60;
