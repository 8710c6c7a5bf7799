/**
 * Receipts in public: Nostr events of kind 31081. Either side may publish a receipt that both signed and
 * both let be published; the address (author and `d`, the receipt's id) keeps one copy of each author.
 */
import { type NostrEvent, nostrPublicKey, signEvent, tagValue } from "../src/nostr/nostr.ts";
import { otherSide } from "./co_signing.ts";
import { readReceipt, type SignedReceipt, writeReceipt } from "./receipt.ts";
import { isConsentedByBoth, verifyReceipt } from "./receipt_signing.ts";

/** Kind of a published byte receipt (addressable). */
export const RECEIPT_KIND = 31081;

/** The `t` tag of each. */
export const RECEIPT_TOPIC = "seedmint-receipt";

/**
 * The event that publishes `signed`, by its provider or its consumer; undefined unless both signed and
 * both let it be published.
 *
 * @throws {TypeError} If the secret is of neither.
 */
export function publicationOf(
  signed: SignedReceipt,
  by: { readonly secretKey: Uint8Array; readonly nowMs: number },
): NostrEvent | undefined {
  const { id } = signed.receipt;
  const author = nostrPublicKey(by.secretKey);
  const other = otherSide(signed.receipt, author);
  if (other === undefined) {
    throw new TypeError(`Cannot publish receipt ${id}: ${author} is neither of its two sides`);
  }
  if (!isConsentedByBoth(signed) || !verifyReceipt(signed, "both")) return undefined;
  return signEvent({
    kind: RECEIPT_KIND,
    created_at: Math.floor(by.nowMs / 1000),
    tags: [["d", id], ["p", other], ["t", RECEIPT_TOPIC]],
    content: writeReceipt(signed),
  }, by.secretKey);
}

/**
 * The receipt in an event whose own signature was verified; undefined unless it is one that both signed,
 * both let be published, and one of both published. Never throws.
 */
export function readPublication(event: NostrEvent): SignedReceipt | undefined {
  if (event.kind !== RECEIPT_KIND) return undefined;
  const signed = readReceipt(event.content);
  if (signed === undefined || tagValue(event, "d") !== signed.receipt.id) return undefined;
  if (otherSide(signed.receipt, event.pubkey) === undefined) return undefined;
  return isConsentedByBoth(signed) && verifyReceipt(signed, "both") ? signed : undefined;
}
