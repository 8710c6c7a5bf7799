/**
 * The tables of buying: part of the migration to version 3. Sums in units of 2^-20 msat are split as
 * those of selling are.
 *
 * `strip_parts` holds each top-up that was locked to a seller. What counts as paid in `seller_accounts`
 * follows its states in the same transaction (`buying_table.ts`).
 */
import { AMOUNT_SAT_MAX } from "../limits.ts";

function amount(name: string): string {
  return `${name} INTEGER NOT NULL DEFAULT 0 CHECK (${name} BETWEEN 0 AND ${AMOUNT_SAT_MAX})`;
}

function units(name: string): string {
  return `${amount(`${name}_sat`)},
  ${name}_units INTEGER NOT NULL DEFAULT 0 CHECK (${name}_units BETWEEN 0 AND 1048575999)`;
}

/** What is run after the tables of selling are made. */
export const BUYING_SCHEMA = `
CREATE TABLE strip_parts (
  payment_id TEXT PRIMARY KEY,
  operation_id TEXT NOT NULL REFERENCES operations (id),
  place INTEGER NOT NULL CHECK (place >= 0),
  peer TEXT NOT NULL,
  ${amount("gross")},
  ${amount("net")},
  ys TEXT NOT NULL,
  state TEXT NOT NULL CHECK (
    state IN ('hidden', 'revealed', 'credited', 'refused', 'claimed', 'returned')),
  revealed_ms INTEGER,
  UNIQUE (operation_id, place)
) STRICT;
CREATE INDEX strip_parts_peer ON strip_parts (peer, state)
  WHERE state IN ('hidden', 'revealed', 'credited', 'refused');

CREATE TABLE seller_accounts (
  peer TEXT PRIMARY KEY,
  ${amount("paid")},
  ${amount("refused")},
  ${units("used")},
  ${units("lost")},
  strikes INTEGER NOT NULL DEFAULT 0 CHECK (strikes >= 0),
  avoid_until_ms INTEGER,
  avoid_reason TEXT,
  moved_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE purchases (
  id TEXT PRIMARY KEY,
  peer TEXT NOT NULL,
  subject TEXT NOT NULL,
  price INTEGER NOT NULL CHECK (price >= 0),
  ${units("used")},
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX purchases_subject ON purchases (subject, created_ms);
`;

/** What is run to reach version 5: since when a process buys of a seller, until it ends that in order. */
export const OPEN_SELLERS_SCHEMA = "ALTER TABLE seller_accounts ADD COLUMN open_ms INTEGER;";

/** What is run to reach version 6: of what is given up, the sat that sellers paid back. */
export const REFUNDED_SCHEMA = `
ALTER TABLE seller_accounts ADD COLUMN ${amount("refunded")};
`;

/** Tables of {@link BUYING_SCHEMA}, in an order that foreign keys allow: a backup holds them. */
export const BUYING_TABLES: readonly string[] = ["strip_parts", "seller_accounts", "purchases"];
