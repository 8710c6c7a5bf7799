/** What an advert of a blob and an advert of a node have in common: a peer, and its conditions. */
import { isPeerId } from "../net/peer_id.ts";
import type { Binding } from "./binding.ts";
import { ADVERT_LIMITS } from "./limits.ts";

/** On which terms a peer sells. All together or none: the terms of two offers are never mixed. */
export interface OfferTerms {
  /** What a MiB costs; absent or 0: nothing. */
  readonly priceMsatPerMiB?: number;
  /** Mints whose ecash it takes. */
  readonly mints?: readonly string[];
  /** Compressed secp256k1 key that payments are locked to, 66 hex digits. */
  readonly p2pk?: string;
  /** The least that one payment must be, in sat. */
  readonly minTopUpSat?: number;
  /** The least minutes until the payer may take an unused payment back. */
  readonly locktimeMin?: number;
}

/** A peer as it presents itself. Everything in it is a claim. */
export interface PeerOffer extends OfferTerms {
  readonly peerId: string;
  /** Multiaddrs to try. */
  readonly addrs: readonly string[];
  readonly binding?: Binding;
}

/** The terms of an offer alone. */
export function termsOf(offer: OfferTerms): OfferTerms {
  const { priceMsatPerMiB, mints, p2pk, minTopUpSat, locktimeMin } = offer;
  return {
    ...(priceMsatPerMiB === undefined ? {} : { priceMsatPerMiB }),
    ...(mints === undefined ? {} : { mints }),
    ...(p2pk === undefined ? {} : { p2pk }),
    ...(minTopUpSat === undefined ? {} : { minTopUpSat }),
    ...(locktimeMin === undefined ? {} : { locktimeMin }),
  };
}

/** The JSON members of an offer, in the order in which they are written. */
export function offerMembers(offer: PeerOffer): Record<string, unknown> {
  const { addrs, mints, priceMsatPerMiB, p2pk, minTopUpSat, locktimeMin, binding } = offer;
  return {
    v: 1,
    endpoint_id: offer.peerId,
    proto: "libp2p",
    addrs: addrs.filter(isAddr).slice(0, ADVERT_LIMITS.addrCountMax),
    ...(priceMsatPerMiB === undefined ? {} : { price_msat_per_mib: priceMsatPerMiB }),
    ...(mints === undefined ? {} : { mints: mints.slice(0, ADVERT_LIMITS.mintCountMax) }),
    ...(p2pk === undefined ? {} : { p2pk }),
    ...(minTopUpSat === undefined ? {} : { min_top_up_sat: minTopUpSat }),
    ...(locktimeMin === undefined ? {} : { locktime_min: locktimeMin }),
    ...(binding === undefined ? {} : { bind: { sig: binding.signature, exp: binding.expiresS } }),
  };
}

/**
 * Parses the content of an event as a JSON object, if it is short enough to be looked at.
 * Never throws.
 */
export function parseContent(content: string): Record<string, unknown> | undefined {
  if (content.length > ADVERT_LIMITS.contentCharsMax) return undefined;
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return value as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/**
 * Reads the members of an offer. A member that is there must be right: a program that writes one
 * wrong is another program. Members that are not known are left alone.
 */
export function readOffer(members: Record<string, unknown>): PeerOffer | undefined {
  if (members.v !== 1 || !isPeerId(members.endpoint_id)) return undefined;
  if (members.proto !== undefined && members.proto !== "libp2p") return undefined;
  const { addrs, price_msat_per_mib: price, mints, p2pk, bind } = members;
  const { min_top_up_sat: minTopUpSat, locktime_min: locktimeMin } = members;
  if (addrs !== undefined && !isListOf(addrs, ADVERT_LIMITS.addrCountMax, isAddr)) return undefined;
  if (price !== undefined && !isCount(price)) return undefined;
  if (mints !== undefined && !isListOf(mints, ADVERT_LIMITS.mintCountMax, isMint)) return undefined;
  if (p2pk !== undefined && !(typeof p2pk === "string" && /^0[23][0-9a-f]{64}$/.test(p2pk))) {
    return undefined;
  }
  if (minTopUpSat !== undefined && !isCountUpTo(minTopUpSat, ADVERT_LIMITS.minTopUpSatMax)) {
    return undefined;
  }
  if (locktimeMin !== undefined && !isCountUpTo(locktimeMin, ADVERT_LIMITS.locktimeMinMax)) {
    return undefined;
  }
  const binding = bind === undefined ? undefined : readBinding(bind);
  if (bind !== undefined && binding === undefined) return undefined;
  return {
    peerId: members.endpoint_id,
    addrs: addrs === undefined ? [] : [...addrs],
    ...(price === undefined ? {} : { priceMsatPerMiB: price }),
    ...(mints === undefined ? {} : { mints: [...mints] }),
    ...(p2pk === undefined ? {} : { p2pk }),
    ...(minTopUpSat === undefined ? {} : { minTopUpSat }),
    ...(locktimeMin === undefined ? {} : { locktimeMin }),
    ...(binding === undefined ? {} : { binding }),
  };
}

/** Whether `value` is a whole number from 0 up. */
export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isCountUpTo(value: unknown, max: number): value is number {
  return isCount(value) && value <= max;
}

function readBinding(raw: unknown): Binding | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  const { sig, exp } = raw as Record<string, unknown>;
  if (typeof sig !== "string" || !/^[0-9a-f]{128}$/.test(sig) || !isCount(exp)) return undefined;
  return { signature: sig, expiresS: exp };
}

function isListOf(
  value: unknown,
  countMax: number,
  isItem: (item: unknown) => boolean,
): value is string[] {
  return Array.isArray(value) && value.length <= countMax && value.every(isItem);
}

function isAddr(value: unknown): value is string {
  return typeof value === "string" && value.length <= ADVERT_LIMITS.addrCharsMax &&
    /^\/[\x21-\x7e]+$/.test(value);
}

function isMint(value: unknown): value is string {
  return typeof value === "string" && value.length <= ADVERT_LIMITS.mintCharsMax &&
    /^https?:\/\/[\x21-\x7e]+$/.test(value);
}
