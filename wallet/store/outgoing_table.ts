/** Payments that we make: `reserved ──▶ spent ──▶ returned`, or `reserved ──▶ returned`. */
import { assert } from "../../src/core/assert.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import { bounded, named, present, sat, storable, whole } from "./columns.ts";
import { NAME_CHARS_MAX } from "./limits.ts";
import type { OutgoingPayment, SpendFilter } from "./wallet_store.ts";

type State = OutgoingPayment["state"];

/** Which state may follow which. */
const STATE_AFTER: Readonly<Record<State, readonly State[]>> = {
  reserved: ["reserved", "spent", "returned"],
  spent: ["spent", "returned"],
  returned: ["returned"],
};

/** Reads and changes the rows of `outgoing_payments`. */
export class OutgoingTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  get(paymentId: string): OutgoingPayment | undefined {
    const row = this.#database.get(
      "SELECT * FROM outgoing_payments WHERE payment_id = ?",
      paymentId,
    );
    return row && fromRow(row);
  }

  /** Sum of the costs that count against a budget, from `sinceMs` on. */
  spentSat(filter: SpendFilter): bigint {
    const { condition, values } = counted(filter);
    const row = this.#database.get(
      `SELECT CAST(coalesce(sum(cost), 0) AS TEXT) AS total FROM outgoing_payments
       WHERE ${condition}`,
      ...values,
    );
    return BigInt(row!.total as string);
  }

  /** The payments behind {@link spentSat}, the oldest first. */
  list(filter: SpendFilter): OutgoingPayment[] {
    const { condition, values } = counted(filter);
    return this.#database.all(
      `SELECT * FROM outgoing_payments WHERE ${condition} ORDER BY created_ms, rowid`,
      ...values,
    ).map(fromRow);
  }

  put(payment: OutgoingPayment): void {
    const found = this.get(payment.paymentId);
    if (found === undefined) return this.#insert(payment);
    assert(
      STATE_AFTER[found.state].includes(payment.state),
      `a payment of ours that is ${found.state} does not become ${payment.state}`,
    );
    assert(
      found.subject === payment.subject && found.payee === payment.payee &&
        found.amount === payment.amount,
      "what a payment is for never changes",
    );
    this.#database.run(
      "UPDATE outgoing_payments SET cost = ?, state = ?, operation_id = ? WHERE payment_id = ?",
      storable(payment.cost),
      payment.state,
      payment.operationId ?? found.operationId ?? null,
      payment.paymentId,
    );
  }

  #insert(payment: OutgoingPayment): void {
    this.#database.run(
      `INSERT INTO outgoing_payments (payment_id, subject, payee, amount, cost, state, operation_id,
         created_ms) VALUES (?,?,?,?,?,?,?,?)`,
      named(payment.paymentId, NAME_CHARS_MAX, "a payment id"),
      bounded(payment.subject, NAME_CHARS_MAX, "a subject"),
      bounded(payment.payee, NAME_CHARS_MAX, "a payee"),
      storable(payment.amount),
      storable(payment.cost),
      payment.state,
      payment.operationId ?? null,
      whole(payment.createdMs),
    );
  }
}

/** What counts against a budget. */
function counted(
  filter: SpendFilter,
): { readonly condition: string; readonly values: readonly (string | number)[] } {
  const wanted: string[] = ["state <> 'returned'"];
  const values: (string | number)[] = [];
  if (filter.subject !== undefined) {
    wanted.push("subject = ?");
    values.push(filter.subject);
  }
  if (filter.payee !== undefined) {
    wanted.push("payee = ?");
    values.push(filter.payee);
  }
  if (filter.sinceMs !== undefined) {
    wanted.push("created_ms >= ?");
    values.push(whole(filter.sinceMs));
  }
  return { condition: wanted.join(" AND "), values };
}

function fromRow(row: SqlRow): OutgoingPayment {
  return {
    paymentId: row.payment_id,
    subject: row.subject,
    payee: row.payee,
    amount: sat(row, "amount"),
    cost: sat(row, "cost"),
    state: row.state,
    createdMs: row.created_ms,
    ...present(row, { operationId: "operation_id" }),
  } as unknown as OutgoingPayment;
}
