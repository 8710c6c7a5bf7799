/**
 * Which parts of images anybody may have: what was given to this node as to any stranger. What the store
 * holds for the fleet or for this node alone is no lessee's, though its bytes are here.
 */
import { messageOf, SeedmintError } from "../../../core/errors.ts";
import type { Sha256 } from "../../../core/hash.ts";
import type { Clock } from "../../../core/ports.ts";
import { SqliteConnection } from "../../../sqlite/mod.ts";
import { PUBLIC_KEPT_MS, PUBLIC_PARTS_MAX } from "./limits.ts";

const MIGRATIONS = [
  "CREATE TABLE parts (sha256 BLOB PRIMARY KEY, seen_ms INTEGER NOT NULL) WITHOUT ROWID, STRICT;" +
  "CREATE INDEX parts_by_age ON parts (seen_ms);",
];

/** Remembered on disk. */
export class PublicParts implements Disposable {
  readonly #database: SqliteConnection;
  readonly #clock: Pick<Clock, "nowMs">;

  private constructor(database: SqliteConnection, clock: Pick<Clock, "nowMs">) {
    this.#database = database;
    this.#clock = clock;
  }

  /** @param path `:memory:` for none on disk. @throws {SeedmintError} `storage` */
  static open(path: string, clock: Pick<Clock, "nowMs">): PublicParts {
    const database = SqliteConnection.open(path, {
      migrations: MIGRATIONS,
      synchronous: "normal",
      explain: (cause) =>
        new SeedmintError(
          "storage",
          `Cannot use the record of public images at ${path}: ${
            messageOf(cause)
          }; remove it, and ` +
            "images are asked for anew",
          { cause },
        ),
    });
    return new PublicParts(database, clock);
  }

  has(sha256: Sha256): boolean {
    return this.#database.get(
      "SELECT 1 FROM parts WHERE sha256 = ? AND seen_ms > ?",
      Uint8Array.fromHex(sha256),
      this.#clock.nowMs() - PUBLIC_KEPT_MS,
    ) !== undefined;
  }

  /** A stranger is asked for it, and it was not here before: its bytes, if they come, are no secret. */
  expect(sha256: Sha256): void {
    const query = "INSERT OR IGNORE INTO parts (sha256, seen_ms) VALUES (?, 0)";
    this.#database.run(query, Uint8Array.fromHex(sha256));
  }

  /** They did not come. */
  expectNot(sha256: Sha256): void {
    const query = "DELETE FROM parts WHERE sha256 = ? AND seen_ms = 0";
    this.#database.run(query, Uint8Array.fromHex(sha256));
  }

  /** Whether it ever was, or is expected, as far as is remembered: its bytes are no secret of ours. */
  wasGiven(sha256: Sha256): boolean {
    const query = "SELECT 1 FROM parts WHERE sha256 = ?";
    return this.#database.get(query, Uint8Array.fromHex(sha256)) !== undefined;
  }

  /** A stranger gave it, or would have. */
  add(sha256: Sha256): void {
    this.#database.transaction(() => {
      this.#database.run(
        "INSERT OR REPLACE INTO parts (sha256, seen_ms) VALUES (?, ?)",
        Uint8Array.fromHex(sha256),
        this.#clock.nowMs(),
      );
      this.#database.run(
        `DELETE FROM parts WHERE sha256 IN (SELECT sha256 FROM parts ORDER BY seen_ms DESC
          LIMIT -1 OFFSET ?)`,
        PUBLIC_PARTS_MAX,
      );
    });
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}
