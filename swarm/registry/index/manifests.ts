/** Manifests and indexes that are here: where their bytes lie and what they list. */
import { type Hash, hashToBytes } from "../../../src/core/hash.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { SqliteConnection, SqlRow } from "../../../src/sqlite/mod.ts";
import type { ParsedManifest } from "../manifest/mod.ts";
import type { Digest } from "../names.ts";
import { digestIn, hashIn, keyOf } from "./keys.ts";
import { MANIFEST_CACHE_MAX } from "./limits.ts";

/** One manifest or index that is known. */
export interface ManifestEntry {
  readonly manifest: ParsedManifest;
  /** Where its bytes lie; whether they still do, the store tells. */
  readonly hash: Hash;
  /** Milliseconds since 1970. */
  readonly addedMs: number;
}

/** The table of manifests. */
export class Manifests {
  readonly #database: SqliteConnection;
  readonly #clock: Pick<Clock, "nowMs">;
  /** Parsed manifests by digest, the one asked last at the end. */
  readonly #cache = new Map<Digest, ManifestEntry>();

  constructor(database: SqliteConnection, clock: Pick<Clock, "nowMs">) {
    this.#database = database;
    this.#clock = clock;
  }

  get(digest: Digest): ManifestEntry | undefined {
    const cached = this.#cache.get(digest);
    if (cached !== undefined) {
      this.#cache.delete(digest);
      this.#cache.set(digest, cached);
      return cached;
    }
    const row = this.#database.get("SELECT * FROM manifests WHERE digest = ?", keyOf(digest));
    if (row === undefined) return undefined;
    const entry = entryOf(row);
    this.#cache.set(digest, entry);
    if (this.#cache.size > MANIFEST_CACHE_MAX) this.#cache.delete(this.#cache.keys().next().value!);
    return entry;
  }

  has(digest: Digest): boolean {
    return this.#cache.has(digest) ||
      this.#database.get("SELECT 1 FROM manifests WHERE digest = ?", keyOf(digest)) !== undefined;
  }

  /** Whether any manifest lists `child`. */
  isListed(child: Digest): boolean {
    return this.#database.get(
      "SELECT 1 FROM manifest_children WHERE child = ? LIMIT 1",
      keyOf(child),
    ) !== undefined;
  }

  /** Remembers a manifest whose bytes the store holds as `hash`; again, it changes nothing but where. */
  put(manifest: ParsedManifest, hash: Hash): void {
    const known = this.get(manifest.digest);
    if (known?.hash === hash) return;
    const key = keyOf(manifest.digest);
    const { subject, children } = manifest;
    this.#database.transaction(() => {
      this.#database.run(
        `INSERT INTO manifests (digest, hash, subject, parsed, added_ms) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (digest) DO UPDATE SET hash = excluded.hash`,
        key,
        hashToBytes(hash),
        subject === undefined ? null : keyOf(subject.digest),
        JSON.stringify(manifest),
        this.#clock.nowMs(),
      );
      for (const child of new Set(children.map(({ digest }) => digest))) {
        this.#database.run(
          "INSERT OR IGNORE INTO manifest_children (parent, child) VALUES (?, ?)",
          key,
          keyOf(child),
        );
      }
    });
    this.#cache.delete(manifest.digest);
  }

  /** Forgets a manifest and all that repositories say of it. */
  remove(digest: Digest): void {
    this.#database.transaction(() => {
      const key = keyOf(digest);
      this.#database.run("DELETE FROM manifests WHERE digest = ?", key);
      this.#database.run("DELETE FROM members WHERE kind = 'manifest' AND digest = ?", key);
      this.#database.run("DELETE FROM tags WHERE digest = ?", key);
    });
    this.#cache.delete(digest);
  }

  /** After a change was undone: what was read in the middle of it may not be. */
  forgetCached(): void {
    this.#cache.clear();
  }

  /** Manifests and indexes that list `child`, in order of digest. */
  parentsOf(child: Digest): readonly Digest[] {
    return this.#database.all(
      "SELECT parent FROM manifest_children WHERE child = ? ORDER BY parent",
      keyOf(child),
    ).map((row) => digestIn(row, "parent"));
  }
}

function entryOf(row: SqlRow): ManifestEntry {
  return {
    manifest: JSON.parse(row.parsed as string) as ParsedManifest,
    hash: hashIn(row, "hash"),
    addedMs: row.added_ms as number,
  };
}
