/** What stands in the books of traders, read from their files, whatever became of the process. */
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { WALLET_FILE } from "../../wallet/store/sqlite_wallet_store.ts";

/** Units of 2^-20 msat in a sat: what credit is reckoned in. */
export const UNITS_PER_SAT = 1000n * 2n ** 20n;

/** What `bytes` of content cost, in units. */
export function costOf(bytes: number, priceMsatPerMiB: number): bigint {
  return BigInt(bytes) * BigInt(priceMsatPerMiB);
}

/** A payer at its seller, in units. */
export interface CreditAccount {
  readonly paid: bigint;
  readonly used: bigint;
  readonly drawn: bigint;
  /** Sum of the credit of its payments that count. */
  readonly incoming: bigint;
  /** Payments by state. */
  readonly payments: Readonly<Record<string, number>>;
  /** Sales by kind, in units. */
  readonly sales: Readonly<Record<string, bigint>>;
}

/** A seller at its buyer, in units. */
export interface SellerAccount {
  readonly paid: bigint;
  readonly used: bigint;
  readonly lost: bigint;
  /** Top-ups by state. */
  readonly parts: Readonly<Record<string, { readonly count: number; readonly netSat: number }>>;
  /** Strips that were ever made. */
  readonly stripCount: number;
  readonly avoided: string | undefined;
}

function read<T>(directory: string, task: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(join(directory, WALLET_FILE), { readOnly: true });
  try {
    return task(database);
  } finally {
    database.close();
  }
}

type Row = Readonly<Record<string, number | string | bigint | null>>;

function units(row: Row, name: string): bigint {
  return BigInt(row[`${name}_sat`]!) * UNITS_PER_SAT + BigInt(row[`${name}_units`]!);
}

/** What a seller's books say of a payer. */
export function creditAccount(directory: string, payer: string): CreditAccount {
  return read(directory, (database) => {
    const row = database.prepare("SELECT * FROM credit_accounts WHERE payer = ?").get(payer) as
      | Row
      | undefined;
    const incoming = database.prepare(
      "SELECT state, credit FROM incoming_payments WHERE payer = ?",
    ).all(payer) as { state: string; credit: number }[];
    const sales = database.prepare("SELECT * FROM sales WHERE payer = ?").all(payer) as Row[];
    const byKind: Record<string, bigint> = {};
    for (const sale of sales) {
      const kind = String(sale.kind);
      byKind[kind] = (byKind[kind] ?? 0n) + units(sale, "sold");
    }
    return {
      paid: BigInt(row?.paid ?? 0) * UNITS_PER_SAT,
      used: row === undefined ? 0n : units(row, "used"),
      drawn: row === undefined ? 0n : units(row, "drawn"),
      incoming: incoming.filter(({ state }) => state === "credited" || state === "redeemed")
        .reduce((sum, { credit }) => sum + BigInt(credit), 0n) * UNITS_PER_SAT,
      payments: countBy(incoming.map(({ state }) => state)),
      sales: byKind,
    };
  });
}

/** What a buyer's books say of a seller. */
export function sellerAccount(directory: string, peer: string): SellerAccount {
  return read(directory, (database) => {
    const row = database.prepare("SELECT * FROM seller_accounts WHERE peer = ?").get(peer) as
      | Row
      | undefined;
    const parts = database.prepare(
      "SELECT state, count(*) AS count, sum(net) AS net FROM strip_parts WHERE peer = ? GROUP BY state",
    ).all(peer) as { state: string; count: number; net: number }[];
    const { count } = database.prepare(
      "SELECT count(DISTINCT operation_id) AS count FROM strip_parts WHERE peer = ?",
    ).get(peer) as { count: number };
    return {
      paid: BigInt(row?.paid ?? 0) * UNITS_PER_SAT,
      used: row === undefined ? 0n : units(row, "used"),
      lost: row === undefined ? 0n : units(row, "lost"),
      parts: Object.fromEntries(
        parts.map(({ state, count, net }) => [state, { count, netSat: net }]),
      ),
      stripCount: count,
      avoided: row?.avoid_reason === null ? undefined : row?.avoid_reason?.toString(),
    };
  });
}

/** Payments that a buyer handed over: their ids, oldest first. */
export function handedOver(directory: string, peer: string): string[] {
  return read(directory, (database) => {
    const rows = database.prepare(
      "SELECT payment_id AS id FROM strip_parts WHERE peer = ? AND revealed_ms IS NOT NULL " +
        "ORDER BY revealed_ms, place",
    ).all(peer) as { id: string }[];
    return rows.map(({ id }) => id);
  });
}

/** Content that a seller let through to a payer, in bytes, by the journal of its processes. */
export function chargedBytes(storeDirectory: string, payer: string): number {
  let text = "";
  try {
    text = Deno.readTextFileSync(join(storeDirectory, "charged.log"));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return text.split("\n").map((line) => line.split(" "))
    .filter(([peer]) => peer === payer)
    .reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
