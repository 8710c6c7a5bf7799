/** SQLite as the store uses it: the one file of the store that imports `node:sqlite`. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { SeedmintError } from "../../src/core/errors.ts";
import { type FaultPoint, Files, fileSizeOf } from "./files.ts";
import { migrate } from "./schema.ts";
import { storageError } from "./store_error.ts";

/** A row as SQLite gives it. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** SQLite's texts for a damaged file and a full disk: the runtime passes on no result codes. */
const DAMAGED = /malformed|not a database|disk image/;
const FULL = /database or disk is full/;

/** Room kept so that a full disk still takes the record of a removal: a few pages and their log. */
const BALLAST_BYTES = 256 * 1024;

/** An open database with prepared statements kept by their text. */
export class Database implements Disposable {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #fault: FaultPoint | undefined;
  readonly #statements: Map<string, StatementSync> = new Map();
  #inTransaction = false;
  #hasBallast = false;

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
    this.restoreBallast();
  }

  /** Takes back the room that {@link transaction} gave up, if there is any. */
  restoreBallast(): void {
    if (this.#hasBallast) return;
    try {
      if (fileSizeOf(this.#ballastPath) !== BALLAST_BYTES) {
        Deno.writeFileSync(this.#ballastPath, new Uint8Array(BALLAST_BYTES), { mode: 0o600 });
      }
      this.#hasBallast = true;
    } catch {
      // The disk is still full, and a half of it helps nobody.
      new Files().remove(this.#ballastPath);
    }
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

  /**
   * All that `change` does is kept, or nothing. Inside another one it is part of that. One that
   * frees room may use the room kept for it when the disk is full.
   */
  transaction<T>(change: () => T, options: { readonly freesRoom?: boolean } = {}): T {
    if (this.#inTransaction) return change();
    return this.#try(() => {
      try {
        return this.#transact(change);
      } catch (error) {
        if (options.freesRoom !== true || !this.#hasBallast || !isSqliteError(error, FULL)) {
          throw error;
        }
        Deno.removeSync(this.#ballastPath);
        this.#hasBallast = false;
        return this.#transact(change);
      }
    });
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#database.close();
  }

  get #ballastPath(): string {
    return `${this.path}-ballast`;
  }

  #transact<T>(change: () => T): T {
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
    // What is part of a transaction must reach it as it is.
    if (this.#inTransaction) return action();
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

function isSqliteError(error: unknown, pattern: RegExp = /^/): error is Error {
  return error instanceof Error && (error as { code?: unknown }).code === "ERR_SQLITE_ERROR" &&
    pattern.test(error.message);
}

function asStorageError(path: string, error: unknown): Error {
  if (!isSqliteError(error, DAMAGED)) return storageError(`use the database ${path}`, error);
  return new SeedmintError(
    "storage",
    `Cannot use the database ${path}: it is damaged (${error.message}); restore it from a ` +
      `backup, or let verify --rebuild make a new one from the blob files`,
    { cause: error },
  );
}
