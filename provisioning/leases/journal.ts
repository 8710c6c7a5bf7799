/** The journal `leases.sqlite`: written before anything is done that it tells of. */
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import { SqliteConnection } from "../../src/sqlite/mod.ts";
import type { ErrorAnswer } from "../wire/mod.ts";
import { AskTable } from "./ask_table.ts";
import { LeaseTable } from "./lease_table.ts";
import { LEASE_LIMITS } from "./limits.ts";
import { PaymentTable } from "./payment_table.ts";
import { PolicyTable } from "./policy_table.ts";
import { PostTable } from "./post_table.ts";
import { MIGRATIONS } from "./schema.ts";

/** Options of {@link LeaseJournal.open}. */
export interface LeaseJournalOptions {
  /** `:memory:` for none on disk. */
  readonly path: string;
  /** Called before each commit; what it throws undoes the transaction. Tests kill with it. */
  readonly beforeCommit?: () => void;
}

/** An open journal. Only one process may have it open: take a `ProcessLock` beside it. */
export class LeaseJournal implements Disposable {
  readonly leases: LeaseTable;
  readonly payments: PaymentTable;
  readonly asks: AskTable;
  readonly post: PostTable;
  readonly policy: PolicyTable;
  readonly #database: SqliteConnection;

  private constructor(database: SqliteConnection) {
    this.#database = database;
    this.leases = new LeaseTable(database);
    this.payments = new PaymentTable(database);
    this.asks = new AskTable(database);
    this.post = new PostTable(database);
    this.policy = new PolicyTable(database);
  }

  /**
   * Opens or creates the journal.
   *
   * @throws {SeedmintError} `storage` if it is damaged, newer than this program, or not writable.
   */
  static open(options: LeaseJournalOptions): LeaseJournal {
    const database = SqliteConnection.open(options.path, {
      migrations: MIGRATIONS,
      synchronous: "full",
      explain: explained(options.path),
      ...(options.beforeCommit === undefined ? {} : { beforeCommit: options.beforeCommit }),
    });
    return new LeaseJournal(database);
  }

  /**
   * Opens a journal that may be open elsewhere, to read in it.
   *
   * @throws {SeedmintError} `storage` if there is none, or it is damaged.
   */
  static read(path: string): LeaseJournal {
    return new LeaseJournal(SqliteConnection.open(path, {
      migrations: [],
      synchronous: "full",
      explain: explained(path),
      readOnly: true,
    }));
  }

  /** All that `change` does is on disk when this returns, or nothing is. `change` must not await. */
  transaction<T>(change: () => T): T {
    return this.#database.transaction(change);
  }

  /** Forgets what nobody will ask for any more. */
  prune(nowMs: number): void {
    this.#database.transaction(() => {
      this.leases.prune(nowMs - LEASE_LIMITS.keepLeasesMs);
      this.payments.prune(nowMs - LEASE_LIMITS.keepLeasesMs);
      this.asks.shorten(nowMs - LEASE_LIMITS.keepOutputMs, JSON.stringify(OUTPUT_FORGOTTEN));
      this.asks.prune(nowMs - LEASE_LIMITS.keepAsksMs);
      this.post.prune(nowMs - LEASE_LIMITS.keepAsksMs);
    });
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }
}

/** What is said of a command whose output is no longer kept. */
const OUTPUT_FORGOTTEN: ErrorAnswer = {
  type: "error",
  error: "invalid_request",
  message: "This request_id stands for a command that was run; its output is kept for an hour",
};

function explained(path: string): (cause: unknown) => Error {
  return (cause) => {
    const isFull = /database or disk is full|ENOSPC|os error 28/.test(messageOf(cause));
    return new SeedmintError(
      isFull ? "no-space" : "storage",
      `Cannot use the journal of leases ${path}: ${messageOf(cause)}; ${
        isFull ? "free some space" : "check the disk, or restore the file from a backup"
      }. Without it no lease is begun`,
      { cause },
    );
  };
}
