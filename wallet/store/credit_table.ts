/**
 * What payers have at this node. `paid` follows the payments (`incoming_table.ts`), `used` follows the
 * sales; both change in the transaction that changes what they follow.
 */
import { assert } from "../../src/core/assert.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { SqliteConnection, SqlRow, SqlValue } from "../../src/sqlite/mod.ts";
import { UNITS_PER_SAT } from "../credit_units.ts";
import { named, sat, storable, whole } from "./columns.ts";
import { CREDIT_ACCOUNTS_PER_READ_MAX, NAME_CHARS_MAX } from "./limits.ts";
import { HAS_CREDIT } from "./schema_selling.ts";
import type { CreditAccount, CreditFilter } from "./selling_store.ts";

/** Who has no account: the user's own pasted tokens. */
export const NO_PAYER = "local";

/** Units as the two columns hold them. */
export function splitUnits(units: bigint): { readonly sat: bigint; readonly units: bigint } {
  assert(units >= 0n, "a sum of credit is not negative");
  return { sat: storable(units / UNITS_PER_SAT), units: units % UNITS_PER_SAT };
}

/** The two columns, or sums of them, as units. */
export function joinUnits(row: SqlRow, name: string): bigint {
  return BigInt(row[`${name}_sat`] as number) * UNITS_PER_SAT +
    BigInt(row[`${name}_units`] as number);
}

/** Units that are left to be drawn; negative when more was used than was paid. */
export function unitsLeft(account: Pick<CreditAccount, "paid" | "used" | "drawn">): bigint {
  return account.paid * UNITS_PER_SAT - account.used - account.drawn;
}

/** Reads and changes the rows of `credit_accounts`. */
export class CreditTable {
  readonly #database: SqliteConnection;
  readonly #clock: Clock;

  constructor(database: SqliteConnection, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  get(payer: string): CreditAccount | undefined {
    const row = this.#database.get("SELECT * FROM credit_accounts WHERE payer = ?", payer);
    return row && accountOf(row);
  }

  list(filter: CreditFilter): CreditAccount[] {
    const wanted: string[] = ["TRUE"];
    const values: SqlValue[] = [];
    if (filter.isDrawn) wanted.push("(drawn_sat > 0 OR drawn_units > 0)");
    if (filter.hasCredit) wanted.push(HAS_CREDIT);
    if (filter.idleSinceMs !== undefined) {
      wanted.push("moved_ms <= ?");
      values.push(whole(filter.idleSinceMs));
    }
    return this.#database.all(
      `SELECT * FROM credit_accounts WHERE ${wanted.join(" AND ")}
       ORDER BY moved_ms, rowid LIMIT ?`,
      ...values,
      filter.limit ?? CREDIT_ACCOUNTS_PER_READ_MAX,
    ).map(accountOf);
  }

  /** A payment began to count, or ceased to: the change of its credit in sat. */
  move(payer: string, delta: bigint): void {
    if (payer === NO_PAYER || delta === 0n) return;
    const found = this.get(payer);
    const paid = (found?.paid ?? 0n) + delta;
    assert(paid >= 0n, "no more credit is taken back than was given");
    this.#database.run(
      `INSERT INTO credit_accounts (payer, paid, moved_ms) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET paid = excluded.paid, moved_ms = max(moved_ms, excluded.moved_ms)`,
      named(payer, NAME_CHARS_MAX, "a payer"),
      storable(paid),
      delta > 0n ? this.#nowMs : 0,
    );
  }

  draw(
    payer: string,
    draw: { readonly units: bigint; readonly priceMsatPerMiB: number },
  ): void {
    const account = this.#existing(payer);
    assert(draw.units >= 0n, "credit is drawn, not made");
    assert(draw.units <= unitsLeft(account), "no more credit is drawn than there is");
    this.#put({
      ...account,
      drawn: account.drawn + draw.units,
      priceMaxMsatPerMiB: Math.max(account.priceMaxMsatPerMiB, draw.priceMsatPerMiB),
      movedMs: Math.max(account.movedMs, this.#nowMs),
    });
  }

  giveBack(payer: string, units: bigint): void {
    const account = this.#existing(payer);
    assert(units >= 0n && units <= account.drawn, "no more credit is given back than was drawn");
    this.#put({ ...account, drawn: account.drawn - units });
  }

  use(payer: string, units: bigint): void {
    const account = this.#existing(payer);
    this.#put({ ...account, used: account.used + units });
  }

  putRefundKey(payer: string, publicKey: string): void {
    assert(/^0[23][0-9a-f]{64}$/.test(publicKey), "a refund goes to a key");
    this.#database.run(
      `INSERT INTO credit_accounts (payer, paid, refund_key, moved_ms) VALUES (?, 0, ?, ?)
       ON CONFLICT DO UPDATE SET refund_key = excluded.refund_key`,
      named(payer, NAME_CHARS_MAX, "a payer"),
      publicKey,
      this.#nowMs,
    );
  }

  get #nowMs(): number {
    return whole(this.#clock.nowMs());
  }

  #existing(payer: string): CreditAccount {
    const account = this.get(payer);
    assert(account !== undefined, "only who paid has credit");
    return account;
  }

  #put(account: CreditAccount): void {
    const used = splitUnits(account.used);
    const drawn = splitUnits(account.drawn);
    this.#database.run(
      `UPDATE credit_accounts SET used_sat = ?, used_units = ?, drawn_sat = ?, drawn_units = ?,
         price_max = ?, moved_ms = ? WHERE payer = ?`,
      used.sat,
      used.units,
      drawn.sat,
      drawn.units,
      whole(account.priceMaxMsatPerMiB),
      account.movedMs,
      account.payer,
    );
  }
}

function accountOf(row: SqlRow): CreditAccount {
  return {
    payer: row.payer as string,
    paid: sat(row, "paid"),
    used: joinUnits(row, "used"),
    drawn: joinUnits(row, "drawn"),
    priceMaxMsatPerMiB: row.price_max as number,
    ...row.refund_key === null ? {} : { refundKey: row.refund_key as string },
    movedMs: row.moved_ms as number,
  };
}
