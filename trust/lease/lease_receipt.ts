/**
 * A receipt for a lease: how long a provider's machine was a consumer's, what it cost and was paid with,
 * what was paid back, and how it ended. One lease has one receipt; both sign the same bytes.
 */
import { createHash } from "node:crypto";
import { canonicalJson } from "../canonical_json.ts";
import { SIGNATURE_FIELDS, type Signatures } from "../co_signing.ts";
import type { EvidenceMax } from "../evidence.ts";
import {
  type Check,
  hasFields,
  isCount,
  isEvidence,
  isHex64,
  isWithin,
  keysOf,
  matches,
  type MintEvidence,
} from "../fields.ts";
import { LEASE_IDS_MAX, LEASE_MINTS_MAX, LEASE_RECEIPT_CHARS_MAX, LEASE_YS_MAX } from "./limits.ts";

/** How a lease can end. */
export const LEASE_ENDS = [
  /** Its paid time was over. */
  "expired",
  /** Its consumer ended it. */
  "stopped",
  /** Its provider ended it before its time. */
  "evicted",
  /** Its machine was gone and did not come back. */
  "lost",
  /** It never was ready. */
  "failed",
  /** The provider took the payment and never answered; only its consumer can say so. */
  "unanswered",
] as const;

/** One of {@link LEASE_ENDS}. */
export type LeaseEnd = typeof LEASE_ENDS[number];

/** The fields that are signed, all of them. */
export interface LeaseReceipt {
  readonly version: 1;
  readonly type: "lease";
  /**
   * `<provider>:container-<n>:<second of its creation>`; of a request that no lease came of, or one that
   * its provider gave no id, `<provider>:request-<32 hex digits>:<second>`, which only its consumer signs.
   */
  readonly lease: string;
  /** Nostr key of the provider, 64 hex digits. */
  readonly provider: string;
  /** Nostr key of the consumer, 64 hex digits. */
  readonly consumer: string;
  /** Hash of what was rented: `tierHash`. */
  readonly tier: string;
  /** Salted commitment to the digest of the image, 64 hex digits; empty when none was run. */
  readonly image: string;
  /** When its paid time began (when it was asked for, if it never did), in seconds since 1970. */
  readonly fromS: number;
  readonly toS: number;
  /** Time that was delivered and charged, whole seconds: what `msat` bought. */
  readonly seconds: number;
  /** Price. */
  readonly msatPerS: number;
  /** What was charged. */
  readonly msat: number;
  /** What the provider got, the fees of its mints taken off. */
  readonly paidMsat: number;
  /** What it paid back, in sat. */
  readonly refundSat: number;
  /** Unit of the ecash. */
  readonly unit: "sat";
  /** The payments, by ascending mint. */
  readonly payments: readonly MintEvidence[];
  /** Payments that no list had room for. */
  readonly unlisted: number;
  readonly ending: LeaseEnd;
  /** The stable string of the error that a lease failed with; empty otherwise. */
  readonly error: string;
}

/** A receipt with what was signed of it, by one side or both. */
export interface SignedLeaseReceipt extends Signatures {
  readonly receipt: LeaseReceipt;
}

/** What a receipt for a lease has room for. */
export const LEASE_EVIDENCE_MAX: EvidenceMax = {
  ysCount: LEASE_YS_MAX,
  idsCount: LEASE_IDS_MAX,
  mintCount: LEASE_MINTS_MAX,
};

const LEASE_ID =
  /^[0-9a-f]{64}:(?:container-(?:0|[1-9][0-9]{0,9})|request-[0-9a-f]{32}):[1-9][0-9]{0,11}$/;
const ERROR = /^[a-z_]{0,40}$/;

const FIELDS: Readonly<Record<keyof LeaseReceipt, Check>> = {
  version: (value) => value === 1,
  type: (value) => value === "lease",
  lease: matches(LEASE_ID),
  provider: isHex64,
  consumer: isHex64,
  tier: isHex64,
  image: (value) => value === "" || isHex64(value),
  fromS: isCount,
  toS: isCount,
  seconds: isCount,
  msatPerS: isCount,
  msat: isCount,
  paidMsat: isCount,
  refundSat: isCount,
  unit: (value) => value === "sat",
  payments: isEvidence,
  unlisted: isCount,
  ending: (value) => LEASE_ENDS.some((end) => end === value),
  error: matches(ERROR),
};

const ENVELOPE: Readonly<Record<keyof SignedLeaseReceipt, Check>> = {
  receipt: (value) => hasFields(value, FIELDS),
  ...SIGNATURE_FIELDS,
};

/**
 * Reads a receipt as a stranger sent it, parsed already: exactly the fields known, in their limits, that
 * agree with each other, and at least one signature. Says nothing of whose. Never throws.
 */
export function readLeaseReceipt(value: unknown): SignedLeaseReceipt | undefined {
  if (!hasFields(value, ENVELOPE, Object.keys(SIGNATURE_FIELDS))) return undefined;
  const signed = value as SignedLeaseReceipt;
  const { receipt, providerSig, consumerSig } = signed;
  if (providerSig === undefined && consumerSig === undefined) return undefined;
  // Its consumer made that id up: what it names is no lease that two could agree on.
  if (isOfRequest(receipt.lease) && providerSig !== undefined) return undefined;
  if (!isCoherent(receipt)) return undefined;
  try {
    return canonicalJson(signed).length <= LEASE_RECEIPT_CHARS_MAX ? signed : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The one text of a receipt, as it is kept and published.
 *
 * @throws {RangeError} If it is none that {@link readLeaseReceipt} takes.
 */
export function writeLeaseReceipt(signed: SignedLeaseReceipt): string {
  if (readLeaseReceipt(signed) === undefined) {
    throw new RangeError(
      `Cannot write the receipt of lease ${signed.receipt.lease}: a field is out of its limits`,
    );
  }
  return canonicalJson(signed);
}

/** What people call it by: the first half of the SHA-256 of the lease's id, 32 hex digits. */
export function leaseReceiptIdOf(lease: string): string {
  return createHash("sha256").update(lease).digest("hex").slice(0, 32);
}

/** What each proof or payment of a receipt is known by, so that none counts twice. */
export function leaseEvidenceKeys({ payments }: LeaseReceipt): string[] {
  return keysOf(payments);
}

/** Fields that agree with each other. */
function isCoherent(receipt: LeaseReceipt): boolean {
  const { lease, provider, consumer, fromS, toS, seconds, msatPerS, msat } = receipt;
  const { paidMsat, refundSat, payments, ending, error } = receipt;
  const isFailure = ending === "failed" || ending === "unanswered";
  return lease.startsWith(`${provider}:`) && provider !== consumer && fromS <= toS &&
    msatPerS > 0 && seconds === Math.floor(msat / msatPerS) &&
    (!isFailure || msat === 0) &&
    (error === "" || isFailure) && (ending !== "unanswered" || isOfRequest(lease)) &&
    Number.isSafeInteger(refundSat * 1000) && msat + refundSat * 1000 <= paidMsat &&
    payments.length <= LEASE_MINTS_MAX && isWithin(payments, LEASE_EVIDENCE_MAX);
}

/** Whether a lease's id is one that its consumer made, since its provider gave it none. */
function isOfRequest(lease: string): boolean {
  return lease.includes(":request-");
}
