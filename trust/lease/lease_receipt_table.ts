/** Receipts for leases on disk: one for each lease and role, and how far it is. */
import type { Bytes } from "../../src/core/bytes.ts";
import type { Sha256 } from "../../src/core/hash.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import type { Side } from "../co_signing.ts";
import { LIST_MAX } from "../limits.ts";
import { Conditions, keepNewest } from "../rows.ts";
import { leaseReceiptIdOf, type SignedLeaseReceipt, writeLeaseReceipt } from "./lease_receipt.ts";
import { LEASE_RECEIPTS_KEPT_MAX, REASON_CHARS_MAX } from "./limits.ts";

/** How far a receipt is. */
export type LeaseReceiptState =
  /** The provider signed it, and the consumer may do so yet. */
  | "offered"
  /** Both signed it. */
  | "agreed"
  /** The other side did not sign it, or signed something else. It is worth less. */
  | "one-sided";

/** A receipt as one side keeps it. */
export interface KeptLeaseReceipt {
  /** Which side of it this node is. */
  readonly role: Side;
  readonly state: LeaseReceiptState;
  readonly signed: SignedLeaseReceipt;
  /** Whether the other side has all that we signed, as far as we know. */
  readonly isDelivered: boolean;
  /** What opens the commitment to the image. */
  readonly image?: Sha256;
  readonly salt?: Bytes;
  /** Why it is one-sided, for people. */
  readonly reason?: string;
}

/** What is listed. */
export interface LeaseReceiptFilter {
  readonly role?: Side;
  /** Nostr key of the other side, 64 hex digits. */
  readonly other?: string;
  readonly state?: LeaseReceiptState;
  /** Whose lease ended at or after, in seconds since 1970. */
  readonly sinceS?: number;
  /** Whose lease ended before. */
  readonly beforeS?: number;
  /** The first digits of what people call it by. */
  readonly idPrefix?: string;
  /** @default {LIST_MAX} */
  readonly limit?: number;
}

/** The table `lease_receipts`; changes go through the store's transaction. */
export class LeaseReceiptTable {
  readonly #database: SqliteConnection;
  #revision = 0;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  get count(): number {
    return this.#database.get("SELECT count(*) AS n FROM lease_receipts")!.n as number;
  }

  /** Another number after each receipt that was kept. */
  get revision(): number {
    return this.#revision;
  }

  /** Nostr keys of all that there are receipts with, in one role. */
  others(role: Side): string[] {
    const sql = "SELECT DISTINCT other FROM lease_receipts WHERE role = ?";
    return this.#database.all(sql, role).map(({ other }) => other as string);
  }

  get(role: Side, lease: string): KeptLeaseReceipt | undefined {
    const sql = "SELECT * FROM lease_receipts WHERE role = ? AND lease = ?";
    const row = this.#database.get(sql, role, lease);
    return row === undefined ? undefined : keptOf(row);
  }

  /** The latest first. */
  list(filter: LeaseReceiptFilter = {}): KeptLeaseReceipt[] {
    const { idPrefix } = filter;
    const where = new Conditions()
      .add("role = ?", filter.role)
      .add("other = ?", filter.other)
      .add("state = ?", filter.state)
      .add("to_s >= ?", filter.sinceS)
      .add("to_s < ?", filter.beforeS)
      .add(`substr(id, 1, ${idPrefix?.length ?? 0}) = ?`, idPrefix);
    const limit = Math.min(filter.limit ?? LIST_MAX, LIST_MAX);
    const sql = `SELECT * FROM lease_receipts WHERE ${where.text}
      ORDER BY to_s DESC, id LIMIT ?`;
    return this.#database.all(sql, ...where.values, limit).map(keptOf);
  }

  /** Keeps a receipt, in the place of one of the same lease and role; the oldest make room. */
  put(kept: KeptLeaseReceipt): void {
    const { role, signed, state, isDelivered, image, salt, reason } = kept;
    const { lease, provider, consumer, toS } = signed.receipt;
    this.#revision++;
    this.#database.run(
      "INSERT OR REPLACE INTO lease_receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      role,
      lease,
      leaseReceiptIdOf(lease),
      role === "provider" ? consumer : provider,
      state,
      isDelivered ? 1 : 0,
      toS,
      writeLeaseReceipt(signed),
      image ?? null,
      salt ?? null,
      reason?.slice(0, REASON_CHARS_MAX) ?? null,
    );
    const countMax = LEASE_RECEIPTS_KEPT_MAX;
    keepNewest(this.#database, { table: "lease_receipts", age: "to_s", countMax });
  }

  /** Remembers that the other side has what we signed. */
  delivered(role: Side, lease: string): void {
    this.#database.run(
      "UPDATE lease_receipts SET is_delivered = 1 WHERE role = ? AND lease = ?",
      role,
      lease,
    );
  }

  /** Offers to consumers whose leases ended before `beforeS` are one-sided from now on. @returns Whose. */
  lapse(beforeS: number, reason: string): string[] {
    return this.#database.all(
      `UPDATE lease_receipts SET state = 'one-sided', reason = ?
       WHERE state = 'offered' AND to_s < ? RETURNING lease`,
      reason,
      beforeS,
    ).map((row) => row.lease as string);
  }
}

function keptOf(row: SqlRow): KeptLeaseReceipt {
  return {
    role: row.role as Side,
    state: row.state as LeaseReceiptState,
    signed: JSON.parse(row.text as string) as SignedLeaseReceipt,
    isDelivered: row.is_delivered === 1,
    ...(row.image === null ? {} : { image: row.image as Sha256 }),
    ...(row.salt === null ? {} : { salt: Uint8Array.from(row.salt as Uint8Array) }),
    ...(row.reason === null ? {} : { reason: row.reason as string }),
  };
}
