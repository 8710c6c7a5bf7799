/** The tables of receipts and how older ones become the newest. */

/**
 * Migration `i` brings version `i` to `i + 1`. Never change one that was released: add another.
 *
 * `evidence` is every proof and payment that a kept receipt names, and outlives it. `drafts` are what a
 * provider signed and nobody countersigned yet; `covered` are the sums of what was, or never will be.
 * `lease_receipts` has one row for a lease and a role; its proofs and payments are in `evidence`, too.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE receipts (
    role TEXT NOT NULL CHECK (role IN ('provider', 'consumer')),
    provider TEXT NOT NULL,
    id TEXT NOT NULL,
    peer TEXT NOT NULL,
    to_s INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    msat INTEGER NOT NULL,
    text TEXT NOT NULL,
    root TEXT,
    salt BLOB CHECK (salt IS NULL OR length(salt) = 32),
    PRIMARY KEY (role, provider, id)
  ) STRICT;
  CREATE INDEX receipts_by_time ON receipts (to_s);
  CREATE INDEX receipts_by_peer ON receipts (peer, to_s);
  CREATE TABLE evidence (
    place INTEGER PRIMARY KEY,
    role TEXT NOT NULL,
    key TEXT NOT NULL,
    UNIQUE (role, key)
  ) STRICT;
  CREATE TABLE drafts (
    peer TEXT NOT NULL,
    root TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    from_s INTEGER NOT NULL,
    to_s INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    msat INTEGER NOT NULL,
    asked_s INTEGER NOT NULL,
    PRIMARY KEY (peer, root)
  ) STRICT;
  CREATE TABLE covered (
    peer TEXT NOT NULL,
    root TEXT NOT NULL,
    to_s INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    msat INTEGER NOT NULL,
    PRIMARY KEY (peer, root)
  ) STRICT;
  CREATE INDEX covered_by_time ON covered (to_s);
  CREATE INDEX drafts_by_time ON drafts (asked_s);
  `,
  `
  CREATE TABLE lease_receipts (
    role TEXT NOT NULL CHECK (role IN ('provider', 'consumer')),
    lease TEXT NOT NULL,
    id TEXT NOT NULL,
    other TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('offered', 'agreed', 'one-sided')),
    is_delivered INTEGER NOT NULL,
    to_s INTEGER NOT NULL,
    text TEXT NOT NULL,
    image TEXT,
    salt BLOB CHECK (salt IS NULL OR length(salt) = 32),
    reason TEXT,
    PRIMARY KEY (role, lease)
  ) STRICT;
  CREATE INDEX lease_receipts_by_time ON lease_receipts (to_s);
  CREATE INDEX lease_receipts_by_id ON lease_receipts (id);
  `,
  `
  CREATE INDEX lease_receipts_by_other ON lease_receipts (role, other, to_s);
  `,
];
