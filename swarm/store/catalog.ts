/** What is known of every blob, as typed rows over the database. */
import { bitfieldFromRanges, rangesFromBitfield } from "../../src/core/bitfield.ts";
import type { Bytes } from "../../src/core/bytes.ts";
import {
  type Hash,
  hashFromBytes,
  hashToBytes,
  type Sha256,
  sha256FromBytes,
} from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import type { SqlRow } from "../../src/sqlite/mod.ts";
import { groupCountOf } from "../bao/geometry.ts";
import type { Attributes } from "./attributes.ts";
import type { BlobKind, BlobRecord, BlobStorage, Visibility } from "./blob_store.ts";
import type { Database } from "./database.ts";

/** One row of `blobs`. */
export interface CatalogRow {
  readonly hash: Hash;
  readonly size: number;
  readonly state: "partial" | "complete";
  readonly storage: BlobStorage;
  readonly attributes: Attributes;
  /** Groups held. */
  readonly groups: RangeSet;
  /** Groups of a partial blob that are on stable storage. */
  readonly syncedGroups: RangeSet;
  /** Whether all of a complete blob is on stable storage. */
  readonly synced: boolean;
  readonly lane: string | undefined;
  readonly path: string | undefined;
  readonly guard: string | undefined;
  readonly heldBytes: number;
  readonly addedMs: number;
  readonly lastUsedMs: number;
  readonly tags: readonly string[];
}

/** A row to write; tags are kept apart. */
export type NewRow = Omit<CatalogRow, "tags">;

const COLUMNS = `*, (SELECT json_group_array(name) FROM
  (SELECT name FROM tags WHERE tags.hash = blobs.hash ORDER BY name)) AS tags`;

/** Blobs that a pinned collection lists, directly or through another collection. */
const CHILDREN_OF_PINNED = `WITH RECURSIVE kept (hash) AS (
    SELECT child FROM children JOIN blobs ON blobs.hash = children.parent WHERE blobs.pinned = 1
    UNION SELECT child FROM children JOIN kept ON children.parent = kept.hash
  )`;

/** Blobs that are kept from collection: by a pin, by a tag, or by a collection that is kept. */
const KEPT = `WITH RECURSIVE kept (hash) AS (
    SELECT hash FROM blobs WHERE pinned = 1
    UNION SELECT hash FROM tags
    UNION SELECT value FROM temp.busy
    UNION SELECT child FROM children JOIN kept ON children.parent = kept.hash
  )`;

/** Typed access to the database. Changes belong inside `database.transaction`. */
export class Catalog {
  readonly database: Database;

  constructor(database: Database) {
    this.database = database;
    database.run("CREATE TEMP TABLE IF NOT EXISTS busy (value BLOB PRIMARY KEY)");
  }

  get(hash: Hash): CatalogRow | undefined {
    return toRow(this.database.get(`SELECT ${COLUMNS} FROM blobs WHERE hash = ?`, key(hash)));
  }

  findBySha256(sha256: Sha256): CatalogRow | undefined {
    return toRow(
      this.database.get(
        `SELECT ${COLUMNS} FROM blobs WHERE sha256 = ? ORDER BY state, hash LIMIT 1`,
        hashToBytes(sha256),
      ),
    );
  }

  /** Up to `countMax` rows after `hash` in order of hash. */
  page(after: Hash | undefined, countMax: number): CatalogRow[] {
    return this.database.all(
      `SELECT ${COLUMNS} FROM blobs WHERE hash > ? ORDER BY hash LIMIT ?`,
      after === undefined ? new Uint8Array(0) : key(after),
      countMax,
    ).map((row) => toRow(row)!);
  }

  partials(): CatalogRow[] {
    return this.#rows("WHERE state = 'partial' ORDER BY hash");
  }

  /** Blobs that a power loss could damage. */
  notSynced(): CatalogRow[] {
    return this.#rows("WHERE synced = 0 AND storage <> 'inline' ORDER BY hash");
  }

  /** Blobs in files that somebody else may write. */
  guarded(): CatalogRow[] {
    return this.#rows("WHERE guard IS NOT NULL ORDER BY hash");
  }

  /** Every blob that has a file. */
  withFiles(): CatalogRow[] {
    return this.#rows("WHERE storage <> 'inline' ORDER BY hash");
  }

  /** Inserts or replaces the row of a blob; its tags stay. */
  put(row: NewRow): void {
    const { attributes } = row;
    this.database.run(
      `INSERT INTO blobs (hash, size, state, storage, kind, visibility, pinned, media_type, name,
         sha256, groups, synced_groups, synced, lane, path, guard, held_bytes, added_ms,
         last_used_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (hash) DO UPDATE SET size = excluded.size, state = excluded.state,
         storage = excluded.storage, kind = excluded.kind, visibility = excluded.visibility,
         pinned = excluded.pinned, media_type = excluded.media_type, name = excluded.name,
         sha256 = excluded.sha256, groups = excluded.groups,
         synced_groups = excluded.synced_groups, synced = excluded.synced, lane = excluded.lane,
         path = excluded.path, guard = excluded.guard, held_bytes = excluded.held_bytes,
         added_ms = excluded.added_ms, last_used_ms = excluded.last_used_ms`,
      key(row.hash),
      row.size,
      row.state,
      row.storage,
      attributes.kind,
      attributes.visibility,
      attributes.pinned ? 1 : 0,
      attributes.mediaType ?? null,
      attributes.name ?? null,
      attributes.sha256 === undefined ? null : hashToBytes(attributes.sha256),
      row.state === "complete" ? null : bitfieldFromRanges(row.groups, groupCountOf(row.size)),
      row.syncedGroups.isEmpty
        ? null
        : bitfieldFromRanges(row.syncedGroups, groupCountOf(row.size)),
      row.synced ? 1 : 0,
      row.lane ?? null,
      row.path ?? null,
      row.guard ?? null,
      row.heldBytes,
      row.addedMs,
      row.lastUsedMs,
    );
  }

  remove(hash: Hash): void {
    this.database.run("DELETE FROM blobs WHERE hash = ?", key(hash));
  }

  setGroups(row: Pick<CatalogRow, "hash" | "size" | "groups" | "heldBytes">): void {
    this.database.run(
      "UPDATE blobs SET groups = ?, held_bytes = ? WHERE hash = ? AND state = 'partial'",
      bitfieldFromRanges(row.groups, groupCountOf(row.size)),
      row.heldBytes,
      key(row.hash),
    );
  }

  /** Marks a complete blob as being on stable storage. */
  setSynced(hash: Hash): void {
    this.database.run(
      "UPDATE blobs SET synced = 1 WHERE hash = ? AND state = 'complete'",
      key(hash),
    );
  }

  setSyncedGroups(hash: Hash, lane: string, groups: RangeSet, groupCount: number): void {
    this.database.run(
      "UPDATE blobs SET synced_groups = ? WHERE hash = ? AND lane = ?",
      bitfieldFromRanges(groups, groupCount),
      key(hash),
      lane,
    );
  }

  setGuard(hash: Hash, guard: string): void {
    this.database.run("UPDATE blobs SET guard = ? WHERE hash = ?", guard, key(hash));
  }

  setAttributes(hash: Hash, attributes: Attributes): void {
    this.database.run(
      `UPDATE blobs SET kind = ?, visibility = ?, pinned = ?, media_type = ?, name = ?, sha256 = ?
       WHERE hash = ?`,
      attributes.kind,
      attributes.visibility,
      attributes.pinned ? 1 : 0,
      attributes.mediaType ?? null,
      attributes.name ?? null,
      attributes.sha256 === undefined ? null : hashToBytes(attributes.sha256),
      key(hash),
    );
  }

  touch(hash: Hash, nowMs: number): void {
    this.database.run("UPDATE blobs SET last_used_ms = ? WHERE hash = ?", nowMs, key(hash));
  }

  addTag(hash: Hash, name: string): void {
    this.database.run("INSERT OR IGNORE INTO tags (hash, name) VALUES (?, ?)", key(hash), name);
  }

  removeTag(hash: Hash, name: string): boolean {
    return this.database.run("DELETE FROM tags WHERE hash = ? AND name = ?", key(hash), name) > 0;
  }

  putInline(hash: Hash, bytes: Uint8Array): void {
    this.database.run(
      "INSERT OR REPLACE INTO inline_bytes (hash, bytes) VALUES (?, ?)",
      key(hash),
      bytes,
    );
  }

  inlineBytes(hash: Hash): Bytes | undefined {
    const row = this.database.get("SELECT bytes FROM inline_bytes WHERE hash = ?", key(hash));
    return row?.bytes as Bytes | undefined;
  }

  isChild(hash: Hash): boolean {
    return this.database.get("SELECT 1 FROM children WHERE child = ? LIMIT 1", key(hash)) !==
      undefined;
  }

  setChildren(parent: Hash, children: Iterable<Hash>): void {
    for (const child of new Set(children)) {
      this.database.run(
        "INSERT OR IGNORE INTO children (parent, child) VALUES (?, ?)",
        key(parent),
        key(child),
      );
    }
  }

  /** Up to `countMax` blobs that may be evicted, the least recently used first. */
  victims(countMax: number, offset: number): { hash: Hash; heldBytes: number }[] {
    return this.database.all(
      `${CHILDREN_OF_PINNED} SELECT hash, held_bytes FROM blobs
       WHERE pinned = 0 AND held_bytes > 0 AND hash NOT IN kept
       ORDER BY last_used_ms, added_ms, hash LIMIT ? OFFSET ?`,
      countMax,
      offset,
    ).map((row) => ({
      hash: hashFromBytes(row.hash as Uint8Array),
      heldBytes: row.held_bytes as number,
    }));
  }

  /** Blobs that nothing keeps, in order of hash; those in `busy` and their children are kept. */
  garbage(busy: Iterable<Hash>): { hash: Hash; size: number; heldBytes: number }[] {
    this.database.run("DELETE FROM temp.busy");
    for (const hash of busy) {
      this.database.run("INSERT OR IGNORE INTO temp.busy (value) VALUES (?)", key(hash));
    }
    return this.database.all(
      `${KEPT} SELECT hash, size, held_bytes FROM blobs WHERE hash NOT IN kept ORDER BY hash`,
    ).map((row) => ({
      hash: hashFromBytes(row.hash as Uint8Array),
      size: row.size as number,
      heldBytes: row.held_bytes as number,
    }));
  }

  sums(): { readonly blobCount: number; readonly partialCount: number; readonly bytes: number } {
    const row = this.database.get(
      `SELECT count(*) AS blobs, count(*) FILTER (WHERE state = 'partial') AS partial,
         coalesce(sum(held_bytes), 0) AS bytes FROM blobs`,
    )!;
    return {
      blobCount: row.blobs as number,
      partialCount: row.partial as number,
      bytes: row.bytes as number,
    };
  }

  /** Lists `paths` as files of no blob, to be removed at the next open if not before. */
  addDebris(...paths: readonly string[]): void {
    for (const path of paths) {
      this.database.run("INSERT OR IGNORE INTO debris (path) VALUES (?)", path);
    }
  }

  removeDebris(...paths: readonly string[]): void {
    for (const path of paths) this.database.run("DELETE FROM debris WHERE path = ?", path);
  }

  debris(): string[] {
    return this.database.all("SELECT path FROM debris").map((row) => row.path as string);
  }

  fact(name: string): string | undefined {
    return this.database.get("SELECT value FROM facts WHERE name = ?", name)?.value as
      | string
      | undefined;
  }

  setFact(name: string, value: string): void {
    this.database.run("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", name, value);
  }

  #rows(where: string): CatalogRow[] {
    return this.database.all(`SELECT ${COLUMNS} FROM blobs ${where}`).map((row) => toRow(row)!);
  }
}

/** The record that callers see of `row`. */
export function recordOf(row: CatalogRow, groups: RangeSet = row.groups): BlobRecord {
  const { kind, visibility, pinned, mediaType, name, sha256 } = row.attributes;
  return {
    hash: row.hash,
    size: row.size,
    state: row.state,
    groups,
    kind,
    visibility,
    pinned,
    tags: row.tags,
    storage: row.storage,
    ...(row.path === undefined ? {} : { path: row.path }),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(mediaType === undefined ? {} : { mediaType }),
    ...(name === undefined ? {} : { name }),
    addedMs: row.addedMs,
    lastUsedMs: row.lastUsedMs,
  };
}

function key(hash: Hash): Bytes {
  return hashToBytes(hash);
}

function toRow(row: SqlRow | undefined): CatalogRow | undefined {
  if (row === undefined) return undefined;
  const size = row.size as number;
  const groupCount = groupCountOf(size);
  const bitfield = row.groups as Uint8Array | null;
  const synced = row.synced_groups as Uint8Array | null;
  const sha256 = row.sha256 as Uint8Array | null;
  return {
    hash: hashFromBytes(row.hash as Uint8Array),
    size,
    state: row.state as "partial" | "complete",
    storage: row.storage as BlobStorage,
    attributes: {
      kind: row.kind as BlobKind,
      visibility: row.visibility as Visibility,
      pinned: row.pinned === 1,
      mediaType: row.media_type as string ?? undefined,
      name: row.name as string ?? undefined,
      sha256: sha256 === null ? undefined : sha256FromBytes(sha256),
    },
    groups: bitfield === null
      ? RangeSet.of(0, groupCount)
      : rangesFromBitfield(bitfield, groupCount),
    syncedGroups: synced === null ? RangeSet.EMPTY : rangesFromBitfield(synced, groupCount),
    synced: row.synced === 1,
    lane: row.lane as string ?? undefined,
    path: row.path as string ?? undefined,
    guard: row.guard as string ?? undefined,
    heldBytes: row.held_bytes as number,
    addedMs: row.added_ms as number,
    lastUsedMs: row.last_used_ms as number,
    tags: JSON.parse(row.tags as string) as string[],
  };
}
