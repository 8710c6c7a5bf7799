/**
 * Which blob has a SHA-256, as this node computed it: content that went can so be fetched again by its
 * BLAKE3, and verified group by group.
 */
import { type Hash, hashToBytes, type Sha256 } from "../../../src/core/hash.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { SqliteConnection } from "../../../src/sqlite/mod.ts";
import type { DigestMapping } from "../ports.ts";
import { hashIn } from "./keys.ts";
import { MAPPINGS_DROPPED, MAPPINGS_MAX } from "./limits.ts";

/** The table of mappings. Only ever given what was computed from the bytes, or was signed. */
export class Mappings {
  readonly #database: SqliteConnection;
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #countMax: number;
  #count: number;

  constructor(
    database: SqliteConnection,
    clock: Pick<Clock, "nowMs">,
    countMax: number = MAPPINGS_MAX,
  ) {
    this.#database = database;
    this.#clock = clock;
    this.#countMax = countMax;
    this.#count = database.get("SELECT count(*) AS n FROM mappings")!.n as number;
  }

  get(sha256: Sha256): DigestMapping | undefined {
    const row = this.#database.get(
      "SELECT hash, size FROM mappings WHERE sha256 = ?",
      hashToBytes(sha256),
    );
    return row && { sha256, hash: hashIn(row, "hash"), size: row.size as number };
  }

  put({ sha256, hash, size }: DigestMapping): void {
    if (this.get(sha256)?.hash === hash) return;
    this.#count += this.#database.run(
      "INSERT OR IGNORE INTO mappings (sha256, hash, size, seen_ms) VALUES (?, ?, ?, ?)",
      hashToBytes(sha256),
      hashToBytes(hash as Hash),
      size,
      this.#clock.nowMs(),
    );
    if (this.#count <= this.#countMax) return;
    this.#count -= this.#database.run(
      `DELETE FROM mappings WHERE sha256 IN
         (SELECT sha256 FROM mappings ORDER BY seen_ms, sha256 LIMIT ?)`,
      Math.max(1, Math.min(MAPPINGS_DROPPED, Math.floor(this.#countMax / 10))),
    );
  }
}
