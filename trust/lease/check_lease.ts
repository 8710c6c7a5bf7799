/** Whether a provider's receipt says what its lessee's own books say, as closely as two sides can count. */
import { leaseEvidenceKeys, type LeaseReceipt } from "./lease_receipt.ts";
import type { LesseeAccount, MadePayment } from "./accounts.ts";
import {
  FEE_SAT_PER_PROOF_MAX,
  LEASE_DUST_MSAT,
  LEASE_SKEW_S,
  LEASE_SLACK_S,
  PROOFS_UNKNOWN,
} from "./limits.ts";
import type { LeasePaper } from "./paper.ts";
import { type ImageOpening, opensImage, tierHash } from "./terms.ts";

/** What a lessee knows besides its account. */
export interface LesseeView {
  /** Its Nostr key, 64 hex digits. */
  readonly consumer: string;
  readonly isCounted: (key: string) => boolean;
}

/** What of a receipt is not so, as a sentence; undefined if all of it is. Signatures are not looked at. */
export function lieIn(
  { signed: { receipt }, opening }: LeasePaper,
  account: LesseeAccount,
  view: LesseeView,
): string | undefined {
  return partiesLie(receipt, account, view) ??
    machineLie(receipt, opening, account) ??
    timeLie(receipt, account) ??
    moneyLie(receipt, account) ??
    evidenceLie(receipt, account, view) ??
    endLie(receipt, account);
}

function partiesLie(
  receipt: LeaseReceipt,
  { lease, provider }: LesseeAccount,
  { consumer }: LesseeView,
): string | undefined {
  if (receipt.lease !== lease) return "it is of another lease";
  if (receipt.provider !== provider) return "it names another provider";
  if (receipt.consumer !== consumer) return "it names another lessee";
  return undefined;
}

function machineLie(
  receipt: LeaseReceipt,
  opening: LeasePaper["opening"],
  account: LesseeAccount,
): string | undefined {
  const { tier, readyS } = account;
  if (receipt.msatPerS !== tier.msatPerS) {
    return `it names a price of ${receipt.msatPerS} msat a second; ${tier.msatPerS} were agreed`;
  }
  const { diskMb } = tier;
  if (diskMb !== undefined && receipt.tier !== tierHash({ ...tier, diskMb })) {
    return "it names another tier than was rented";
  }
  if (receipt.image === "") return readyS === undefined ? undefined : "it names no image";
  if (opening === undefined || !opensImage(receipt.image, opening)) {
    return "what was said to open its commitment to the image does not";
  }
  return isWanted(opening, account) ? undefined : "it names another image";
}

/**
 * Whether an image is what was asked for. One digest may stand for images of several platforms, of which
 * its provider takes one: that it is of them is checked where we have the list, and else its word.
 */
function isWanted(
  { digest, list }: ImageOpening,
  { image, imagePlatforms }: LesseeAccount,
): boolean {
  if (image === undefined || digest === image) return true;
  return list === image && (imagePlatforms === undefined || imagePlatforms.includes(digest));
}

function timeLie(receipt: LeaseReceipt, account: LesseeAccount): string | undefined {
  const { fromS, toS, seconds } = receipt;
  const { readyS, endS } = account;
  if (readyS !== undefined && Math.abs(fromS - readyS) > LEASE_SKEW_S) {
    return "it began at another time";
  }
  // We may have noticed late that it was over, but not before.
  if (toS > endS + LEASE_SKEW_S) return "it ended at another time";
  if (seconds > toS - fromS + LEASE_SLACK_S) return "it charges more time than it names";
  const secondsMax = readyS === undefined ? 0 : Math.max(0, endS - readyS) + LEASE_SLACK_S;
  if (seconds <= secondsMax) return undefined;
  return `it charges ${seconds} s; it was ours for ${secondsMax - LEASE_SLACK_S} s`;
}

function moneyLie(receipt: LeaseReceipt, account: LesseeAccount): string | undefined {
  const { msat, paidMsat, refundSat } = receipt;
  const { payments, refundedSat, readyS } = account;
  // A top-up that came too late went back by itself, and is in no receipt.
  const isCounted = ({ outcome }: MadePayment) =>
    outcome === "taken" || (outcome === "refunded" && readyS === undefined);
  const counted = payments.filter(isCounted);
  const leastSat = sumOf(counted) - feesOf(counted);
  if (paidMsat > sumOf(payments) * 1000) return "it names more money than was handed over";
  if (paidMsat < leastSat * 1000) return "it names less money than was handed over";
  const own = payments.filter((payment) => payment.outcome === "refunded" && !isCounted(payment));
  if (refundSat < refundedSat - sumOf(own)) return "it names less money than came back";
  // What came back lost the fee of taking it in: a token has a proof for each binary digit of its amount.
  const feeSatMax = 1 + Math.ceil(Math.log2(refundSat + 1)) * FEE_SAT_PER_PROOF_MAX;
  if (refundSat > refundedSat + feeSatMax) {
    return `it says that ${refundSat} sat were paid back; ${refundedSat} arrived`;
  }
  const keptMsat = paidMsat - msat - refundSat * 1000;
  if (keptMsat > LEASE_DUST_MSAT) {
    return `${Math.floor(keptMsat / 1000)} sat were neither charged nor paid back`;
  }
  return undefined;
}

function evidenceLie(
  receipt: LeaseReceipt,
  { payments }: LesseeAccount,
  { isCounted }: LesseeView,
): string | undefined {
  const mintOf = new Map(
    payments.flatMap(({ mint, id, ys }) => [id, ...ys].map((key) => [key, mint] as const)),
  );
  for (const { mint, ys, ids } of receipt.payments) {
    if ([...ys, ...ids].some((key) => mintOf.get(key) !== mint)) {
      return "it names a payment that is not ours";
    }
  }
  if (leaseEvidenceKeys(receipt).some(isCounted)) return "it names a payment of another receipt";
  const isNamed = new Set(leaseEvidenceKeys(receipt));
  const named = payments.filter(({ id, ys }) => [id, ...ys].some((key) => isNamed.has(key)));
  if (named.length + receipt.unlisted > payments.length) {
    return "it names more payments than were made";
  }
  return undefined;
}

function endLie({ ending }: LeaseReceipt, account: LesseeAccount): string | undefined {
  const wanted: Readonly<Record<LesseeAccount["ending"], readonly LeaseReceipt["ending"][]>> = {
    // Whoever says that it failed its lessee is believed.
    expired: ["expired", "evicted", "lost"],
    stopped: ["stopped", "expired", "evicted", "lost"],
    "cut-short": ["evicted", "lost"],
    failed: ["failed"],
    unanswered: ["failed"],
  };
  if (wanted[account.ending].includes(ending)) return undefined;
  return `it says that the lease was ${ending}, and it was ${account.ending}`;
}

function sumOf(payments: readonly MadePayment[]): number {
  return payments.reduce((sum, { amountSat }) => sum + amountSat, 0);
}

function feesOf(payments: readonly MadePayment[]): number {
  return payments.reduce(
    (sum, { ys }) => sum + 1 + (ys.length || PROOFS_UNKNOWN) * FEE_SAT_PER_PROOF_MAX,
    0,
  );
}
