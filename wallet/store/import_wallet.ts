/** Taking over a copy of a wallet, as a backup holds it. */
import { SeedmintError } from "../../src/core/errors.ts";
import { SqliteConnection, type SqlValue } from "../../src/sqlite/mod.ts";
import { COUNTER_MARGIN_AFTER_RESTORE } from "./limits.ts";
import { MIGRATIONS, TABLES } from "./schema.ts";
import type { Tables } from "./tables.ts";

/** What was taken over. */
export interface ImportReport {
  readonly operationCount: number;
  /** Operations that have not ended. */
  readonly openCount: number;
  /** Proofs that are not spent, as far as the copy knows: their mints must be asked (NUT-07). */
  readonly proofCount: number;
  /** Where what was replaced is kept, in the clear; absent when nothing was. */
  readonly replacedPath?: string;
}

/** Rows that both may have: those of the copy win, and what only this wallet has stays. */
const MERGED: readonly string[] = ["mints", "routes"];

/** See `SqliteWalletStore.importFrom`. */
export function importWallet(
  tables: Tables,
  options: {
    readonly path: string;
    readonly replace: boolean;
    readonly saveTo: string;
    readonly seedFingerprint: string;
  },
): ImportReport {
  using copy = SqliteConnection.open(options.path, {
    migrations: MIGRATIONS,
    synchronous: "normal",
  });
  assertOfSeed(copy, options);
  assertSound(copy, options.path);
  const { database } = tables;
  const isReplaced = !isEmpty(database, options.replace) && database.path !== ":memory:";
  if (isReplaced) database.copyTo(options.saveTo);
  database.transaction(() => {
    makeEmpty(database);
    for (const table of TABLES) {
      if (table !== "meta" && table !== "counters") copyRows(copy, { database, table });
    }
    for (const row of copy.each("SELECT * FROM counters")) {
      database.run(
        `INSERT INTO counters VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET next = max(next, excluded.next)`,
        row.seed_fingerprint as string,
        row.keyset_id as string,
        row.next as number,
      );
    }
    tables.counters.advanceAll(COUNTER_MARGIN_AFTER_RESTORE);
    tables.proofs.markAllForRecheck();
    tables.buying.giveUpPrepaid();
  });
  return { ...reportOf(database), ...isReplaced ? { replacedPath: options.saveTo } : {} };
}

function assertOfSeed(
  copy: SqliteConnection,
  options: { readonly path: string; readonly seedFingerprint: string },
): void {
  const owner = copy.get("SELECT value FROM meta WHERE name = 'seed-fingerprint'")?.value;
  if (owner === options.seedFingerprint) return;
  throw new SeedmintError(
    "denied",
    `Cannot take over ${options.path}: it belongs to the seed ${owner ?? "of nobody"}, and this ` +
      `wallet is of the seed ${options.seedFingerprint}; open a wallet with the words it was made with`,
  );
}

function assertSound(copy: SqliteConnection, path: string): void {
  const found = copy.get("SELECT quick_check AS found FROM pragma_quick_check")?.found;
  if (found === "ok") return;
  throw new SeedmintError(
    "corrupt",
    `Cannot take over ${path}: it is damaged (${found}); use another backup`,
  );
}

/** Whether nothing would be lost. @throws {SeedmintError} `denied` if something would, without `replace`. */
function isEmpty(database: SqliteConnection, replace: boolean): boolean {
  const { operations, proofs } = database.get(
    `SELECT (SELECT count(*) FROM operations) AS operations,
       (SELECT count(*) FROM proofs) AS proofs`,
  ) as { operations: number; proofs: number };
  if (operations + proofs > 0 && !replace) {
    throw new SeedmintError(
      "denied",
      `Cannot restore into the wallet ${database.path}: it has ${operations} operations and ` +
        `${proofs} proofs, which would be lost; restore into an empty data directory, or say that ` +
        "they are to be replaced",
    );
  }
  return operations + proofs === 0;
}

function makeEmpty(database: SqliteConnection): void {
  for (const table of TABLES.toReversed()) {
    if (table === "meta" || table === "counters" || MERGED.includes(table)) continue;
    database.run(`DELETE FROM ${table}`);
  }
  database.run("DELETE FROM coins");
}

function copyRows(
  copy: SqliteConnection,
  { database, table }: { readonly database: SqliteConnection; readonly table: string },
): void {
  const columns = copy.all(`SELECT name FROM pragma_table_info('${table}') ORDER BY cid`)
    .map((row) => row.name as string);
  const verb = MERGED.includes(table) ? "INSERT OR REPLACE" : "INSERT";
  const sql = `${verb} INTO ${table} (${columns.join(", ")}) VALUES (${
    columns.map(() => "?").join(", ")
  })`;
  for (const row of copy.each(`SELECT * FROM ${table}`)) {
    database.run(sql, ...columns.map((column) => row[column] as SqlValue));
  }
}

function reportOf(database: SqliteConnection): ImportReport {
  return database.get(
    `SELECT (SELECT count(*) FROM operations) AS operationCount,
       (SELECT count(*) FROM operations WHERE status IN ('open', 'attention')) AS openCount,
       (SELECT count(*) FROM proofs WHERE state <> 'spent') AS proofCount`,
  ) as unknown as ImportReport;
}
