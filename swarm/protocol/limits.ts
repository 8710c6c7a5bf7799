/** Limits of the wire: every length and count that a peer can send has one here. */
import { assert } from "../../src/core/assert.ts";

/** The protocol's name as libp2p negotiates it. */
export const BLOBS_PROTOCOL = "/seedmint/blobs/1";

/** The most payload bytes of one data frame: large, so that a frame costs nothing per byte. */
export const DATA_FRAME_BYTES_MAX = 1024 * 1024;

/** Gathers pieces of an encoding up to this size into one frame. */
export const DATA_FRAME_BYTES_TARGET = 256 * 1024;

/** The most boundaries of a range set in `want`: 2,048 separate runs of chunk groups or children. */
export const WANT_BOUNDARIES_MAX = 4096;

/** The most hashes in one `have`. */
export const HAVE_HASHES_MAX = 1024;

/** The most boundaries told of one blob in `holdings`; more runs than that are left out. */
export const HOLDING_BOUNDARIES_MAX = 4096;

/** The most boundaries in one `holdings` message over all its blobs. */
export const HOLDINGS_BOUNDARIES_MAX = 16_384;

/** The most mints in `payment-required`. */
export const MINTS_MAX = 32;

/** The most characters of one mint's URL. */
export const MINT_URL_LENGTH_MAX = 256;

/** The most characters of a payment's token: about 100 proofs. */
export const TOKEN_LENGTH_MAX = 32 * 1024;

/** The bytes of a payment's id and of a direct session's id. */
export const ID_BYTES = 16;

/** The bytes of a Nostr key: the x of a secp256k1 point. */
export const NOSTR_KEY_BYTES = 32;

/** The bytes of a receipt's commitment: a SHA-256. */
export const COMMITMENT_BYTES = 32;

/** The most characters of a receipt as JSON, with the ids of some hundred payments. */
export const RECEIPT_LENGTH_MAX = 16 * 1024;

/** The bytes of the key of a direct session. */
export const DIRECT_KEY_BYTES = 32;

/** The most characters of a `denied` or `failed` code. */
export const CODE_LENGTH_MAX = 32;

/** The most bytes of any message that a requester sends: a `want` with all its ranges and a token. */
export const REQUEST_MESSAGE_BYTES_MAX = 128 * 1024;

/** The most bytes of any message that a provider sends: a `holdings` with all its ranges. */
export const RESPONSE_MESSAGE_BYTES_MAX = 320 * 1024;

/** The most bytes of each message by its type. */
export const MESSAGE_BYTES_MAX = {
  want: REQUEST_MESSAGE_BYTES_MAX,
  have: 48 * 1024,
  "top-up": TOKEN_LENGTH_MAX + 1024,
  granted: 48 * 1024,
  "payment-required": 16 * 1024,
  pending: 256,
  credited: 256,
  refused: 256,
  "receipt-ask": 256,
  receipt: RECEIPT_LENGTH_MAX + 64,
  "refund-ask": 64,
  refund: TOKEN_LENGTH_MAX + 64,
  denied: 256,
  "not-found": 64,
  low: 64,
  missing: 48 * 1024,
  end: 64,
  failed: 256,
  holdings: RESPONSE_MESSAGE_BYTES_MAX,
} as const;

// A boundary takes at most 9 bytes, a hash 34, an entry's frame some 40.
assert(
  2 * WANT_BOUNDARIES_MAX * 9 + TOKEN_LENGTH_MAX + 2048 <= REQUEST_MESSAGE_BYTES_MAX,
  "a want with every range and a token fits its limit",
);
assert(HAVE_HASHES_MAX * 40 + 1024 <= MESSAGE_BYTES_MAX.have, "a full have fits its limit");
assert(
  HOLDINGS_BOUNDARIES_MAX * 9 + HAVE_HASHES_MAX * 100 <= RESPONSE_MESSAGE_BYTES_MAX,
  "a full holdings fits its limit",
);
assert(
  WANT_BOUNDARIES_MAX * 9 + 1024 <= MESSAGE_BYTES_MAX.granted,
  "a full granted fits its limit",
);
