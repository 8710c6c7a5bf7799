/** Limits towards mints, each with its reason. */
import type { SocketLimits } from "../../src/nostr/limits.ts";

/** Deadlines of requests, in milliseconds from the start to the last byte. */
export interface MintDeadlines {
  /** Questions that have no effect. */
  readonly askMs: number;
  /** Swap and mint: the mint signs up to 200 outputs. */
  readonly postMs: number;
  /** Melt: the mint may wait for Lightning before it answers. */
  readonly meltMs: number;
}

/** See {@link MintDeadlines}. */
export const DEADLINES: MintDeadlines = { askMs: 10_000, postMs: 30_000, meltMs: 120_000 };

/** Largest answer taken: 200 signatures with DLEQ are about 90 kB, `/v1/info` and keys less. */
export const RESPONSE_BYTES_MAX = 1024 * 1024;

/** Cooldown after the first 429 without `Retry-After`. */
export const COOLDOWN_MS_MIN = 3_000;

/**
 * Cooldown after the next one, doubled from there up to {@link COOLDOWN_MS_MAX}. nutshell's limit is by
 * the minute, and each request begins the minute anew, refused ones too: less would never end.
 */
export const COOLDOWN_MS_NEXT = 61_000;

/** Longest cooldown taken from `Retry-After`: a mint must not lock money away for days. */
export const COOLDOWN_MS_MAX = 10 * 60_000;

/** Failures in a row that a mint may have before it is left alone for a while. */
export const FAILURE_COUNT_FREE = 3;

/** First and longest such while: thousands of operations must not hammer a dead mint. */
export const FAILURE_COOLDOWN_MS_MIN = 500;
export const FAILURE_COOLDOWN_MS_MAX = 15_000;

/** Age at which cached info and keysets are asked again, if the mint answers. */
export const CACHE_MS_MAX = 60 * 60_000;

/** Shortest time between two questions for keysets because of an id that is not known. */
export const UNKNOWN_KEYSET_MS_MIN = 5_000;

/** Most keysets of one mint; nutshell and cdk rotate a few times a year. */
export const KEYSET_COUNT_MAX = 500;

/** Most keys of a keyset: one for each power of two that 64 bits hold. */
export const KEY_COUNT_MAX = 64;

/** Longest quote id, invoice, name and other text taken from a mint, in characters. */
export const QUOTE_ID_CHARS_MAX = 256;
export const INVOICE_CHARS_MAX = 8_192;
export const TEXT_CHARS_MAX = 512;

/** Most Ys in one question about their states; nutshell takes 1000. */
export const STATES_PER_REQUEST_MAX = 500;

/** Most blinded messages in one restore. */
export const RESTORE_PER_REQUEST_MAX = 200;

/** A WebSocket for hints: what it carries is a quote at a time, of about a kilobyte. */
export const HINT_SOCKET_LIMITS: SocketLimits = {
  messageBytesMax: 16 * 1024,
  queueBytesMax: 64 * 1024,
  pingMs: 30_000,
  pongMs: 20_000,
  closeMs: 500,
};

/** From nothing to an open WebSocket. */
export const HINT_CONNECT_MS_MAX = 10_000;

/** Quotes watched at one mint at a time; further ones are only asked about. */
export const HINT_WATCH_COUNT_MAX = 20;

/** Hints taken about one quote: each makes us ask once. */
export const HINTS_PER_QUOTE_MAX = 5;

/** Messages taken from one WebSocket: a mint that says more than that says too much. */
export const HINT_MESSAGE_COUNT_MAX = 1_000;

/** Wait before another WebSocket, doubled for each in a row that was of no use. */
export const HINT_RETRY_MS_MIN = 5_000;

/** WebSockets in a row that may be of no use before there is none until somebody else wants to wait. */
export const HINT_FAILURE_COUNT_MAX = 4;

/** How long a quote is watched: an invoice that nobody paid within the hour may take days. */
export const HINT_WATCH_MS_MAX = 60 * 60_000;
