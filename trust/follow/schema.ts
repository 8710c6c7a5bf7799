/** The tables of a follower and how older ones become the newest. */

/** Migration `i` brings version `i` to `i + 1`. Never change one that was released: add another. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE roots (
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (id, version)
  ) STRICT;
  CREATE TABLE catalogs (
    root TEXT NOT NULL,
    name TEXT NOT NULL,
    seal TEXT NOT NULL,
    bytes BLOB NOT NULL,
    role TEXT NOT NULL,
    signers TEXT NOT NULL,
    threshold INTEGER NOT NULL,
    accepted_s INTEGER NOT NULL,
    urls TEXT NOT NULL,
    PRIMARY KEY (root, name)
  ) STRICT;
  CREATE TABLE floors (
    root TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (root, name, key)
  ) STRICT;
  CREATE TABLE follows (
    root TEXT NOT NULL,
    name TEXT NOT NULL,
    publishers TEXT NOT NULL,
    url TEXT,
    selectors TEXT NOT NULL,
    PRIMARY KEY (root, name)
  ) STRICT;
  CREATE TABLE published (
    root TEXT NOT NULL,
    name TEXT NOT NULL,
    publication TEXT NOT NULL,
    PRIMARY KEY (root, name)
  ) STRICT;
  `,
  "ALTER TABLE follows ADD COLUMN pins TEXT NOT NULL DEFAULT '[]';",
];
