/** SQLite as the store uses it: the one file of the store that imports `node:sqlite`. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { FaultPoint } from "./files.ts";
import { migrate } from "./schema.ts";
import { storageError } from "./store_error.ts";

/** A row as SQLite gives it. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** SQLite's result codes for a file that is damaged or is no database. */
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/** An open database with prepared statements kept by their text. */
export class Database implements Disposable {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #fault: FaultPoint | undefined;
  readonly #statements: Map<string, StatementSync> = new Map();
  #inTransaction = false;

  /**
   * Opens the database at `path`, made if it is missing, at the newest schema.
   *
   * @throws {SeedmintError} `storage` if it is damaged, newer than this program, or not writable.
   */
  constructor(path: string, fault?: FaultPoint) {
    this.path = path;
    this.#fault = fault;
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path, { enableForeignKeyConstraints: true });
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
      const { user_version: version } = database.prepare("PRAGMA user_version").get() as {
        user_version: number;
      };
      migrate(database, version, path);
    } catch (error) {
      database?.close();
      throw asStorageError(path, error);
    }
    this.#database = database;
  }

  all(sql: string, ...values: SQLInputValue[]): SqlRow[] {
    return this.#try(() => this.#statement(sql).all(...values));
  }

  get(sql: string, ...values: SQLInputValue[]): SqlRow | undefined {
    return this.#try(() => this.#statement(sql).get(...values));
  }

  /** Runs a change; call it inside {@link transaction}. Returns the count of changed rows. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#try(() => Number(this.#statement(sql).run(...values).changes));
  }

  /** All that `change` does is kept, or nothing. Inside another one it is part of that. */
  transaction<T>(change: () => T): T {
    if (this.#inTransaction) return change();
    return this.#try(() => {
      this.#database.exec("BEGIN IMMEDIATE");
      this.#inTransaction = true;
      try {
        const result = change();
        this.#fault?.("commit", this.path);
        this.#database.exec("COMMIT");
        return result;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      } finally {
        this.#inTransaction = false;
      }
    });
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#database.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #try<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw isSqliteError(error) ? asStorageError(this.path, error) : error;
    }
  }
}

/** Reads what can still be read of a damaged database; undefined if it cannot be opened at all. */
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

function isSqliteError(error: unknown): error is Error & { readonly errcode?: number } {
  return error instanceof Error && (error as { code?: unknown }).code === "ERR_SQLITE_ERROR";
}

function asStorageError(path: string, error: unknown): Error {
  if (isSqliteError(error)) {
    const code = (error.errcode ?? 0) & 0xff;
    if (code === CORRUPT || code === NOT_A_DATABASE || /malformed/.test(error.message)) {
      return new SeedmintError(
        "storage",
        `Cannot use the database ${path}: it is damaged (${messageOf(error)}); ` +
          `restore it from a backup, or rebuild it from the blob files with FileBlobStore.rebuild (the command: verify --rebuild)`,
        { cause: error },
      );
    }
  }
  return storageError(`use the database ${path}`, error);
}
