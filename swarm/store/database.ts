/** The database of the store: SQLite with room kept aside, so that a full disk can be made emptier. */
import { SeedmintError } from "../../src/core/errors.ts";
import {
  isSqliteError,
  SqliteConnection,
  type SqlRow,
  type SqlValue,
} from "../../src/sqlite/mod.ts";
import { type FaultPoint, Files, fileSizeOf } from "./files.ts";
import { MIGRATIONS } from "./schema.ts";
import { storageError } from "./store_error.ts";

/** SQLite's texts for a damaged file and a full disk. */
const DAMAGED = /malformed|not a database|disk image/;
const FULL = /database or disk is full/;

/** Room kept so that a full disk still takes the record of a removal: a few pages and their log. */
const BALLAST_BYTES = 256 * 1024;

/** The open database; one process at a time owns it. */
export class Database implements Disposable {
  readonly path: string;
  readonly #connection: SqliteConnection;
  #hasBallast = false;

  /**
   * Opens the database at `path`, made if it is missing, at the newest schema.
   *
   * @throws {SeedmintError} `storage` if it is damaged, newer than this program, or not writable.
   */
  constructor(path: string, fault?: FaultPoint) {
    this.path = path;
    this.#connection = SqliteConnection.open(path, {
      migrations: MIGRATIONS,
      synchronous: "normal",
      busyMs: 0,
      explain: (error) => asStorageError(path, error),
      beforeCommit: () => fault?.("commit", path),
    });
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

  all(sql: string, ...values: SqlValue[]): SqlRow[] {
    return this.#connection.all(sql, ...values);
  }

  get(sql: string, ...values: SqlValue[]): SqlRow | undefined {
    return this.#connection.get(sql, ...values);
  }

  /** Runs a change; call it inside {@link transaction}. Returns the count of changed rows. */
  run(sql: string, ...values: SqlValue[]): number {
    return this.#connection.run(sql, ...values);
  }

  /**
   * All that `change` does is kept, or nothing. Inside another one it is part of that. One that
   * frees room may use the room kept for it when the disk is full.
   */
  transaction<T>(change: () => T, options: { readonly freesRoom?: boolean } = {}): T {
    if (this.#connection.isInTransaction) return change();
    try {
      return this.#connection.transaction(change);
    } catch (error) {
      if (options.freesRoom !== true || !this.#hasBallast || !isFull(error)) throw error;
      Deno.removeSync(this.#ballastPath);
      this.#hasBallast = false;
      return this.#connection.transaction(change);
    }
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }

  get #ballastPath(): string {
    return `${this.path}-ballast`;
  }
}

/** Whether the database said that the disk is full: a quota, which says `no-space`, too, is another thing. */
function isFull(error: unknown): boolean {
  return error instanceof SeedmintError && isSqliteError(error.cause, FULL);
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
