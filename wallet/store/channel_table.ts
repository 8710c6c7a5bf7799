/** Payment channels: those in which we are paid, and what we signed in others'. */
import { assert } from "../../src/core/assert.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import type { MintUrl } from "../types.ts";
import type {
  BalanceRecord,
  ChannelChanges,
  ChannelRecord,
  ChannelState,
} from "./channel_store.ts";
import { bounded, named, sat, storable, whole } from "./columns.ts";
import { NAME_CHARS_MAX } from "./limits.ts";

/** Which state may follow which. */
const STATE_AFTER: Readonly<Record<ChannelState, readonly ChannelState[]>> = {
  open: ["open", "closing", "lost"],
  closing: ["closing", "open", "closed", "lost"],
  closed: [],
  lost: [],
};

/** Longest terms kept, in characters. */
const TERMS_CHARS_MAX = 32_768;

/** Reads and changes the rows of `channels` and `channel_balances`. */
export class ChannelTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  get(id: string): ChannelRecord | undefined {
    const row = this.#database.get("SELECT * FROM channels WHERE id = ?", id);
    return row && channelOf(row);
  }

  of(operationId: string): ChannelRecord | undefined {
    const row = this.#database.get("SELECT * FROM channels WHERE operation_id = ?", operationId);
    return row && channelOf(row);
  }

  open(filter: { readonly payer?: string; readonly mint?: MintUrl }): ChannelRecord[] {
    const wanted = ["state IN ('open', 'closing')"];
    const values: string[] = [];
    for (const name of ["payer", "mint"] as const) {
      const value = filter[name];
      if (value === undefined) continue;
      wanted.push(`${name} = ?`);
      values.push(value);
    }
    return this.#database.all(
      `SELECT * FROM channels WHERE ${wanted.join(" AND ")} ORDER BY rowid`,
      ...values,
    ).map(channelOf);
  }

  paidBy(payer: string): { readonly redeemed: bigint; readonly dead: bigint } {
    const row = this.#database.get(
      `SELECT CAST(coalesce(sum(iif(state = 'redeemed', credit, 0)), 0) AS TEXT) AS redeemed,
         CAST(coalesce(sum(iif(state = 'dead', credit, 0)), 0) AS TEXT) AS dead
       FROM incoming_payments WHERE payer = ?`,
      payer,
    );
    return { redeemed: BigInt(row!.redeemed as string), dead: BigInt(row!.dead as string) };
  }

  insert(channel: ChannelRecord): void {
    assert(/^[0-9a-f]{64}$/.test(channel.id), "a channel's id is 64 hex digits");
    this.#database.run(
      `INSERT INTO channels (id, operation_id, payer, mint, terms, capacity, balance, credit,
         keyset_id, signature, update_count, state, moved_ms, created_ms)
       VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
      channel.id,
      channel.operationId,
      named(channel.payer, NAME_CHARS_MAX, "a payer"),
      channel.mint,
      bounded(channel.terms, TERMS_CHARS_MAX, "a channel's first message"),
      storable(channel.capacity),
      storable(channel.balance),
      storable(channel.credit),
      named(channel.keysetId, 100, "a keyset id"),
      named(channel.signature, 128, "a signature"),
      whole(channel.updateCount),
      channel.state,
      whole(channel.movedMs),
      whole(channel.createdMs),
    );
  }

  update(id: string, change: Parameters<ChannelChanges["updateChannel"]>[1]): ChannelRecord {
    const found = this.get(id);
    assert(found !== undefined, "only a channel that was opened moves");
    const next = { ...found, ...change };
    assert(
      STATE_AFTER[found.state].includes(next.state),
      `a channel that is ${found.state} does not become ${next.state}`,
    );
    assert(next.balance >= found.balance, "the balance of a channel never falls");
    this.#database.run(
      `UPDATE channels SET balance = ?, credit = ?, keyset_id = ?, signature = ?, update_count = ?,
         state = ?, moved_ms = ? WHERE id = ?`,
      storable(next.balance),
      storable(next.credit),
      named(next.keysetId, 100, "a keyset id"),
      named(next.signature, 128, "a signature"),
      whole(next.updateCount),
      next.state,
      whole(next.movedMs),
      id,
    );
    return next;
  }

  balances(operationId: string): BalanceRecord[] {
    return this.#database.all(
      "SELECT * FROM channel_balances WHERE operation_id = ? ORDER BY balance",
      operationId,
    ).map(balanceOf);
  }

  lastBalance(operationId: string): BalanceRecord | undefined {
    const row = this.#database.get(
      "SELECT * FROM channel_balances WHERE operation_id = ? ORDER BY balance DESC LIMIT 1",
      operationId,
    );
    return row && balanceOf(row);
  }

  balance(paymentId: string): BalanceRecord | undefined {
    const row = this.#database.get(
      "SELECT * FROM channel_balances WHERE payment_id = ?",
      paymentId,
    );
    return row && balanceOf(row);
  }

  insertBalance(record: BalanceRecord): void {
    const last = this.lastBalance(record.operationId);
    assert(last === undefined || last.balance < record.balance, "signed balances only grow");
    this.#database.run(
      `INSERT INTO channel_balances (payment_id, operation_id, balance, keyset_id, signature,
         created_ms) VALUES (?,?,?,?,?,?)`,
      record.paymentId,
      record.operationId,
      storable(record.balance),
      named(record.keysetId, 100, "a keyset id"),
      named(record.signature, 128, "a signature"),
      whole(record.createdMs),
    );
  }
}

function channelOf(row: SqlRow): ChannelRecord {
  return {
    id: row.id as string,
    operationId: row.operation_id as string,
    payer: row.payer as string,
    mint: row.mint as MintUrl,
    terms: row.terms as string,
    capacity: sat(row, "capacity"),
    balance: sat(row, "balance"),
    credit: sat(row, "credit"),
    keysetId: row.keyset_id as string,
    signature: row.signature as string,
    updateCount: row.update_count as number,
    state: row.state as ChannelState,
    movedMs: row.moved_ms as number,
    createdMs: row.created_ms as number,
  };
}

function balanceOf(row: SqlRow): BalanceRecord {
  return {
    paymentId: row.payment_id as string,
    operationId: row.operation_id as string,
    balance: sat(row, "balance"),
    keysetId: row.keyset_id as string,
    signature: row.signature as string,
    createdMs: row.created_ms as number,
  };
}
