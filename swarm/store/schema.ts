/** The tables of the store and how older ones become the newest. */

/**
 * Migration `i` brings version `i` to `i + 1`. Never change one that was released: add another.
 *
 * `groups` and `synced_groups` are bitfields of a partial blob; `synced` says that all of a complete
 * one is on stable storage. `held_bytes` counts against the quota. `guard` is what a file looked
 * like that somebody else may change. `debris` lists files that are not, or no longer, of any blob.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE blobs (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    size INTEGER NOT NULL CHECK (size >= 0),
    state TEXT NOT NULL CHECK (state IN ('partial', 'complete')),
    storage TEXT NOT NULL CHECK (storage IN ('inline', 'owned', 'in-place')),
    kind TEXT NOT NULL CHECK (kind IN ('blob', 'collection')),
    visibility TEXT NOT NULL CHECK (visibility IN ('public', 'fleet', 'private')),
    pinned INTEGER NOT NULL CHECK (pinned IN (0, 1)),
    media_type TEXT,
    name TEXT,
    sha256 BLOB CHECK (sha256 IS NULL OR length(sha256) = 32),
    groups BLOB CHECK ((groups IS NULL) = (state = 'complete')),
    synced_groups BLOB,
    synced INTEGER NOT NULL CHECK (synced IN (0, 1)),
    lane TEXT CHECK ((lane IS NULL) = (state = 'complete')),
    path TEXT CHECK ((path IS NULL) = (storage <> 'in-place')),
    guard TEXT,
    held_bytes INTEGER NOT NULL CHECK (held_bytes >= 0),
    added_ms INTEGER NOT NULL,
    last_used_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blobs_by_sha256 ON blobs (sha256) WHERE sha256 IS NOT NULL;
  CREATE INDEX blobs_by_use ON blobs (last_used_ms, added_ms);
  CREATE INDEX blobs_not_synced ON blobs (hash) WHERE synced = 0;
  CREATE INDEX blobs_partial ON blobs (hash) WHERE state = 'partial';
  CREATE TABLE inline_bytes (
    hash BLOB PRIMARY KEY REFERENCES blobs (hash) ON DELETE CASCADE,
    bytes BLOB NOT NULL
  ) STRICT;
  CREATE TABLE tags (
    hash BLOB NOT NULL REFERENCES blobs (hash) ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (hash, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE children (
    parent BLOB NOT NULL REFERENCES blobs (hash) ON DELETE CASCADE,
    child BLOB NOT NULL,
    PRIMARY KEY (parent, child)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX children_by_child ON children (child);
  CREATE TABLE debris (path TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
];
