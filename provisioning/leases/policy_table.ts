/** What the operator decided, and what the provider remembers of itself. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { SqliteConnection } from "../../src/sqlite/mod.ts";
import { LEASE_LIMITS } from "./limits.ts";
import { countIn, textIn } from "./rows.ts";

/** What can be denied: a Nostr key (64 hex digits), or an image by digest or by the start of its name. */
export type DeniedKind = "key" | "image";

/** One entry of a deny-list. */
export interface Denial {
  readonly kind: DeniedKind;
  readonly name: string;
  readonly reason: string;
}

/** The tables `denied`, `beats` and `facts`. */
export class PolicyTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  /** @throws {SeedmintError} `busy` if the list is full. */
  deny(denial: Denial, nowMs: number): void {
    const { count } = this.#database.get("SELECT count(*) AS count FROM denied") as {
      count: number;
    };
    if (count >= LEASE_LIMITS.deniedMax) {
      throw new SeedmintError(
        "busy",
        `Cannot deny more than ${LEASE_LIMITS.deniedMax} keys and images; allow some again`,
      );
    }
    this.#database.run(
      "INSERT OR REPLACE INTO denied (kind, name, reason, created_ms) VALUES (?, ?, ?, ?)",
      denial.kind,
      denial.name,
      denial.reason,
      nowMs,
    );
  }

  /** @returns Whether it had been denied. */
  allow(kind: DeniedKind, name: string): boolean {
    return this.#database.run("DELETE FROM denied WHERE kind = ? AND name = ?", kind, name) > 0;
  }

  denied(kind?: DeniedKind): Denial[] {
    return this.#database.all("SELECT * FROM denied ORDER BY kind, name")
      .map((row) => ({
        kind: textIn(row, "kind") as DeniedKind,
        name: textIn(row, "name"),
        reason: textIn(row, "reason"),
      }))
      .filter((denial) => kind === undefined || denial.kind === kind);
  }

  isKeyDenied(key: string): boolean {
    return this.#database.get("SELECT 1 FROM denied WHERE kind = 'key' AND name = ?", key) !==
      undefined;
  }

  /** Whether no new leases are taken. */
  get isDraining(): boolean {
    return this.fact("draining") === "yes";
  }

  set isDraining(isDraining: boolean) {
    this.setFact("draining", isDraining ? "yes" : "no");
  }

  fact(name: string): string | undefined {
    const row = this.#database.get("SELECT value FROM facts WHERE name = ?", name);
    return row && textIn(row, "value");
  }

  setFact(name: string, value: string): void {
    this.#database.run("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", name, value);
  }

  /** Counts this minute as one that the provider was there. */
  beat(nowMs: number): void {
    const minute = Math.floor(nowMs / 60_000);
    this.#database.transaction(() => {
      this.#database.run("INSERT OR IGNORE INTO beats (minute) VALUES (?)", minute);
      this.#database.run("DELETE FROM beats WHERE minute < ?", minute - LEASE_LIMITS.beatMinutes);
    }, { isLazy: true });
  }

  /** In how many of a hundred minutes of the last thirty days it was there; 100 before the first. */
  uptimePercent(nowMs: number): number {
    const minute = Math.floor(nowMs / 60_000);
    const row = this.#database.get(
      "SELECT count(*) AS count, min(minute) AS first FROM beats WHERE minute <= ?",
      minute,
    )!;
    const count = countIn(row, "count");
    if (count === 0) return 100;
    const span = minute - countIn(row, "first") + 1;
    return Math.min(100, Math.round(count / span * 10_000) / 100);
  }
}
