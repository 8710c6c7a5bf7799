/** How much there may be of each thing, with the reason. */

/** Characters of a receipt with its signatures: what an answer of the wire carries, less its frame. */
export const LEASE_RECEIPT_CHARS_MAX: number = 8 * 1024 - 512;

/** Proofs that the payments of one receipt name by their Y: first payment and top-ups of some months. */
export const LEASE_YS_MAX = 64;

/** Payments that are named by their id when their proofs are not. */
export const LEASE_IDS_MAX = 24;

/** Mints of the payments of one lease. */
export const LEASE_MINTS_MAX = 4;

/** Bytes of the salt in a commitment: nobody guesses the image by trying known ones. */
export const LEASE_SALT_BYTES = 32;

/** Between the clocks of both sides, in seconds. */
export const LEASE_SKEW_S: number = 10 * 60;

/**
 * What a provider may have charged beyond the time that the lessee saw, in seconds: between the machine's
 * answering and the lessee's hearing of it, and between the wish to stop and its arrival.
 */
export const LEASE_SLACK_S = 120;

/** What may be neither charged nor paid back, in msat, while both sides still agree: parts of a sat. */
export const LEASE_DUST_MSAT = 2000;

/** What a mint may take for one proof when a payment is redeemed, in sat; beyond it one sat a payment. */
export const FEE_SAT_PER_PROOF_MAX = 1;

/** Proofs of a payment whose token is not known any more: as many as wallets make of large amounts. */
export const PROOFS_UNKNOWN = 16;

/** How long a side has to sign what the other signed, in seconds; then the receipt stays one-sided. */
export const LEASE_REFUSAL_S: number = 24 * 60 * 60;

/** Receipts kept of both roles together, about 3 KiB each; the oldest go first. */
export const LEASE_RECEIPTS_KEPT_MAX = 16_384;

/** Characters of why a receipt was not signed. */
export const REASON_CHARS_MAX = 240;

/** What a receipt that one side alone signed is worth beside one of both, in parts of a thousand. */
export const ONE_SIDED_WORTH_PERMILLE = 200;

/** The newest receipts of a provider that its score is made of: what was long ago says little of today. */
export const SCORE_RECEIPTS_MAX = 32;

/** How many leases that lasted make up for one that took the money and gave less than half of it. */
export const SCORE_LOSS_FACTOR = 5;

/** Doubt beside what is known of a provider, as much as one receipt that both signed: one says little. */
export const SCORE_DOUBT = 1000;
