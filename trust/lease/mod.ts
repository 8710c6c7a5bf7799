/**
 * Receipts for leases: how long a provider's machine was a consumer's, what it cost, what was paid with
 * and paid back, and how it ended. Vocabulary: a provider's _account_ and a lessee's say what their own
 * books have; an _offer_ is a receipt that the provider signed; it is _agreed_ once both did; what only
 * one side signed is _one-sided_, is worth less and is never published; a _paper_ is what travels. A
 * lease has one receipt, known by the lease's id.
 *
 * Texts that are signed: the tagged hash (BIP-340) of the canonical JSON of `receipt` with the tag
 * `seedmint/receipt/lease/v1`, and `seedmint/receipt/publish/v1` for the consent to publish. A tier's hash
 * is SHA-256(`seedmint/receipt/tier/v1` ‖ its canonical JSON); the commitment to an image is
 * SHA-256(`seedmint/receipt/image/v1` ‖ 32 bytes of salt ‖ 32 bytes of digest).
 *
 * May import: `src/core`, `src/nostr`, `src/sqlite`, the folder above.
 */
export type { LesseeAccount, MadePayment, ProviderAccount } from "./accounts.ts";
export { type LesseeView, lieIn } from "./check_lease.ts";
export { type Count, countOnce, type Uncounted } from "./count_once.ts";
export {
  LEASE_ENDS,
  type LeaseEnd,
  leaseEvidenceKeys,
  type LeaseReceipt,
  leaseReceiptIdOf,
  readLeaseReceipt,
  type SignedLeaseReceipt,
  writeLeaseReceipt,
} from "./lease_receipt.ts";
export type {
  KeptLeaseReceipt,
  LeaseReceiptFilter,
  LeaseReceiptState,
  LeaseReceiptTable,
} from "./lease_receipt_table.ts";
export {
  type LeaseExchange,
  LesseeLeases,
  type LesseeLeasesOptions,
  type ProviderWord,
} from "./lessee_leases.ts";
export { type LeasePaper, readLeasePaper, writeLeasePaper } from "./paper.ts";
export { type Keeping, ProviderLeases, type ProviderLeasesOptions } from "./provider_leases.ts";
export { LeaseScores, providerScore } from "./provider_scores.ts";
export {
  LEASE_RECEIPT_KIND,
  LEASE_RECEIPT_TOPIC,
  leasePublicationOf,
  readLeasePublication,
} from "./publication.ts";
export {
  leaseReceiptDigest,
  signLeaseReceipt,
  type Standing,
  standingOf,
  verifyLeaseReceipt,
  worthPermille,
} from "./signing.ts";
export {
  imageCommitment,
  type ImageOpening,
  opensImage,
  tierHash,
  type TierTerms,
} from "./terms.ts";
