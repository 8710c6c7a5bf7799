/** Limits of selling, each with its reason. */

/** The least that one payment must be unless a service says more, in sat: below, fees eat it. */
export const TOP_UP_MIN_SAT = 64;

/** Content that one payment should last for, in MiB: a stock mint takes 20 transactions a minute. */
export const TOP_UP_MIB = 32;

/** Highest least payment, in sat: what one slice of credit is at most, and a number holds exactly. */
export const TOP_UP_MAX_SAT = 1_000_000;

/** Highest price, in msat per MiB: 10,000 sat; a slip of a finger and no price is above it. */
export const PRICE_MAX_MSAT_PER_MIB = 10_000_000;

/**
 * The least minutes until a payer may take an unused payment back: an hour to redeem it, ten minutes
 * that clocks may differ by, and twenty that it was made ahead of its use.
 */
export const LOCKTIME_MIN = 90;

/** Most mints in an offer: what one message of the swarm holds. */
export const OFFERED_MINTS_MAX = 32;

/** Longest address of a mint in an offer, in characters, for the same reason. */
export const OFFERED_MINT_CHARS_MAX = 256;

/** How long the list of mints is taken from memory: it changes when the operator changes it. */
export const MINTS_AGE_MS = 2_000;

/** How long an answer to a payment is waited for before its payer is told to ask again. */
export const PAY_WAIT_MS = 2_500;

/** When a payer asks again for a payment that waits for its redemption. */
export const PENDING_RETRY_MS = 1_000;

/** When a payment that was refused for something that passes may come again. */
export const BUSY_RETRY_MS = 2_000;

/** The same, when the mint or a limit on what is held must change first. */
export const LATER_RETRY_MS = 30_000;

/** Payments that are looked at, of one payer: whoever sends more is told to wait. */
export const IN_HAND_PER_PAYER_MAX = 4;

/** Payments that are looked at, of all payers. */
export const IN_HAND_MAX = 512;

/** The same, when none of those that are looked at last may be of somebody who never paid. */
export const IN_HAND_STRANGERS_MAX = 256;

/** Refusals kept by payer and payment id, so that a question is answered as the payment was. */
export const REFUSALS_KEPT_MAX = 4_096;

/** How long what is left of a slice stays drawn after the last answer, for the next one. */
export const LINGER_MS = 1_000;

/** How long credit that nobody uses is kept. */
export const CREDIT_KEPT_MS = 7 * 24 * 3_600_000;

/** The least that is paid back, in sat: below, it costs its payer more than it is worth. */
export const REFUND_MIN_SAT = 32n;

/** Refunds begun in an hour, of all payers: each takes a transaction at a mint. */
export const REFUNDS_PER_HOUR_MAX = 30;

/** How often credit is looked at that nobody uses. */
export const EXPIRY_ROUND_MS = 3_600_000;

/** Accounts expired in one transaction. */
export const EXPIRY_BATCH = 200;

/** Fee that a refund may cost its seller, in sat. */
export const REFUND_FEE_MAX_SAT = 8n;
