/** Values on their way into columns and out of them. */
import { assert } from "../../src/core/assert.ts";
import type { SqlRow } from "../../src/sqlite/mod.ts";
import { AMOUNT_SAT_MAX } from "../limits.ts";

/** An amount that may be stored. @throws {Error} If it is negative or more than there can be. */
export function storable(amount: bigint): bigint {
  assert(
    typeof amount === "bigint" && amount >= 0n && amount <= AMOUNT_SAT_MAX,
    `an amount is from 0 to ${AMOUNT_SAT_MAX} sat, not ${amount}`,
  );
  return amount;
}

/** A difference that may be stored. */
export function storableDelta(delta: bigint): bigint {
  assert(
    typeof delta === "bigint" && delta >= -AMOUNT_SAT_MAX && delta <= AMOUNT_SAT_MAX,
    `a change of holdings is up to ${AMOUNT_SAT_MAX} sat, not ${delta}`,
  );
  return delta;
}

/** A time, or any other whole number, as a column takes it; times with a fraction are rounded up. */
export function whole(value: number): number {
  const rounded = Math.ceil(value);
  assert(Number.isSafeInteger(rounded), `a whole number wanted, not ${value}`);
  return rounded;
}

/** The same of what may be missing. */
export function wholeOrNull(value: number | null | undefined): number | null {
  return value === undefined || value === null ? null : whole(value);
}

/** Text within a limit. */
export function bounded(text: string, charsMax: number, what: string): string {
  assert(
    typeof text === "string" && text.length <= charsMax,
    `${what} has at most ${charsMax} characters`,
  );
  return text;
}

/** Text that is there. */
export function named(text: string, charsMax: number, what: string): string {
  assert(typeof text === "string" && text.length > 0, `${what} is not empty`);
  return bounded(text, charsMax, what);
}

/** A column of amounts. */
export function sat(row: SqlRow, column: string): bigint {
  return BigInt(row[column] as number);
}

/** Those `columns` of `row` that are not null, by the names that the program uses. */
export function present(
  row: SqlRow,
  columns: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, column] of Object.entries(columns)) {
    if (row[column] !== null) found[name] = row[column];
  }
  return found;
}
