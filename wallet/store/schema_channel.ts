/**
 * The tables of payment channels: part of the migration to version 4. `channels` are those in which we
 * are paid; `channel_balances` are those that we signed for sellers, each with its row in `strip_parts`.
 */
import { AMOUNT_SAT_MAX } from "../limits.ts";

function amount(name: string): string {
  return `${name} INTEGER NOT NULL CHECK (${name} BETWEEN 0 AND ${AMOUNT_SAT_MAX})`;
}

/** What is run after the tables of selling and buying are made. */
export const CHANNEL_SCHEMA = `
CREATE TABLE channels (
  id TEXT PRIMARY KEY,
  operation_id TEXT NOT NULL UNIQUE REFERENCES operations (id),
  payer TEXT NOT NULL,
  mint TEXT NOT NULL,
  terms TEXT NOT NULL,
  ${amount("capacity")},
  ${amount("balance")} CHECK (balance <= capacity),
  ${amount("credit")} CHECK (credit <= balance),
  keyset_id TEXT NOT NULL,
  signature TEXT NOT NULL,
  update_count INTEGER NOT NULL CHECK (update_count >= 0),
  state TEXT NOT NULL CHECK (state IN ('open', 'closing', 'closed', 'lost')),
  moved_ms INTEGER NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX channels_open ON channels (payer) WHERE state IN ('open', 'closing');
CREATE TRIGGER channels_only_grow BEFORE UPDATE OF balance ON channels WHEN NEW.balance < OLD.balance
BEGIN SELECT RAISE(ABORT, 'constraint failed: the balance of a channel never falls'); END;

CREATE TABLE channel_balances (
  payment_id TEXT PRIMARY KEY REFERENCES strip_parts (payment_id),
  operation_id TEXT NOT NULL REFERENCES operations (id),
  ${amount("balance")},
  keyset_id TEXT NOT NULL,
  signature TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  UNIQUE (operation_id, balance)
) STRICT;
`;

/** Tables of {@link CHANNEL_SCHEMA}, in an order that foreign keys allow: a backup holds them. */
export const CHANNEL_TABLES: readonly string[] = ["channels", "channel_balances"];
