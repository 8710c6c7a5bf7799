/** Requests that must not be done twice, by who asked and under which name. */
import type { SqliteConnection } from "../../src/sqlite/mod.ts";
import { LEASE_LIMITS } from "./limits.ts";
import { countOrNone, textIn, textOrNone } from "./rows.ts";

/** One request. */
export interface Ask {
  /** Of what was asked: the same name may not stand for something else. */
  readonly fingerprint: string;
  readonly type: string;
  readonly lease?: number;
  /** The answer as it was sent, if it is not told by the lease. Secret. */
  readonly answer?: string;
}

/** The table `asks`. */
export class AskTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  get(owner: string, key: string): Ask | undefined {
    const row = this.#database.get("SELECT * FROM asks WHERE owner = ? AND key = ?", owner, key);
    if (row === undefined) return undefined;
    const lease = countOrNone(row, "lease");
    const answer = textOrNone(row, "answer");
    return {
      fingerprint: textIn(row, "fingerprint"),
      type: textIn(row, "type"),
      ...(lease === undefined ? {} : { lease }),
      ...(answer === undefined ? {} : { answer }),
    };
  }

  begin(
    owner: string,
    key: string,
    options: { readonly fingerprint: string; readonly type: string; readonly nowMs: number },
  ): void {
    this.#database.run(
      "INSERT OR IGNORE INTO asks (owner, key, fingerprint, type, created_ms) VALUES (?, ?, ?, ?, ?)",
      owner,
      key,
      options.fingerprint,
      options.type,
      options.nowMs,
    );
  }

  /** From now on its lease tells the answer. */
  bind(owner: string, key: string, lease: number): void {
    this.#database.run(
      "UPDATE asks SET lease = ? WHERE owner = ? AND key = ?",
      lease,
      owner,
      key,
    );
  }

  answer(owner: string, key: string, answer: string): void {
    this.#database.run(
      "UPDATE asks SET answer = ? WHERE owner = ? AND key = ?",
      answer,
      owner,
      key,
    );
  }

  /** It was not done, and may be asked again. */
  forget(owner: string, key: string): void {
    this.#database.run("DELETE FROM asks WHERE owner = ? AND key = ?", owner, key);
  }

  /**
   * Puts `instead` in the place of what commands put out before `beforeMs`: that it was done is kept, or
   * it would be done again.
   */
  shorten(beforeMs: number, instead: string): void {
    this.#database.run(
      `UPDATE asks SET answer = ? WHERE type = 'exec' AND answer <> ? AND created_ms < ?
        AND created_ms >= ?`,
      instead,
      instead,
      beforeMs,
      // What is older was shortened before; a provider that was away looks back a day.
      beforeMs - 24 * 3_600_000,
    );
  }

  /** Forgets what is older than `beforeMs`, and the oldest when there are too many. */
  prune(beforeMs: number): void {
    this.#database.run("DELETE FROM asks WHERE created_ms < ?", beforeMs);
    this.#database.run(
      `DELETE FROM asks WHERE rowid IN (SELECT rowid FROM asks ORDER BY created_ms DESC
        LIMIT -1 OFFSET ?)`,
      LEASE_LIMITS.asksMax,
    );
  }
}
