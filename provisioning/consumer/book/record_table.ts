/** A table of records as JSON, each with an id, a state, and whom or what it belongs to. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { SqliteConnection, SqlRow } from "../../../src/sqlite/mod.ts";

/** What a table needs to know of its records. */
export interface RecordKind<T> {
  readonly table: "leases" | "payments" | "refunds";
  /** The column of what a record belongs to. */
  readonly ownerColumn: "provider" | "lease";
  /** Its columns. */
  readonly columnsOf: (record: T) => {
    readonly id: string;
    readonly owner: string;
    readonly state: string;
    readonly isOpen: boolean;
    readonly createdMs: number;
  };
}

/** A table of records. */
export class RecordTable<T> {
  readonly #database: SqliteConnection;
  readonly #kind: RecordKind<T>;

  constructor(database: SqliteConnection, kind: RecordKind<T>) {
    this.#database = database;
    this.#kind = kind;
  }

  get(id: string): T | undefined {
    const row = this.#database.get(`SELECT record FROM ${this.#kind.table} WHERE id = ?`, id);
    return row && recordIn(row);
  }

  /** Adds it, or puts it in the place of the one with its id. */
  put(record: T): void {
    const { table, ownerColumn, columnsOf } = this.#kind;
    const { id, owner, state, isOpen, createdMs } = columnsOf(record);
    this.#database.run(
      `INSERT INTO ${table} (id, ${ownerColumn}, state, is_open, created_ms, record)
        VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
        state = excluded.state, is_open = excluded.is_open, record = excluded.record`,
      id,
      owner,
      state,
      isOpen ? 1 : 0,
      createdMs,
      JSON.stringify(record),
    );
  }

  /** Those that something will still happen to, oldest first. */
  open(): T[] {
    return this.#select("WHERE is_open = 1 ORDER BY created_ms, rowid");
  }

  /** Those of one lease, or of one provider, oldest first. */
  of(owner: string): T[] {
    return this.#select(
      `WHERE ${this.#kind.ownerColumn} = ? ORDER BY created_ms, rowid`,
      owner,
    );
  }

  /** The newest first. */
  newest(countMax: number): T[] {
    return this.#select("ORDER BY created_ms DESC, rowid DESC LIMIT ?", countMax);
  }

  #select(rest: string, ...values: (string | number)[]): T[] {
    return this.#database.all(`SELECT record FROM ${this.#kind.table} ${rest}`, ...values)
      .map((row) => recordIn<T>(row));
  }
}

function recordIn<T>(row: SqlRow): T {
  try {
    return JSON.parse(row.record as string) as T;
  } catch {
    throw new SeedmintError(
      "storage",
      "Cannot read the book of leases: a record is damaged; restore it from a backup",
    );
  }
}
