/** Events in SQLite, so that a relay that restarts still knows them. */
import { messageOf, SeedmintError } from "../../core/errors.ts";
import { SqliteConnection, type SqlRow, type SqlValue } from "../../sqlite/mod.ts";
import { type Filter, tagConditions } from "../filter.ts";
import { addressOf, KIND_DELETION } from "../kinds.ts";
import { compareEvents, expirationOf, type NostrEvent } from "../nostr.ts";
import {
  deletionTargets,
  type EventStorage,
  indexedTags,
  type SaveOutcome,
  type StorageLimits,
  type StorageViewer,
} from "./storage.ts";

/** `handle` grows with each event received, so the lowest was received longest ago. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS events (
    handle INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    pubkey TEXT NOT NULL,
    kind INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    address TEXT,
    json TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX IF NOT EXISTS events_address ON events (address) WHERE address IS NOT NULL;
  CREATE INDEX IF NOT EXISTS events_author ON events (pubkey, created_at DESC);
  CREATE INDEX IF NOT EXISTS events_kind ON events (kind, created_at DESC);
  CREATE INDEX IF NOT EXISTS events_created ON events (created_at DESC);
  CREATE INDEX IF NOT EXISTS events_expires ON events (expires_at) WHERE expires_at IS NOT NULL;
  CREATE TABLE IF NOT EXISTS tags (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    event INTEGER NOT NULL REFERENCES events (handle) ON DELETE CASCADE,
    PRIMARY KEY (name, value, created_at DESC, event)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS tags_event ON tags (event);
`;

/** Keeps events in one database file. One process at a time owns it. */
export class SqliteStorage implements EventStorage {
  readonly #database: SqliteConnection;
  readonly #limits: StorageLimits;
  readonly #authored = new Map<string, number>();
  #count = 0;

  private constructor(database: SqliteConnection, limits: StorageLimits) {
    this.#database = database;
    this.#limits = limits;
    this.#recount();
  }

  /**
   * Opens or creates the database at `path`.
   *
   * @throws {SeedmintError} `storage` if it cannot be opened, is no database, or is of a newer version.
   */
  static open(path: string, limits: StorageLimits): SqliteStorage {
    const database = SqliteConnection.open(path, {
      migrations: [SCHEMA],
      synchronous: "normal",
      busyMs: 2000,
      explain: (cause) =>
        new SeedmintError(
          "storage",
          `Cannot use the relay's events at ${path}: ${
            messageOf(cause)
          }; move the file away or choose another path`,
          { cause },
        ),
    });
    try {
      return new SqliteStorage(database, limits);
    } catch (error) {
      database[Symbol.dispose]();
      throw error;
    }
  }

  get count(): number {
    return this.#count;
  }

  has(id: string): boolean {
    return this.#all("SELECT 1 FROM events WHERE id = ?", id).length > 0;
  }

  save(event: NostrEvent): SaveOutcome {
    if (this.has(event.id)) return "duplicate";
    const address = addressOf(event);
    const older = address === undefined ? undefined : this.#all(
      "SELECT handle, id, created_at FROM events WHERE address = ?",
      address,
    )[0];
    if (
      older !== undefined &&
      compareEvents({ id: older.id as string, created_at: older.created_at as number }, event) < 0
    ) return "superseded";
    if (this.#isDeleted(event, address)) return "deleted";
    const authored = this.#authored.get(event.pubkey) ?? 0;
    if (older === undefined && authored >= this.#limits.eventsPerAuthorMax) return "full";
    this.#transaction(() => {
      if (older !== undefined) this.#remove("handle = ?", older.handle as number);
      this.#insert(event, address);
      if (event.kind === KIND_DELETION) this.#carryOut(event);
      while (this.#count > this.#limits.eventsMax) {
        this.#remove("handle = (SELECT min(handle) FROM events)");
      }
    });
    return "stored";
  }

  find(
    filter: Filter,
    options: { readonly nowS: number; readonly limit: number; readonly viewer: StorageViewer },
  ): readonly number[] {
    const query = selectFor(filter, options);
    if (query === undefined) return [];
    return this.#all(query.sql, ...query.values).map((row) => row.handle as number);
  }

  read(handle: number): string | undefined {
    return this.#all("SELECT json FROM events WHERE handle = ?", handle)[0]?.json as
      | string
      | undefined;
  }

  removeExpired(nowS: number): number {
    const before = this.#count;
    this.#transaction(() => this.#remove("expires_at <= ?", nowS));
    return before - this.#count;
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }

  #isDeleted(event: NostrEvent, address: string | undefined): boolean {
    const requested = `SELECT 1 FROM tags t JOIN events e ON e.handle = t.event
      WHERE t.name = ? AND t.value = ? AND e.kind = ${KIND_DELETION} AND e.pubkey = ?`;
    if (
      event.kind !== KIND_DELETION &&
      this.#all(`${requested} LIMIT 1`, "e", event.id, event.pubkey).length > 0
    ) return true;
    if (address === undefined) return false;
    const byAddress = `${requested} AND t.created_at >= ? LIMIT 1`;
    return this.#all(byAddress, "a", address, event.pubkey, event.created_at).length > 0;
  }

  #carryOut(request: NostrEvent): void {
    const { ids, addresses } = deletionTargets(request);
    for (const id of ids) {
      this.#remove(`id = ? AND pubkey = ? AND kind <> ${KIND_DELETION}`, id, request.pubkey);
    }
    for (const address of addresses) {
      this.#remove("address = ? AND created_at <= ?", address, request.created_at);
    }
  }

  #insert(event: NostrEvent, address: string | undefined): void {
    const handle = this.#all(
      `INSERT INTO events (id, pubkey, kind, created_at, expires_at, address, json)
       VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING handle`,
      event.id,
      event.pubkey,
      event.kind,
      event.created_at,
      expirationOf(event) ?? null,
      address ?? null,
      JSON.stringify(event),
    )[0]!.handle as number;
    for (const [name, value] of indexedTags(event)) {
      this.#all(
        "INSERT INTO tags (name, value, created_at, event) VALUES (?, ?, ?, ?)",
        name,
        value,
        event.created_at,
        handle,
      );
    }
    this.#authored.set(event.pubkey, (this.#authored.get(event.pubkey) ?? 0) + 1);
    this.#count++;
  }

  #remove(condition: string, ...values: SqlValue[]): void {
    for (
      const row of this.#all(`DELETE FROM events WHERE ${condition} RETURNING pubkey`, ...values)
    ) {
      const author = row.pubkey as string;
      const left = (this.#authored.get(author) ?? 1) - 1;
      if (left > 0) this.#authored.set(author, left);
      else this.#authored.delete(author);
      this.#count--;
    }
  }

  #transaction(work: () => void): void {
    try {
      this.#database.transaction(work);
    } catch (error) {
      this.#recount();
      throw error;
    }
  }

  #recount(): void {
    this.#authored.clear();
    this.#count = 0;
    for (const row of this.#all("SELECT pubkey, count(*) AS count FROM events GROUP BY pubkey")) {
      this.#authored.set(row.pubkey as string, row.count as number);
      this.#count += row.count as number;
    }
  }

  #all(sql: string, ...values: SqlValue[]): SqlRow[] {
    return this.#database.all(sql, ...values);
  }
}

interface Query {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/** The statement for one filter, or undefined if nothing can match. */
function selectFor(
  filter: Filter,
  options: { readonly nowS: number; readonly limit: number; readonly viewer: StorageViewer },
): Query | undefined {
  const where: string[] = ["(e.expires_at IS NULL OR e.expires_at > ?)"];
  const values: SqlValue[] = [options.nowS];
  const oneOf = (column: string, list: readonly (string | number)[] | undefined) => {
    if (list === undefined) return;
    // One parameter whatever the length, so that one statement serves all lengths.
    where.push(`${column} IN (SELECT value FROM json_each(?))`);
    values.push(JSON.stringify(list));
  };
  oneOf("e.id", filter.ids);
  oneOf("e.pubkey", filter.authors);
  oneOf("e.kind", filter.kinds);
  if (filter.since !== undefined) {
    where.push("e.created_at >= ?");
    values.push(filter.since);
  }
  if (filter.until !== undefined) {
    where.push("e.created_at <= ?");
    values.push(filter.until);
  }
  let source = "events e";
  let newest = "e.created_at";
  for (const [index, [name, wanted]] of tagConditions(filter).entries()) {
    if (wanted.length === 0) return undefined;
    if (index === 0 && wanted.length === 1 && filter.ids === undefined) {
      // The tag's own index gives the newest first, so that a popular tag stops at the limit.
      source = "tags t CROSS JOIN events e ON e.handle = t.event";
      newest = "t.created_at";
      where.push("t.name = ? AND t.value = ?");
      values.push(name, wanted[0]!);
    } else {
      where.push(
        "e.handle IN (SELECT event FROM tags WHERE name = ? AND value IN (SELECT value FROM json_each(?)))",
      );
      values.push(name, JSON.stringify(wanted));
    }
  }
  const hidden = [...options.viewer.privateKinds].join(",");
  if (hidden !== "") {
    where.push(
      `(e.kind NOT IN (${hidden}) OR e.pubkey IN (SELECT value FROM json_each(?)) OR EXISTS (
        SELECT 1 FROM tags p WHERE p.event = e.handle AND p.name = 'p'
          AND p.value IN (SELECT value FROM json_each(?))))`,
    );
    const keys = JSON.stringify(options.viewer.keys);
    values.push(keys, keys);
  }
  values.push(options.limit);
  return {
    sql: `SELECT e.handle AS handle FROM ${source} WHERE ${
      where.join(" AND ")
    } ORDER BY ${newest} DESC, e.id ASC LIMIT ?`,
    values,
  };
}
