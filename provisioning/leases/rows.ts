/** Reading rows of our own database. What does not fit was damaged. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { SqlRow } from "../../src/sqlite/mod.ts";

/** A text column. */
export function textIn(row: SqlRow, name: string): string {
  const value = row[name];
  return typeof value === "string" ? value : damaged(name);
}

/** A text column that may be null. */
export function textOrNone(row: SqlRow, name: string): string | undefined {
  const value = row[name];
  return value === null || value === undefined ? undefined : textIn(row, name);
}

/** A whole number. */
export function countIn(row: SqlRow, name: string): number {
  const value = row[name];
  return typeof value === "number" && Number.isSafeInteger(value) ? value : damaged(name);
}

/** A whole number that may be null. */
export function countOrNone(row: SqlRow, name: string): number | undefined {
  return row[name] === null ? undefined : countIn(row, name);
}

/** A column of JSON that we wrote ourselves. */
export function jsonIn<T>(row: SqlRow, name: string): T {
  try {
    return JSON.parse(textIn(row, name)) as T;
  } catch {
    return damaged(name);
  }
}

function damaged(name: string): never {
  throw new SeedmintError(
    "storage",
    `Cannot read the journal of leases: column ${name} holds something else than was written; restore it from a backup`,
  );
}
