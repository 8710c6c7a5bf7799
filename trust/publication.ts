/**
 * Receipts in public: Nostr events of kind 31081. Either side may publish a receipt that both signed and
 * both let be published; the address (author and `d`, the receipt's id) keeps one copy of each author.
 */
import { type NostrEvent, nostrPublicKey, signEvent, tagValue } from "../src/nostr/nostr.ts";
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
  const { id, provider, consumer } = signed.receipt;
  const author = nostrPublicKey(by.secretKey);
  if (author !== provider && author !== consumer) {
    throw new TypeError(`Cannot publish receipt ${id}: ${author} is neither of its two sides`);
  }
  if (!isConsentedByBoth(signed) || !verifyReceipt(signed, "both")) return undefined;
  const other = author === provider ? consumer : provider;
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
  const { provider, consumer } = signed.receipt;
  if (event.pubkey !== provider && event.pubkey !== consumer) return undefined;
  return isConsentedByBoth(signed) && verifyReceipt(signed, "both") ? signed : undefined;
}
