/** The database `lessee.sqlite`. Never change a migration that was released; add one. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE leases (
    id TEXT PRIMARY KEY,
    provider TEXT NOT NULL,
    state TEXT NOT NULL,
    -- Something will still happen to it.
    is_open INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    -- As JSON.
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX leases_open ON leases (created_ms) WHERE is_open = 1;
  CREATE INDEX leases_created ON leases (created_ms);
  CREATE INDEX leases_provider ON leases (provider, created_ms);

  CREATE TABLE payments (
    id TEXT PRIMARY KEY,
    lease TEXT NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX payments_open ON payments (created_ms) WHERE is_open = 1;
  CREATE INDEX payments_lease ON payments (lease, created_ms);

  CREATE TABLE refunds (
    id TEXT PRIMARY KEY,
    lease TEXT NOT NULL REFERENCES leases (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    record TEXT NOT NULL
  ) STRICT;
  CREATE INDEX refunds_open ON refunds (created_ms) WHERE is_open = 1;
  CREATE INDEX refunds_lease ON refunds (lease, created_ms);

  -- Requests that went out as messages and must not be lost, with their answers.
  CREATE TABLE letters (
    provider TEXT NOT NULL,
    request_id TEXT NOT NULL,
    -- Of what was asked: the same id may not stand for something else.
    fingerprint TEXT NOT NULL,
    type TEXT NOT NULL,
    lease TEXT,
    is_ours INTEGER NOT NULL,
    -- The signed event as JSON: given again as it is, it is the same message.
    event TEXT,
    sent_s INTEGER NOT NULL,
    -- Secret: it may hold a refund.
    answer TEXT,
    is_open INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (provider, request_id)
  ) STRICT;
  CREATE INDEX letters_open ON letters (provider, created_ms) WHERE is_open = 1;`,
];
