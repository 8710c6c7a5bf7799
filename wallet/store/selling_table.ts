/** Prices, sales and refunds. What payers have is in `credit_table.ts`. */
import { assert } from "../../src/core/assert.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import { bounded, named, whole } from "./columns.ts";
import { joinUnits, splitUnits } from "./credit_table.ts";
import { NAME_CHARS_MAX, SERVICE_COUNT_MAX, SERVICE_MINTS_CHARS_MAX } from "./limits.ts";
import type {
  CreditRefund,
  IncomeTotal,
  SaleKind,
  SaleRecord,
  SaleTotal,
  ServiceRecord,
} from "./selling_store.ts";

/** The column of `sales` that a sum is made by. */
const SALE_KEYS = { day: "CAST(day AS TEXT)", peer: "payer", content: "root" } as const;

/** The same of `incoming_payments`. */
const INCOME_KEYS = {
  day: "CAST(created_ms / 86400000 AS TEXT)",
  peer: "payer",
  mint: "mint",
} as const;

/** Reads and changes the rows of `sales`, `services` and `credit_refunds`. */
export class SellingTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  /** Oldest first. */
  sales(filter: { readonly payer?: string }): SaleRecord[] {
    const rows = filter.payer === undefined
      ? this.#database.all("SELECT * FROM sales ORDER BY day, payer, kind, root")
      : this.#database.all(
        "SELECT * FROM sales WHERE payer = ? ORDER BY day, kind, root",
        filter.payer,
      );
    return rows.map((row) => ({
      day: row.day as number,
      payer: row.payer as string,
      kind: row.kind as SaleKind,
      root: row.root as string,
      bytes: row.bytes as number,
      units: joinUnits(row, "sold"),
    }));
  }

  soldTo(payer: string, root?: string): { readonly bytes: number; readonly units: bigint } {
    const row = this.#database.get(
      `SELECT coalesce(sum(bytes), 0) AS bytes, coalesce(sum(sold_sat), 0) AS sold_sat,
         coalesce(sum(sold_units), 0) AS sold_units
       FROM sales WHERE payer = ? AND kind = 'content'${root === undefined ? "" : " AND root = ?"}`,
      payer,
      ...root === undefined ? [] : [root],
    )!;
    return { bytes: row.bytes as number, units: joinUnits(row, "sold") };
  }

  saleTotals(by: keyof typeof SALE_KEYS, sinceDay: number): SaleTotal[] {
    return this.#database.all(
      `SELECT ${SALE_KEYS[by]} AS key, kind, sum(bytes) AS bytes, sum(sold_sat) AS sold_sat,
         sum(sold_units) AS sold_units
       FROM sales WHERE day >= ? GROUP BY 1, 2 ORDER BY 1, 2`,
      whole(sinceDay),
    ).map((row) => ({
      key: row.key as string,
      kind: row.kind as SaleKind,
      bytes: row.bytes as number,
      units: joinUnits(row, "sold"),
    }));
  }

  incomeTotals(by: keyof typeof INCOME_KEYS, sinceMs: number): IncomeTotal[] {
    return this.#database.all(
      `SELECT ${INCOME_KEYS[by]} AS key, state, count(*) AS count,
         CAST(sum(amount) AS TEXT) AS amount, CAST(sum(credit) AS TEXT) AS credit
       FROM incoming_payments WHERE payer <> 'local' AND created_ms >= ? GROUP BY 1, 2
       ORDER BY 1, 2`,
      whole(sinceMs),
    ).map((row) => ({
      key: row.key as string,
      state: row.state as IncomeTotal["state"],
      count: row.count as number,
      amount: BigInt(row.amount as string),
      credit: BigInt(row.credit as string),
    }));
  }

  mintsOfPayer(payer: string): string[] {
    return this.#database.all(
      `SELECT mint FROM incoming_payments WHERE payer = ? AND state IN ('credited', 'redeemed')
       GROUP BY mint ORDER BY max(created_ms) DESC, max(rowid) DESC`,
      payer,
    ).map((row) => row.mint as string);
  }

  /**
   * Adds to the sale of the same day, payer, kind and content. What is less than nothing takes a sale
   * back that was booked before: the latest of its kind. The caller uses up the credit, or frees it.
   */
  addSale(given: SaleRecord): void {
    const sale = given.units < 0n || given.bytes < 0
      ? { ...given, day: this.#latestDay(given) ?? given.day }
      : given;
    assert(
      (sale.kind === "content") === (sale.root !== ""),
      "content, and only content, has a root",
    );
    const row = this.#database.get(
      "SELECT * FROM sales WHERE day = ? AND payer = ? AND kind = ? AND root = ?",
      sale.day,
      sale.payer,
      sale.kind,
      sale.root,
    );
    const sold = splitUnits((row === undefined ? 0n : joinUnits(row, "sold")) + sale.units);
    const bytes = ((row?.bytes ?? 0) as number) + sale.bytes;
    assert(Number.isSafeInteger(bytes) && bytes >= 0, "no more is taken back than was sold");
    this.#database.run(
      `INSERT INTO sales (day, payer, kind, root, bytes, sold_sat, sold_units)
       VALUES (?,?,?,?,?,?,?)
       ON CONFLICT DO UPDATE SET bytes = excluded.bytes, sold_sat = excluded.sold_sat,
         sold_units = excluded.sold_units`,
      whole(sale.day),
      named(sale.payer, NAME_CHARS_MAX, "a payer"),
      sale.kind,
      bounded(sale.root, NAME_CHARS_MAX, "the address of content"),
      bytes,
      sold.sat,
      sold.units,
    );
  }

  #latestDay(sale: SaleRecord): number | undefined {
    const row = this.#database.get(
      `SELECT max(day) AS day FROM sales WHERE payer = ? AND kind = ? AND root = ?`,
      sale.payer,
      sale.kind,
      sale.root,
    );
    return (row?.day as number | null) ?? undefined;
  }

  /** In the order of their ids. */
  services(): ServiceRecord[] {
    return this.#database.all("SELECT * FROM services ORDER BY id").map(serviceOf);
  }

  putService(service: ServiceRecord): void {
    const { count } = this.#database.get(
      "SELECT count(*) AS count FROM services WHERE id <> ?",
      service.id,
    ) as { count: number };
    assert(count < SERVICE_COUNT_MAX, `there are at most ${SERVICE_COUNT_MAX} services`);
    this.#database.run(
      `INSERT INTO services (id, enabled, price, min_top_up, mints, updated_ms)
       VALUES (?,?,?,?,?,?)
       ON CONFLICT DO UPDATE SET enabled = excluded.enabled, price = excluded.price,
         min_top_up = excluded.min_top_up, mints = excluded.mints, updated_ms = excluded.updated_ms`,
      named(service.id, NAME_CHARS_MAX, "a service's id"),
      service.enabled ? 1 : 0,
      whole(service.priceMsatPerMiB),
      service.minTopUpSat === undefined ? null : whole(service.minTopUpSat),
      service.mints === undefined
        ? null
        : bounded(JSON.stringify(service.mints), SERVICE_MINTS_CHARS_MAX, "the mints of a service"),
      whole(service.updatedMs),
    );
  }

  removeService(id: string): void {
    this.#database.run("DELETE FROM services WHERE id = ?", id);
  }

  refund(payer: string, period: number): CreditRefund | undefined {
    const row = this.#database.get(
      "SELECT * FROM credit_refunds WHERE payer = ? AND period = ?",
      payer,
      period,
    );
    return row && refundOf(row);
  }

  lastRefund(payer: string): CreditRefund | undefined {
    const row = this.#database.get(
      "SELECT * FROM credit_refunds WHERE payer = ? ORDER BY period DESC LIMIT 1",
      payer,
    );
    return row && refundOf(row);
  }

  refundOf(operationId: string): CreditRefund | undefined {
    const row = this.#database.get(
      "SELECT * FROM credit_refunds WHERE operation_id = ?",
      operationId,
    );
    return row && refundOf(row);
  }

  lostRefunds(): CreditRefund[] {
    return this.#database.all(
      `SELECT credit_refunds.* FROM credit_refunds
       JOIN operations ON operations.id = operation_id
       WHERE operations.status = 'failed' OR operations.state = 'reclaimed'`,
    ).map(refundOf);
  }

  refundCount(sinceMs: number): number {
    const row = this.#database.get(
      "SELECT count(*) AS count FROM credit_refunds WHERE created_ms >= ?",
      whole(sinceMs),
    );
    return row!.count as number;
  }

  removeRefund(payer: string, period: number): boolean {
    return this.#database.run(
      "DELETE FROM credit_refunds WHERE payer = ? AND period = ?",
      payer,
      period,
    ) > 0;
  }

  addRefund(refund: CreditRefund): void {
    this.#database.run(
      "INSERT INTO credit_refunds (payer, period, operation_id, created_ms) VALUES (?,?,?,?)",
      named(refund.payer, NAME_CHARS_MAX, "a payer"),
      whole(refund.period),
      refund.operationId,
      whole(refund.createdMs),
    );
  }
}

function serviceOf(row: SqlRow): ServiceRecord {
  return {
    id: row.id as string,
    enabled: row.enabled === 1,
    priceMsatPerMiB: row.price as number,
    ...row.min_top_up === null ? {} : { minTopUpSat: row.min_top_up as number },
    ...row.mints === null ? {} : { mints: JSON.parse(row.mints as string) as string[] },
    updatedMs: row.updated_ms as number,
  };
}

function refundOf(row: SqlRow): CreditRefund {
  return {
    payer: row.payer as string,
    period: row.period as number,
    operationId: row.operation_id as string,
    createdMs: row.created_ms as number,
  };
}
