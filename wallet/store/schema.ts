/**
 * The tables. What must hold whoever writes is here: a blinded message, a counter, a secret and a Y are
 * there once, a request never changes, what is spent stays spent, amounts are whole and bounded.
 *
 * What grows for ever: `operations`, `requests`, `outputs`, `ledger`, `quotes`, payments and the spent
 * rows of `proofs`. None is pruned, since each row is what a replay would be recognised by. A redeemed
 * payment of ten proofs leaves about 10 KiB, so a million of them need 10 GiB and no read slows down:
 * every index that a hot path reads holds only rows that are not spent, or is asked for one key.
 */
import { AMOUNT_SAT_MAX } from "../limits.ts";
import {
  BUYING_SCHEMA,
  BUYING_TABLES,
  OPEN_SELLERS_SCHEMA,
  REFUNDED_SCHEMA,
} from "./schema_buying.ts";
import { CHANNEL_SCHEMA, CHANNEL_TABLES } from "./schema_channel.ts";
import { SELLING_SCHEMA, SELLING_TABLES } from "./schema_selling.ts";

const AMOUNT = `INTEGER NOT NULL CHECK (%s BETWEEN 0 AND ${AMOUNT_SAT_MAX})`;

function amount(column: string): string {
  return `${column} ${AMOUNT.replace("%s", column)}`;
}

const OPERATIONS = `
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE operations (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'done', 'failed', 'attention')),
  rev INTEGER NOT NULL,
  mint TEXT NOT NULL,
  peer_mint TEXT,
  ${amount("amount")},
  ${amount("fee")},
  plan TEXT NOT NULL,
  parent TEXT,
  next_at_ms INTEGER,
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  reason TEXT,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX operations_due ON operations (next_at_ms) WHERE status = 'open';
CREATE INDEX operations_status ON operations (status, sequence);
CREATE INDEX operations_parent ON operations (parent) WHERE parent IS NOT NULL;

CREATE TABLE requests (
  operation_id TEXT NOT NULL REFERENCES operations (id),
  phase TEXT NOT NULL,
  path TEXT NOT NULL,
  body TEXT NOT NULL,
  legacy_body TEXT,
  send_count INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (operation_id, phase)
) STRICT;
CREATE TRIGGER requests_frozen BEFORE UPDATE OF operation_id, phase, path, body, legacy_body ON requests
BEGIN SELECT RAISE(ABORT, 'constraint failed: a frozen request never changes'); END;

CREATE TABLE outputs (
  blinded TEXT PRIMARY KEY,
  operation_id TEXT NOT NULL REFERENCES operations (id),
  phase TEXT NOT NULL,
  place INTEGER NOT NULL,
  mint TEXT NOT NULL,
  role TEXT NOT NULL,
  keyset_id TEXT NOT NULL,
  ${amount("amount")},
  blinding_factor TEXT NOT NULL,
  secret TEXT NOT NULL UNIQUE,
  seed_fingerprint TEXT,
  counter INTEGER,
  state TEXT NOT NULL CHECK (state IN ('planned', 'signed', 'void')),
  UNIQUE (operation_id, phase, place)
) STRICT;
CREATE UNIQUE INDEX outputs_counter ON outputs (seed_fingerprint, keyset_id, counter)
  WHERE counter IS NOT NULL;

CREATE TABLE counters (
  seed_fingerprint TEXT NOT NULL,
  keyset_id TEXT NOT NULL,
  next INTEGER NOT NULL CHECK (next >= 0),
  PRIMARY KEY (seed_fingerprint, keyset_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE quotes (
  mint TEXT NOT NULL,
  quote_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('mint', 'melt')),
  operation_id TEXT NOT NULL REFERENCES operations (id),
  ${amount("amount")},
  ${amount("fee_reserve")},
  request TEXT NOT NULL,
  state TEXT NOT NULL,
  expiry_ms INTEGER,
  key_index INTEGER,
  PRIMARY KEY (mint, quote_id)
) STRICT;
CREATE INDEX quotes_operation ON quotes (operation_id);
`;

/** `coins` counts the proofs that are not spent, so that balances and selection read a few rows. */
const PROOFS = `
CREATE TABLE proofs (
  y TEXT PRIMARY KEY,
  mint TEXT NOT NULL,
  keyset_id TEXT NOT NULL,
  ${amount("amount")},
  secret TEXT NOT NULL UNIQUE,
  c TEXT NOT NULL,
  dleq TEXT,
  witness TEXT,
  state TEXT NOT NULL CHECK (state IN ('free', 'reserved', 'outgoing', 'incoming', 'spent')),
  needs_recheck INTEGER NOT NULL DEFAULT 0 CHECK (needs_recheck IN (0, 1)),
  operation_id TEXT
) STRICT;
CREATE INDEX proofs_free ON proofs (mint, keyset_id, amount, needs_recheck) WHERE state = 'free';
CREATE INDEX proofs_state ON proofs (state, mint) WHERE state <> 'spent';
CREATE INDEX proofs_operation ON proofs (operation_id) WHERE operation_id IS NOT NULL;
CREATE TRIGGER proofs_stay_spent BEFORE UPDATE OF state ON proofs
  WHEN OLD.state = 'spent' AND NEW.state <> 'spent'
BEGIN SELECT RAISE(ABORT, 'constraint failed: what is spent stays spent'); END;

CREATE TABLE coins (
  mint TEXT NOT NULL,
  state TEXT NOT NULL,
  keyset_id TEXT NOT NULL,
  amount INTEGER NOT NULL,
  needs_recheck INTEGER NOT NULL,
  count INTEGER NOT NULL CHECK (count > 0),
  PRIMARY KEY (mint, state, keyset_id, amount, needs_recheck)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER coins_inserted AFTER INSERT ON proofs WHEN NEW.state <> 'spent' BEGIN
  INSERT INTO coins VALUES (NEW.mint, NEW.state, NEW.keyset_id, NEW.amount, NEW.needs_recheck, 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER coins_left AFTER UPDATE OF state, needs_recheck ON proofs WHEN OLD.state <> 'spent' BEGIN
  DELETE FROM coins WHERE mint = OLD.mint AND state = OLD.state AND keyset_id = OLD.keyset_id
    AND amount = OLD.amount AND needs_recheck = OLD.needs_recheck AND count = 1;
  UPDATE coins SET count = count - 1 WHERE mint = OLD.mint AND state = OLD.state
    AND keyset_id = OLD.keyset_id AND amount = OLD.amount AND needs_recheck = OLD.needs_recheck
    AND count > 1;
END;
CREATE TRIGGER coins_moved AFTER UPDATE OF state, needs_recheck ON proofs WHEN NEW.state <> 'spent' BEGIN
  INSERT INTO coins VALUES (NEW.mint, NEW.state, NEW.keyset_id, NEW.amount, NEW.needs_recheck, 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
`;

const BOOKS = `
CREATE TABLE ledger (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  operation_id TEXT NOT NULL,
  mint TEXT NOT NULL,
  kind TEXT NOT NULL,
  delta INTEGER NOT NULL CHECK (delta BETWEEN -${AMOUNT_SAT_MAX} AND ${AMOUNT_SAT_MAX}),
  at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX ledger_operation ON ledger (operation_id);
CREATE INDEX ledger_mint ON ledger (mint, delta);

CREATE TABLE incoming_payments (
  payer TEXT NOT NULL,
  payment_id TEXT NOT NULL,
  token_hash TEXT NOT NULL,
  mint TEXT NOT NULL,
  ${amount("amount")},
  ${amount("credit")},
  state TEXT NOT NULL CHECK (state IN ('credited', 'queued', 'redeemed', 'dead')),
  redeem_by_ms INTEGER,
  operation_id TEXT,
  version INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (payer, payment_id)
) STRICT;
CREATE INDEX incoming_queued ON incoming_payments (created_ms) WHERE state = 'queued';
CREATE INDEX incoming_credited ON incoming_payments (created_ms) WHERE state = 'credited';
CREATE INDEX incoming_operation ON incoming_payments (operation_id) WHERE operation_id IS NOT NULL;

CREATE TABLE outgoing_payments (
  payment_id TEXT PRIMARY KEY,
  subject TEXT NOT NULL,
  payee TEXT NOT NULL,
  ${amount("amount")},
  ${amount("cost")},
  state TEXT NOT NULL CHECK (state IN ('reserved', 'spent', 'returned')),
  operation_id TEXT,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX outgoing_payee ON outgoing_payments (payee, created_ms, cost) WHERE state <> 'returned';
CREATE INDEX outgoing_subject ON outgoing_payments (subject, created_ms, cost)
  WHERE state <> 'returned';
CREATE INDEX outgoing_created ON outgoing_payments (created_ms, cost) WHERE state <> 'returned';

CREATE TABLE mints (
  url TEXT PRIMARY KEY,
  trust TEXT NOT NULL CHECK (trust IN ('trusted', 'accepted')),
  exposure_max INTEGER CHECK (exposure_max BETWEEN 0 AND ${AMOUNT_SAT_MAX}),
  cache TEXT,
  cached_ms INTEGER,
  cooldown_until_ms INTEGER,
  blocked_reason TEXT,
  added_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE routes (
  from_mint TEXT NOT NULL,
  to_mint TEXT NOT NULL,
  success_permille INTEGER NOT NULL CHECK (success_permille BETWEEN 0 AND 1000),
  fee_ppm INTEGER NOT NULL CHECK (fee_ppm >= 0),
  latency_ms INTEGER NOT NULL CHECK (latency_ms >= 0),
  cooldown_until_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  PRIMARY KEY (from_mint, to_mint)
) STRICT, WITHOUT ROWID;
`;

/** Brings a database from version `index` to `index + 1`; never change one that was released. */
export const MIGRATIONS: readonly string[] = [
  OPERATIONS + PROOFS + BOOKS,
  "ALTER TABLE requests ADD COLUMN doubt_since_ms INTEGER;",
  SELLING_SCHEMA + BUYING_SCHEMA,
  CHANNEL_SCHEMA,
  OPEN_SELLERS_SCHEMA,
  REFUNDED_SCHEMA,
];

/** Tables whose rows are the wallet, in an order that foreign keys allow; `coins` follows `proofs`. */
export const TABLES: readonly string[] = [
  "meta",
  "operations",
  "requests",
  "outputs",
  "counters",
  "quotes",
  "proofs",
  "ledger",
  "incoming_payments",
  "outgoing_payments",
  "mints",
  "routes",
  ...SELLING_TABLES,
  ...BUYING_TABLES,
  ...CHANNEL_TABLES,
];
