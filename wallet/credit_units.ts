/**
 * Money as bytes are sold for it. A price is in msat for 2^20 bytes, so that one byte at a price of 1
 * costs 2^-20 msat: this is the unit of credit, and all sums of credit are whole numbers of it.
 */
import { assert } from "../src/core/assert.ts";

/** Bytes in a MiB: units of credit in a thousandth of a sat. */
export const UNITS_PER_MSAT = 1_048_576n;

/** Units of credit in a sat. */
export const UNITS_PER_SAT = 1_000n * UNITS_PER_MSAT;

/** What `bytes` of content cost at a price, exactly. */
export function unitsOf(bytes: number, priceMsatPerMiB: number): bigint {
  assert(Number.isSafeInteger(bytes) && bytes >= 0, `bytes are counted from 0, not ${bytes}`);
  return BigInt(bytes) * BigInt(priceMsatPerMiB);
}

/** Units as thousandths of a sat, rounded down: what is shown. */
export function msatOf(units: bigint): bigint {
  const msat = units / UNITS_PER_MSAT;
  return units < 0n && units % UNITS_PER_MSAT !== 0n ? msat - 1n : msat;
}

/** Units as a number of msat for a message: 0 for less, and what a number holds exactly at most. */
export function shownMsat(units: bigint): number {
  const msat = msatOf(units);
  if (msat <= 0n) return 0;
  return msat > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(msat);
}

/** A chunk group of content, which is the least that is charged, in bytes. */
export const GROUP_BYTES = 16_384;
