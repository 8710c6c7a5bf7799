/** On which terms to buy: as an advert tells them, as a seller answers, and whether they differ. */
import type { PaymentTerms, ProviderHint } from "../ports.ts";
import type { PaymentRequired } from "../protocol/mod.ts";
import { LOCKTIME_DEFAULT_MIN, TOP_UP_DEFAULT_MIB, TOP_UP_DEFAULT_SAT_MIN } from "./limits.ts";

const MIB = 1024 * 1024;

/**
 * The terms of a hint that may be paid ahead: one whose author is bound to the peer and the payment
 * key, and that names price, mints and key. Undefined for any other; then the seller is asked first.
 */
export function termsOfHint(hint: Partial<ProviderHint>): PaymentTerms | undefined {
  const { bound, priceMsatPerMiB, mints, p2pk } = hint;
  if (bound !== true || mints === undefined || mints.length === 0 || p2pk === undefined) {
    return undefined;
  }
  if (priceMsatPerMiB === undefined || !(priceMsatPerMiB > 0)) return undefined;
  return {
    priceMsatPerMiB,
    minTopUpSat: hint.minTopUpSat ?? minTopUpSatAt(priceMsatPerMiB),
    mints,
    p2pk,
    locktimeMin: hint.locktimeMin ?? LOCKTIME_DEFAULT_MIN,
  };
}

/** What a seller asks at least at a time when its advert does not say. */
function minTopUpSatAt(priceMsatPerMiB: number): number {
  return Math.max(TOP_UP_DEFAULT_SAT_MIN, Math.ceil(priceMsatPerMiB * TOP_UP_DEFAULT_MIB / 1000));
}

/** The terms of an answer. */
export function termsOfAnswer(answer: PaymentRequired): PaymentTerms {
  const { priceMsatPerMiB, minTopUpSat, mints, p2pk, locktimeMin, channelSat } = answer;
  const terms = { priceMsatPerMiB, minTopUpSat, mints, p2pk, locktimeMin };
  return channelSat === undefined ? terms : { ...terms, channelSat };
}

/** Whether both mean the same; mints in any order. */
export function sameTerms(a: PaymentTerms, b: PaymentTerms): boolean {
  const mints = new Set(b.mints);
  return a.priceMsatPerMiB === b.priceMsatPerMiB && a.minTopUpSat === b.minTopUpSat &&
    a.p2pk === b.p2pk && a.locktimeMin === b.locktimeMin &&
    new Set(a.mints).size === mints.size && a.mints.every((mint) => mints.has(mint));
}

/** Whether a payment made on `before` is one on `after` too. */
export function takesPaymentsOf(after: PaymentTerms, before: PaymentTerms): boolean {
  const mints = new Set(after.mints);
  return after.p2pk === before.p2pk && after.minTopUpSat <= before.minTopUpSat &&
    after.locktimeMin <= before.locktimeMin && before.mints.every((mint) => mints.has(mint));
}

/** Content that one least payment buys, in bytes; at least one. */
export function topUpBytes(terms: PaymentTerms): number {
  return Math.max(1, Math.floor(terms.minTopUpSat * 1000 / terms.priceMsatPerMiB * MIB));
}
