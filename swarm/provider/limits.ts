/** Limits of serving, each with its reason. The operator may change those of {@link ProviderLimits}. */

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
};

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
