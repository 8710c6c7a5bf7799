/** Limits of melts and of swaps between mints, each with its reason. */

/** Change that is locked up while a payment is under way and still not worth a swap before it, in sat. */
export const OVERSHOOT_SAT_MIN = 64n;

/** The same as a part of what is paid: more than a tenth is worth a swap. */
export const OVERSHOOT_PERCENT_MAX = 10n;

/** A melt is sent only while its quote lasts for this long: the mint and Lightning need some time. */
export const MELT_WINDOW_MS = 5_000;

/**
 * A swap is sent only while both its quotes last for this long. cdk's melt quotes last 120 s by
 * default, so that a wider window would never open.
 */
export const SWAP_WINDOW_MS = 45_000;

/** No narrower window may be asked for: a payment that settles late is stuck at the destination. */
export const SWAP_WINDOW_MS_MIN = 30_000;

/** Tries to prepare what nothing was sent of, before it is given up: with backoff, a quarter of an hour. */
export const PREPARE_TRIES_MAX = 10;

/** New quotes in place of those that went stale before anything was sent. */
export const REQUOTES_MAX = 3;

/** A request whose answer was lost may still be on its way: so long before an unpaid quote is believed. */
export const UNPAID_GRACE_MS = 2_000;

/** Times that the destination is asked whether it was paid, before the source's ecash is taken back. */
export const WITNESS_TRIES_MAX = 5;

/** Times that the same melt is sent to a mint that did not look at it (429). */
export const MELT_SENDS_MAX = 5;

/** Looks for change that a mint owes, before a person is asked: with backoff that is about an hour. */
export const CHANGE_LOOKS_MAX = 12;

/** Looks for change that need not be there, before it is taken to be none. */
export const EMPTY_CHANGE_LOOKS_MIN = 2;

/** Looks for more change than what came, at a mint that does not answer, before that is taken to be all. */
export const UNCONFIRMED_CHANGE_LOOKS_MAX = 3;

/** How long what was paid for may be on its way before people hear of it. */
export const LATE_ALERT_MS = 15 * 60_000;

/** Fee cap of a melt or swap for which none was given: the larger of this many sat … */
export const FEE_MAX_DEFAULT_SAT = 50n;

/** … and this part of the amount. */
export const FEE_MAX_DEFAULT_PERCENT = 5n;
