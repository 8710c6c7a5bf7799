/** Blobs that the push registry pinned in the store, told from those that their user pinned. */
import { type Hash, hashToBytes } from "../../../src/core/hash.ts";
import { hashIn } from "./keys.ts";
import type { SqliteConnection } from "../../../src/sqlite/mod.ts";

/** The table of pins. */
export class Pinned {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  has(hash: Hash): boolean {
    return this.#database.get("SELECT 1 FROM pinned WHERE hash = ?", hashToBytes(hash)) !==
      undefined;
  }

  all(): readonly Hash[] {
    return this.#database.all("SELECT hash FROM pinned ORDER BY hash").map((row) =>
      hashIn(row, "hash")
    );
  }

  add(hash: Hash): void {
    this.#database.run("INSERT OR IGNORE INTO pinned (hash) VALUES (?)", hashToBytes(hash));
  }

  remove(hash: Hash): boolean {
    return this.#database.run("DELETE FROM pinned WHERE hash = ?", hashToBytes(hash)) > 0;
  }
}
