/** The tables of the index and how older ones become the newest. */

/**
 * Migration `i` brings version `i` to `i + 1`. Never change one that was released: add another.
 * Digests are the 32 bytes of their SHA-256, hashes those of BLAKE3.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE manifests (
    digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    subject BLOB CHECK (subject IS NULL OR length(subject) = 32),
    parsed TEXT NOT NULL,
    added_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX manifests_by_subject ON manifests (subject) WHERE subject IS NOT NULL;
  CREATE TABLE manifest_children (
    parent BLOB NOT NULL REFERENCES manifests (digest) ON DELETE CASCADE,
    child BLOB NOT NULL CHECK (length(child) = 32),
    PRIMARY KEY (parent, child)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX manifest_children_by_child ON manifest_children (child);
  CREATE TABLE members (
    registry TEXT NOT NULL,
    repository TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('manifest', 'blob')),
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    is_private INTEGER NOT NULL CHECK (is_private IN (0, 1)),
    added_ms INTEGER NOT NULL,
    PRIMARY KEY (registry, repository, kind, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX members_by_digest ON members (digest);
  CREATE TABLE tags (
    registry TEXT NOT NULL,
    repository TEXT NOT NULL,
    tag TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    etag TEXT,
    checked_ms INTEGER NOT NULL,
    set_ms INTEGER NOT NULL,
    PRIMARY KEY (registry, repository, tag)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tags_by_digest ON tags (registry, repository, digest);
  CREATE TABLE authorizations (
    registry TEXT NOT NULL,
    repository TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (registry, repository)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE images (
    registry TEXT NOT NULL,
    repository TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    collection BLOB NOT NULL CHECK (length(collection) = 32),
    platforms TEXT NOT NULL,
    visibility TEXT NOT NULL CHECK (visibility IN ('public', 'fleet', 'private')),
    size INTEGER NOT NULL,
    added_ms INTEGER NOT NULL,
    PRIMARY KEY (registry, repository, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX images_by_collection ON images (collection);
  CREATE TABLE image_blobs (
    collection BLOB NOT NULL CHECK (length(collection) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    is_manifest INTEGER NOT NULL CHECK (is_manifest IN (0, 1)),
    PRIMARY KEY (collection, hash)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX image_blobs_by_hash ON image_blobs (hash);
  CREATE INDEX image_blobs_by_digest ON image_blobs (digest);
  CREATE TABLE mappings (
    sha256 BLOB PRIMARY KEY CHECK (length(sha256) = 32),
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    size INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX mappings_by_age ON mappings (seen_ms);
  CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    repository TEXT NOT NULL,
    offset INTEGER NOT NULL CHECK (offset >= 0),
    touched_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE pinned (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32)
  ) STRICT, WITHOUT ROWID;
  `,
];
