/** One open SQLite database. */
import { dirname } from "node:path";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { assert } from "../core/assert.ts";
import { messageOf, SeedmintError } from "../core/errors.ts";
import { copyDatabase } from "./copy.ts";

/** A row as SQLite gives it. */
export type SqlRow = Readonly<Record<string, unknown>>;

/** What may be bound to a parameter. */
export type SqlValue = SQLInputValue;

/** Options of {@link SqliteConnection.open}. */
export interface SqliteOptions {
  /** SQL that brings a database from version `index` to `index + 1`; never change one that was released. */
  readonly migrations: readonly string[];
  /**
   * `full` survives a power cut with every transaction that was committed; `normal` may lose the last;
   * `off` may lose the file, for what is easily had again.
   */
  readonly synchronous: "full" | "normal" | "off";
  /** Reads what another connection writes, also one of this process; made and migrated by that one. */
  readonly readOnly?: boolean;
  /** How long another writer is waited for. @default {5000} */
  readonly busyMs?: number;
  /** Tells what went wrong in the owner's words; by default it is `no-space` or `storage`. */
  readonly explain?: (error: unknown) => Error;
  /** Called before each commit; what it throws undoes the transaction. Tests break disks with it. */
  readonly beforeCommit?: () => void;
}

/** Options of {@link SqliteConnection.transaction}. */
export interface TransactionOptions {
  /**
   * A power cut may undo it until the next transaction that is not so, or {@link SqliteConnection.flush};
   * a process that dies may not. Nothing outside may be told of it before. @default {false}
   */
  readonly isLazy?: boolean;
}

/** Statements kept. Texts are few, but where they are composed they must not grow without bound. */
const STATEMENTS_MAX = 256;

/** A database with prepared statements kept by their text. Integers are read as `bigint` where asked. */
export class SqliteConnection implements Disposable {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #options: Pick<SqliteOptions, "explain" | "beforeCommit" | "synchronous">;
  readonly #statements = new Map<string, StatementSync>();
  #inTransaction = false;
  /** Whether that may be undone by a power cut. */
  #isLazy = false;
  /** Whether something was, since the last flush began. */
  #isUnflushed = false;
  #flushing: Promise<void> | undefined;
  #hasFlushed = false;

  private constructor(path: string, database: DatabaseSync, options: SqliteOptions) {
    this.path = path;
    this.#database = database;
    this.#options = options;
  }

  /**
   * Opens the database at `path` (`:memory:` for none on disk), made with mode 0600 if it is missing,
   * and migrates it.
   *
   * @throws {SeedmintError} `storage` if it is damaged, newer than this program, or not writable.
   */
  static open(path: string, options: SqliteOptions): SqliteConnection {
    let database: DatabaseSync | undefined;
    try {
      if (options.readOnly === true) {
        database = new DatabaseSync(path, { readOnly: true });
        database.exec(`PRAGMA busy_timeout = ${options.busyMs ?? 5000};`);
        return new SqliteConnection(path, database, options);
      }
      if (path !== ":memory:") {
        Deno.openSync(path, { write: true, create: true, mode: 0o600 }).close();
      }
      database = new DatabaseSync(path, { enableForeignKeyConstraints: true });
      database.exec(
        `PRAGMA busy_timeout = ${options.busyMs ?? 5000}; PRAGMA journal_mode = WAL; ` +
          `PRAGMA synchronous = ${options.synchronous};`,
      );
      const connection = new SqliteConnection(path, database, options);
      connection.#migrate(options.migrations);
      return connection;
    } catch (error) {
      database?.close();
      throw explained(path, error, options);
    }
  }

  all(sql: string, ...values: SqlValue[]): SqlRow[] {
    return this.#try(() => this.#statement(sql).all(...values));
  }

  get(sql: string, ...values: SqlValue[]): SqlRow | undefined {
    return this.#try(() => this.#statement(sql).get(...values));
  }

  /** The rows one by one, for tables that need not fit into memory. */
  *each(sql: string, ...values: SqlValue[]): Iterable<SqlRow> {
    // A statement of its own: the kept one may be run again before this walk ends.
    yield* this.#try(() => this.#database.prepare(sql).iterate(...values)) as Iterable<SqlRow>;
  }

  /** Runs a change and returns the count of changed rows. */
  run(sql: string, ...values: SqlValue[]): number {
    return this.#try(() => Number(this.#statement(sql).run(...values).changes));
  }

  /**
   * All that `change` does is on disk when this returns, or nothing is. Inside another transaction it
   * is a part of that. `change` must not await.
   */
  transaction<T>(change: () => T, { isLazy = false }: TransactionOptions = {}): T {
    if (this.#inTransaction) {
      assert(isLazy || !this.#isLazy, "what must last is no part of what may not");
      return change();
    }
    return this.#try(() => {
      if (!isLazy || this.#options.synchronous !== "full") return this.#transaction(change);
      this.#isLazy = true;
      try {
        // A later commit brings all that stands before it in the log to the disk, too.
        this.#database.exec("PRAGMA synchronous = normal");
        this.#isUnflushed = true;
        return this.#transaction(change);
      } finally {
        this.#isLazy = false;
        this.#database.exec("PRAGMA synchronous = full");
      }
    });
  }

  /**
   * Resolves once all that was committed is on disk, lazily or not, while this thread does something
   * else: several wait for the disk once.
   */
  flush(): Promise<void> {
    if (this.#isUnflushed && this.path !== ":memory:") {
      this.#isUnflushed = false;
      const flushing = this.#syncLog().catch((error) => {
        this.#isUnflushed = true;
        throw explained(this.path, error, this.#options);
      }).finally(() => {
        if (this.#flushing === flushing) this.#flushing = undefined;
      });
      this.#flushing = flushing;
    }
    return this.#flushing ?? Promise.resolve();
  }

  /** Whether {@link transaction} is running. */
  get isInTransaction(): boolean {
    return this.#inTransaction;
  }

  /**
   * Writes a consistent copy of the whole database to a new file with mode 0600, or over an empty one.
   *
   * @throws {SeedmintError} `storage` if the file holds something or cannot be written; `no-space`
   */
  copyTo(path: string): void {
    let copy: DatabaseSync | undefined;
    try {
      Deno.openSync(path, { write: true, create: true, mode: 0o600 }).close();
      if (Deno.statSync(path).size > 0) throw new Error("it holds something already");
      copy = new DatabaseSync(path, { enableForeignKeyConstraints: false });
      copy.exec("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL;");
      const target = copy;
      this.transaction(() => copyDatabase(this.#database, target));
    } catch (error) {
      throw asStorageError(path, error);
    } finally {
      copy?.close();
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    this.#database.close();
  }

  #migrate(migrations: readonly string[]): void {
    this.transaction(() => {
      const { user_version: version } = this.get("PRAGMA user_version") as { user_version: number };
      if (version > migrations.length) {
        throw new Error(
          `it has version ${version}, this program knows ${migrations.length}; run a newer Seedmint`,
        );
      }
      for (const sql of migrations.slice(version)) this.#database.exec(sql);
      if (version < migrations.length) {
        this.#database.exec(`PRAGMA user_version = ${migrations.length}`);
      }
    });
  }

  #transaction<T>(change: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    this.#inTransaction = true;
    try {
      const result = change();
      this.#options.beforeCommit?.();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  /** The log alone: closing a file that SQLite locks, as the database is, would lose its locks. */
  async #syncLog(): Promise<void> {
    try {
      using log = await Deno.open(`${this.path}-wal`, { read: true, write: true });
      await log.syncData();
      if (this.#hasFlushed) return;
      // Its name may be as new as what is in it.
      using folder = await Deno.open(dirname(this.path));
      await folder.sync().catch(() => {});
      this.#hasFlushed = true;
    } catch (error) {
      // The database was closed, which brings all of it to the disk.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      if (this.#statements.size >= STATEMENTS_MAX) {
        this.#statements.delete(this.#statements.keys().next().value!);
      }
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #try<T>(action: () => T): T {
    // What fails inside a transaction must reach it as it is.
    if (this.#inTransaction) return action();
    try {
      return action();
    } catch (error) {
      throw isSqliteError(error) ? explained(this.path, error, this.#options) : error;
    }
  }
}

/** Whether SQLite itself says so, with a text that matches `pattern`. */
export function isSqliteError(error: unknown, pattern: RegExp = /^/): error is Error {
  return error instanceof Error && (error as { code?: unknown }).code === "ERR_SQLITE_ERROR" &&
    pattern.test(error.message);
}

/** Codes of SQLite, in the low byte of what the runtime passes on. */
const SQLITE_FULL = 13;
const SQLITE_CONSTRAINT = 19;

function resultCodeOf(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

function explained(
  path: string,
  error: unknown,
  options: Pick<SqliteOptions, "explain">,
): Error {
  if (error instanceof SeedmintError) return error;
  return options.explain?.(error) ?? asStorageError(path, error);
}

function asStorageError(path: string, error: unknown): Error {
  if (error instanceof SeedmintError) return error;
  // A broken constraint is a mistake of ours and no trouble with the disk.
  if (error instanceof Error && resultCodeOf(error) === SQLITE_CONSTRAINT) return error;
  if (
    resultCodeOf(error) === SQLITE_FULL ||
    /database or disk is full|ENOSPC|os error 28/.test(messageOf(error))
  ) {
    return new SeedmintError(
      "no-space",
      `Cannot use the database ${path}: the disk is full; free some space or move the data directory`,
      { cause: error },
    );
  }
  return new SeedmintError(
    "storage",
    `Cannot use the database ${path}: ${
      messageOf(error)
    }; check that the directory can be written ` +
      "and the disk is sound, or restore a backup",
    { cause: error },
  );
}
