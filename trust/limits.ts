/** How much there may be of each thing, with the reason. */

/** Characters of a receipt with its signatures: what one message of the swarm's protocol may carry. */
export const RECEIPT_CHARS_MAX: number = 16 * 1024;

/** Proofs that one receipt names by their Y; the payments beyond are named by their ids. */
export const EVIDENCE_YS_MAX = 96;

/** Payments that one receipt names by their id; those beyond are only counted. */
export const EVIDENCE_IDS_MAX = 160;

/** Mints that one receipt names: a seller takes few. */
export const EVIDENCE_MINTS_MAX = 8;

/** Characters of a mint's URL in a receipt; a payment at a mint with a longer one is only counted. */
export const MINT_URL_CHARS_MAX = 200;

/** Characters of a peer id: an Ed25519 one has 52. */
export const PEER_ID_CHARS_MAX = 64;

/** Bytes of the salt in a commitment: nobody guesses the content by trying known addresses. */
export const SALT_BYTES = 32;

/** Levels of arrays and objects in canonical JSON: what we sign is flat. */
export const CANONICAL_DEPTH_MAX = 32;

/** Receipts kept, of both roles together; the oldest go first. Typical ones have 1 to 2 KiB. */
export const RECEIPTS_KEPT_MAX = 16_384;

/** Proofs and payments remembered so that none is named twice: more than the receipts kept name in practice. */
export const EVIDENCE_KEPT_MAX = 524_288;

/**
 * Pairs of peer and content whose receipts' sums are kept; those that moved least lately go first. What is
 * delivered of such a pair later counts from its start again, in a receipt that names no payment again.
 */
export const COVERED_MAX = 65_536;

/** Receipts that were signed and not countersigned yet; the oldest are written off first. */
export const DRAFTS_MAX = 4096;

/**
 * How long what one receipt says may be asked for again, in seconds. What nobody countersigned until then
 * is in no later receipt: a consumer that lost its books must not be stuck with it for ever.
 */
export const DRAFT_S: number = 60 * 60;

/** Requests whose answer a consumer waits for at one time. */
export const PENDING_MAX = 256;

/** Between the clocks of both sides, in seconds. */
export const CLOCK_SKEW_S: number = 10 * 60;

/** What a provider may have counted otherwise than its consumer: what was under way when streams ended, */
export const TOLERANCE_BYTES: number = 8 * 1024 * 1024;

/** and what was sent twice because another source was faster, in parts of a thousand. */
export const TOLERANCE_PERMILLE = 50;

/** Rounding to whole msat on both sides, over all that was ever paid. */
export const TOLERANCE_MSAT = 1000;

/** Receipts that one listing gives at most. */
export const LIST_MAX = 1000;
