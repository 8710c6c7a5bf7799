/**
 * Receipts for leases in public: Nostr events of kind 31082. Either side may publish one that both signed
 * and both let be published; its address (author and `d`, the lease's id) keeps one copy of each author.
 */
import { type NostrEvent, nostrPublicKey, signEvent, tagValue } from "../../src/nostr/nostr.ts";
import { parseCanonicalJson } from "../canonical_json.ts";
import { isConsentedByBoth, otherSide } from "../co_signing.ts";
import { readLeaseReceipt, type SignedLeaseReceipt, writeLeaseReceipt } from "./lease_receipt.ts";
import { LEASE_RECEIPT_CHARS_MAX } from "./limits.ts";
import { verifyLeaseReceipt } from "./signing.ts";

/** Kind of a published receipt for a lease (addressable). Not 38385, which is lease revocation. */
export const LEASE_RECEIPT_KIND = 31082;

/** The `t` tag of each. */
export const LEASE_RECEIPT_TOPIC = "seedmint-lease-receipt";

/**
 * The event that publishes `signed`, by its provider or its consumer; undefined unless both signed and
 * both let it be published.
 *
 * @throws {TypeError} If the secret is of neither.
 */
export function leasePublicationOf(
  signed: SignedLeaseReceipt,
  by: { readonly secretKey: Uint8Array; readonly nowMs: number },
): NostrEvent | undefined {
  const { lease } = signed.receipt;
  const author = nostrPublicKey(by.secretKey);
  const other = otherSide(signed.receipt, author);
  if (other === undefined) {
    throw new TypeError(
      `Cannot publish the receipt of ${lease}: ${author} is neither of its sides`,
    );
  }
  if (!isPublishable(signed)) return undefined;
  return signEvent({
    kind: LEASE_RECEIPT_KIND,
    created_at: Math.floor(by.nowMs / 1000),
    tags: [["d", lease], ["p", other], ["t", LEASE_RECEIPT_TOPIC]],
    content: writeLeaseReceipt(signed),
  }, by.secretKey);
}

/**
 * The receipt in an event whose own signature was verified; undefined unless it is one that both signed,
 * both let be published, and one of both published. Never throws.
 */
export function readLeasePublication(event: NostrEvent): SignedLeaseReceipt | undefined {
  if (event.kind !== LEASE_RECEIPT_KIND) return undefined;
  if (event.content.length > LEASE_RECEIPT_CHARS_MAX) return undefined;
  const signed = readLeaseReceipt(parseCanonicalJson(event.content));
  if (signed === undefined || tagValue(event, "d") !== signed.receipt.lease) return undefined;
  if (otherSide(signed.receipt, event.pubkey) === undefined) return undefined;
  return isPublishable(signed) ? signed : undefined;
}

function isPublishable(signed: SignedLeaseReceipt): boolean {
  return isConsentedByBoth(signed) && verifyLeaseReceipt(signed, ["provider", "consumer"]);
}
