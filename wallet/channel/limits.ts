/** Limits of channels, each with its reason. */

/** Version of the messages, which terms of payment name. */
export const CHANNEL_VERSION = 1;

/** How messages of payment channels begin. */
export const CHANNEL_PREFIX = "channel1:";

/** Longest message taken, in characters: 16 funding proofs are about 8,000. */
export const CHANNEL_CHARS_MAX = 16_384;

/** Most funding proofs: each takes the seller about 3 ms to verify. */
export const FUNDING_PROOFS_MAX = 16;

/** Above this fee for each input, in thousandths of a sat, small outputs are worth nothing. */
export const FEE_PPK_MAX = 999;

/** Top-ups that are expected from which on a channel is worth its three swaps: more than one strip. */
export const CHANNEL_TOP_UPS_MIN = 31;

/** Most sat in one channel: what its seller declares to risk with one payer until it is closed. */
export const CHANNEL_SAT_MAX = 20_000n;

/** How long it is remembered what a payer may owe in a channel: it is asked with every request. */
export const ALLOWANCE_MS = 10_000;

/** Payers for which that is remembered. */
export const ALLOWANCES_KEPT_MAX = 1_000;

/** Balances signed in one channel at most; each is a row on both sides. */
export const CHANNEL_UPDATES_MAX = 4_096;

/** Channels of one payer that are open at a time: the one in use and the one that follows it. */
export const CHANNELS_PER_PAYER_MAX = 2;

/** Channels of all payers that are open at a time. */
export const CHANNELS_MAX = 1_000;

/** A seller closes a channel that nothing came in for so long. */
export const CHANNEL_IDLE_MS = 10 * 60_000;

/** A buyer signs nothing more in a channel that it left alone for so long: its seller may be closing it. */
export const CHANNEL_REUSE_MS = 5 * 60_000;

/** The seller closes so long before the expiry; a mint that is away for an hour costs it nothing. */
export const CHANNEL_MARGIN_MS = 70 * 60_000;

/** What must be left between opening a channel and its close, at least. */
export const CHANNEL_USE_MS = 5 * 60_000;

/** How often the seller looks whether the mint still signs with the channel's keyset. */
export const CHANNEL_LOOK_MS = 5 * 60_000;

/** How often the buyer looks whether the seller has closed. */
export const CHANGE_LOOK_MS = 15 * 60_000;

/** A buyer begins the next channel when less than one part in so many of it is left. */
export const ROLLOVER_PART = 5n;
