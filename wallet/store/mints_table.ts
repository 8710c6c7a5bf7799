/** Mints that the user listed, and how swaps between them went. */
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import type { MintUrl } from "../types.ts";
import { bounded, named, present, storable, whole, wholeOrNull } from "./columns.ts";
import { MINT_CACHE_CHARS_MAX, REASON_CHARS_MAX } from "./limits.ts";
import type { MintRecord, RouteRecord } from "./wallet_store.ts";

/** Reads and changes the rows of `mints`. */
export class MintsTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  /** In the order in which they were added. */
  list(): MintRecord[] {
    return this.#database.all("SELECT * FROM mints ORDER BY added_ms, url").map(mintOf);
  }

  get(url: MintUrl): MintRecord | undefined {
    const row = this.#database.get("SELECT * FROM mints WHERE url = ?", url);
    return row && mintOf(row);
  }

  put(mint: MintRecord): void {
    this.#database.run(
      `INSERT INTO mints (url, trust, exposure_max, cache, cached_ms, cooldown_until_ms,
         blocked_reason, added_ms) VALUES (?,?,?,?,?,?,?,?)
       ON CONFLICT DO UPDATE SET trust = excluded.trust, exposure_max = excluded.exposure_max,
         cache = excluded.cache, cached_ms = excluded.cached_ms,
         cooldown_until_ms = excluded.cooldown_until_ms, blocked_reason = excluded.blocked_reason`,
      named(mint.url, 2048, "a mint's address"),
      mint.trust,
      mint.exposureMaxSat === undefined ? null : storable(mint.exposureMaxSat),
      mint.cache === undefined ? null : bounded(mint.cache, MINT_CACHE_CHARS_MAX, "a cache"),
      wholeOrNull(mint.cachedMs),
      wholeOrNull(mint.cooldownUntilMs),
      mint.blockedReason?.slice(0, REASON_CHARS_MAX) ?? null,
      whole(mint.addedMs),
    );
  }

  remove(url: MintUrl): void {
    this.#database.run("DELETE FROM mints WHERE url = ?", url);
  }
}

/** Reads and changes the rows of `routes`. */
export class RoutesTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  get(from: MintUrl, to: MintUrl): RouteRecord | undefined {
    const row = this.#database.get(
      "SELECT * FROM routes WHERE from_mint = ? AND to_mint = ?",
      from,
      to,
    );
    return row && routeOf(row);
  }

  list(): RouteRecord[] {
    return this.#database.all("SELECT * FROM routes ORDER BY from_mint, to_mint").map(routeOf);
  }

  put(route: RouteRecord): void {
    this.#database.run(
      `INSERT INTO routes (from_mint, to_mint, success_permille, fee_ppm, latency_ms,
         cooldown_until_ms, updated_ms) VALUES (?,?,?,?,?,?,?)
       ON CONFLICT DO UPDATE SET success_permille = excluded.success_permille,
         fee_ppm = excluded.fee_ppm, latency_ms = excluded.latency_ms,
         cooldown_until_ms = excluded.cooldown_until_ms, updated_ms = excluded.updated_ms`,
      route.from,
      route.to,
      whole(route.successPermille),
      whole(route.feePpm),
      whole(route.latencyMs),
      whole(route.cooldownUntilMs),
      whole(route.updatedMs),
    );
  }
}

function mintOf(row: SqlRow): MintRecord {
  return {
    url: row.url,
    trust: row.trust,
    addedMs: row.added_ms,
    ...row.exposure_max === null ? {} : { exposureMaxSat: BigInt(row.exposure_max as number) },
    ...present(row, {
      cache: "cache",
      cachedMs: "cached_ms",
      cooldownUntilMs: "cooldown_until_ms",
      blockedReason: "blocked_reason",
    }),
  } as unknown as MintRecord;
}

function routeOf(row: SqlRow): RouteRecord {
  return {
    from: row.from_mint,
    to: row.to_mint,
    successPermille: row.success_permille,
    feePpm: row.fee_ppm,
    latencyMs: row.latency_ms,
    cooldownUntilMs: row.cooldown_until_ms,
    updatedMs: row.updated_ms,
  } as unknown as RouteRecord;
}
