/**
 * Trust: what can be proven afterwards, and whose word counts. `root` says who may sign catalogs, `catalog`
 * what is signed, `follow` how a node follows it; `lease` has the receipts for rented machines. The rest is
 * about receipts for bytes. Vocabulary: a receipt says how many bytes a provider delivered to a consumer and
 * what it was paid; both sign it with their Nostr keys (BIP-340) over the canonical JSON (RFC 8785) of all
 * its fields; its evidence names the payments, each proof by its Y; a commitment stands in it for what was
 * bought, and only the consumer can open it; a publication is a receipt in a Nostr event of kind 31081,
 * which both must let happen. A provider's draft is what it signed and nobody countersigned yet.
 *
 * Texts that are signed: SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ canonical JSON of `receipt`) with the tag
 * `seedmint/receipt/bytes/v1`, and `seedmint/receipt/publish/v1` for the consent to publish. A commitment
 * is SHA-256(`seedmint/receipt/root/v1` ‖ 32 bytes of salt ‖ 32 bytes of the BLAKE3 address).
 *
 * May import: `src/core`, `src/sqlite`, `src/nostr`.
 */
export * as catalog from "./catalog/mod.ts";
export * as follow from "./follow/mod.ts";
export * as lease from "./lease/mod.ts";
export * as root from "./root/mod.ts";
export type { Delivered, DeliveryBooks, Paid, Payment, PurchaseBooks } from "./books.ts";
export { canonicalJson, parseCanonicalJson } from "./canonical_json.ts";
export { commitmentOf, type Opening, opensCommitment } from "./commitment.ts";
export {
  ConsumerReceipts,
  type ConsumerReceiptsOptions,
  type Purchased,
} from "./consumer_receipts.ts";
export {
  ProviderReceipts,
  type ProviderReceiptsOptions,
  type ReceiptQuestion,
} from "./provider_receipts.ts";
export { publicationOf, readPublication, RECEIPT_KIND, RECEIPT_TOPIC } from "./publication.ts";
export {
  type ByteReceipt,
  evidenceKeys,
  type MintEvidence,
  readReceipt,
  type SignedReceipt,
  writeReceipt,
} from "./receipt.ts";
export {
  consentDigest,
  countersignReceipt,
  isConsentedByBoth,
  receiptDigest,
  type ReceiptSigner,
  signReceipt,
  verifyReceipt,
} from "./receipt_signing.ts";
export {
  type KeptReceipt,
  type ReceiptFilter,
  type ReceiptRole,
  ReceiptStore,
} from "./receipt_store.ts";
