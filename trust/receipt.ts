/**
 * A receipt for bytes: what a provider delivered to a consumer and was paid for it. Both sign the same
 * bytes, the canonical JSON of all its fields, with their Nostr keys.
 */
import { canonicalJson, parseCanonicalJson } from "./canonical_json.ts";
import { SIGNATURE_FIELDS, type Signatures } from "./co_signing.ts";
import {
  type Check,
  hasFields,
  isCount,
  isEvidence,
  isHex32,
  isHex64,
  isPeer,
  isWithin,
  keysOf,
  type MintEvidence,
} from "./fields.ts";
import { EVIDENCE_IDS_MAX, EVIDENCE_YS_MAX, RECEIPT_CHARS_MAX } from "./limits.ts";

export type { MintEvidence } from "./fields.ts";

/** The fields that are signed, all of them. */
export interface ByteReceipt {
  readonly version: 1;
  readonly type: "bytes";
  /** Chosen by the provider, 32 hex digits. A provider's receipts of one id are one: it counts once. */
  readonly id: string;
  /** Nostr key of the provider, 64 hex digits. */
  readonly provider: string;
  readonly providerPeer: string;
  /** Nostr key of the consumer, 64 hex digits. */
  readonly consumer: string;
  readonly consumerPeer: string;
  /** Salted commitment to the address of the content, 64 hex digits. */
  readonly commitment: string;
  /** When delivery began, or the receipt before ended, in seconds since 1970. */
  readonly fromS: number;
  readonly toS: number;
  /** Content that was delivered, its hash tree left out. */
  readonly bytes: number;
  /** What it cost. */
  readonly msat: number;
  /** Unit of the ecash in {@link payments}. */
  readonly unit: "sat";
  /** Payments since the receipt before, by ascending mint; what one of them left over counts later. */
  readonly payments: readonly MintEvidence[];
  /** Payments that no list had room for. */
  readonly unlisted: number;
}

/** A receipt with what was signed of it; the consumer's signature is missing until it has signed, too. */
export interface SignedReceipt extends Signatures {
  readonly receipt: ByteReceipt;
  readonly providerSig: string;
}

const FIELDS: Readonly<Record<keyof ByteReceipt, Check>> = {
  version: (value) => value === 1,
  type: (value) => value === "bytes",
  id: isHex32,
  provider: isHex64,
  providerPeer: isPeer,
  consumer: isHex64,
  consumerPeer: isPeer,
  commitment: isHex64,
  fromS: isCount,
  toS: isCount,
  bytes: isCount,
  msat: isCount,
  unit: (value) => value === "sat",
  payments: isEvidence,
  unlisted: isCount,
};

const ENVELOPE: Readonly<Record<keyof SignedReceipt, Check>> = {
  receipt: (value) => hasFields(value, FIELDS),
  ...SIGNATURE_FIELDS,
};

const OPTIONAL: readonly (keyof SignedReceipt)[] = [
  "consumerSig",
  "providerConsent",
  "consumerConsent",
];

/**
 * Reads a receipt as a stranger sent it: canonical JSON with exactly the fields known, in their limits.
 * Says nothing of its signatures. Never throws.
 */
export function readReceipt(text: string): SignedReceipt | undefined {
  if (text.length > RECEIPT_CHARS_MAX) return undefined;
  const value = parseCanonicalJson(text);
  if (!hasFields(value, ENVELOPE, OPTIONAL)) return undefined;
  const signed = value as SignedReceipt;
  return isCoherent(signed.receipt) ? signed : undefined;
}

/**
 * The one text of a receipt, as it is sent and kept.
 *
 * @throws {RangeError} If it is none that {@link readReceipt} takes.
 */
export function writeReceipt(signed: SignedReceipt): string {
  const text = canonicalJson(signed);
  if (readReceipt(text) === undefined) {
    throw new RangeError(
      `Cannot write receipt ${signed.receipt.id}: a field is out of its limits, or ${text.length} characters are more than ${RECEIPT_CHARS_MAX}`,
    );
  }
  return text;
}

/** What each proof or payment of a receipt is known by, so that none counts twice. */
export function evidenceKeys(receipt: ByteReceipt): string[] {
  return keysOf(receipt.payments);
}

/** Fields that agree with each other. */
function isCoherent(receipt: ByteReceipt): boolean {
  return receipt.provider !== receipt.consumer &&
    receipt.providerPeer !== receipt.consumerPeer &&
    receipt.fromS <= receipt.toS &&
    isWithin(receipt.payments, { ysCount: EVIDENCE_YS_MAX, idsCount: EVIDENCE_IDS_MAX });
}
