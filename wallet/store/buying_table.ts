/** Strips of top-ups, and what sellers have of us: sums follow the parts in the same transaction. */
import { assert } from "../../src/core/assert.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { SqliteConnection, SqlRow, SqlValue } from "../../src/sqlite/mod.ts";
import { UNITS_PER_SAT } from "../credit_units.ts";
import type {
  Purchase,
  SellerAccount,
  SellerUse,
  StripPart,
  StripPartFilter,
  StripPartState,
} from "./buying_store.ts";
import { bounded, named, present, sat, storable, whole } from "./columns.ts";
import { joinUnits, splitUnits } from "./credit_table.ts";
import { NAME_CHARS_MAX, REASON_CHARS_MAX } from "./limits.ts";

/** Which state of a part may follow which. */
const STATE_AFTER: Readonly<Record<StripPartState, readonly StripPartState[]>> = {
  hidden: ["revealed", "claimed", "returned"],
  revealed: ["credited", "refused", "claimed", "returned"],
  credited: ["refused", "claimed", "returned"],
  refused: ["credited", "claimed", "returned"],
  claimed: [],
  returned: [],
};

/** States in which a seller may have the money. */
const PAID: readonly StripPartState[] = ["revealed", "credited", "refused", "claimed"];

/** Parts read at a time when nobody says how many. */
const PARTS_PER_READ_MAX = 10_000;

/** Reads and changes the rows of `strip_parts`, `seller_accounts` and `purchases`. */
export class BuyingTable {
  readonly #database: SqliteConnection;
  readonly #clock: Clock;

  constructor(database: SqliteConnection, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  parts(filter: StripPartFilter): StripPart[] {
    const wanted: string[] = ["TRUE"];
    const values: SqlValue[] = [];
    if (filter.operationId !== undefined) {
      wanted.push("operation_id = ?");
      values.push(filter.operationId);
    }
    if (filter.peer !== undefined) {
      wanted.push("peer = ?");
      values.push(filter.peer);
    }
    if (filter.states !== undefined) {
      wanted.push(`state IN (${filter.states.map(literal).join(", ")})`);
    }
    return this.#database.all(
      `SELECT * FROM strip_parts WHERE ${wanted.join(" AND ")} ORDER BY rowid LIMIT ?`,
      ...values,
      filter.limit ?? PARTS_PER_READ_MAX,
    ).map(partOf);
  }

  part(paymentId: string): StripPart | undefined {
    const row = this.#database.get("SELECT * FROM strip_parts WHERE payment_id = ?", paymentId);
    return row && partOf(row);
  }

  insertParts(parts: readonly Omit<StripPart, "state" | "revealedMs">[]): void {
    for (const part of parts) {
      assert(/^[0-9a-f]{32}$/.test(part.paymentId), "a payment's id is 32 hex digits");
      assert(part.net > 0n && part.net <= part.gross, "a part is worth it");
      this.#database.run(
        `INSERT INTO strip_parts (payment_id, operation_id, place, peer, gross, net, ys, state)
         VALUES (?,?,?,?,?,?,?,'hidden')`,
        part.paymentId,
        part.operationId,
        whole(part.place),
        named(part.peer, NAME_CHARS_MAX, "a seller"),
        storable(part.gross),
        storable(part.net),
        JSON.stringify(part.ys),
      );
    }
  }

  movePart(paymentId: string, state: StripPartState): StripPart {
    const found = this.part(paymentId);
    assert(found !== undefined, "only a part that was made moves");
    if (found.state === state) return found;
    assert(
      STATE_AFTER[found.state].includes(state),
      `a part that is ${found.state} does not become ${state}`,
    );
    const revealedMs = found.revealedMs ?? (state === "revealed" ? this.#nowMs : undefined);
    this.#database.run(
      "UPDATE strip_parts SET state = ?, revealed_ms = ? WHERE payment_id = ?",
      state,
      revealedMs ?? null,
      paymentId,
    );
    this.#follow(found, state);
    return this.part(paymentId)!;
  }

  account(peer: string): SellerAccount | undefined {
    const row = this.#database.get("SELECT * FROM seller_accounts WHERE peer = ?", peer);
    return row && accountOf(row);
  }

  accounts(): SellerAccount[] {
    return this.#database.all("SELECT * FROM seller_accounts ORDER BY moved_ms DESC, peer")
      .map(accountOf);
  }

  putRefunded(peer: string, refunded: bigint): void {
    const account = this.account(peer);
    if (account === undefined || refunded <= account.refunded) return;
    const left = account.paid * UNITS_PER_SAT - account.used - account.lost;
    const more = (refunded - account.refunded) * UNITS_PER_SAT;
    // Who pays back more than we reckon owes us nothing, and we owe it nothing.
    const lost = account.lost + (left <= 0n ? 0n : more < left ? more : left);
    this.#put({ ...account, lost, refunded, movedMs: this.#nowMs });
  }

  putUse(peer: string, use: SellerUse): void {
    const [used, lost] = [splitUnits(use.used), splitUnits(use.lost)];
    const changed = this.#database.run(
      `UPDATE seller_accounts SET used_sat = ?, used_units = ?, lost_sat = ?, lost_units = ?,
         moved_ms = ? WHERE peer = ?`,
      used.sat,
      used.units,
      lost.sat,
      lost.units,
      this.#nowMs,
      peer,
    );
    if (changed === 0) {
      this.#put({ ...this.#accountOrNew(peer), used: use.used, lost: use.lost });
    }
    if (use.isOpen === undefined) return;
    this.#database.run(
      "UPDATE seller_accounts SET open_ms = ? WHERE peer = ?",
      use.isOpen ? this.#nowMs : null,
      peer,
    );
  }

  /**
   * After a copy of the books was taken over: what it says is prepaid may have been used since, and is
   * not counted on any more. What its seller never answered is: it is handed over again.
   */
  giveUpPrepaid(): void {
    for (const row of this.#database.all("SELECT * FROM seller_accounts")) {
      const { peer, paid, used, lost } = accountOf(row);
      const again = this.parts({ peer, states: ["revealed"] })
        .reduce((sum, part) => sum + part.net, 0n);
      const gone = (paid - again) * UNITS_PER_SAT - used - lost;
      if (gone > 0n) this.putUse(peer, { used, lost: lost + gone });
    }
  }

  avoid(peer: string, mark: { readonly untilMs: number; readonly reason: string }): void {
    const account = this.#accountOrNew(peer);
    this.#put({
      ...account,
      strikes: account.strikes + 1,
      avoidUntilMs: mark.untilMs,
      avoidReason: mark.reason.slice(0, REASON_CHARS_MAX),
    });
  }

  purchases(filter: { readonly subject: string; readonly sinceMs: number }): Purchase[] {
    return this.#database.all(
      "SELECT * FROM purchases WHERE subject = ? AND created_ms >= ? ORDER BY created_ms, rowid",
      filter.subject,
      Math.floor(filter.sinceMs),
    ).map((row) => ({
      id: row.id as string,
      peer: row.peer as string,
      subject: row.subject as string,
      priceMsatPerMiB: row.price as number,
      used: joinUnits(row, "used"),
      createdMs: row.created_ms as number,
    }));
  }

  putPurchase(purchase: Purchase): void {
    const used = splitUnits(purchase.used);
    this.#database.run(
      `INSERT INTO purchases (id, peer, subject, price, used_sat, used_units, created_ms)
       VALUES (?,?,?,?,?,?,?)
       ON CONFLICT DO UPDATE SET used_sat = excluded.used_sat, used_units = excluded.used_units`,
      named(purchase.id, NAME_CHARS_MAX, "a purchase"),
      named(purchase.peer, NAME_CHARS_MAX, "a seller"),
      bounded(purchase.subject, NAME_CHARS_MAX, "a subject"),
      whole(purchase.priceMsatPerMiB),
      used.sat,
      used.units,
      whole(purchase.createdMs),
    );
  }

  /** What a move of a part means for its seller's sums. */
  #follow(part: StripPart, state: StripPartState): void {
    // What another copy of this wallet handed over was not paid by this one.
    const isOurs = part.state !== "hidden" || state === "revealed";
    const paid = (state: StripPartState) => isOurs && PAID.includes(state) ? part.net : 0n;
    const refused = (state: StripPartState) => state === "refused" ? part.net : 0n;
    const account = this.#accountOrNew(part.peer);
    const next = account.paid + paid(state) - paid(part.state);
    // What came back was not lost after all.
    const room = next * UNITS_PER_SAT - account.used;
    const kept = account.lost < room ? account.lost : room > 0n ? room : 0n;
    // Who redeems what it refused has kept it.
    const stolen = state === "claimed" ? refused(part.state) * UNITS_PER_SAT : 0n;
    this.#put({
      ...account,
      paid: next,
      refused: account.refused + refused(state) - refused(part.state),
      lost: kept + stolen,
      movedMs: state === "revealed" ? this.#nowMs : account.movedMs,
    });
  }

  #accountOrNew(peer: string): SellerAccount {
    const empty = { paid: 0n, refused: 0n, used: 0n, lost: 0n, refunded: 0n, strikes: 0 };
    return this.account(peer) ?? { peer, ...empty, movedMs: this.#nowMs };
  }

  #put(account: SellerAccount): void {
    const used = splitUnits(account.used);
    const lost = splitUnits(account.lost);
    this.#database.run(
      `INSERT OR REPLACE INTO seller_accounts (peer, paid, refused, used_sat, used_units, lost_sat,
         lost_units, strikes, avoid_until_ms, avoid_reason, moved_ms, open_ms, refunded)
       VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)`,
      named(account.peer, NAME_CHARS_MAX, "a seller"),
      storable(account.paid),
      storable(account.refused),
      used.sat,
      used.units,
      lost.sat,
      lost.units,
      whole(account.strikes),
      account.avoidUntilMs === undefined ? null : whole(account.avoidUntilMs),
      account.avoidReason ?? null,
      whole(account.movedMs),
      account.openMs === undefined ? null : whole(account.openMs),
      storable(account.refunded),
    );
  }

  get #nowMs(): number {
    return whole(this.#clock.nowMs());
  }
}

/** A state as SQL text, so that the index of some of them serves; the table knows them all. */
function literal(state: StripPartState): string {
  assert(Object.hasOwn(STATE_AFTER, state), "a state of parts");
  return `'${state}'`;
}

function partOf(row: SqlRow): StripPart {
  return {
    paymentId: row.payment_id as string,
    operationId: row.operation_id as string,
    place: row.place as number,
    peer: row.peer as string,
    gross: sat(row, "gross"),
    net: sat(row, "net"),
    ys: JSON.parse(row.ys as string) as string[],
    state: row.state as StripPartState,
    ...present(row, { revealedMs: "revealed_ms" }),
  };
}

function accountOf(row: SqlRow): SellerAccount {
  return {
    peer: row.peer as string,
    paid: sat(row, "paid"),
    refused: sat(row, "refused"),
    used: joinUnits(row, "used"),
    lost: joinUnits(row, "lost"),
    refunded: sat(row, "refunded"),
    strikes: row.strikes as number,
    movedMs: row.moved_ms as number,
    ...present(row, {
      avoidUntilMs: "avoid_until_ms",
      avoidReason: "avoid_reason",
      openMs: "open_ms",
    }),
  };
}
