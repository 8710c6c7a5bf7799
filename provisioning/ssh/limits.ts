/** Limits of SSH, each with the reason for its size. */

/** Public keys of one lease: a small team. */
export const AUTHORIZED_KEYS_MAX = 16;

/** Characters of one public key with its comment: RSA of 16 384 bits has 2 800. */
export const AUTHORIZED_KEY_CHARS_MAX = 4096;

/** Bytes before the banner, RFC 4253 section 4.2: servers may greet first, in lines. */
export const BANNER_BYTES_MAX = 4096;

/** One try to read a banner: a proxy may accept although nothing answers behind it. */
export const BANNER_TRY_MS = 3_000;

/** Between two tries, so that a lease is ready soon after its server listens. */
export const BANNER_RETRY_MS = 15;

/** Characters of a password that an old client asks for. */
export const PASSWORD_CHARS_MAX = 128;
