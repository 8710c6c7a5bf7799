/** What can still be read of a database that is damaged. */
import { DatabaseSync } from "node:sqlite";
import type { SqlRow } from "./connection.ts";

/** Reads tables up to where they are damaged; undefined if the file cannot be opened at all. */
export function openDamaged(
  path: string,
): { all(sql: string): SqlRow[]; close(): void } | undefined {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(path, { readOnly: true });
  } catch {
    return undefined;
  }
  return {
    all: (sql) => {
      const rows: SqlRow[] = [];
      try {
        for (const row of database.prepare(sql).iterate()) rows.push(row);
      } catch {
        // The rows before the damage are what there is.
      }
      return rows;
    },
    close: () => database.close(),
  };
}
