/** Signing receipts for bytes and checking who signed. */
import type { Bytes } from "../src/core/bytes.ts";
import { areSignatures, documentDigest, type ReceiptSigner, signaturesOf } from "./co_signing.ts";
import type { ByteReceipt, SignedReceipt } from "./receipt.ts";

export { consentDigest, isConsentedByBoth, type ReceiptSigner } from "./co_signing.ts";

/** Tag of what both sign. */
const RECEIPT_TAG = "seedmint/receipt/bytes/v1";

/** What is signed of a receipt: the tagged hash (BIP-340) of its canonical JSON. */
export function receiptDigest(receipt: ByteReceipt): Bytes {
  return documentDigest(RECEIPT_TAG, receipt);
}

/**
 * The provider's word.
 *
 * @throws {TypeError} If the secret is not that of the receipt's provider.
 */
export function signReceipt(receipt: ByteReceipt, signer: ReceiptSigner): SignedReceipt {
  const signatures = signaturesOf(receipt, RECEIPT_TAG, { side: "provider", signer });
  return { receipt, ...signatures } as SignedReceipt;
}

/**
 * The consumer's word added to the provider's, which the caller has verified.
 *
 * @throws {TypeError} If the secret is not that of the receipt's consumer.
 */
export function countersignReceipt(signed: SignedReceipt, signer: ReceiptSigner): SignedReceipt {
  return {
    ...signed,
    ...signaturesOf(signed.receipt, RECEIPT_TAG, { side: "consumer", signer }),
  };
}

/**
 * Whether the provider, or both, signed what the receipt says, and every other signature in it is right,
 * too. Costs a few milliseconds. Never throws.
 */
export function verifyReceipt(signed: SignedReceipt, by: "provider" | "both"): boolean {
  const sides = by === "both" ? ["provider", "consumer"] as const : ["provider"] as const;
  return areSignatures(signed.receipt, RECEIPT_TAG, { ...signed, by: sides });
}
