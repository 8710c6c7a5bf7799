/** A consistent copy of a database, made row by row: `VACUUM INTO` needs more permission than we have. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";

/** Copies schema, version and rows of `from` into `to`, which is empty; call it inside a transaction of `from`. */
export function copyDatabase(from: DatabaseSync, to: DatabaseSync): void {
  const schema = from.prepare(
    `SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'`,
  ).all() as { type: string; name: string; sql: string }[];
  const { user_version: version } = from.prepare("PRAGMA user_version").get() as {
    user_version: number;
  };
  to.exec("BEGIN");
  const tables = schema.filter(({ type }) => type === "table");
  for (const { sql } of tables) to.exec(sql);
  for (const { name } of tables) copyRows(from, to, name);
  // Indexes are built faster over rows that are there, and triggers must not see the copying.
  for (const { sql } of schema.filter(({ type }) => type !== "table")) to.exec(sql);
  to.exec(`PRAGMA user_version = ${version}`);
  to.exec("COMMIT");
}

function copyRows(from: DatabaseSync, to: DatabaseSync, table: string): void {
  const read = from.prepare(`SELECT * FROM "${table}"`);
  read.setReadBigInts(true);
  const columns = (from.prepare(`PRAGMA table_info("${table}")`).all() as { name: string }[])
    .map(({ name }) => name);
  const write = to.prepare(
    `INSERT INTO "${table}" (${columns.map((name) => `"${name}"`).join(", ")})
     VALUES (${columns.map(() => "?").join(", ")})`,
  );
  for (const row of read.iterate() as Iterable<Record<string, SQLInputValue>>) {
    write.run(...columns.map((name) => row[name]!));
  }
}
