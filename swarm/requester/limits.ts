/** Limits of asking, each with its reason. */

/** Streams to one peer that are kept for the next request. */
export const IDLE_LINES_MAX = 8;

/** A stream that was idle for this long is not used again: the provider may be closing it. */
export const LINE_IDLE_MS = 20_000;

/** Small children that are stored in one transaction. */
export const SMALL_BATCH_COUNT_MAX = 512;

/** Bytes of small children that are stored in one transaction. */
export const SMALL_BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** The least payload for which the direct path is used: below, its set-up costs more. */
export const DIRECT_BYTES_MIN = 1024 * 1024;

/** How long the direct address may take to answer before the stream is used, in milliseconds. */
export const DIRECT_ANSWER_MS = 300;

/** How long a peer whose direct path failed is not asked for it, in milliseconds. */
export const DIRECT_PAUSE_MS = 60_000;

/** How much faster the stream must have been before the direct path is left aside. */
export const DIRECT_SLOWER_FACTOR = 1.15;

/** The weight of the newest transfer in a path's remembered rate. */
export const RATE_WEIGHT = 0.3;

/** Transfers of fewer bytes say nothing about a path's rate. */
export const MEASURED_BYTES_MIN = 1024 * 1024;

/** Bytes after which a path that is never idle is measured all the same. */
export const MEASURED_BYTES_DUE = 32 * 1024 * 1024;

/** Peers whose paths are remembered. */
export const PATHS_REMEMBERED_MAX = 1024;

/** Direct sessions with one peer that are kept, one per blob. */
export const DIRECT_SESSIONS_MAX = 32;

/** What a seller is taken to ask at least at a time, when its advert does not say, in sat. */
export const TOP_UP_DEFAULT_SAT_MIN = 64;

/** The same in MiB of content; the larger of both counts, as with our own sellers. */
export const TOP_UP_DEFAULT_MIB = 32;

/** Minutes for which payments stay the seller's, when its advert does not say: what ours ask. */
export const LOCKTIME_DEFAULT_MIN = 90;

/** Wants of one request between two credited payments: without, with, and after corrections. */
export const WANTS_PER_REQUEST_MAX = 5;

/**
 * How long a request waits, each time it is asked for money that is not due, in milliseconds: bytes
 * that its seller counted already are on their way to others.
 */
export const CREDIT_WAIT_MS = 1_000;

/** After so long without a verified byte or a credited payment, nothing is on its way any more. */
export const CREDIT_FLOW_MS = 2_000;

/**
 * How long requests wait, once nothing is left and no more is paid, for bytes that are on their way: the
 * seller itself would wait twenty seconds for money that does not come.
 */
export const DRY_END_MS = 500;

/** Payments that a seller may refuse in one fetch, one after another: it has what it refuses. */
export const REFUSED_PAYMENTS_MAX = 3;

/** Sessions opened with one seller in one fetch: prices change now and then, not all the time. */
export const SESSIONS_MAX = 4;

/** How long a payment may take to be answered, in milliseconds: a seller says `pending` after ten. */
export const PAYMENT_ANSWER_MS = 15_000;

/** Streams on which one payment is tried before it counts as undeliverable. */
export const PAYMENT_LINES_MAX = 3;

/** Times that a refund is asked for while its seller says that it is being made. */
export const REFUND_QUESTIONS_MAX = 10;

/** Answers in a row that do not credit, after which no more is paid until something changes. */
export const FRUITLESS_PAYMENTS_MAX = 8;

/** The longest pause before a payment is asked about again, whatever the seller says. */
export const PAYMENT_RETRY_MS_MAX = 10_000;

/** The shortest such pause. */
export const PAYMENT_RETRY_MS_MIN = 20;

/** How long nothing more is tried after a payment that could not be made or brought, in milliseconds. */
export const TROUBLE_PAUSE_MS = 1_000;

/** Direct answers that may end early for want of money before the path itself is blamed. */
export const UNPAID_DIRECT_MAX = 2;

/** Small paid children are verified after this part of a least payment: what is held back is unused. */
export const PAID_BATCH_PART = 8;

/** What was bought is made last each time this part of a least payment more is: a crash loses the rest. */
export const SAVED_PART = 4;

/** How long the end of a session may take, the receipt included, in milliseconds. */
export const CLOSING_MS = 2_000;
