/** The lessee's book `lessee.sqlite`: written before money moves. */
import { messageOf, SeedmintError } from "../../../src/core/errors.ts";
import { SqliteConnection } from "../../../src/sqlite/mod.ts";
import { BOOK_LIMITS } from "../limits.ts";
import type { BookedLease } from "./lease.ts";
import { type BookedLeaseEvent, leaseAfter } from "./lease_transition.ts";
import { LetterTable } from "./letter_table.ts";
import type { BookedPayment, BookedRefund } from "./payment.ts";
import { isPaymentOpen, paymentAfter, type PaymentEvent } from "./payment_transition.ts";
import { RecordTable } from "./record_table.ts";
import { MIGRATIONS } from "./schema.ts";

/** Options of {@link LeaseBook.open}. */
export interface LeaseBookOptions {
  /** `:memory:` for none on disk. */
  readonly path: string;
  /** Called before each commit; what it throws undoes the transaction. Tests kill with it. */
  readonly beforeCommit?: () => void;
}

/** An open book. Only one process may have it open: take a `ProcessLock` beside it. */
export class LeaseBook implements Disposable {
  readonly leases: RecordTable<BookedLease>;
  readonly payments: RecordTable<BookedPayment>;
  readonly refunds: RecordTable<BookedRefund>;
  readonly letters: LetterTable;
  readonly #database: SqliteConnection;

  private constructor(database: SqliteConnection) {
    this.#database = database;
    this.letters = new LetterTable(database);
    this.leases = new RecordTable(database, {
      table: "leases",
      ownerColumn: "provider",
      columnsOf: (lease) => ({
        id: lease.id,
        owner: lease.address.provider,
        state: lease.stage,
        isOpen: isLeaseOpen(lease),
        createdMs: lease.createdMs,
      }),
    });
    this.payments = new RecordTable(database, {
      table: "payments",
      ownerColumn: "lease",
      columnsOf: (payment) => ({
        ...payment,
        owner: payment.lease,
        isOpen: isPaymentOpen(payment),
      }),
    });
    this.refunds = new RecordTable(database, {
      table: "refunds",
      ownerColumn: "lease",
      columnsOf: (refund) => ({
        ...refund,
        owner: refund.lease,
        isOpen: refund.state === "received",
      }),
    });
  }

  /** @throws {SeedmintError} `storage` if it is damaged, newer than this program, or not writable. */
  static open(options: LeaseBookOptions): LeaseBook {
    return new LeaseBook(SqliteConnection.open(options.path, {
      migrations: MIGRATIONS,
      synchronous: "full",
      explain: explained(options.path),
      ...(options.beforeCommit === undefined ? {} : { beforeCommit: options.beforeCommit }),
    }));
  }

  /** All that `change` does is on disk when this returns, or nothing is. `change` must not await. */
  transaction<T>(change: () => T): T {
    return this.#database.transaction(change);
  }

  /** @returns The lease afterwards, or undefined if it cannot happen to it; then nothing did. */
  toLease(id: string, event: BookedLeaseEvent, nowMs: number): BookedLease | undefined {
    return this.transaction(() => {
      const before = this.leases.get(id);
      const after = before && leaseAfter(before, event, nowMs);
      if (after !== undefined && after !== before) this.leases.put(after);
      return after;
    });
  }

  /** @returns The payment afterwards, or undefined if it cannot happen to it; then nothing did. */
  toPayment(id: string, event: PaymentEvent, nowMs: number): BookedPayment | undefined {
    return this.transaction(() => {
      const before = this.payments.get(id);
      const after = before && paymentAfter(before, event, nowMs);
      if (after !== undefined) this.payments.put(after);
      return after;
    });
  }

  /** Whether we ever had to do with a provider. */
  knows(provider: string): boolean {
    return this.letters.knows(provider) ||
      this.#database.get("SELECT 1 FROM leases WHERE provider = ? LIMIT 1", provider) !== undefined;
  }

  /** Providers that we had to do with, the latest first. */
  providers(): string[] {
    return this.#database.all(
      "SELECT provider FROM leases GROUP BY provider ORDER BY max(created_ms) DESC",
    ).map((row) => row.provider as string);
  }

  /** Providers that took money for nothing with payments since `sinceMs`. */
  robbers(sinceMs: number): string[] {
    return this.#database.all(
      `SELECT DISTINCT leases.provider FROM payments JOIN leases ON leases.id = payments.lease
        WHERE payments.state = 'lost' AND payments.created_ms >= ?`,
      sinceMs,
    ).map((row) => row.provider as string);
  }

  /** Forgets what is long over. */
  prune(nowMs: number): void {
    this.transaction(() => {
      this.letters.prune(nowMs - BOOK_LIMITS.keepLettersMs);
      // A lease goes with its payments and refunds, so none of them may be open.
      this.#database.run(
        `DELETE FROM leases WHERE is_open = 0 AND created_ms < ?
          AND NOT EXISTS (SELECT 1 FROM payments WHERE payments.lease = leases.id AND is_open = 1)
          AND NOT EXISTS (SELECT 1 FROM refunds WHERE refunds.lease = leases.id AND is_open = 1)`,
        nowMs - BOOK_LIMITS.keepMs,
      );
    });
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}

/** Whether something will still happen to a lease, its receipt included. */
export function isLeaseOpen(lease: BookedLease): boolean {
  return lease.owesReceipt || (lease.stage !== "ended" && lease.stage !== "failed");
}

function explained(path: string): (cause: unknown) => Error {
  return (cause) => {
    const isFull = /database or disk is full|ENOSPC|os error 28/.test(messageOf(cause));
    return new SeedmintError(
      isFull ? "no-space" : "storage",
      `Cannot use the book of leases ${path}: ${messageOf(cause)}; ${
        isFull ? "free some space" : "check the disk, or restore the file from a backup"
      }. Without it no lease is paid for`,
      { cause },
    );
  };
}
