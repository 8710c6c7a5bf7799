/** The mint's database. Amounts are sat unless a column says msat. */

export const MIGRATIONS: readonly string[] = [`
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE keysets (
  id TEXT PRIMARY KEY,
  position INTEGER NOT NULL UNIQUE,
  active INTEGER NOT NULL,
  fee_ppk INTEGER NOT NULL,
  final_expiry INTEGER,
  secret_keys TEXT NOT NULL,
  public_keys TEXT NOT NULL
) STRICT;

CREATE TABLE mint_quotes (
  id TEXT PRIMARY KEY,
  request TEXT NOT NULL,
  payment_hash TEXT NOT NULL UNIQUE,
  amount INTEGER NOT NULL,
  pubkey TEXT,
  state TEXT NOT NULL CHECK (state IN ('UNPAID', 'PAID', 'ISSUED')),
  expiry_s INTEGER NOT NULL,
  paid_msat INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE melt_quotes (
  id TEXT PRIMARY KEY,
  request TEXT NOT NULL,
  payment_hash TEXT NOT NULL,
  amount INTEGER NOT NULL,
  part_msat INTEGER,
  is_amountless INTEGER NOT NULL,
  amount_msat INTEGER NOT NULL,
  fee_reserve INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('UNPAID', 'PENDING', 'PAID')),
  expiry_s INTEGER NOT NULL,
  is_held INTEGER NOT NULL DEFAULT 0,
  was_asked INTEGER NOT NULL DEFAULT 0,
  input_amount INTEGER NOT NULL DEFAULT 0,
  input_fee INTEGER NOT NULL DEFAULT 0,
  paid_msat INTEGER NOT NULL DEFAULT 0,
  lightning_fee_msat INTEGER NOT NULL DEFAULT 0,
  preimage TEXT
) STRICT;
CREATE INDEX melt_quotes_by_hash ON melt_quotes (payment_hash);
CREATE INDEX melt_quotes_pending ON melt_quotes (id) WHERE state = 'PENDING';

CREATE TABLE swaps (
  id INTEGER PRIMARY KEY,
  input_amount INTEGER NOT NULL,
  output_amount INTEGER NOT NULL,
  input_fee INTEGER NOT NULL
) STRICT;

CREATE TABLE proofs (
  y TEXT PRIMARY KEY,
  keyset TEXT NOT NULL REFERENCES keysets (id),
  amount INTEGER NOT NULL,
  secret TEXT NOT NULL,
  c TEXT NOT NULL,
  witness TEXT,
  state TEXT NOT NULL CHECK (state IN ('PENDING', 'SPENT')),
  origin TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX proofs_by_origin ON proofs (origin);

CREATE TABLE outputs (
  blinded TEXT PRIMARY KEY,
  keyset TEXT NOT NULL REFERENCES keysets (id),
  amount INTEGER NOT NULL,
  signed_keyset TEXT,
  signature TEXT,
  e TEXT,
  s TEXT,
  origin TEXT NOT NULL,
  position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outputs_by_origin ON outputs (origin, position);
`];
