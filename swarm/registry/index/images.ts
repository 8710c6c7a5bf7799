/** Images that are kept whole, each as a collection. */
import { type Hash, hashToBytes } from "../../../src/core/hash.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { SqliteConnection, SqlRow } from "../../../src/sqlite/mod.ts";
import type { Platform } from "../manifest/mod.ts";
import type { Digest, RepositoryName } from "../names.ts";
import { digestIn, hashIn, keyOf } from "./keys.ts";

/** Who may see an image, as the store has it. */
type Visibility = "public" | "fleet" | "private";

/** What is written of an image. */
export interface NewImage {
  /** Of the manifest or index that the image is named by. */
  readonly digest: Digest;
  readonly collection: Hash;
  /** Those that are here; of a single manifest the one that it is for, if it says so. */
  readonly platforms: readonly Platform[];
  readonly visibility: Visibility;
  /** Bytes of everything that the collection lists. */
  readonly size: number;
}

/** One image of one repository. */
export interface ImageRow extends NewImage {
  readonly name: RepositoryName;
  /** Milliseconds since 1970. */
  readonly addedMs: number;
}

/** A blob of an image. */
export interface ImageBlob {
  readonly hash: Hash;
  readonly digest: Digest;
  /** Whether it is a manifest or an index. */
  readonly isManifest: boolean;
}

/** The tables of images and of what they are made of. */
export class Images {
  readonly #database: SqliteConnection;
  readonly #clock: Pick<Clock, "nowMs">;

  constructor(database: SqliteConnection, clock: Pick<Clock, "nowMs">) {
    this.#database = database;
    this.#clock = clock;
  }

  get(name: RepositoryName, digest: Digest): ImageRow | undefined {
    const row = this.#database.get(
      "SELECT * FROM images WHERE registry = ? AND repository = ? AND digest = ?",
      name.registry,
      name.repository,
      keyOf(digest),
    );
    return row && imageOf(row);
  }

  /** All images, in order of name. */
  all(): readonly ImageRow[] {
    return this.#database.all("SELECT * FROM images ORDER BY registry, repository, digest")
      .map(imageOf);
  }

  /** Images of one collection: one for each name that it has. */
  ofCollection(collection: Hash): readonly ImageRow[] {
    return this.#database.all(
      "SELECT * FROM images WHERE collection = ? ORDER BY registry, repository, digest",
      hashToBytes(collection),
    ).map(imageOf);
  }

  /** Images that are made of `hash`, among others. */
  madeOf(hash: Hash): readonly ImageRow[] {
    return this.#database.all(
      `SELECT images.* FROM image_blobs JOIN images USING (collection) WHERE hash = ?
       ORDER BY registry, repository, digest`,
      hashToBytes(hash),
    ).map(imageOf);
  }

  /** Images that have `manifest`, an index or one of its manifests. */
  withManifest(manifest: Digest): readonly ImageRow[] {
    return this.#database.all(
      `SELECT DISTINCT images.* FROM image_blobs JOIN images USING (collection)
       WHERE image_blobs.digest = ? AND is_manifest = 1
       ORDER BY registry, repository, images.digest`,
      keyOf(manifest),
    ).map(imageOf);
  }

  /** What a collection is made of, in order of digest; empty for one that is no image. */
  blobsOf(collection: Hash): readonly ImageBlob[] {
    return this.#database.all(
      "SELECT hash, digest, is_manifest FROM image_blobs WHERE collection = ? ORDER BY digest",
      hashToBytes(collection),
    ).map((row) => ({
      hash: hashIn(row, "hash"),
      digest: digestIn(row, "digest"),
      isManifest: row.is_manifest === 1,
    }));
  }

  /**
   * Writes an image, in place of an earlier one with its name and digest. What a collection was made of
   * stays known until it is forgotten: then its blobs were let go of.
   */
  put(name: RepositoryName, image: NewImage, blobs: readonly ImageBlob[]): void {
    this.#database.transaction(() => {
      const before = this.get(name, image.digest);
      this.#database.run(
        `INSERT OR REPLACE INTO images
           (registry, repository, digest, collection, platforms, visibility, size, added_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        name.registry,
        name.repository,
        keyOf(image.digest),
        hashToBytes(image.collection),
        JSON.stringify(image.platforms),
        image.visibility,
        image.size,
        before?.addedMs ?? this.#clock.nowMs(),
      );
      for (const { hash, digest, isManifest } of blobs) {
        this.#database.run(
          "INSERT OR IGNORE INTO image_blobs (collection, hash, digest, is_manifest) VALUES (?, ?, ?, ?)",
          hashToBytes(image.collection),
          hashToBytes(hash),
          keyOf(digest),
          isManifest ? 1 : 0,
        );
      }
    });
  }

  /** Takes an image away. Returns what it was. */
  remove(name: RepositoryName, digest: Digest): ImageRow | undefined {
    return this.#database.transaction(() => {
      const before = this.get(name, digest);
      if (before === undefined) return undefined;
      this.#database.run(
        "DELETE FROM images WHERE registry = ? AND repository = ? AND digest = ?",
        name.registry,
        name.repository,
        keyOf(digest),
      );
      return before;
    });
  }

  /** Collections that no image has any more and that were not forgotten yet. */
  abandoned(): readonly Hash[] {
    return this.#database.all(
      `SELECT DISTINCT collection FROM image_blobs
       WHERE collection NOT IN (SELECT collection FROM images) ORDER BY collection`,
    ).map((row) => hashIn(row, "collection"));
  }

  /** Forgets what a collection is made of, unless an image has it. */
  forget(collection: Hash): void {
    if (this.ofCollection(collection).length > 0) return;
    this.#database.run(
      "DELETE FROM image_blobs WHERE collection = ?",
      hashToBytes(collection),
    );
  }
}

function imageOf(row: SqlRow): ImageRow {
  return {
    name: { registry: row.registry as string, repository: row.repository as string },
    digest: digestIn(row, "digest"),
    collection: hashIn(row, "collection"),
    platforms: JSON.parse(row.platforms as string) as readonly Platform[],
    visibility: row.visibility as Visibility,
    size: row.size as number,
    addedMs: row.added_ms as number,
  };
}
