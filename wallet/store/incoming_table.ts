/**
 * Payments to us.
 *
 *     queued ──▶ credited ──▶ redeemed
 *        └──▶ redeemed, dead     └──▶ dead
 *
 * What a peer may have in bytes for them changes in the same breath: `credit_table.ts`.
 */
import { assert } from "../../src/core/assert.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import { named, present, sat, storable, whole, wholeOrNull } from "./columns.ts";
import type { CreditTable } from "./credit_table.ts";
import { NAME_CHARS_MAX } from "./limits.ts";
import type { IncomingFilter, IncomingPayment } from "./wallet_store.ts";
import { StaleOperationError } from "./wallet_store.ts";

type State = IncomingPayment["state"];

/** Which state may follow which. */
const STATE_AFTER: Readonly<Record<State, readonly State[]>> = {
  queued: ["queued", "credited", "redeemed", "dead"],
  credited: ["credited", "redeemed", "dead"],
  redeemed: ["redeemed"],
  dead: ["dead"],
};

/** Reads and changes the rows of `incoming_payments`. */
export class IncomingTable {
  readonly #database: SqliteConnection;
  readonly #credit: CreditTable;

  constructor(database: SqliteConnection, credit: CreditTable) {
    this.#database = database;
    this.#credit = credit;
  }

  get(payer: string, paymentId: string): IncomingPayment | undefined {
    const row = this.#database.get(
      "SELECT * FROM incoming_payments WHERE payer = ? AND payment_id = ?",
      payer,
      paymentId,
    );
    return row && fromRow(row);
  }

  /** Oldest first. */
  list(filter: IncomingFilter): IncomingPayment[] {
    const wanted: string[] = ["TRUE"];
    const values: string[] = [];
    if (filter.state !== undefined) {
      assert(Object.hasOwn(STATE_AFTER, filter.state), "a state of payments");
      // As text, so that the index of what is open serves.
      wanted.push(`state = '${filter.state}'`);
    }
    if (filter.payer !== undefined) {
      wanted.push("payer = ?");
      values.push(filter.payer);
    }
    if (filter.operationId !== undefined) {
      wanted.push("operation_id = ?");
      values.push(filter.operationId);
    }
    const sql = `SELECT * FROM incoming_payments WHERE ${wanted.join(" AND ")}`;
    if (filter.latest === undefined) {
      return this.#database.all(`${sql} ORDER BY created_ms, rowid`, ...values).map(fromRow);
    }
    const order = "ORDER BY created_ms DESC, rowid DESC LIMIT ?";
    return this.#database.all(`${sql} ${order}`, ...values, whole(filter.latest)).map(fromRow)
      .reverse();
  }

  /** Sum of the amounts that are credited and not redeemed. */
  unredeemed(filter: { readonly mint: string } | { readonly payer: string }): bigint {
    const [column, value] = "mint" in filter ? ["mint", filter.mint] : ["payer", filter.payer];
    const row = this.#database.get(
      `SELECT CAST(coalesce(sum(amount), 0) AS TEXT) AS total FROM incoming_payments
       WHERE state = 'credited' AND +${column} = ?`,
      value,
    );
    return BigInt(row!.total as string);
  }

  put(payment: IncomingPayment): void {
    const found = this.get(payment.payer, payment.paymentId);
    if (found === undefined) return this.#insert(payment);
    if (payment.version !== found.version + 1) {
      throw new StaleOperationError(
        `The payment moved on: version ${
          payment.version - 1
        } was read, and it is at ${found.version}`,
      );
    }
    assert(
      STATE_AFTER[found.state].includes(payment.state),
      `a payment that is ${found.state} does not become ${payment.state}`,
    );
    assert(
      found.tokenHash === payment.tokenHash && found.mint === payment.mint &&
        found.amount === payment.amount,
      "a payment's token never changes",
    );
    this.#database.run(
      `UPDATE incoming_payments SET credit = ?, state = ?, redeem_by_ms = ?, operation_id = ?,
         version = ? WHERE payer = ? AND payment_id = ?`,
      storable(payment.credit),
      payment.state,
      wholeOrNull(payment.redeemByMs),
      payment.operationId ?? null,
      payment.version,
      payment.payer,
      payment.paymentId,
    );
    this.#credit.move(payment.payer, countedOf(payment) - countedOf(found));
  }

  #insert(payment: IncomingPayment): void {
    this.#database.run(
      `INSERT INTO incoming_payments (payer, payment_id, token_hash, mint, amount, credit, state,
         redeem_by_ms, operation_id, version, created_ms) VALUES (?,?,?,?,?,?,?,?,?,?,?)`,
      named(payment.payer, NAME_CHARS_MAX, "a payer"),
      named(payment.paymentId, NAME_CHARS_MAX, "a payment id"),
      payment.tokenHash,
      payment.mint,
      storable(payment.amount),
      storable(payment.credit),
      payment.state,
      wholeOrNull(payment.redeemByMs),
      payment.operationId ?? null,
      whole(payment.version),
      whole(payment.createdMs),
    );
    this.#credit.move(payment.payer, countedOf(payment));
  }
}

/** What of a payment its payer may use. */
function countedOf(payment: Pick<IncomingPayment, "state" | "credit">): bigint {
  return payment.state === "credited" || payment.state === "redeemed" ? payment.credit : 0n;
}

function fromRow(row: SqlRow): IncomingPayment {
  return {
    paymentId: row.payment_id,
    payer: row.payer,
    tokenHash: row.token_hash,
    mint: row.mint,
    amount: sat(row, "amount"),
    credit: sat(row, "credit"),
    state: row.state,
    version: row.version,
    createdMs: row.created_ms,
    ...present(row, { redeemByMs: "redeem_by_ms", operationId: "operation_id" }),
  } as unknown as IncomingPayment;
}
