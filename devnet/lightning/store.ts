/** What the fake Lightning network keeps on disk. */
import { SqliteConnection, type SqlRow } from "../../src/sqlite/mod.ts";
import type { PaymentScript } from "./scripts.ts";

const MIGRATIONS = [`
  CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  CREATE TABLE invoices (
    hash TEXT PRIMARY KEY,
    bolt11 TEXT NOT NULL,
    preimage TEXT NOT NULL,
    payee TEXT NOT NULL,
    amount_msat INTEGER,
    expires_ms INTEGER NOT NULL,
    is_cancelled INTEGER NOT NULL DEFAULT 0,
    paid_msat INTEGER
  ) STRICT;
  CREATE TABLE payments (
    hash TEXT NOT NULL REFERENCES invoices (hash),
    payer TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed')),
    amount_msat INTEGER NOT NULL,
    fee_msat INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    due_ms INTEGER,
    payee_learns TEXT NOT NULL,
    payee_due_ms INTEGER,
    reason TEXT,
    attempt_count INTEGER NOT NULL DEFAULT 1,
    is_part INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (hash, payer)
  ) STRICT;
  CREATE INDEX payments_open ON payments (state, due_ms);
  CREATE TABLE scripts (id INTEGER PRIMARY KEY, script TEXT NOT NULL, left_count INTEGER) STRICT;
`];

/** An invoice as it is kept. */
export interface InvoiceRow {
  readonly hash: string;
  readonly bolt11: string;
  readonly preimage: string;
  readonly payee: string;
  readonly amountMsat: bigint | undefined;
  readonly expiresMs: number;
  readonly isCancelled: boolean;
  /** Once the payee learned of the payment. */
  readonly paidMsat: bigint | undefined;
}

/** A payment as it is kept; one for each invoice and payer. */
export interface PaymentRow {
  readonly hash: string;
  readonly payer: string;
  readonly state: "pending" | "succeeded" | "failed";
  readonly amountMsat: bigint;
  readonly feeMsat: bigint;
  /** `gather`: a part, which succeeds with the others or fails in time. */
  readonly outcome: "settle" | "fail" | "gather";
  /** When the outcome comes by itself. */
  readonly dueMs: number | undefined;
  readonly payeeLearns: "now" | "never" | "late";
  /** How long after success the payee learns of it (pending), or when (succeeded). */
  readonly payeeDueMs: number | undefined;
  readonly reason: string | undefined;
  readonly attemptCount: number;
  /** Pays less than the invoice asks. */
  readonly isPart: boolean;
}

/** Sums of one node, in millisatoshi. */
export interface NodeBook {
  readonly node: string;
  readonly inMsat: bigint;
  readonly outMsat: bigint;
  readonly feesMsat: bigint;
}

/** The rows, with no rules of their own. */
export class LightningStore implements Disposable {
  readonly #sql: SqliteConnection;

  constructor(path: string) {
    this.#sql = SqliteConnection.open(path, { migrations: MIGRATIONS, synchronous: "normal" });
  }

  transaction<T>(change: () => T): T {
    return this.#sql.transaction(change);
  }

  setting(name: string): string | undefined {
    return this.#sql.get("SELECT value FROM settings WHERE name = ?", name)?.value as
      | string
      | undefined;
  }

  setSetting(name: string, value: string): void {
    this.#sql.run("INSERT OR REPLACE INTO settings VALUES (?, ?)", name, value);
  }

  addInvoice(row: Omit<InvoiceRow, "isCancelled" | "paidMsat">): void {
    this.#sql.run(
      `INSERT INTO invoices (hash, bolt11, preimage, payee, amount_msat, expires_ms)
       VALUES (?, ?, ?, ?, ?, ?)`,
      ...[row.hash, row.bolt11, row.preimage, row.payee],
      row.amountMsat ?? null,
      row.expiresMs,
    );
  }

  invoice(hash: string): InvoiceRow | undefined {
    const row = this.#sql.get("SELECT * FROM invoices WHERE hash = ?", hash);
    return row && invoiceRowOf(row);
  }

  invoices(): InvoiceRow[] {
    return this.#sql.all("SELECT * FROM invoices ORDER BY rowid").map(invoiceRowOf);
  }

  cancelInvoice(hash: string): void {
    this.#sql.run("UPDATE invoices SET is_cancelled = 1 WHERE hash = ?", hash);
  }

  markPaid(hash: string, paidMsat: bigint): void {
    this.#sql.run("UPDATE invoices SET paid_msat = ? WHERE hash = ?", paidMsat, hash);
  }

  putPayment(row: PaymentRow): void {
    this.#sql.run(
      "INSERT OR REPLACE INTO payments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      ...[row.hash, row.payer, row.state, row.amountMsat, row.feeMsat, row.outcome],
      row.dueMs ?? null,
      row.payeeLearns,
      row.payeeDueMs ?? null,
      row.reason ?? null,
      row.attemptCount,
      row.isPart ? 1 : 0,
    );
  }

  payment(hash: string, payer: string): PaymentRow | undefined {
    const row = this.#sql.get("SELECT * FROM payments WHERE hash = ? AND payer = ?", hash, payer);
    return row && paymentRowOf(row);
  }

  paymentsOf(hash: string): PaymentRow[] {
    return this.#sql.all("SELECT * FROM payments WHERE hash = ? ORDER BY rowid", hash)
      .map(paymentRowOf);
  }

  payments(): PaymentRow[] {
    return this.#sql.all("SELECT * FROM payments ORDER BY rowid").map(paymentRowOf);
  }

  /** Pending payments whose outcome has a time, and successful ones of which the payee shall learn. */
  scheduled(): PaymentRow[] {
    return this.#sql.all(
      `SELECT p.* FROM payments p JOIN invoices i USING (hash)
       WHERE p.state = 'pending' AND p.due_ms IS NOT NULL
          OR p.state = 'succeeded' AND i.paid_msat IS NULL AND p.payee_due_ms IS NOT NULL`,
    ).map(paymentRowOf);
  }

  addScript(script: PaymentScript): void {
    const count = script.count ?? 1;
    this.#sql.run(
      "INSERT INTO scripts (script, left_count) VALUES (?, ?)",
      JSON.stringify(script),
      count === "always" ? null : count,
    );
  }

  clearScripts(): void {
    this.#sql.run("DELETE FROM scripts");
  }

  /** Takes one use of the oldest script that `fits`. */
  takeScript(fits: (script: PaymentScript) => boolean): PaymentScript | undefined {
    for (const row of this.#sql.all("SELECT * FROM scripts ORDER BY id")) {
      const script = JSON.parse(String(row.script)) as PaymentScript;
      if (!fits(script)) continue;
      const id = Number(row.id);
      this.#sql.run("UPDATE scripts SET left_count = left_count - 1 WHERE id = ?", id);
      this.#sql.run("DELETE FROM scripts WHERE id = ? AND left_count = 0", id);
      return script;
    }
    return undefined;
  }

  nodeBooks(): NodeBook[] {
    return this.#sql.all(
      `SELECT node, sum(got) AS got, sum(gave) AS gave, sum(fee) AS fee FROM (
         SELECT payee AS node, paid_msat AS got, 0 AS gave, 0 AS fee FROM invoices
           WHERE paid_msat IS NOT NULL
         UNION ALL
         SELECT payer, 0, amount_msat, fee_msat FROM payments WHERE state = 'succeeded'
       ) GROUP BY node ORDER BY node`,
    ).map((row) => ({
      node: String(row.node),
      inMsat: BigInt(row.got as number),
      outMsat: BigInt(row.gave as number),
      feesMsat: BigInt(row.fee as number),
    }));
  }

  /** What payers gave and payees do not know of. */
  undeliveredMsat(): bigint {
    const row = this.#sql.get(
      `SELECT coalesce(sum(p.amount_msat), 0) AS sum FROM payments p JOIN invoices i USING (hash)
       WHERE p.state = 'succeeded' AND i.paid_msat IS NULL`,
    );
    return BigInt(row!.sum as number);
  }

  [Symbol.dispose](): void {
    this.#sql[Symbol.dispose]();
  }
}

function invoiceRowOf(row: SqlRow): InvoiceRow {
  return {
    hash: String(row.hash),
    bolt11: String(row.bolt11),
    preimage: String(row.preimage),
    payee: String(row.payee),
    amountMsat: row.amount_msat === null ? undefined : BigInt(row.amount_msat as number),
    expiresMs: Number(row.expires_ms),
    isCancelled: row.is_cancelled === 1,
    paidMsat: row.paid_msat === null ? undefined : BigInt(row.paid_msat as number),
  };
}

function paymentRowOf(row: SqlRow): PaymentRow {
  return {
    hash: String(row.hash),
    payer: String(row.payer),
    state: row.state as PaymentRow["state"],
    amountMsat: BigInt(row.amount_msat as number),
    feeMsat: BigInt(row.fee_msat as number),
    outcome: row.outcome as PaymentRow["outcome"],
    dueMs: row.due_ms === null ? undefined : Number(row.due_ms),
    payeeLearns: row.payee_learns as PaymentRow["payeeLearns"],
    payeeDueMs: row.payee_due_ms === null ? undefined : Number(row.payee_due_ms),
    reason: row.reason === null ? undefined : String(row.reason),
    attemptCount: Number(row.attempt_count),
    isPart: row.is_part === 1,
  };
}
