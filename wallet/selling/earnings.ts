/** What was earned: sales of content against credit, and the payments that the credit came from. */
import { msatOf } from "../credit_units.ts";
import type { IncomeTotal, SaleTotal } from "../store/selling_store.ts";
import type { WalletReads } from "../store/wallet_store.ts";
import type { Unbooked } from "./live_credit.ts";
import type { EarningsBy, EarningsReport, EarningsRow } from "./selling_api.ts";

const DAY_MS = 86_400_000;

/** Sums on the way to a row. */
interface Sums {
  soldBytes: number;
  soldUnits: bigint;
  goneUnits: bigint;
  refundedUnits: bigint;
  provisional: bigint;
  queued: bigint;
  redeemed: bigint;
}

/** What is asked. */
export interface EarningsQuery {
  readonly by: EarningsBy;
  /** Milliseconds since 1970. @default {0} */
  readonly sinceMs?: number;
  readonly nowMs: number;
  /** Sales of this moment that are not in the books yet. */
  readonly unbooked: Iterable<Unbooked>;
}

/**
 * Adds up what the books say since then. Sales are kept by whole days (UTC): those of the day that
 * `sinceMs` is in are all counted.
 */
export function earningsOf(
  reads: Pick<WalletReads, "saleTotals" | "incomeTotals">,
  { by, sinceMs = 0, nowMs, unbooked }: EarningsQuery,
): EarningsReport {
  const rows = new Map<string, Sums>();
  const total = noSums();
  const sinceDay = Math.floor(sinceMs / DAY_MS);
  const addAll = (key: string, add: (sums: Sums) => void) => {
    let sums = rows.get(key);
    if (sums === undefined) rows.set(key, sums = noSums());
    add(sums);
    add(total);
  };
  if (by !== "mint") {
    for (const sale of reads.saleTotals(by, { sinceDay })) {
      // What was not content has no address.
      if (by === "content" && sale.kind !== "content") continue;
      addAll(keyOf(by, sale.key), (sums) => addSale(sums, sale));
    }
    const today = Math.floor(nowMs / DAY_MS);
    for (const { payer, root, bytes, units } of today < sinceDay ? [] : unbooked) {
      const key = by === "day" ? `${today}` : by === "peer" ? payer : root;
      addAll(keyOf(by, key), (sums) => addSale(sums, { key, kind: "content", bytes, units }));
    }
  }
  if (by !== "content") {
    const income = reads.incomeTotals(by, { sinceMs: by === "day" ? sinceDay * DAY_MS : sinceMs });
    for (const one of income) addAll(keyOf(by, one.key), (sums) => addIncome(sums, one));
  }
  return {
    by,
    rows: [...rows].map(([key, sums]) => ({ key, ...rowOf(sums) }))
      .sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
    total: rowOf(total),
  };
}

function keyOf(by: EarningsBy, key: string): string {
  return by === "day" ? new Date(Number(key) * DAY_MS).toISOString().slice(0, 10) : key;
}

function addSale(sums: Sums, sale: SaleTotal): void {
  if (sale.kind === "content") {
    sums.soldBytes += sale.bytes;
    sums.soldUnits += sale.units;
  } else if (sale.kind === "refund") sums.refundedUnits += sale.units;
  else sums.goneUnits += sale.units;
}

function addIncome(sums: Sums, { state, credit }: IncomeTotal): void {
  if (state === "credited") sums.provisional += credit;
  else if (state === "queued") sums.queued += credit;
  else if (state === "redeemed") sums.redeemed += credit;
}

function noSums(): Sums {
  return {
    soldBytes: 0,
    soldUnits: 0n,
    goneUnits: 0n,
    refundedUnits: 0n,
    provisional: 0n,
    queued: 0n,
    redeemed: 0n,
  };
}

function rowOf(sums: Sums): Omit<EarningsRow, "key"> {
  return {
    soldBytes: sums.soldBytes,
    soldMsat: Number(msatOf(sums.soldUnits)),
    soldUnits: sums.soldUnits,
    expiredMsat: Number(msatOf(sums.goneUnits)),
    refundedMsat: Number(msatOf(sums.refundedUnits)),
    provisionalSat: Number(sums.provisional),
    queuedSat: Number(sums.queued),
    redeemedSat: Number(sums.redeemed),
  };
}
