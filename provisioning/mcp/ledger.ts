/**
 * What agents spent, and which leases are whose: on disk, for the next process must go on counting.
 * Money is reserved before it can be spent; what nobody settles, for a crash or an unclear end, counts
 * as spent.
 */
import { SqliteConnection } from "../../src/sqlite/mod.ts";
import { MCP_LIMITS } from "./limits.ts";

const MIGRATIONS: readonly string[] = [
  `CREATE TABLE spending (
    agent TEXT NOT NULL,
    request TEXT NOT NULL,
    tool TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    sat INTEGER NOT NULL,
    PRIMARY KEY (agent, request)
  ) STRICT;
  CREATE INDEX spending_at ON spending (at_ms);
  CREATE TABLE leases (
    agent TEXT NOT NULL,
    lease TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (agent, lease)
  ) STRICT;`,
  // A lease is whose who asked for it, known before there is one.
  `ALTER TABLE leases RENAME TO spawns;
  ALTER TABLE spawns RENAME COLUMN lease TO request;`,
];

/** What agents may spend, fees included, in sat. */
export interface AgentLimits {
  readonly perCallSat: number;
  /** All agents together, within 24 hours. */
  readonly perDaySat: number;
}

/** A sum that may be spent. */
export interface Reservation {
  readonly agent: string;
  readonly requestId: string;
  readonly tool: string;
  readonly sat: number;
}

/** See the head of this file. */
export class AgentLedger implements Disposable {
  readonly #database: SqliteConnection;

  private constructor(database: SqliteConnection) {
    this.#database = database;
  }

  /** @throws {SeedmintError} `storage` */
  static open(path: string): AgentLedger {
    return new AgentLedger(
      SqliteConnection.open(path, { migrations: MIGRATIONS, synchronous: "full" }),
    );
  }

  /**
   * Reserves a sum. The same request again keeps what it has.
   *
   * @returns Why it may not be spent, in words; undefined once it is reserved.
   */
  reserve(wish: Reservation, limits: AgentLimits, nowMs: number): string | undefined {
    const { agent, requestId, tool, sat } = wish;
    if (sat > limits.perCallSat) {
      return `This may cost up to ${sat} sat, fees included; an agent may spend ${limits.perCallSat} sat ` +
        "in one call (its owner can change mcp-budget). Ask for less";
    }
    return this.#database.transaction(() => {
      const known = this.#database.get(
        "SELECT tool, sat FROM spending WHERE agent = ? AND request = ?",
        agent,
        requestId,
      );
      if (known !== undefined && known.tool !== tool) {
        return "This request_id stands for another request already; choose a new one";
      }
      const before = Number(known?.sat ?? 0);
      const others = this.#spentOn(
        "at_ms > ? AND NOT (agent = ? AND request = ?)",
        nowMs - MCP_LIMITS.dayMs,
        agent,
        requestId,
      );
      if (sat > before && others + sat > limits.perDaySat) {
        return `This may cost up to ${sat} sat, fees included; agents may spend ${limits.perDaySat} sat in ` +
          `24 hours (its owner can change mcp-budget-day), of which ${
            this.spentSat(nowMs)
          } sat are spent or reserved`;
      }
      this.#database.run(
        "INSERT INTO spending (agent, request, tool, at_ms, sat) VALUES (?, ?, ?, ?, ?) " +
          // What is spent now counts now, under whatever id.
          "ON CONFLICT (agent, request) DO UPDATE SET sat = excluded.sat, at_ms = excluded.at_ms " +
          "WHERE excluded.sat > sat",
        agent,
        requestId,
        tool,
        nowMs,
        sat,
      );
      return undefined;
    });
  }

  /** What is reserved or spent for a request. */
  countedSat(agent: string, requestId: string): number {
    const row = this.#database.get(
      "SELECT sat FROM spending WHERE agent = ? AND request = ?",
      agent,
      requestId,
    );
    return Number(row?.sat ?? 0);
  }

  /** Says what a request really cost. */
  settle(agent: string, requestId: string, sat: number): void {
    this.#database.run(
      "UPDATE spending SET sat = ? WHERE agent = ? AND request = ?",
      sat,
      agent,
      requestId,
    );
  }

  /** Spent and reserved by all agents within the last day. */
  spentSat(nowMs: number): number {
    return this.#spentOn("at_ms > ?", nowMs - MCP_LIMITS.dayMs);
  }

  #spentOn(where: string, ...values: (string | number)[]): number {
    const sum = `SELECT coalesce(sum(sat), 0) AS sat FROM spending WHERE ${where}`;
    return Number(this.#database.get(sum, ...values)!.sat);
  }

  /** Says that an agent asks for a lease, by the id that the node knows the request by. */
  own(agent: string, request: string, nowMs: number): void {
    this.#database.run(
      "INSERT OR IGNORE INTO spawns (agent, request, at_ms) VALUES (?, ?, ?)",
      agent,
      request,
      nowMs,
    );
  }

  /** Whether an agent asked for the lease of that request. */
  owns(agent: string, request: string): boolean {
    return this.#database.get(
      "SELECT 1 FROM spawns WHERE agent = ? AND request = ?",
      agent,
      request,
    ) !== undefined;
  }

  /** Forgets what is over for long. */
  prune(nowMs: number): void {
    this.#database.run("DELETE FROM spending WHERE at_ms < ?", nowMs - MCP_LIMITS.spendingKeptMs);
    this.#database.run("DELETE FROM spawns WHERE at_ms < ?", nowMs - MCP_LIMITS.leasesKeptMs);
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}
