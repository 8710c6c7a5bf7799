/** Limits of the operations, each with its reason. */

/** Operations driven at a time: stock mints allow about one request a second from one address. */
export const ENGINE_CONCURRENCY = 8;

/** Times in a row that others may move an operation before its driver gives way. */
export const STALE_IN_A_ROW_MAX = 50;

/** Plans of one exchange that a mint may refuse before a person looks. */
export const PLAN_ROUNDS_MAX = 8;

/** Look at an invoice for so long after it expired: it may have been paid in its last second. */
export const LATE_PAYMENT_MS = 60 * 60_000;

/** Look at an invoice for so long at most, whatever expiry it names, or none. */
export const UNEXPIRING_WATCH_MS = 7 * 24 * 60 * 60_000;

/** Refund only so long after the locktime, for the mint's clock decides and may be behind. */
export const LOCKTIME_SKEW_MS = 60_000;

/** Counters of NUT-13 asked for in one restore request. */
export const RESTORE_BATCH = 100;

/** Counters in a row without a signature after which a keyset is taken to be scanned. */
export const RESTORE_GAP = 300;

/** Most counters scanned of one keyset: 200,000 signatures, some hours. */
export const RESTORE_COUNTER_MAX = 200_000;

/** Times that ecash found pending is looked at again before the restore ends without it. */
export const RESTORE_PENDING_LOOKS_MAX = 12;

/** How long a token is locked to its receiver when nobody says: long enough to be away for a weekend. */
export const LOCKTIME_DEFAULT_S = 7 * 24 * 60 * 60;

/** Tries to get an invoice: somebody is waiting to pay it, and must not wait in vain. */
export const QUOTE_TRIES_MAX = 5;

/** Tries to read a keyset whose answers make no sense, before a restore goes on with the others. */
export const RESTORE_KEYSET_TRIES_MAX = 4;

/** Most top-ups made in one swap: a gigabyte takes about as many, and 60 outputs are signed at once. */
export const STRIP_PARTS_MAX = 30;

/** Most proofs redeemed in one swap: a hundred payments of three, 300 KiB; stock mints take a thousand. */
export const REDEEM_INPUTS_MAX = 320;

/**
 * How long nothing is bought of a seller that cheated: the first time, the second, and so on; the last for
 * every time after. An accident costs an honest seller little, and who lives by cheating is met once a
 * week; longer would not be of use, since addresses change hands.
 */
export const AVOID_MS: readonly number[] = [1, 4, 24, 7 * 24].map((hours) => hours * 3_600_000);

/** Looks for the change of a channel before a person is told: a mint may be behind for a while. */
export const CHANGE_TRIES_MAX = 20;

/** Looks after which change of a balance is taken that this wallet does not know: it may be a part of it. */
export const UNKNOWN_TRIES = 3;
