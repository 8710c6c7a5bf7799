/** How the texts of settings about money become values. */
import { Money } from "../../core/money.ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";
import type { MintUrl } from "../../../wallet/types.ts";
import { reader, type Schema } from "./values.ts";

/** Parts in a million: the scale of Lightning fees. */
const PPM = 1_000_000;

/**
 * A mint's address in the form that the wallet compares. Whether one in a private network may be used
 * is decided when the wallet opens.
 */
export const mintUrlSchema: Schema<MintUrl> = reader((input) => {
  return parseMintUrl(String(input), { allowPrivate: true });
});

/** An amount: `21`, `21sat`, `21 sat`. Whole sat. */
export const satSchema: Schema<number> = reader((input) => satOf(String(input)));

/**
 * Reads an amount of whole sat as people type it.
 *
 * @throws {SyntaxError} If it is none, or has a fraction of a sat.
 */
export function satOf(text: string): number {
  const money = Money.parse(text);
  const sat = money.floorTo("sat");
  if (sat.ceilTo(money.unit).amount !== money.amount) {
    throw new SyntaxError(`Cannot use ${money}: a whole number of sat wanted`);
  }
  if (sat.amount > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new SyntaxError(`Cannot use ${money}: that is more than all bitcoin`);
  }
  return sat.toNumber();
}

/** The highest price that may be asked or paid for a MiB: 10,000 sat. What is above is a typing error. */
export const PRICE_MSAT_PER_MIB_MAX = 10_000_000;

/**
 * Reads a price for a MiB as people type it: `300` and `300msat` are 300 msat, `2sat` is 2,000.
 *
 * @throws {SyntaxError} If it is none, or above {@link PRICE_MSAT_PER_MIB_MAX}.
 */
export function priceOf(text: string): number {
  const found = /^\s*(\d{1,12})\s*(msats?|sats?)?\s*$/i.exec(text);
  const isSat = found?.[2]?.toLowerCase().startsWith("s") ?? false;
  const msat = Number(found?.[1] ?? NaN) * (isSat ? 1000 : 1);
  if (Number.isNaN(msat)) {
    throw new SyntaxError("a price for a MiB in msat, such as 300, 300msat or 2sat, wanted");
  }
  if (msat <= PRICE_MSAT_PER_MIB_MAX) return msat;
  throw new SyntaxError(`a price of at most ${PRICE_MSAT_PER_MIB_MAX} msat for a MiB wanted`);
}

/** A price for a MiB, in msat: {@link priceOf}. */
export const priceSchema: Schema<number> = reader((input) => priceOf(String(input)));

/** What fees may come to: so much, and so much of each million of the amount. */
export interface FeeLimit {
  readonly baseSat: number;
  readonly ppm: number;
}

/** `10 sat`, `20000 ppm`, or both: `10sat+20000ppm`. */
export const feeLimitSchema: Schema<FeeLimit> = reader((input) => {
  let baseSat: number | undefined;
  let ppm: number | undefined;
  for (const term of String(input).split("+").map((part) => part.trim())) {
    const share = /^(\d{1,7})\s*ppm$/i.exec(term)?.[1];
    if (share !== undefined && ppm === undefined && Number(share) <= PPM) ppm = Number(share);
    else if (/^\d+\s*(sats?)?$/i.test(term) && baseSat === undefined) baseSat = satOf(term);
    else throw new SyntaxError("fees such as 10sat, 20000ppm or 10sat+20000ppm wanted");
  }
  return { baseSat: baseSat ?? 0, ppm: ppm ?? 0 };
});

/** The most that fees may come to for an amount. */
export function feeMaxOf(limit: FeeLimit, amountSat: number): number {
  const share = BigInt(amountSat) * BigInt(limit.ppm) / BigInt(PPM);
  return Number(BigInt(limit.baseSat) + share);
}

/**
 * A Lightning address (`anna@example.org`) or an LNURL (`lnurl1…`), checked for its form only: who pays
 * there resolves it.
 */
export const payeeSchema: Schema<string> = reader((input) => {
  const text = String(input).trim().replace(/^lightning:/i, "");
  const isAddress = /^[a-z0-9._+-]{1,64}@[a-z0-9.-]{1,253}(:\d{1,5})?$/i.test(text);
  const isLnurl = /^lnurl1[02-9ac-hj-np-z]{20,2000}$/i.test(text);
  if (isAddress || isLnurl) return text;
  throw new SyntaxError("a Lightning address such as anna@example.org, or an LNURL, wanted");
});
