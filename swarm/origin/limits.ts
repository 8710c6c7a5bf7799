/** Every bound and deadline of talking to an origin, each with a sentence. */

/** Redirects followed in one request: a registry and its storage take two, mirrors rarely more. */
export const REDIRECT_COUNT_MAX = 5;

/** Attempts at one stretch of bytes without a byte of progress in between. */
export const ATTEMPT_COUNT_MAX = 4;

/** The first pause between attempts; it doubles each time. */
export const BACKOFF_MS_MIN = 250;

/** The longest pause that an origin may ask for with Retry-After; beyond it we fail instead. */
export const RETRY_AFTER_MS_MAX = 30_000;

/** Connecting and the answer's head together may take so long. */
export const HEAD_MS_MAX = 10_000;

/** A body without a byte for so long is asked again from where it stopped. */
export const PROGRESS_MS_MAX = 10_000;

/** An ETag longer than this is not used: it would only make requests long. */
export const ETAG_CHARACTERS_MAX = 256;

/** How often a plain stream looks whether peers brought what lies ahead: every 1 MiB. */
export const LOOK_AHEAD_GROUPS = 64;

/** Payments of one fetch to one origin: a server that is never satisfied gets no more. */
export const PAYMENT_COUNT_MAX = 4;

/** The most characters of payment requests in one answer: one of ten mints has some 800. */
export const PAYMENT_REQUEST_CHARS_MAX = 16 * 1024;

/** The most characters of a token that is shown to a server; ours of 16 proofs have 14,000. */
export const TOKEN_CHARS_MAX = 24 * 1024;

/** The most characters of a server's reason that are shown. */
export const REASON_CHARS_MAX = 160;

/** Servers that are asked for one blob on hints, and again as many that authors list. */
export const SERVERS_MAX = 16;
