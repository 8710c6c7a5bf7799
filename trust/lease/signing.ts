/** Signing receipts for leases, and what the signatures on one are worth. */
import type { Bytes } from "../../src/core/bytes.ts";
import {
  areSignatures,
  documentDigest,
  type ReceiptSigner,
  type Side,
  signaturesOf,
} from "../co_signing.ts";
import type { LeaseReceipt, SignedLeaseReceipt } from "./lease_receipt.ts";
import { ONE_SIDED_WORTH_PERMILLE } from "./limits.ts";

/** Tag of what both sign. */
const LEASE_TAG = "seedmint/receipt/lease/v1";

/** Who stands behind a receipt; `none` when any signature on it is wrong. */
export type Standing = "both" | "provider" | "consumer" | "none";

/** What is signed of a receipt: the tagged hash (BIP-340) of its canonical JSON. */
export function leaseReceiptDigest(receipt: LeaseReceipt): Bytes {
  return documentDigest(LEASE_TAG, receipt);
}

/**
 * Adds the word of one side. What the other signed has been verified by the caller.
 *
 * @throws {TypeError} If the secret is not that of the side.
 */
export function signLeaseReceipt(
  signed: SignedLeaseReceipt | { readonly receipt: LeaseReceipt },
  by: { readonly side: Side; readonly signer: ReceiptSigner },
): SignedLeaseReceipt {
  return { ...signed, ...signaturesOf(signed.receipt, LEASE_TAG, by) };
}

/** Whether everyone in `by` signed, and every other signature is right, too. Never throws. */
export function verifyLeaseReceipt(signed: SignedLeaseReceipt, by: readonly Side[]): boolean {
  return areSignatures(signed.receipt, LEASE_TAG, { ...signed, by });
}

/** Who stands behind a receipt. Never throws. */
export function standingOf(signed: SignedLeaseReceipt): Standing {
  if (!verifyLeaseReceipt(signed, [])) return "none";
  const { providerSig, consumerSig } = signed;
  if (providerSig !== undefined) return consumerSig === undefined ? "provider" : "both";
  return consumerSig === undefined ? "none" : "consumer";
}

/** What a receipt is worth beside one that both signed, in parts of a thousand. */
export function worthPermille(standing: Standing): number {
  if (standing === "both") return 1000;
  return standing === "none" ? 0 : ONE_SIDED_WORTH_PERMILLE;
}
