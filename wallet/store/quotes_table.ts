/** Quotes of mints. A quote never goes back: what a mint says later of an earlier state is old news. */
import { assert } from "../../src/core/assert.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import type { MintUrl } from "../types.ts";
import { bounded, named, present, sat, storable, wholeOrNull } from "./columns.ts";
import { BODY_CHARS_MAX } from "./limits.ts";
import type { QuoteRecord } from "./wallet_store.ts";

/**
 * How far a quote is. A melt quote that is pending may be unpaid again when the payment failed (R10),
 * so the two are equally far.
 */
const PROGRESS: Readonly<Record<QuoteRecord["kind"], Readonly<Record<string, number>>>> = {
  mint: { UNPAID: 0, PENDING: 1, PAID: 2, ISSUED: 3 },
  melt: { UNPAID: 0, PENDING: 0, PAID: 1 },
};

/** Reads and changes the rows of `quotes`. */
export class QuotesTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  get(mint: MintUrl, quoteId: string): QuoteRecord | undefined {
    const row = this.#database.get(
      "SELECT * FROM quotes WHERE mint = ? AND quote_id = ?",
      mint,
      quoteId,
    );
    return row && fromRow(row);
  }

  /** Oldest first. */
  list(operationId: string): QuoteRecord[] {
    return this.#database.all(
      "SELECT * FROM quotes WHERE operation_id = ? ORDER BY rowid",
      operationId,
    ).map(fromRow);
  }

  /**
   * Inserts, or moves the state and the expiry on; all else stays as it was first seen.
   *
   * @throws {SeedmintError} `protocol` if the mint gave one quote to two operations.
   */
  put(quote: QuoteRecord): void {
    const found = this.get(quote.mint, quote.quoteId);
    const progress = progressOf(quote);
    if (found === undefined) return this.#insert(quote);
    if (found.kind !== quote.kind || found.operationId !== quote.operationId) {
      throw new SeedmintError(
        "protocol",
        `Cannot use the quote that ${quote.mint} gave to operation ${quote.operationId}: operation ` +
          `${found.operationId} has the same one; finish or cancel that one first`,
      );
    }
    if (progress < progressOf(found)) return;
    this.#database.run(
      "UPDATE quotes SET state = ?, expiry_ms = ? WHERE mint = ? AND quote_id = ?",
      quote.state,
      wholeOrNull(quote.expiryMs ?? found.expiryMs),
      quote.mint,
      quote.quoteId,
    );
  }

  #insert(quote: QuoteRecord): void {
    this.#database.run(
      `INSERT INTO quotes (mint, quote_id, kind, operation_id, amount, fee_reserve, request, state,
         expiry_ms, key_index) VALUES (?,?,?,?,?,?,?,?,?,?)`,
      quote.mint,
      named(quote.quoteId, 1024, "a quote id"),
      quote.kind,
      quote.operationId,
      storable(quote.amount),
      storable(quote.feeReserve),
      bounded(quote.request, BODY_CHARS_MAX, "an invoice"),
      quote.state,
      wholeOrNull(quote.expiryMs),
      wholeOrNull(quote.keyIndex),
    );
  }
}

function progressOf(quote: Pick<QuoteRecord, "kind" | "state">): number {
  const progress = PROGRESS[quote.kind][quote.state];
  assert(progress !== undefined, `a ${quote.kind} quote has no state ${quote.state}`);
  return progress;
}

function fromRow(row: SqlRow): QuoteRecord {
  return {
    mint: row.mint,
    kind: row.kind,
    quoteId: row.quote_id,
    operationId: row.operation_id,
    amount: sat(row, "amount"),
    feeReserve: sat(row, "fee_reserve"),
    request: row.request,
    state: row.state,
    ...present(row, { expiryMs: "expiry_ms", keyIndex: "key_index" }),
  } as unknown as QuoteRecord;
}
