/** What the tables of receipts share: listings under conditions, and the oldest rows making room. */
import type { SqliteConnection, SqlValue } from "../src/sqlite/mod.ts";

/** Conditions that all hold of a row. */
export class Conditions {
  readonly #texts = ["TRUE"];
  readonly #values: SqlValue[] = [];

  /** @param value What the `?` of `text` stands for; undefined is no condition. */
  add(text: string, value: SqlValue | undefined): this {
    if (value === undefined) return this;
    this.#texts.push(text);
    this.#values.push(value);
    return this;
  }

  /** For behind `WHERE`. */
  get text(): string {
    return this.#texts.join(" AND ");
  }

  get values(): readonly SqlValue[] {
    return this.#values;
  }
}

/** Removes the oldest rows of `table` by its column `age`, so that `countMax` are left. */
export function keepNewest(
  database: SqliteConnection,
  { table, age, countMax }: {
    readonly table: "receipts" | "covered" | "lease_receipts";
    readonly age: string;
    readonly countMax: number;
  },
): void {
  const { n } = database.get(`SELECT count(*) AS n FROM ${table}`) as { n: number };
  if (n <= countMax) return;
  database.run(
    `DELETE FROM ${table} WHERE rowid IN (
       SELECT rowid FROM ${table} ORDER BY ${age}, rowid LIMIT ?)`,
    n - countMax,
  );
}
