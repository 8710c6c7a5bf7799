/** Signing receipts and checking who signed: BIP-340 over domain-tagged hashes of their canonical JSON. */
import { createHash } from "node:crypto";
import { type Bytes, concatBytes, utf8 } from "../src/core/bytes.ts";
import { schnorrPublicKey, schnorrSign, schnorrVerify } from "../src/core/secp256k1.ts";
import { canonicalJson } from "./canonical_json.ts";
import type { ByteReceipt, SignedReceipt } from "./receipt.ts";

/** Tag of what both sign. */
const RECEIPT_TAG = "seedmint/receipt/bytes/v1";

/** Tag of what who lets a receipt be published signs, so that no signature serves as the other. */
const CONSENT_TAG = "seedmint/receipt/publish/v1";

/** Who signs: a Nostr key's 32-byte secret, and whether its owner lets receipts be published. */
export interface ReceiptSigner {
  readonly secretKey: Uint8Array;
  readonly publishes: boolean;
}

/** What is signed of a receipt: the tagged hash (BIP-340) of its canonical JSON. */
export function receiptDigest(receipt: ByteReceipt): Bytes {
  return taggedHash(RECEIPT_TAG, utf8(canonicalJson(receipt)));
}

/** What is signed to let a receipt be published. */
export function consentDigest(receipt: ByteReceipt): Bytes {
  return taggedHash(CONSENT_TAG, utf8(canonicalJson(receipt)));
}

/**
 * The provider's word.
 *
 * @throws {TypeError} If the secret is not that of the receipt's provider.
 */
export function signReceipt(receipt: ByteReceipt, signer: ReceiptSigner): SignedReceipt {
  assertKey(signer, receipt.provider, "provider");
  return {
    receipt,
    providerSig: schnorrSign(receiptDigest(receipt), signer.secretKey).toHex(),
    ...consentOf(receipt, signer, "providerConsent"),
  };
}

/**
 * The consumer's word added to the provider's, which the caller has verified.
 *
 * @throws {TypeError} If the secret is not that of the receipt's consumer.
 */
export function countersignReceipt(signed: SignedReceipt, signer: ReceiptSigner): SignedReceipt {
  const { receipt } = signed;
  assertKey(signer, receipt.consumer, "consumer");
  return {
    ...signed,
    consumerSig: schnorrSign(receiptDigest(receipt), signer.secretKey).toHex(),
    ...consentOf(receipt, signer, "consumerConsent"),
  };
}

/**
 * Whether the provider, or both, signed what the receipt says, and every other signature in it is right,
 * too. Costs a few milliseconds. Never throws.
 */
export function verifyReceipt(signed: SignedReceipt, by: "provider" | "both"): boolean {
  const { receipt, providerSig, consumerSig, providerConsent, consumerConsent } = signed;
  if (by === "both" && consumerSig === undefined) return false;
  const digest = receiptDigest(receipt);
  const { provider, consumer } = receipt;
  if (!isSignedBy(provider, digest, providerSig)) return false;
  if (consumerSig !== undefined && !isSignedBy(consumer, digest, consumerSig)) return false;
  if (providerConsent === undefined && consumerConsent === undefined) return true;
  const consent = consentDigest(receipt);
  return (providerConsent === undefined || isSignedBy(provider, consent, providerConsent)) &&
    (consumerConsent === undefined || isSignedBy(consumer, consent, consumerConsent));
}

/** Whether both let it be published; {@link verifyReceipt} says whether their consents are real. */
export function isConsentedByBoth(signed: SignedReceipt): boolean {
  return signed.providerConsent !== undefined && signed.consumerConsent !== undefined;
}

function consentOf(
  receipt: ByteReceipt,
  signer: ReceiptSigner,
  name: "providerConsent" | "consumerConsent",
): Partial<SignedReceipt> {
  if (!signer.publishes) return {};
  return { [name]: schnorrSign(consentDigest(receipt), signer.secretKey).toHex() };
}

function isSignedBy(key: string, digest: Uint8Array, signature: string): boolean {
  return schnorrVerify(Uint8Array.fromHex(signature), digest, Uint8Array.fromHex(key));
}

function assertKey({ secretKey }: ReceiptSigner, key: string, role: string): void {
  if (schnorrPublicKey(secretKey).toHex() !== key) {
    throw new TypeError(`Cannot sign the receipt: its ${role} is ${key}, whose secret this is not`);
  }
}

function taggedHash(tag: string, message: Uint8Array): Bytes {
  const tagHash = sha256(utf8(tag));
  return sha256(concatBytes(tagHash, tagHash, message));
}

function sha256(bytes: Uint8Array): Bytes {
  return Uint8Array.from(createHash("sha256").update(bytes).digest());
}
