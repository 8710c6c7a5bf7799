/**
 * Counters of NUT-13 and of quote keys. They belong to a seed, not to a mint: two addresses of one mint
 * would otherwise derive the same secrets. What was taken is never given again, used or not.
 */
import { assert } from "../../src/core/assert.ts";
import type { SqliteConnection } from "../../src/sqlite/mod.ts";
import { named } from "./columns.ts";
import { COUNTER_MAX, COUNTERS_PER_TAKE_MAX, NAME_CHARS_MAX } from "./limits.ts";

/** The row that counts quote keys; no keyset has this id. */
const QUOTE_KEYS = "quote-keys";

/** Reads and changes the rows of `counters` that belong to one seed. */
export class CountersTable {
  readonly #database: SqliteConnection;
  readonly #seedFingerprint: string;

  constructor(database: SqliteConnection, seedFingerprint: string) {
    this.#database = database;
    this.#seedFingerprint = seedFingerprint;
  }

  /** The counter that is taken next. */
  get(keysetId: string): number {
    const row = this.#database.get(
      "SELECT next FROM counters WHERE seed_fingerprint = ? AND keyset_id = ?",
      this.#seedFingerprint,
      keysetId,
    );
    return (row?.next as number | undefined) ?? 0;
  }

  take(keysetId: string, count: number): number {
    assert(
      Number.isInteger(count) && count > 0 && count <= COUNTERS_PER_TAKE_MAX,
      `1 to ${COUNTERS_PER_TAKE_MAX} counters are taken at once, not ${count}`,
    );
    const first = this.get(keysetId);
    this.advance(keysetId, first + count);
    return first;
  }

  takeQuoteKeyIndex(): number {
    return this.take(QUOTE_KEYS, 1);
  }

  /** Moves the counter to `atLeast` if it is behind. */
  advance(keysetId: string, atLeast: number): void {
    named(keysetId, NAME_CHARS_MAX, "a keyset id");
    assert(
      Number.isInteger(atLeast) && atLeast >= 0 && atLeast <= COUNTER_MAX,
      `counters end at ${COUNTER_MAX}, and ${atLeast} is wanted`,
    );
    this.#database.run(
      `INSERT INTO counters VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET next = max(next, excluded.next)`,
      this.#seedFingerprint,
      keysetId,
      atLeast,
    );
  }

  /** Moves every counter `count` on: an older copy of the database does not know what was used since. */
  advanceAll(count: number): void {
    this.#database.run("UPDATE counters SET next = min(next + ?, ?)", count, COUNTER_MAX);
  }
}
