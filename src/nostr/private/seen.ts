/** Which messages were handled, so that each is handled once in spite of relays, restarts and copies. */
import { messageOf, SeedmintError } from "../../core/errors.ts";
import { SqliteConnection } from "../../sqlite/mod.ts";
import { PRIVATE_LIMITS } from "./limits.ts";

/** Ids of 64 hex digits: of messages that were handled, and of events that need not be opened again. */
export interface SeenIds extends Disposable {
  has(id: string): boolean;
  /** Keeps ids before it returns; the oldest go when there are too many. */
  add(ids: readonly string[], nowS: number): void;
  /** Forgets what was kept before `beforeS`. */
  prune(beforeS: number): void;
}

/** Ids that are forgotten with the process. */
export class MemorySeenIds implements SeenIds {
  readonly #ids = new Map<string, number>();
  readonly #countMax: number;

  constructor(options: { readonly countMax?: number } = {}) {
    this.#countMax = options.countMax ?? PRIVATE_LIMITS.seenIdsMax;
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }

  add(ids: readonly string[], nowS: number): void {
    for (const id of ids) {
      this.#ids.delete(id);
      this.#ids.set(id, nowS);
      if (this.#ids.size > this.#countMax) this.#ids.delete(this.#ids.keys().next().value!);
    }
  }

  prune(beforeS: number): void {
    for (const [id, atS] of this.#ids) if (atS < beforeS) this.#ids.delete(id);
  }

  [Symbol.dispose](): void {}
}

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE seen (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    seen_s INTEGER NOT NULL
  ) STRICT`,
];

/** Ids in a SQLite file of their own. */
export class SqliteSeenIds implements SeenIds {
  readonly #database: SqliteConnection;
  readonly #countMax: number;

  private constructor(database: SqliteConnection, countMax: number) {
    this.#database = database;
    this.#countMax = countMax;
  }

  /**
   * Opens or creates the file at `path`.
   *
   * @throws {SeedmintError} `storage` if it cannot be opened or is no such file.
   */
  static open(path: string, options: { readonly countMax?: number } = {}): SqliteSeenIds {
    const database = SqliteConnection.open(path, {
      migrations: MIGRATIONS,
      synchronous: "normal",
      explain: (cause) =>
        new SeedmintError(
          "storage",
          `Cannot use the record of private messages at ${path}: ${
            messageOf(cause)
          }; check the disk, or remove the file: requests of the last days then come again and get their old answers`,
          { cause },
        ),
    });
    return new SqliteSeenIds(database, options.countMax ?? PRIVATE_LIMITS.seenIdsMax);
  }

  has(id: string): boolean {
    return this.#database.get("SELECT 1 FROM seen WHERE id = ?", Uint8Array.fromHex(id)) !==
      undefined;
  }

  add(ids: readonly string[], nowS: number): void {
    this.#database.transaction(() => {
      for (const id of ids) {
        this.#database.run(
          "INSERT OR IGNORE INTO seen (id, seen_s) VALUES (?, ?)",
          Uint8Array.fromHex(id),
          nowS,
        );
      }
      this.#database.run(
        "DELETE FROM seen WHERE serial <= (SELECT max(serial) FROM seen) - ?",
        this.#countMax,
      );
    });
  }

  prune(beforeS: number): void {
    this.#database.run("DELETE FROM seen WHERE seen_s < ?", beforeS);
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}
