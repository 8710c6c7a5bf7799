/**
 * What an announcer remembers across restarts: when each of its adverts was last dated, so that two
 * of one address never tie, and which of them are out there, so that what is gone can be withdrawn.
 */
import { DatabaseSync } from "node:sqlite";
import { messageOf, SeedmintError } from "../../src/core/errors.ts";

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

/** Marks in a small SQLite file of their own. */
export class SqliteAdvertState implements AdvertState {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Opens or creates the file at `path`.
   *
   * @throws {SeedmintError} `storage` if it cannot be opened or is no such file.
   */
  static open(path: string): SqliteAdvertState {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path);
      database.exec(`
        PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000;
        CREATE TABLE IF NOT EXISTS marks (
          key TEXT PRIMARY KEY, created_at INTEGER NOT NULL, live INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
      `);
      return new SqliteAdvertState(database);
    } catch (cause) {
      database?.close();
      throw new SeedmintError(
        "storage",
        `Cannot open the record of adverts at ${path}: ${
          messageOf(cause)
        }; it may be removed, old adverts then run out by themselves`,
        { cause },
      );
    }
  }

  get(key: string): AdvertMark | undefined {
    const row = this.#database.prepare("SELECT created_at, live FROM marks WHERE key = ?").get(key);
    return row === undefined ? undefined : markOf(row);
  }

  set(key: string, mark: AdvertMark): void {
    this.#database.prepare(
      `INSERT INTO marks (key, created_at, live) VALUES (?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET created_at = excluded.created_at, live = excluded.live`,
    ).run(key, mark.createdAtS, mark.live ? 1 : 0);
  }

  delete(key: string): void {
    this.#database.prepare("DELETE FROM marks WHERE key = ?").run(key);
  }

  entries(): Iterable<readonly [string, AdvertMark]> {
    return this.#database.prepare("SELECT key, created_at, live FROM marks").all()
      .map((row) => [row.key as string, markOf(row)] as const);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

function markOf(row: Record<string, unknown>): AdvertMark {
  return { createdAtS: row.created_at as number, live: row.live === 1 };
}
