/**
 * The tables of selling: part of the migration to version 3.
 *
 * An amount of credit is in units of 2^-20 msat (`wallet/credit_units.ts`), which no column holds for
 * large sums: it is split into whole sat and the units that are left.
 */
import { AMOUNT_SAT_MAX } from "../limits.ts";

/** Units of credit in a sat. */
const UNITS_PER_SAT = 1_048_576_000;

function units(name: string): string {
  return `${name}_sat INTEGER NOT NULL DEFAULT 0 CHECK (${name}_sat BETWEEN 0 AND ${AMOUNT_SAT_MAX}),
  ${name}_units INTEGER NOT NULL DEFAULT 0 CHECK (${name}_units BETWEEN 0 AND ${
    UNITS_PER_SAT - 1
  })`;
}

/** Whether an account has something left, as its index and those who ask it both say it. */
export const HAS_CREDIT =
  `(paid - used_sat - drawn_sat) * ${UNITS_PER_SAT} > used_units + drawn_units`;

/**
 * What exists is brought along: whoever has paid a peer's payment before has credit for it. `drawn` is
 * used up by an answer under way and not sold yet; what a crash leaves there is lost to its payer.
 */
export const SELLING_SCHEMA = `
CREATE TABLE credit_accounts (
  payer TEXT PRIMARY KEY,
  paid INTEGER NOT NULL CHECK (paid BETWEEN 0 AND ${AMOUNT_SAT_MAX}),
  ${units("used")},
  ${units("drawn")},
  price_max INTEGER NOT NULL DEFAULT 0 CHECK (price_max >= 0),
  refund_key TEXT,
  moved_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX credit_accounts_left ON credit_accounts (moved_ms) WHERE ${HAS_CREDIT};
CREATE INDEX credit_accounts_drawn ON credit_accounts (payer)
  WHERE drawn_sat > 0 OR drawn_units > 0;
INSERT INTO credit_accounts (payer, paid, moved_ms)
  SELECT payer, sum(credit), max(created_ms) FROM incoming_payments
  WHERE payer <> 'local' AND state IN ('credited', 'redeemed') GROUP BY payer;

CREATE TABLE sales (
  day INTEGER NOT NULL,
  payer TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('content', 'lost', 'expired', 'refund')),
  root TEXT NOT NULL,
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  ${units("sold")},
  PRIMARY KEY (day, payer, kind, root)
) STRICT, WITHOUT ROWID;
CREATE INDEX sales_payer ON sales (payer);

CREATE TABLE services (
  id TEXT PRIMARY KEY,
  enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
  price INTEGER NOT NULL CHECK (price >= 0),
  min_top_up INTEGER CHECK (min_top_up > 0),
  mints TEXT,
  updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE credit_refunds (
  payer TEXT NOT NULL,
  period INTEGER NOT NULL,
  operation_id TEXT NOT NULL REFERENCES operations (id),
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (payer, period)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX credit_refunds_operation ON credit_refunds (operation_id);
`;

/** Tables of {@link SELLING_SCHEMA}, in an order that foreign keys allow: a backup holds them. */
export const SELLING_TABLES: readonly string[] = [
  "credit_accounts",
  "sales",
  "services",
  "credit_refunds",
];
