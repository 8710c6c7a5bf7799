/**
 * Documents that two sides sign with their Nostr keys: BIP-340 over domain-tagged hashes of their
 * canonical JSON, and a second signature of each side that lets the document be published.
 */
import { createHash } from "node:crypto";
import { type Bytes, concatBytes, utf8 } from "../src/core/bytes.ts";
import { schnorrPublicKey, schnorrSign, schnorrVerify } from "../src/core/secp256k1.ts";
import { canonicalJson } from "./canonical_json.ts";
import { type Check, isSignature } from "./fields.ts";

/** Tag of what who lets a receipt be published signs, so that no signature serves as the other. */
const CONSENT_TAG = "seedmint/receipt/publish/v1";

/** Who signs: a Nostr key's 32-byte secret, and whether its owner lets receipts be published. */
export interface ReceiptSigner {
  readonly secretKey: Uint8Array;
  readonly publishes: boolean;
}

/** The two sides of a document: Nostr keys, 64 hex digits each. */
export interface Sides {
  readonly provider: string;
  readonly consumer: string;
}

/** Which side. */
export type Side = keyof Sides;

/** The other side of a document than `key`; undefined if that is neither. */
export function otherSide({ provider, consumer }: Sides, key: string): string | undefined {
  if (key === provider) return consumer;
  return key === consumer ? provider : undefined;
}

/** What was signed of a document. Signatures are BIP-340, 128 hex digits. */
export interface Signatures {
  readonly providerSig?: string;
  readonly consumerSig?: string;
  /** That the provider lets it be published. */
  readonly providerConsent?: string;
  /** That the consumer lets it be published. */
  readonly consumerConsent?: string;
}

/** Checks of {@link Signatures}, for a strict reader. */
export const SIGNATURE_FIELDS: Readonly<Record<keyof Signatures, Check>> = {
  providerSig: isSignature,
  consumerSig: isSignature,
  providerConsent: isSignature,
  consumerConsent: isSignature,
};

/** The tagged hash (BIP-340) of a document's canonical JSON. */
export function documentDigest(tag: string, document: object): Bytes {
  const tagHash = sha256(utf8(tag));
  return sha256(concatBytes(tagHash, tagHash, utf8(canonicalJson(document))));
}

/** What is signed to let a document be published. */
export function consentDigest(document: object): Bytes {
  return documentDigest(CONSENT_TAG, document);
}

/**
 * The signature of one side, with its consent if its owner gives it.
 *
 * @throws {TypeError} If the secret is not that of the side.
 */
export function signaturesOf(
  document: Sides,
  tag: string,
  by: { readonly side: Side; readonly signer: ReceiptSigner },
): Signatures {
  const { side, signer: { secretKey, publishes } } = by;
  const key = document[side];
  if (schnorrPublicKey(secretKey).toHex() !== key) {
    throw new TypeError(`Cannot sign the receipt: its ${side} is ${key}, whose secret this is not`);
  }
  const signature = schnorrSign(documentDigest(tag, document), secretKey).toHex();
  const consent = publishes ? schnorrSign(consentDigest(document), secretKey).toHex() : undefined;
  return side === "provider"
    ? {
      providerSig: signature,
      ...(consent === undefined ? {} : { providerConsent: consent }),
    }
    : {
      consumerSig: signature,
      ...(consent === undefined ? {} : { consumerConsent: consent }),
    };
}

/**
 * Whether everyone in `by` signed a document, and every other signature beside it is right, too. Costs a
 * few milliseconds. Never throws.
 */
export function areSignatures(
  document: Sides,
  tag: string,
  signed: Signatures & { readonly by: readonly Side[] },
): boolean {
  const { providerSig, consumerSig, providerConsent, consumerConsent, by } = signed;
  if (by.some((side) => signed[`${side}Sig`] === undefined)) return false;
  const { provider, consumer } = document;
  const digest = documentDigest(tag, document);
  if (!isSignedBy(provider, digest, providerSig)) return false;
  if (!isSignedBy(consumer, digest, consumerSig)) return false;
  if (providerConsent === undefined && consumerConsent === undefined) return true;
  const consent = consentDigest(document);
  return isSignedBy(provider, consent, providerConsent) &&
    isSignedBy(consumer, consent, consumerConsent);
}

/** Whether both let it be published; {@link areSignatures} says whether their consents are real. */
export function isConsentedByBoth(signed: Signatures): boolean {
  return signed.providerConsent !== undefined && signed.consumerConsent !== undefined;
}

/** A signature that is not there is not wrong. */
function isSignedBy(key: string, digest: Uint8Array, signature: string | undefined): boolean {
  return signature === undefined ||
    schnorrVerify(Uint8Array.fromHex(signature), digest, Uint8Array.fromHex(key));
}

function sha256(bytes: Uint8Array): Bytes {
  return Uint8Array.from(createHash("sha256").update(bytes).digest());
}
