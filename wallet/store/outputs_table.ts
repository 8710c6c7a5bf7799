/** Planned outputs: what is needed to unblind a signature, kept from before the mint hears of it. */
import { assert } from "../../src/core/assert.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import { OUTPUTS_PER_REQUEST_MAX } from "../limits.ts";
import type { MintUrl, PlannedOutput } from "../types.ts";
import { named, present, sat, storable, wholeOrNull } from "./columns.ts";
import { NAME_CHARS_MAX } from "./limits.ts";
import type { OutputRecord } from "./wallet_store.ts";

/** Which state may follow which. A signature that turns up late makes even a void output signed. */
const STATE_AFTER: Readonly<Record<OutputRecord["state"], readonly OutputRecord["state"][]>> = {
  planned: ["signed", "void"],
  void: ["void", "signed"],
  signed: ["signed"],
};

/** Reads and changes the rows of `outputs`. */
export class OutputsTable {
  readonly #database: SqliteConnection;
  readonly #seedFingerprint: string;

  constructor(database: SqliteConnection, seedFingerprint: string) {
    this.#database = database;
    this.#seedFingerprint = seedFingerprint;
  }

  /** In the order of their requests. */
  list(operationId: string, phase?: string): OutputRecord[] {
    const rows = phase === undefined
      ? this.#database.all(
        "SELECT * FROM outputs WHERE operation_id = ? ORDER BY phase, place",
        operationId,
      )
      : this.#database.all(
        "SELECT * FROM outputs WHERE operation_id = ? AND phase = ? ORDER BY place",
        operationId,
        phase,
      );
    return rows.map(fromRow);
  }

  insert(
    operationId: string,
    phase: string,
    options: { readonly mint: MintUrl; readonly outputs: readonly PlannedOutput[] },
  ): void {
    named(phase, NAME_CHARS_MAX, "a phase");
    const { count } = this.#database.get(
      "SELECT count(*) AS count FROM outputs WHERE operation_id = ? AND phase = ?",
      operationId,
      phase,
    ) as { count: number };
    assert(
      count + options.outputs.length <= OUTPUTS_PER_REQUEST_MAX,
      `a request has at most ${OUTPUTS_PER_REQUEST_MAX} outputs`,
    );
    for (const [index, output] of options.outputs.entries()) {
      this.#assertNew(output);
      this.#database.run(
        `INSERT INTO outputs (blinded, operation_id, phase, place, mint, role, keyset_id, amount,
           blinding_factor, secret, seed_fingerprint, counter, state)
         VALUES (?,?,?,?,?,?,?,?,?,?,?,?,'planned')`,
        output.blinded,
        operationId,
        phase,
        count + index,
        options.mint,
        output.role,
        output.keysetId,
        storable(output.amount),
        output.blindingFactor,
        output.secret,
        output.counter === undefined ? null : this.#seedFingerprint,
        wholeOrNull(output.counter),
      );
    }
  }

  mark(blinded: readonly string[], state: "signed" | "void"): void {
    for (const message of blinded) {
      const row = this.#database.get("SELECT state FROM outputs WHERE blinded = ?", message);
      assert(row !== undefined, "an output that is marked was planned");
      const found = row.state as OutputRecord["state"];
      assert(STATE_AFTER[found].includes(state), `a ${found} output does not become ${state}`);
      this.#database.run("UPDATE outputs SET state = ? WHERE blinded = ?", state, message);
    }
  }

  #assertNew(output: PlannedOutput): void {
    assert(
      this.#database.get("SELECT 1 FROM outputs WHERE blinded = ?", output.blinded) === undefined,
      "a blinded message is planned once, and this one was planned before",
    );
    assert(
      this.#database.get("SELECT 1 FROM outputs WHERE secret = ?", output.secret) === undefined,
      "a secret is planned once, and this one was planned before",
    );
    assert(
      output.counter === undefined ||
        this.#database.get(
            `SELECT 1 FROM outputs WHERE seed_fingerprint = ? AND keyset_id = ? AND counter = ?
               AND counter IS NOT NULL`,
            this.#seedFingerprint,
            output.keysetId,
            output.counter,
          ) === undefined,
      `counter ${output.counter} of keyset ${output.keysetId} is used once, and was used before`,
    );
  }
}

function fromRow(row: SqlRow): OutputRecord {
  return {
    operationId: row.operation_id,
    phase: row.phase,
    mint: row.mint,
    index: row.place,
    state: row.state,
    role: row.role,
    keysetId: row.keyset_id,
    amount: sat(row, "amount"),
    blinded: row.blinded,
    blindingFactor: row.blinding_factor,
    secret: row.secret,
    ...present(row, { counter: "counter" }),
  } as unknown as OutputRecord;
}
