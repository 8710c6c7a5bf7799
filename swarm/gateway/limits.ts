/** Limits of serving over HTTP, each with its reason. */
import { assert } from "../../src/core/assert.ts";
import { HEAD_BYTES_MAX } from "../http/limits.ts";
import { MINT_URL_LENGTH_MAX } from "../protocol/limits.ts";

/** What the gateway gives at most. `Infinity` for a rate means that nothing is held back. */
export interface GatewayLimits {
  /** Open connections of all clients; each that is read from holds two buffers. */
  readonly connectionsMax: number;
  /** Open connections of one address: a browser opens six, a parallel downloader some more. */
  readonly connectionsPerAddressMax: number;
  /** Requests of one address per second; a collection of small blobs asks fast. */
  readonly requestsPerSecondPerAddress: number;
  /** Presented payments of one address per second: each may cost the wallet some milliseconds. */
  readonly paymentsPerSecondPerAddress: number;
  /** Content bytes per second to one address. */
  readonly bytesPerSecondPerAddress: number;
  /** Content bytes per second to all. */
  readonly bytesPerSecond: number;
  /** Milliseconds from the first byte of a request to the end of its head. */
  readonly headMs: number;
  /** Milliseconds that a connection may stay open between two requests. */
  readonly idleMs: number;
  /** Milliseconds that a reader may take for one buffer, and an uploader for any byte. */
  readonly stallMs: number;
  /** Bytes per second that an upload must bring on average, besides one {@link stallMs}. */
  readonly uploadBytesPerSecondMin: number;
  /** How long the same payment gives the same bytes again, in milliseconds. */
  readonly graceMs: number;
}

/** The limits of a node whose operator set none. */
export const GATEWAY_LIMITS: GatewayLimits = {
  connectionsMax: 512,
  connectionsPerAddressMax: 64,
  requestsPerSecondPerAddress: 200,
  paymentsPerSecondPerAddress: 5,
  bytesPerSecondPerAddress: Infinity,
  bytesPerSecond: Infinity,
  headMs: 10_000,
  idleMs: 30_000,
  stallMs: 20_000,
  uploadBytesPerSecondMin: 16 * 1024,
  graceMs: 10 * 60_000,
};

/** What an address may save up of requests and of payments, in seconds of their rate. */
export const BURST_SECONDS = 4;

/** Addresses whose buckets are remembered while they have no connection. */
export const IDLE_ADDRESSES_MAX = 4096;

/** The most characters of a token in `X-Cashu`. */
export const TOKEN_CHARS_MAX = 24 * 1024;

/** The most bytes of the body of `POST /session` and `PUT /mirror`. */
export const BODY_BYTES_MAX = 64 * 1024;

/** What one `GET /list` counts for among the requests of an address: it looks at every upload. */
export const LIST_COST = 50;

/** The largest collection that a session is opened for, in bytes: 20,000 children and their names. */
export const SESSION_COLLECTION_BYTES_MAX = 2 * 1024 * 1024;

/** Blobs of a session that are looked at for the price of one request: 20,000 take some 300 ms. */
export const SESSION_BLOBS_PER_REQUEST = 50;

/** The most bytes of one upload unless the operator says otherwise. */
export const UPLOAD_BYTES_MAX = 1024 * 1024 * 1024;

/** Uploads at one time, of all keys. */
export const UPLOADS_MAX = 8;

/** Blobs of one page of `GET /list`, at most and by default. */
export const LIST_LIMIT_MAX = 1000;

/** How far a client's clock may be ahead of ours, in seconds, where "in the past" is wanted. */
export const CLOCK_AHEAD_S = 30;

/** Longest life of an authorization, in seconds: what may be replayed for longer is refused. */
export const AUTHORIZATION_LIFE_S_MAX = 7 * 86_400;

/** Authorizations that may be used once, remembered until they expire. */
export const USED_AUTHORIZATIONS_MAX = 10_000;

/** The most bytes of an authorization event; with 100 `x` tags one has 8,000. */
export const AUTHORIZATION_BYTES_MAX = 16 * 1024;

/** Blobs that one session may be opened for; an image has tens, a film with subtitles too. */
export const SESSION_BLOBS_MAX = 10_000;

/** Blobs whose bought groups are remembered for the grace time; each takes some 300 bytes. */
export const PURCHASES_MAX = 8192;

/** Runs of groups remembered of one purchase: who buys crumbs pays for crumbs again. */
export const PURCHASE_RUNS_MAX = 256;

/** Presented tokens whose purse is remembered, each some 200 bytes. */
export const PRESENTED_MAX = 16_384;

/** How long a payment that is being looked at is waited for, in milliseconds. */
export const PAYMENT_MS = 20_000;

/** How long an answer waits for credit that another answer used up, in milliseconds. */
export const CREDIT_MS = 20_000;

/** Minutes that a payment request asks beyond the gate's own minimum: paying takes its time. */
export const LOCKTIME_MARGIN_MIN = 30;

/**
 * Bytes of the mints in one payment request: in bech32 (NUT-26) it has at most 1,023 characters, which
 * are some 630 bytes, and what else is in it takes up to 150.
 */
export const REQUEST_MINT_BYTES_MAX = 460;

/** Bytes that each of them takes besides its URL. */
export const REQUEST_MINT_OVERHEAD_BYTES = 3;

/** Hints of servers and of authors that are followed for one blob, each. */
export const HINTS_MAX = 8;

/** Blobs fetched by hints at one time. */
export const HINT_FETCHES_MAX = 4;

/** How long a fetch by hints may take, in milliseconds. */
export const HINT_FETCH_MS = 10 * 60_000;

/** Blobs that are fetched for who watches them, at one time: a player asks for a few parts ahead. */
export const MEDIA_FETCHES_MAX = 16;

/** How long a fetch goes on when nobody watches, in milliseconds: players that seek come again. */
export const MEDIA_LINGER_MS = 5_000;

/** How often is looked whether what is watched has come, in milliseconds. */
export const MEDIA_POLL_MS = 20;

/** What is read and sent at once of what is watched: small, so that a film starts soon. */
export const MEDIA_PIECE_BYTES = 128 * 1024;

/** The largest collection of which something is played, in bytes: 20,000 parts and their names. */
export const MEDIA_COLLECTION_BYTES_MAX = 2 * 1024 * 1024;

/** Collections whose children are remembered, each of a few MiB at most. */
export const MEDIA_COLLECTIONS_MAX = 8;

assert(TOKEN_CHARS_MAX < HEAD_BYTES_MAX, "a token fits a head");
assert(
  MINT_URL_LENGTH_MAX + REQUEST_MINT_OVERHEAD_BYTES <= REQUEST_MINT_BYTES_MAX,
  "any one mint fits a payment request",
);
