/**
 * What an announcer remembers across restarts: when each of its adverts was last dated, so that two
 * of one address never tie, and which of them are out there, so that what is gone can be withdrawn.
 */
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import { SqliteConnection } from "../../src/sqlite/mod.ts";

/** The last event published at one address. */
export interface AdvertMark {
  /** Its `created_at`, seconds since 1970. */
  readonly createdAtS: number;
  /** Whether it advertises; false once it was withdrawn. */
  readonly live: boolean;
}

/** Marks by key, `<channel>/<kind>:<d>`. Each change is kept before {@link set} returns. */
export interface AdvertState extends Disposable {
  get(key: string): AdvertMark | undefined;
  set(key: string, mark: AdvertMark): void;
  delete(key: string): void;
  entries(): Iterable<readonly [string, AdvertMark]>;
}

/** Marks that end with the process. */
export class MemoryAdvertState implements AdvertState {
  readonly #marks = new Map<string, AdvertMark>();

  get(key: string): AdvertMark | undefined {
    return this.#marks.get(key);
  }

  set(key: string, mark: AdvertMark): void {
    this.#marks.set(key, mark);
  }

  delete(key: string): void {
    this.#marks.delete(key);
  }

  entries(): Iterable<readonly [string, AdvertMark]> {
    return [...this.#marks];
  }

  [Symbol.dispose](): void {}
}

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS marks (
    key TEXT PRIMARY KEY, created_at INTEGER NOT NULL, live INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
];

/** Marks in a small SQLite file of their own. */
export class SqliteAdvertState implements AdvertState {
  readonly #database: SqliteConnection;

  private constructor(database: SqliteConnection) {
    this.#database = database;
  }

  /**
   * Opens or creates the file at `path`.
   *
   * @throws {SeedmintError} `storage` if it cannot be opened or is no such file.
   */
  static open(path: string): SqliteAdvertState {
    const database = SqliteConnection.open(path, {
      migrations: MIGRATIONS,
      synchronous: "normal",
      busyMs: 2000,
      explain: (cause) =>
        new SeedmintError(
          "storage",
          `Cannot use the record of adverts at ${path}: ${
            messageOf(cause)
          }; it may be removed, old adverts then run out by themselves`,
          { cause },
        ),
    });
    return new SqliteAdvertState(database);
  }

  get(key: string): AdvertMark | undefined {
    const row = this.#database.get("SELECT created_at, live FROM marks WHERE key = ?", key);
    return row === undefined ? undefined : markOf(row);
  }

  set(key: string, mark: AdvertMark): void {
    this.#database.run(
      `INSERT INTO marks (key, created_at, live) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET created_at = excluded.created_at, live = excluded.live`,
      key,
      mark.createdAtS,
      mark.live ? 1 : 0,
    );
  }

  delete(key: string): void {
    this.#database.run("DELETE FROM marks WHERE key = ?", key);
  }

  entries(): Iterable<readonly [string, AdvertMark]> {
    return this.#database.all("SELECT key, created_at, live FROM marks")
      .map((row) => [row.key as string, markOf(row)] as const);
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}

function markOf(row: Record<string, unknown>): AdvertMark {
  return { createdAtS: row.created_at as number, live: row.live === 1 };
}
