/**
 * A receipt for bytes: what a provider delivered to a consumer and was paid for it. Both sign the same
 * bytes, the canonical JSON of all its fields, with their Nostr keys.
 */
import { canonicalJson, parseCanonicalJson } from "./canonical_json.ts";
import {
  EVIDENCE_IDS_MAX,
  EVIDENCE_MINTS_MAX,
  EVIDENCE_YS_MAX,
  MINT_URL_CHARS_MAX,
  PEER_ID_CHARS_MAX,
  RECEIPT_CHARS_MAX,
} from "./limits.ts";

/** Payments at one mint, as a receipt names them. */
export interface MintEvidence {
  readonly mint: string;
  /** Y of each proof (NUT-00), 66 hex digits, ascending: who asks the mint learns that it was spent. */
  readonly ys: readonly string[];
  /** Ids of payments whose proofs are not named, 32 hex digits, ascending. */
  readonly ids: readonly string[];
}

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

/** A receipt with what was signed of it. Signatures are BIP-340, 128 hex digits. */
export interface SignedReceipt {
  readonly receipt: ByteReceipt;
  readonly providerSig: string;
  /** Missing until the consumer has signed, too. */
  readonly consumerSig?: string;
  /** That the provider lets it be published. */
  readonly providerConsent?: string;
  /** That the consumer lets it be published. */
  readonly consumerConsent?: string;
}

const HEX_32 = /^[0-9a-f]{32}$/;
const HEX_64 = /^[0-9a-f]{64}$/;
const HEX_128 = /^[0-9a-f]{128}$/;
const POINT = /^0[23][0-9a-f]{64}$/;
const PEER_ID = /^[1-9A-HJ-NP-Za-km-z]+$/;
// deno-lint-ignore no-control-regex
const MINT_URL = /^https?:\/\/[^\s\x00-\x1f\x7f]+$/;

type Check = (value: unknown) => boolean;

const FIELDS: Readonly<Record<keyof ByteReceipt, Check>> = {
  version: (value) => value === 1,
  type: (value) => value === "bytes",
  id: matches(HEX_32),
  provider: matches(HEX_64),
  providerPeer: isPeer,
  consumer: matches(HEX_64),
  consumerPeer: isPeer,
  commitment: matches(HEX_64),
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
  providerSig: matches(HEX_128),
  consumerSig: matches(HEX_128),
  providerConsent: matches(HEX_128),
  consumerConsent: matches(HEX_128),
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
  return receipt.payments.flatMap(({ ys, ids }) => [...ys, ...ids]);
}

/** Fields that agree with each other. */
function isCoherent(receipt: ByteReceipt): boolean {
  const keys = evidenceKeys(receipt);
  return receipt.provider !== receipt.consumer &&
    receipt.providerPeer !== receipt.consumerPeer &&
    receipt.fromS <= receipt.toS &&
    new Set(keys).size === keys.length &&
    receipt.payments.reduce((sum, { ys }) => sum + ys.length, 0) <= EVIDENCE_YS_MAX &&
    receipt.payments.reduce((sum, { ids }) => sum + ids.length, 0) <= EVIDENCE_IDS_MAX;
}

function hasFields(
  value: unknown,
  fields: Readonly<Record<string, Check>>,
  optional: readonly string[] = [],
): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  for (const name of Object.keys(value)) if (!Object.hasOwn(fields, name)) return false;
  return Object.entries(fields).every(([name, check]) =>
    Object.hasOwn(value, name)
      ? check((value as Readonly<Record<string, unknown>>)[name])
      : optional.includes(name)
  );
}

function isEvidence(value: unknown): boolean {
  return Array.isArray(value) && value.length <= EVIDENCE_MINTS_MAX &&
    value.every((one) =>
      hasFields(one, { mint: isMintUrl, ys: isAscending(POINT), ids: isAscending(HEX_32) })
    ) &&
    isSorted(value.map(({ mint }: MintEvidence) => mint));
}

/** Whether a mint's URL can stand in a receipt. */
export function isMintUrl(value: unknown): value is string {
  return typeof value === "string" && value.length <= MINT_URL_CHARS_MAX && MINT_URL.test(value);
}

/** Whether this is the Y of a proof as a receipt names it. */
export function isY(value: string): boolean {
  return POINT.test(value);
}

/** Whether this is the id of a payment as a receipt names it. */
export function isPaymentId(value: string): boolean {
  return HEX_32.test(value);
}

function isPeer(value: unknown): boolean {
  return typeof value === "string" && value.length <= PEER_ID_CHARS_MAX && PEER_ID.test(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function matches(pattern: RegExp): Check {
  return (value) => typeof value === "string" && pattern.test(value);
}

function isAscending(pattern: RegExp): Check {
  return (value) => Array.isArray(value) && value.every(matches(pattern)) && isSorted(value);
}

/** Each above the one before it, so that none is there twice. */
function isSorted(texts: readonly string[]): boolean {
  return texts.every((text, index) => index === 0 || texts[index - 1]! < text);
}
