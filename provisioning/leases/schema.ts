/** The database `leases.sqlite`. Never change a migration that was released; add one. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE leases (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    state TEXT NOT NULL,
    -- Capacity and ports are its own.
    holds INTEGER NOT NULL,
    -- Something will still happen to it.
    is_open INTEGER NOT NULL,
    cpu_millicores INTEGER NOT NULL,
    memory_mb INTEGER NOT NULL,
    disk_mb INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    -- The rest, as JSON.
    record TEXT NOT NULL
  ) STRICT;
  -- The first lease gets number 1000.
  INSERT INTO sqlite_sequence (name, seq) VALUES ('leases', 999);
  CREATE INDEX leases_open ON leases (number) WHERE is_open = 1;
  CREATE INDEX leases_owner ON leases (owner, number);
  CREATE INDEX leases_state ON leases (state);

  -- A port can be given out once.
  CREATE TABLE ports (
    port INTEGER PRIMARY KEY,
    lease INTEGER NOT NULL REFERENCES leases (number) ON DELETE CASCADE
  ) STRICT;
  CREATE INDEX ports_lease ON ports (lease);

  CREATE TABLE story (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,
    lease INTEGER NOT NULL REFERENCES leases (number) ON DELETE CASCADE,
    at_ms INTEGER NOT NULL,
    event TEXT NOT NULL,
    state TEXT NOT NULL,
    detail TEXT
  ) STRICT;
  CREATE INDEX story_lease ON story (lease, serial);

  -- Tokens, by what they are made of. A token pays once.
  CREATE TABLE payments (
    token_id TEXT PRIMARY KEY,
    lease INTEGER NOT NULL,
    owner TEXT NOT NULL,
    purpose TEXT NOT NULL,
    token TEXT NOT NULL,
    face_sat INTEGER NOT NULL,
    mint TEXT NOT NULL,
    lock_to TEXT,
    -- new, redeeming, redeemed, refused
    status TEXT NOT NULL,
    amount_sat INTEGER,
    refusal TEXT,
    message TEXT,
    -- of a top-up: what became of it, as JSON
    outcome TEXT,
    created_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX payments_lease ON payments (lease);
  CREATE INDEX payments_open ON payments (purpose) WHERE outcome IS NULL;

  -- Requests that must not be done twice.
  CREATE TABLE asks (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    type TEXT NOT NULL,
    lease INTEGER,
    token_id TEXT,
    answer TEXT,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
  ) STRICT;
  CREATE INDEX asks_created ON asks (created_ms);

  -- Messages that came, until they are answered.
  CREATE TABLE letters (
    id TEXT PRIMARY KEY,
    sender TEXT NOT NULL,
    channel TEXT NOT NULL,
    text TEXT NOT NULL,
    sent_s INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    is_answered INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX letters_open ON letters (received_ms) WHERE is_answered = 0;
  CREATE INDEX letters_received ON letters (received_ms);

  -- Messages that go out, each as one event, given to relays until one has it.
  CREATE TABLE outbox (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,
    recipient TEXT NOT NULL,
    channel TEXT NOT NULL,
    text TEXT NOT NULL,
    event TEXT,
    created_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE denied (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
  ) STRICT;

  CREATE TABLE beats (minute INTEGER PRIMARY KEY) STRICT;

  CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;`,
];
