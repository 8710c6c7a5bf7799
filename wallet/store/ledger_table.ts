/** The ledger: every change of what is held, written with the change and never changed. */
import type { SqliteConnection } from "../../src/sqlite/mod.ts";
import type { MintUrl } from "../types.ts";
import { sat, storableDelta, whole } from "./columns.ts";
import type { LedgerEntry, LedgerFilter } from "./wallet_store.ts";

/** Reads and extends the rows of `ledger`. */
export class LedgerTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  /** Oldest first. */
  list(filter: LedgerFilter): LedgerEntry[] {
    const wanted: string[] = ["TRUE"];
    const values: string[] = [];
    if (filter.operationId !== undefined) {
      wanted.push("operation_id = ?");
      values.push(filter.operationId);
    }
    if (filter.mint !== undefined) {
      wanted.push("mint = ?");
      values.push(filter.mint);
    }
    return this.#database.all(
      `SELECT * FROM ledger WHERE ${wanted.join(" AND ")} ORDER BY sequence`,
      ...values,
    ).map((row) => ({
      operationId: row.operation_id,
      mint: row.mint,
      kind: row.kind,
      delta: sat(row, "delta"),
      atMs: row.at_ms,
    } as LedgerEntry));
  }

  /** What the books say is held at each mint. */
  totals(): Map<MintUrl, bigint> {
    const rows = this.#database.all(
      "SELECT mint, CAST(sum(delta) AS TEXT) AS total FROM ledger GROUP BY mint",
    );
    return new Map(rows.map((row) => [row.mint as MintUrl, BigInt(row.total as string)]));
  }

  add(entries: readonly LedgerEntry[]): void {
    for (const entry of entries) {
      this.#database.run(
        "INSERT INTO ledger (operation_id, mint, kind, delta, at_ms) VALUES (?,?,?,?,?)",
        entry.operationId,
        entry.mint,
        entry.kind,
        storableDelta(entry.delta),
        whole(entry.atMs),
      );
    }
  }
}
