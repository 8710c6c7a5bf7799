/**
 * Which receipts count: those that both sides signed, each lease once, each proof of payment once. A pure
 * function of the set: the same receipts in any order, however often, give the same.
 */
import { leaseEvidenceKeys, type SignedLeaseReceipt, writeLeaseReceipt } from "./lease_receipt.ts";
import { leaseReceiptDigest, verifyLeaseReceipt } from "./signing.ts";

/** Why a receipt does not count. */
export type Uncounted =
  /** A signature is missing or wrong. */
  | "not-signed-by-both"
  /** There is another receipt of this lease. */
  | "same-lease"
  /** It names a proof or a payment that another receipt named. */
  | "same-payment";

/** What counts, and what does not. */
export interface Count {
  readonly counted: readonly SignedLeaseReceipt[];
  readonly uncounted: readonly { readonly signed: SignedLeaseReceipt; readonly why: Uncounted }[];
}

/** Counts receipts. Of two that exclude each other the one that ended first counts. Never throws. */
export function countOnce(receipts: Iterable<SignedLeaseReceipt>): Count {
  const byText = new Map<string, SignedLeaseReceipt>();
  for (const signed of receipts) byText.set(textOf(signed), signed);
  const ordered = [...byText].map(([text, signed]) => ({ text, signed }))
    .sort((a, b) => a.signed.receipt.toS - b.signed.receipt.toS || (a.text < b.text ? -1 : 1));
  const counted: SignedLeaseReceipt[] = [];
  const uncounted: { signed: SignedLeaseReceipt; why: Uncounted }[] = [];
  const leases = new Set<string>();
  const payments = new Set<string>();
  for (const { signed } of ordered) {
    const { receipt } = signed;
    const keys = leaseEvidenceKeys(receipt);
    const why = whyNot(signed, leases.has(receipt.lease), keys.some((key) => payments.has(key)));
    if (why !== undefined) {
      uncounted.push({ signed, why });
      continue;
    }
    leases.add(receipt.lease);
    for (const key of keys) payments.add(key);
    counted.push(signed);
  }
  return { counted, uncounted };
}

function whyNot(
  signed: SignedLeaseReceipt,
  isSameLease: boolean,
  isSamePayment: boolean,
): Uncounted | undefined {
  if (!verifyLeaseReceipt(signed, ["provider", "consumer"])) return "not-signed-by-both";
  if (isSameLease) return "same-lease";
  return isSamePayment ? "same-payment" : undefined;
}

/** What is signed, first: with or without consents it is one receipt. */
function textOf(signed: SignedLeaseReceipt): string {
  return leaseReceiptDigest(signed.receipt).toHex() + writeLeaseReceipt(signed);
}
