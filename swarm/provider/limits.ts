/** Limits of serving, each with its reason. The operator may change those of {@link ProviderLimits}. */

import { assert } from "../../src/core/assert.ts";

/** What one provider gives at most. `Infinity` for a rate means that nothing is held back. */
export interface ProviderLimits {
  /** Open streams of one peer: its scheduler needs a handful, a fleet gateway some dozens. */
  readonly streamsPerPeerMax: number;
  /** Open streams of all peers together. */
  readonly streamsMax: number;
  /** Wants of one peer that are answered at one time; more are told `busy`. */
  readonly requestsPerPeerMax: number;
  /** Wants of all peers that are answered at one time: each holds 2 to 3 MiB of a large blob. */
  readonly requestsMax: number;
  /** Payload bytes per second to one peer, over both data paths. */
  readonly bytesPerSecondPerPeer: number;
  /** Payload bytes per second to all peers. */
  readonly bytesPerSecond: number;
  /** Blobs that one peer may ask about per second, in `want` and `have`. */
  readonly lookupsPerSecondPerPeer: number;
  /** Milliseconds from the opening of a stream to its first whole message. */
  readonly firstMessageMs: number;
  /** Milliseconds that a stream may stay open between an answer and the next message. */
  readonly idleMs: number;
  /** Milliseconds that a reader may take to make any room. */
  readonly stallMs: number;
  /** A reader that takes fewer bytes per second while we wait for it is dropped. */
  readonly readerBytesPerSecondMin: number;
  /** Payments of one peer that are checked at one time; more are told `busy`. */
  readonly paymentsPerPeerMax: number;
  /** Payments of all peers that are checked at one time: each may hold one of `requestsMax`. */
  readonly paymentsMax: number;
  /** Answers to one peer that wait for a top-up at one time; one more fails with `unpaid` at once. */
  readonly unpaidPerPeerMax: number;
  /** Answers to all peers that wait for a top-up: with `paymentsMax` less than `requestsMax` by far. */
  readonly unpaidMax: number;
  /** Milliseconds that an answer whose credit is used up waits for a top-up: a slow mint's swap fits. */
  readonly unpaidMs: number;
}

/** The limits of a node whose operator set none. */
export const PROVIDER_LIMITS: ProviderLimits = {
  streamsPerPeerMax: 64,
  streamsMax: 1024,
  requestsPerPeerMax: 32,
  requestsMax: 128,
  bytesPerSecondPerPeer: Infinity,
  bytesPerSecond: Infinity,
  lookupsPerSecondPerPeer: 20_000,
  firstMessageMs: 10_000,
  idleMs: 30_000,
  stallMs: 20_000,
  readerBytesPerSecondMin: 2048,
  paymentsPerPeerMax: 8,
  paymentsMax: 32,
  unpaidPerPeerMax: 8,
  unpaidMax: 48,
  unpaidMs: 20_000,
};

/**
 * The part of the payments checked at one time that is kept for who has paid before: strangers whose
 * mints are slow end no stream that is paid for.
 */
export const KNOWN_PAYERS_SHARE = 0.25;

/** Payments that wait, or are checked, of peers that had some refused: each may hold a request, too. */
export const DISTRUSTED_MAX = 16;

/** The same, of one peer: it may prove itself with one at a time. */
export const DISTRUSTED_PER_PEER_MAX = 1;

const { paymentsMax, unpaidMax, requestsMax } = PROVIDER_LIMITS;
assert(
  paymentsMax + DISTRUSTED_MAX + unpaidMax <= requestsMax * 0.75,
  "who waits for money leaves room for who needs none",
);

/** How long we waited for a reader before its rate is judged, in milliseconds. */
export const READER_JUDGED_AFTER_MS = 20_000;

/** What a rate limit may save up, as a part of a second: small, so that the rate is even. */
export const BURST_SECONDS = 0.25;

/** The least burst of a rate limit in bytes: a first chunk group and its parents always go. */
export const BURST_BYTES_MIN = 64 * 1024;

/** What is sent at once under a rate limit, as a part of a second: requesters give up after two. */
export const SLICE_SECONDS = 0.125;

/** The least that is sent at once under a rate limit. */
export const SLICE_BYTES_MIN = 16 * 1024;

/** Peers without a stream whose buckets are remembered, so that reconnecting refills none. */
export const IDLE_ACCOUNTS_MAX = 4096;

/** When a peer that was told `busy` is asked to come again, in milliseconds. */
export const BUSY_RETRY_MS = 500;

/** Lookups of one `have` between two turns of the event loop. */
export const LOOKUPS_PER_TURN = 128;

/** Small children that are read at once. */
export const SMALL_CHILDREN_PER_BATCH = 128;

/** Children of collections that stay decoded, over all collections. */
export const CACHED_CHILDREN_MAX = 200_000;

/** Requests of a stream that are read while an answer is under way; then nothing more is read. */
export const REQUESTS_AHEAD_MAX = 8;

/** Bytes of such requests, as they came: the last may go beyond, so that any one fits. */
export const REQUESTS_AHEAD_BYTES_MAX = 16 * 1024;

/** Payments of a stream that are checked at one time; then nothing more is read of it. */
export const STREAM_PAYMENTS_MAX = 4;

/** How long the check of a payment may take until the payer is told `pending`, in milliseconds. */
export const PAYMENT_ANSWER_MS = 10_000;

/** When a payer that was told `pending` is asked to come again, in milliseconds. */
export const PENDING_RETRY_MS = 2_000;

/** Refused payments of one peer per second; what comes faster waits, before it costs anything. */
export const REFUSALS_PER_SECOND = 1;

/** Refused payments that a peer may have before it is slowed: honest mistakes come in a few. */
export const REFUSALS_BURST = 8;

/** Receipts that one peer may ask for or hand in per second: each costs signatures. */
export const RECEIPTS_PER_SECOND = 2;

/** Receipts that a peer may ask for at once: it ends a few fetches at one time. */
export const RECEIPTS_BURST = 8;

/** The pause after credit came and another answer took it first, in milliseconds. */
export const LOST_RACE_MS = 10;

/** Charged small children that are remembered before those that were sent are looked for. */
export const UNSENT_GROUPS_KEPT = 4096;

/** How long an answer waits for money until it says so once more, in milliseconds. */
export const LOW_AGAIN_MS = 1_000;
