/** The wallet's memory in SQLite: one file, flushed with every commit, held by one process. */
import { dirname, join } from "node:path";
import { assert } from "../../src/core/assert.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { ProcessLock, SqliteConnection } from "../../src/sqlite/mod.ts";
import { auditOf } from "./audit.ts";
import { type ImportReport, importWallet } from "./import_wallet.ts";
import { Reads } from "./reads.ts";
import { MIGRATIONS } from "./schema.ts";
import { type Tables, tablesOf } from "./tables.ts";
import { Transaction } from "./transaction.ts";
import type { TransactOptions, WalletStore, WalletTransaction } from "./wallet_store.ts";

/** Name of the database in the wallet's directory. */
export const WALLET_FILE = "wallet.db";

/** How the names of plain copies begin that a backup makes for a moment. */
export const COPY_PREFIX = ".wallet-copy-";

/** Options of {@link SqliteWalletStore.open}. */
export interface WalletStoreOptions {
  /** Folder of the wallet, made with mode 0700 if it is missing. One of this and `path` is given. */
  readonly directory?: string;
  /** The database file itself, or `:memory:`. */
  readonly path?: string;
  readonly clock: Clock;
  /** `WalletKeys.fingerprint` of the seed that the wallet derives its secrets from. */
  readonly seedFingerprint: string;
  /** Whether this process takes the lock; only tests of two processes at once do without. @default {true} */
  readonly lock?: boolean;
  /**
   * What to do with a database that another seed began: refuse, or go on with counters of this seed
   * beside those of the other, which stay. @default {"refuse"}
   */
  readonly otherSeed?: "refuse" | "keep-apart";
}

/** {@link WalletStore} on SQLite. */
export class SqliteWalletStore extends Reads implements WalletStore {
  readonly path: string;
  readonly seedFingerprint: string;
  readonly #clock: Clock;
  readonly #lock: ProcessLock | undefined;

  private constructor(
    tables: Tables,
    options: {
      readonly clock: Clock;
      readonly lock: ProcessLock | undefined;
      readonly seedFingerprint: string;
    },
  ) {
    super(tables);
    this.path = tables.database.path;
    this.seedFingerprint = options.seedFingerprint;
    this.#clock = options.clock;
    this.#lock = options.lock;
  }

  /**
   * Opens the wallet's database, made if it is missing.
   *
   * @throws {SeedmintError} `locked` if another process holds it; `denied` if it belongs to another
   * seed; `storage` if it is damaged, newer than this program, or not writable.
   */
  static open(options: WalletStoreOptions): SqliteWalletStore {
    const { path, lockPath, place } = placeOf(options);
    const lock = lockPath === undefined
      ? undefined
      : ProcessLock.take(lockPath, `the wallet in ${place}`);
    let database: SqliteConnection | undefined;
    try {
      if (path !== ":memory:") makePrivate(path);
      database = SqliteConnection.open(path, { migrations: MIGRATIONS, synchronous: "full" });
      claim(database, options);
      if (lock !== undefined) removeOldCopies(dirname(path));
      return new SqliteWalletStore(tablesOf(database, options), {
        clock: options.clock,
        lock,
        seedFingerprint: options.seedFingerprint,
      });
    } catch (error) {
      database?.[Symbol.dispose]();
      lock?.[Symbol.dispose]();
      throw error;
    }
  }

  transact<T>(change: (tx: WalletTransaction) => T, options: TransactOptions = {}): T {
    const transaction = new Transaction(this.tables);
    try {
      return this.tables.database.transaction(() => {
        const result = change(transaction);
        assert(!(result instanceof Promise), "a transaction does not await");
        return result;
      }, options);
    } finally {
      transaction.end();
    }
  }

  flush(): Promise<void> {
    return this.tables.database.flush();
  }

  audit(): string[] {
    return auditOf(this.tables);
  }

  /** Writes a consistent copy of everything to a new file with mode 0600. It holds every secret. */
  copyTo(path: string): void {
    this.tables.database.copyTo(path);
  }

  /**
   * Takes over everything that the copy at `path` holds, in one transaction. Free proofs are not spent
   * before `markChecked`, since they may be gone since the copy was made; open operations go on. What
   * `replace` gives up is first copied to a file beside the database.
   *
   * @throws {SeedmintError} `denied` if the copy is of another seed, or if this wallet has operations or
   * proofs and `replace` is not set; `storage` if the copy is damaged or newer than this program.
   */
  importFrom(path: string, options: { readonly replace?: boolean } = {}): ImportReport {
    return importWallet(this.tables, {
      path,
      seedFingerprint: this.seedFingerprint,
      replace: options.replace ?? false,
      saveTo: `${this.path}.replaced-${this.#clock.nowMs()}`,
    });
  }

  [Symbol.dispose](): void {
    this.tables.database[Symbol.dispose]();
    this.#lock?.[Symbol.dispose]();
  }
}

/** {@link WalletStore} without a disk, by the same code. */
export class MemoryWalletStore {
  /** A new, empty one. */
  static open(
    options: { readonly clock: Clock; readonly seedFingerprint: string },
  ): SqliteWalletStore {
    return SqliteWalletStore.open({ ...options, path: ":memory:", lock: false });
  }
}

function placeOf(
  options: WalletStoreOptions,
): { readonly path: string; readonly lockPath: string | undefined; readonly place: string } {
  const { directory } = options;
  assert(
    (directory === undefined) !== (options.path === undefined),
    "a wallet store has a directory or a path",
  );
  const wantsLock = options.lock !== false && options.path !== ":memory:";
  if (directory === undefined) {
    const path = options.path!;
    return { path, lockPath: wantsLock ? `${path}.lock` : undefined, place: path };
  }
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  return {
    path: join(directory, WALLET_FILE),
    lockPath: wantsLock ? join(directory, "wallet.lock") : undefined,
    place: directory,
  };
}

/** Files of a mode that others can read would pass it on to the log beside the database. */
function makePrivate(path: string): void {
  try {
    Deno.chmodSync(path, 0o600);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** A backup that was killed may have left a plain copy. */
function removeOldCopies(folder: string): void {
  for (const { name } of Deno.readDirSync(folder)) {
    if (name.startsWith(COPY_PREFIX)) Deno.removeSync(join(folder, name));
  }
}

/** Writes whose seed a new database is for, and refuses one of another. */
function claim(
  database: SqliteConnection,
  { seedFingerprint, otherSeed }: WalletStoreOptions,
): void {
  const owner = database.transaction(() => {
    database.run(
      "INSERT INTO meta VALUES ('seed-fingerprint', ?) ON CONFLICT DO NOTHING",
      seedFingerprint,
    );
    return database.get("SELECT value FROM meta WHERE name = 'seed-fingerprint'")!.value as string;
  });
  if (owner === seedFingerprint || otherSeed === "keep-apart") return;
  throw new SeedmintError(
    "denied",
    `Cannot open the wallet ${database.path}: it belongs to the seed ${owner}, and the words given ` +
      `are of the seed ${seedFingerprint}; give the words it was made with, or choose another data directory`,
  );
}
