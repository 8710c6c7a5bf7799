/** Tokens that pay for leases. Each is known by what it is made of, and pays once. */
import type { Sha256 } from "../../src/core/hash.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import type { LeaseRefund } from "./lease.ts";
import { countIn, countOrNone, textIn, textOrNone } from "./rows.ts";

/** How far a payment is. */
export type PaymentStatus =
  /** Nothing was asked of its mint. */
  | "new"
  /** It may be ours. */
  | "redeeming"
  /** It is ours. */
  | "redeemed"
  /** It never became ours. */
  | "refused";

/** What became of a top-up. */
export type TopUpOutcome =
  | { readonly status: "extended"; readonly extendedMs: number; readonly expiresMs: number }
  | { readonly status: "refused"; readonly code: string; readonly message: string }
  /** The lease had ended when the money came. */
  | { readonly status: "returned"; readonly refund: LeaseRefund };

/** One token. */
export interface Payment {
  readonly tokenId: Sha256;
  readonly lease: number;
  /** Nostr key, 64 hex digits. */
  readonly owner: string;
  readonly purpose: "spawn" | "topup";
  /** Secret; empty once it is settled. */
  readonly token: string;
  readonly faceSat: number;
  readonly mint: string;
  /** The key that is paid back to. */
  readonly lockTo?: string;
  readonly status: PaymentStatus;
  /** What arrived. */
  readonly amountSat?: number;
  /** Why it was refused. */
  readonly refusal?: string;
  readonly message?: string;
  readonly outcome?: TopUpOutcome;
  readonly createdMs: number;
}

/** The table `payments`. */
export class PaymentTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  get(tokenId: Sha256): Payment | undefined {
    const row = this.#database.get("SELECT * FROM payments WHERE token_id = ?", tokenId);
    return row && paymentIn(row);
  }

  /** All payments for one lease, in order. */
  ofLease(lease: number): Payment[] {
    return this.#database.all(
      "SELECT * FROM payments WHERE lease = ? ORDER BY created_ms, rowid",
      lease,
    ).map(paymentIn);
  }

  /** Top-ups that something will still happen to. */
  openTopUps(): Payment[] {
    return this.#database.all(
      "SELECT * FROM payments WHERE purpose = 'topup' AND outcome IS NULL ORDER BY created_ms",
    ).map(paymentIn);
  }

  /** Adds a payment, also in the place of one of which its mint never heard. */
  add(payment: Omit<Payment, "amountSat" | "refusal" | "message" | "outcome">): void {
    this.#database.run(
      "DELETE FROM payments WHERE token_id = ? AND status = 'new'",
      payment.tokenId,
    );
    this.#database.run(
      `INSERT INTO payments (token_id, lease, owner, purpose, token, face_sat, mint, lock_to, status,
        created_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      payment.tokenId,
      payment.lease,
      payment.owner,
      payment.purpose,
      payment.token,
      payment.faceSat,
      payment.mint,
      payment.lockTo ?? null,
      payment.status,
      payment.createdMs,
    );
  }

  redeeming(tokenId: Sha256): void {
    this.#database.run(
      "UPDATE payments SET status = 'redeeming' WHERE token_id = ? AND status = 'new'",
      tokenId,
    );
  }

  redeemed(tokenId: Sha256, amountSat: number): void {
    this.#database.run(
      "UPDATE payments SET status = 'redeemed', amount_sat = ?, token = '' WHERE token_id = ?",
      amountSat,
      tokenId,
    );
  }

  refused(tokenId: Sha256, refusal: string, message: string): void {
    this.#database.run(
      "UPDATE payments SET status = 'refused', refusal = ?, message = ?, token = '' WHERE token_id = ?",
      refusal,
      message,
      tokenId,
    );
  }

  /** Ends a top-up. */
  settle(tokenId: Sha256, outcome: TopUpOutcome): void {
    this.#database.run(
      "UPDATE payments SET outcome = ? WHERE token_id = ?",
      JSON.stringify(outcome),
      tokenId,
    );
  }

  /** All that was redeemed, in sat. */
  earnedSat(): number {
    return countIn(
      this.#database.get("SELECT coalesce(sum(amount_sat), 0) AS sum FROM payments")!,
      "sum",
    );
  }

  /** Forgets payments of leases that are forgotten: their mints refuse them by now. */
  prune(beforeMs: number): void {
    this.#database.run(
      `DELETE FROM payments WHERE created_ms < ? AND status <> 'redeeming'
        AND lease NOT IN (SELECT number FROM leases)`,
      beforeMs,
    );
  }
}

function paymentIn(row: SqlRow): Payment {
  const lockTo = textOrNone(row, "lock_to");
  const amountSat = countOrNone(row, "amount_sat");
  const refusal = textOrNone(row, "refusal");
  const message = textOrNone(row, "message");
  const outcome = textOrNone(row, "outcome");
  return {
    tokenId: textIn(row, "token_id") as Sha256,
    lease: countIn(row, "lease"),
    owner: textIn(row, "owner"),
    purpose: textIn(row, "purpose") as Payment["purpose"],
    token: textIn(row, "token"),
    faceSat: countIn(row, "face_sat"),
    mint: textIn(row, "mint"),
    status: textIn(row, "status") as PaymentStatus,
    createdMs: countIn(row, "created_ms"),
    ...(lockTo === undefined ? {} : { lockTo }),
    ...(amountSat === undefined ? {} : { amountSat }),
    ...(refusal === undefined ? {} : { refusal }),
    ...(message === undefined ? {} : { message }),
    ...(outcome === undefined ? {} : { outcome: JSON.parse(outcome) as TopUpOutcome }),
  };
}
