/** Receipts of both roles on disk, and what a provider must remember to count nothing twice. */
import type { Bytes } from "../src/core/bytes.ts";
import type { Hash } from "../src/core/hash.ts";
import { SqliteConnection, type SqlRow } from "../src/sqlite/mod.ts";
import type { Opening } from "./commitment.ts";
import {
  COVERED_MAX,
  DRAFTS_MAX,
  EVIDENCE_KEPT_MAX,
  LIST_MAX,
  RECEIPTS_KEPT_MAX,
} from "./limits.ts";
import { LeaseReceiptTable } from "./lease/lease_receipt_table.ts";
import { evidenceKeys, readReceipt, type SignedReceipt, writeReceipt } from "./receipt.ts";
import { Conditions, keepNewest } from "./rows.ts";
import { MIGRATIONS } from "./schema.ts";

/** Which side of a receipt this node is. */
export type ReceiptRole = "provider" | "consumer";

/** A receipt that both signed. */
export interface KeptReceipt {
  readonly role: ReceiptRole;
  /** The other side. */
  readonly peerId: string;
  readonly signed: SignedReceipt;
  /** What it is about: always known to its consumer, and to its provider unless it was late. */
  readonly root?: Hash;
  /** Opens the commitment; the consumer's secret until it shows it. */
  readonly salt?: Bytes;
}

/** What is listed. */
export interface ReceiptFilter {
  readonly role?: ReceiptRole;
  readonly peerId?: string;
  /** Whose time ends at or after, in seconds since 1970. */
  readonly sinceS?: number;
  /** Whose time ends before. */
  readonly beforeS?: number;
  /** @default {LIST_MAX} */
  readonly limit?: number;
}

/** Sums of what was delivered to one peer of one blob or collection up to a time. */
export interface Covered {
  readonly toS: number;
  readonly bytes: number;
  readonly msat: number;
}

/** What a provider signed last and nobody countersigned yet. */
export interface Draft extends Covered {
  readonly id: string;
  readonly fromS: number;
  /** When it was asked for first. */
  readonly askedS: number;
}

/** The database of receipts; changes go through {@link transaction}. */
export class ReceiptStore implements Disposable {
  readonly #database: SqliteConnection;
  /** Receipts for leases; their proofs and payments count in the same evidence. */
  readonly leases: LeaseReceiptTable;

  private constructor(database: SqliteConnection) {
    this.#database = database;
    this.leases = new LeaseReceiptTable(database);
  }

  /**
   * Opens or creates the database at `path`; `:memory:` keeps nothing.
   *
   * @throws {SeedmintError} `storage`
   */
  static open(path: string): ReceiptStore {
    return new ReceiptStore(
      SqliteConnection.open(path, { migrations: MIGRATIONS, synchronous: "normal" }),
    );
  }

  get count(): number {
    return this.#database.get("SELECT count(*) AS n FROM receipts")!.n as number;
  }

  /** All that `change` does is kept, or nothing. */
  transaction<T>(change: () => T): T {
    return this.#database.transaction(change);
  }

  /** The latest first. */
  list(filter: ReceiptFilter = {}): KeptReceipt[] {
    const where = new Conditions()
      .add("role = ?", filter.role)
      .add("peer = ?", filter.peerId)
      .add("to_s >= ?", filter.sinceS)
      .add("to_s < ?", filter.beforeS);
    const limit = Math.min(filter.limit ?? LIST_MAX, LIST_MAX);
    const sql = `SELECT * FROM receipts WHERE ${where.text}
      ORDER BY to_s DESC, id LIMIT ?`;
    return this.#database.all(sql, ...where.values, limit).map(keptOf);
  }

  /** The receipt of that id, of `provider`'s Nostr key. */
  get(key: { readonly role: ReceiptRole; readonly provider: string; readonly id: string }):
    | KeptReceipt
    | undefined {
    const row = this.#database.get(
      "SELECT * FROM receipts WHERE role = ? AND provider = ? AND id = ?",
      key.role,
      key.provider,
      key.id,
    );
    return row === undefined ? undefined : keptOf(row);
  }

  /** Keeps a receipt that is not there yet; the oldest make room. */
  put(kept: Omit<KeptReceipt, "root" | "salt"> & Partial<Opening>): void {
    const { role, peerId, signed: { receipt } } = kept;
    this.#database.run(
      "INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      role,
      receipt.provider,
      receipt.id,
      peerId,
      receipt.toS,
      receipt.bytes,
      receipt.msat,
      writeReceipt(kept.signed),
      kept.root ?? null,
      kept.salt ?? null,
    );
    this.markCounted(role, evidenceKeys(receipt));
    keepNewest(this.#database, { table: "receipts", age: "to_s", countMax: RECEIPTS_KEPT_MAX });
  }

  /** Remembers proofs and payments, so that no other receipt of either type names them. */
  markCounted(role: ReceiptRole, keys: readonly string[]): void {
    for (const key of keys) {
      this.#database.run("INSERT OR IGNORE INTO evidence (role, key) VALUES (?, ?)", role, key);
    }
    this.#database.run(
      "DELETE FROM evidence WHERE place <= (SELECT max(place) FROM evidence) - ?",
      EVIDENCE_KEPT_MAX,
    );
  }

  /** Whether a receipt that was kept names this proof or payment. */
  isCounted(role: ReceiptRole, key: string): boolean {
    const sql = "SELECT 1 FROM evidence WHERE role = ? AND key = ?";
    return this.#database.get(sql, role, key) !== undefined;
  }

  /** What the receipts of one other side come to, about `root` or about everything. */
  sums(
    role: ReceiptRole,
    peerId: string,
    root?: Hash,
  ): { readonly bytes: number; readonly msat: number } {
    // A sum of reals: one of integers throws once it is past what fits.
    const row = this.#database.get(
      `SELECT total(bytes) AS bytes, total(msat) AS msat FROM receipts
       WHERE peer = ? AND role = ? AND (? IS NULL OR root = ?)`,
      peerId,
      role,
      root ?? null,
      root ?? null,
    )!;
    return { bytes: row.bytes as number, msat: row.msat as number };
  }

  covered(peerId: string, root: Hash): Covered | undefined {
    const sql = "SELECT to_s, bytes, msat FROM covered WHERE peer = ? AND root = ?";
    const row = this.#database.get(sql, peerId, root);
    return row === undefined ? undefined : coveredOf(row);
  }

  /** What receipts and drafts of one peer come to, but for the draft about `root`. */
  coveredMsat(peerId: string, root: Hash): number {
    return this.#database.get(
      `SELECT (SELECT total(msat) FROM covered WHERE peer = ?) +
        (SELECT total(msat) FROM drafts WHERE peer = ? AND root <> ?) AS msat`,
      peerId,
      peerId,
      root,
    )!.msat as number;
  }

  /** Adds what a receipt says, or what never will be in one. */
  cover(peerId: string, root: Hash, more: Covered): void {
    this.#database.run(
      `INSERT INTO covered VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         to_s = excluded.to_s, bytes = bytes + excluded.bytes, msat = msat + excluded.msat`,
      peerId,
      root,
      more.toS,
      more.bytes,
      more.msat,
    );
    keepNewest(this.#database, { table: "covered", age: "to_s", countMax: COVERED_MAX });
  }

  draft(peerId: string, root: Hash): Draft | undefined {
    const sql = "SELECT * FROM drafts WHERE peer = ? AND root = ?";
    const row = this.#database.get(sql, peerId, root);
    return row === undefined ? undefined : draftOf(row);
  }

  putDraft(peerId: string, root: Hash, draft: Draft): void {
    this.#database.run(
      "INSERT OR REPLACE INTO drafts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      peerId,
      root,
      draft.id,
      draft.fromS,
      draft.toS,
      draft.bytes,
      draft.msat,
      draft.askedS,
    );
    const { n } = this.#database.get("SELECT count(*) AS n FROM drafts") as { n: number };
    if (n > DRAFTS_MAX) this.#writeOff("ORDER BY asked_s, rowid LIMIT ?", n - DRAFTS_MAX);
  }

  /** Says that what was asked for before `askedS` is in no later receipt. */
  writeOffDrafts(askedS: number): void {
    this.#writeOff("WHERE asked_s < ?", askedS);
  }

  /**
   * Ends a draft by a receipt that both signed and that says `more`. Returns what it is about, if the
   * draft was there; otherwise it was written off.
   */
  endDraft(id: string, more: Covered): Hash | undefined {
    const row = this.#database.get("DELETE FROM drafts WHERE id = ? RETURNING peer, root", id);
    if (row === undefined) return undefined;
    const root = row.root as Hash;
    this.cover(row.peer as string, root, more);
    return root;
  }

  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }

  #writeOff(which: string, value: number): void {
    for (const row of this.#database.all(`SELECT * FROM drafts ${which}`, value)) {
      this.endDraft(row.id as string, coveredOf(row));
    }
  }
}

function coveredOf(row: SqlRow): Covered {
  return {
    toS: row.to_s as number,
    bytes: row.bytes as number,
    msat: row.msat as number,
  };
}

function draftOf(row: SqlRow): Draft {
  return {
    ...coveredOf(row),
    id: row.id as string,
    fromS: row.from_s as number,
    askedS: row.asked_s as number,
  };
}

function keptOf(row: SqlRow): KeptReceipt {
  return {
    role: row.role as ReceiptRole,
    peerId: row.peer as string,
    signed: readReceipt(row.text as string)!,
    ...(row.root === null ? {} : { root: row.root as Hash }),
    ...(row.salt === null ? {} : { salt: Uint8Array.from(row.salt as Uint8Array) }),
  };
}
