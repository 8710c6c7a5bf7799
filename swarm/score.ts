/**
 * What earlier fetches taught about providers, kept across restarts: latency, throughput, failures
 * and lies. The scheduler takes it as its prior. Old lessons fade: a peer that failed last month is
 * given another chance.
 */
import { messageOf, SeedmintError } from "../src/core/errors.ts";
import type { Clock } from "../src/core/ports.ts";
import { SqliteConnection } from "../src/sqlite/mod.ts";

/** Providers remembered; the one not met for the longest time is forgotten first. */
export const PROVIDERS_MAX = 4096;

/** Successes and failures count half after this time. */
export const HALF_LIFE_MS: number = 7 * 24 * 60 * 60 * 1000;

/** Lies count half after this time only. */
export const LIE_HALF_LIFE_MS: number = 90 * 24 * 60 * 60 * 1000;

/** One lie weighs as much as so many failures. */
const LIE_WEIGHT = 50;

/** Weight of the newest measurement. */
const NEWEST_WEIGHT = 0.3;

/** A libp2p peer id is about 52 characters; what is longer is not one. */
const PEER_ID_CHARACTERS_MAX = 128;

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE IF NOT EXISTS provider_score (
    peer_id TEXT PRIMARY KEY, latency_ms REAL, throughput REAL, bytes REAL NOT NULL,
    successes REAL NOT NULL, failures REAL NOT NULL, lies REAL NOT NULL,
    updated_ms REAL NOT NULL) STRICT, WITHOUT ROWID`,
];

/** What is known of one provider. */
export interface ProviderScore {
  /** Milliseconds to a first byte, averaged. */
  readonly latencyMs?: number;
  /** Bytes a second, averaged. */
  readonly throughput?: number;
  /** From 0, avoid, to 1, prefer; 0.5 when nothing is known. */
  readonly score: number;
  /** Verified bytes that it ever gave. */
  readonly bytes: number;
  /** Lies, faded with time; above 0.5 it lied lately. */
  readonly lies: number;
}

/** What one fetch taught about one provider. */
export interface ProviderLesson {
  /** Verified bytes. */
  readonly bytes: number;
  readonly latencyMs?: number;
  readonly throughput?: number;
  /** It failed: hung, reset, broke the protocol. Not having a blob is no failure. */
  readonly failed?: boolean;
  /** It sent bytes that do not match. */
  readonly lied?: boolean;
}

/** The part that a fetch needs. */
export interface ScoreBook {
  priorOf(peerId: string): ProviderScore | undefined;
  record(peerId: string, lesson: ProviderLesson): void;
}

interface Row {
  peer_id: string;
  latency_ms: number | null;
  throughput: number | null;
  bytes: number;
  successes: number;
  failures: number;
  lies: number;
  updated_ms: number;
}

/** Scores in a small SQLite file, or in memory. */
export class ProviderScores implements ScoreBook, AsyncDisposable {
  readonly #database: SqliteConnection;
  readonly #clock: Pick<Clock, "nowMs">;
  #count: number;
  #isOpen = true;

  /**
   * Opens or creates `path`; `:memory:` keeps nothing.
   *
   * @throws {SeedmintError} `storage` if the file cannot be used. Scores are a convenience: the
   * caller may delete the file and go on.
   */
  constructor(options: { readonly path: string; readonly clock: Pick<Clock, "nowMs"> }) {
    this.#clock = options.clock;
    this.#database = SqliteConnection.open(options.path, {
      migrations: MIGRATIONS,
      synchronous: "off",
      busyMs: 0,
      explain: (cause) =>
        new SeedmintError(
          "storage",
          `Cannot use the provider scores at ${options.path}: ${
            messageOf(cause)
          }; delete the file, it holds nothing that is not learned again`,
          { cause },
        ),
    });
    this.#count = Number(this.#database.get("SELECT COUNT(*) AS n FROM provider_score")!.n);
  }

  priorOf(peerId: string): ProviderScore | undefined {
    const row = this.#read(peerId);
    if (row === undefined) return undefined;
    return {
      score: (row.successes + 1) / (row.successes + row.failures + LIE_WEIGHT * row.lies + 2),
      bytes: row.bytes,
      lies: row.lies,
      ...(row.latency_ms === null ? {} : { latencyMs: row.latency_ms }),
      ...(row.throughput === null ? {} : { throughput: row.throughput }),
    };
  }

  record(peerId: string, lesson: ProviderLesson): void {
    if (peerId.length > PEER_ID_CHARACTERS_MAX) return;
    const before = this.#read(peerId);
    const succeeded = lesson.bytes > 0 && lesson.lied !== true;
    this.#database.run(
      `INSERT OR REPLACE INTO provider_score VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      peerId,
      blend(before?.latency_ms, lesson.latencyMs),
      blend(before?.throughput, lesson.throughput),
      (before?.bytes ?? 0) + lesson.bytes,
      (before?.successes ?? 0) + (succeeded ? 1 : 0),
      (before?.failures ?? 0) + (lesson.failed === true ? 1 : 0),
      (before?.lies ?? 0) + (lesson.lied === true ? 1 : 0),
      this.#clock.nowMs(),
    );
    if (before === undefined && ++this.#count > PROVIDERS_MAX) this.#forgetOldest();
  }

  /** Every provider remembered, the best first. */
  *list(): Generator<ProviderScore & { readonly peerId: string }> {
    const scores = this.#database.all("SELECT peer_id FROM provider_score").map((row) => {
      const peerId = row.peer_id as string;
      return { peerId, ...this.priorOf(peerId)! };
    });
    yield* scores.sort((a, b) => b.score - a.score);
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOpen) this.#database[Symbol.dispose]();
    this.#isOpen = false;
    return Promise.resolve();
  }

  /** The row as it counts today. */
  #read(peerId: string): Row | undefined {
    const row = this.#database.get(
      "SELECT * FROM provider_score WHERE peer_id = ?",
      peerId,
    ) as Row | undefined;
    if (row === undefined) return undefined;
    // A clock that was set back must not make old lessons heavier.
    const ageMs = Math.max(0, this.#clock.nowMs() - row.updated_ms);
    const fade = 2 ** (-ageMs / HALF_LIFE_MS);
    const lieFade = 2 ** (-ageMs / LIE_HALF_LIFE_MS);
    return {
      ...row,
      successes: row.successes * fade,
      failures: row.failures * fade,
      lies: row.lies * lieFade,
    };
  }

  #forgetOldest(): void {
    this.#database.run(
      `DELETE FROM provider_score WHERE peer_id IN (
        SELECT peer_id FROM provider_score ORDER BY updated_ms DESC, peer_id LIMIT -1 OFFSET ?)`,
      PROVIDERS_MAX,
    );
    this.#count = PROVIDERS_MAX;
  }
}

function blend(before: number | null | undefined, sample: number | undefined): number | null {
  if (sample === undefined || !Number.isFinite(sample)) return before ?? null;
  if (before === null || before === undefined) return sample;
  return before * (1 - NEWEST_WEIGHT) + sample * NEWEST_WEIGHT;
}
