/**
 * Proofs, the money itself. A Y and a secret are here once and for ever; a proof that is spent stays.
 *
 *     free ◀──▶ reserved ──▶ spent       outgoing ──▶ free (taken back), spent (seen redeemed)
 *      └──▶ outgoing ◀──┘                incoming ──▶ spent (redeemed, or dead), free, reserved
 */
import { assert } from "../../src/core/assert.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import { SECRET_CHARS_MAX } from "../limits.ts";
import type { Dleq, MintUrl, Proof, ProofState } from "../types.ts";
import { bounded, named, sat, storable } from "./columns.ts";
import type { Coin, MintBalance, ProofFilter, ProofRecord } from "./wallet_store.ts";
import { StaleOperationError } from "./wallet_store.ts";

/** Which state may follow which. */
const STATE_AFTER: Readonly<Record<ProofState, readonly ProofState[]>> = {
  free: ["free", "reserved", "outgoing", "spent"],
  reserved: ["reserved", "free", "outgoing", "spent"],
  outgoing: ["outgoing", "free", "reserved", "incoming", "spent"],
  incoming: ["incoming", "free", "reserved", "spent"],
  spent: [],
};

const COLUMNS =
  "y, mint, keyset_id, amount, secret, c, dleq, witness, state, needs_recheck, operation_id";

/** Reads and changes the rows of `proofs`. */
export class ProofsTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  get(y: string): ProofRecord | undefined {
    const row = this.#database.get(`SELECT ${COLUMNS} FROM proofs WHERE y = ?`, y);
    return row && fromRow(row);
  }

  stateOfSecret(secret: string): ProofState | undefined {
    const row = this.#database.get("SELECT state FROM proofs WHERE secret = ?", secret);
    return row?.state as ProofState | undefined;
  }

  /** Oldest first. */
  list(filter: ProofFilter): ProofRecord[] {
    const wanted: string[] = ["TRUE"];
    const values: string[] = [];
    if (filter.mint !== undefined) {
      wanted.push("mint = ?");
      values.push(filter.mint);
    }
    // The state is part of the text, so that an index of what is not spent serves.
    if (filter.state !== undefined) {
      wanted.push(`state = ${literal(filter.state)}`);
      if (filter.state !== "spent") wanted.push("state <> 'spent'");
    }
    if (filter.operationId !== undefined) {
      wanted.push("operation_id = ?");
      values.push(filter.operationId);
    }
    if (filter.keysetId !== undefined) {
      wanted.push("keyset_id = ?");
      values.push(filter.keysetId);
    }
    if (filter.needsRecheck !== undefined) {
      wanted.push(`needs_recheck = ${filter.needsRecheck ? 1 : 0}`);
      if (filter.state === undefined) wanted.push("state <> 'spent'");
    }
    const isOfMint = filter.mint !== undefined && filter.state !== undefined &&
      filter.state !== "spent" && filter.operationId === undefined;
    return this.#database.all(
      `SELECT ${COLUMNS} FROM proofs ${isOfMint ? "INDEXED BY proofs_state" : ""}
       WHERE ${wanted.join(" AND ")} ORDER BY rowid`,
      ...values,
    ).map(fromRow);
  }

  /** What may be spent at `mint`, counted by keyset and amount. */
  coins(mint: MintUrl): Coin[] {
    return this.#database.all(
      `SELECT keyset_id, amount, count FROM coins
       WHERE mint = ? AND state = 'free' AND needs_recheck = 0 ORDER BY keyset_id, amount`,
      mint,
    ).map((row) => ({
      keysetId: row.keyset_id as string,
      amount: sat(row, "amount"),
      count: row.count as number,
    }));
  }

  /** Up to `coin.count` proofs of that kind that may be spent. */
  proofsOf(mint: MintUrl, coin: Coin): ProofRecord[] {
    return this.#database.all(
      `SELECT ${COLUMNS} FROM proofs WHERE mint = ? AND keyset_id = ? AND amount = ?
         AND needs_recheck = 0 AND state = 'free' ORDER BY rowid LIMIT ?`,
      mint,
      coin.keysetId,
      coin.amount,
      coin.count,
    ).map(fromRow);
  }

  balances(): MintBalance[] {
    const totals = new Map<MintUrl, Map<string, bigint>>();
    const rows = this.#database.all(
      `SELECT mint, state, CAST(sum(amount * count) AS TEXT) AS total FROM coins
       GROUP BY mint, state ORDER BY mint`,
    );
    for (const row of rows) {
      const ofMint = totals.get(row.mint as MintUrl) ?? new Map();
      totals.set(row.mint as MintUrl, ofMint.set(row.state, BigInt(row.total as string)));
    }
    return [...totals].map(([mint, ofMint]) => ({
      mint,
      free: ofMint.get("free") ?? 0n,
      reserved: ofMint.get("reserved") ?? 0n,
      outgoing: ofMint.get("outgoing") ?? 0n,
      incoming: ofMint.get("incoming") ?? 0n,
    }));
  }

  insert(
    proofs: readonly (Proof & { readonly y: string })[],
    options: { readonly mint: MintUrl; readonly state: ProofState; readonly operationId?: string },
  ): void {
    for (const proof of proofs) {
      const isKnown = this.#database.get(
        "SELECT 1 FROM proofs WHERE y = ? UNION ALL SELECT 1 FROM proofs WHERE secret = ?",
        proof.y,
        proof.secret,
      ) !== undefined;
      assert(!isKnown, "ecash is taken once, and this proof was here before");
      assert(/^0[23][0-9a-f]{64}$/.test(proof.y), "a Y is a compressed point in hex");
      this.#database.run(
        `INSERT INTO proofs (${COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,0,?)`,
        proof.y,
        options.mint,
        named(proof.keysetId, 100, "a keyset id"),
        storable(proof.amount),
        named(proof.secret, SECRET_CHARS_MAX, "a secret"),
        proof.C,
        proof.dleq === undefined ? null : dleqText(proof.dleq),
        proof.witness ?? null,
        options.state,
        options.operationId ?? null,
      );
    }
  }

  /** @throws {StaleOperationError} If one is not free any more. */
  reserve(operationId: string, ys: readonly string[]): void {
    for (const y of ys) {
      const count = this.#database.run(
        `UPDATE proofs SET state = 'reserved', operation_id = ?
         WHERE y = ? AND state = 'free' AND needs_recheck = 0`,
        operationId,
        y,
      );
      if (count === 1) continue;
      const found = this.get(y);
      throw new StaleOperationError(
        found?.state === "free"
          ? "A proof must be checked with its mint before it is spent, because it comes from a backup"
          : `A proof is not free any more: it is ${found?.state ?? "not known"}; select again`,
      );
    }
  }

  release(operationId: string, ys?: readonly string[]): void {
    if (ys === undefined) {
      this.#database.run(
        `UPDATE proofs SET state = 'free', operation_id = NULL
         WHERE operation_id = ? AND state = 'reserved'`,
        operationId,
      );
      return;
    }
    for (const y of ys) {
      const count = this.#database.run(
        `UPDATE proofs SET state = 'free', operation_id = NULL
         WHERE y = ? AND operation_id = ? AND state = 'reserved'`,
        y,
        operationId,
      );
      assert(count === 1, `a proof that ${operationId} releases is reserved for it`);
    }
  }

  move(ys: readonly string[], state: ProofState, operationId?: string): void {
    for (const y of ys) {
      const row = this.#database.get("SELECT state, operation_id FROM proofs WHERE y = ?", y);
      assert(row !== undefined, "a proof that is moved is known");
      const found = row.state as ProofState;
      assert(STATE_AFTER[found].includes(state), `a ${found} proof does not become ${state}`);
      const owner = operationId ?? (state === "free" ? null : row.operation_id as string | null);
      assert(state !== "reserved" || owner !== null, "a reserved proof has an operation");
      this.#database.run(
        "UPDATE proofs SET state = ?, operation_id = ? WHERE y = ?",
        state,
        owner,
        y,
      );
    }
  }

  /** Says of every proof that is not spent that its mint must be asked first. */
  markAllForRecheck(): void {
    this.#database.run("UPDATE proofs SET needs_recheck = 1 WHERE state <> 'spent'");
  }

  /** The mint was asked: these are what they seem. */
  markChecked(ys: readonly string[]): void {
    for (const y of ys) this.#database.run("UPDATE proofs SET needs_recheck = 0 WHERE y = ?", y);
  }
}

/** A state as SQL text; the table knows them all, so that nothing else gets into a statement. */
function literal(state: ProofState): string {
  assert(Object.hasOwn(STATE_AFTER, state), "a state of proofs");
  return `'${state}'`;
}

/** Three numbers with a space between: reading ten thousand is then no parsing of JSON. */
function dleqText(dleq: Dleq): string {
  const parts = [dleq.e, dleq.s, ...dleq.r === undefined ? [] : [dleq.r]];
  for (const part of parts) assert(/^[0-9a-f]{1,64}$/i.test(part), "a DLEQ is numbers in hex");
  return bounded(parts.join(" "), 194, "a DLEQ");
}

function dleqOf(text: string): Dleq {
  const [e, s, r] = text.split(" ") as [string, string, string | undefined];
  return r === undefined ? { e, s } : { e, s, r };
}

/** Written out, because ten thousand rows are read at once. */
function fromRow(row: SqlRow): ProofRecord {
  const proof: { -readonly [Key in keyof ProofRecord]: ProofRecord[Key] } = {
    y: row.y as string,
    mint: row.mint as MintUrl,
    state: row.state as ProofState,
    keysetId: row.keyset_id as string,
    amount: BigInt(row.amount as number),
    secret: row.secret as string,
    C: row.c as string,
  };
  if (row.dleq !== null) proof.dleq = dleqOf(row.dleq as string);
  if (row.witness !== null) proof.witness = row.witness as string;
  if (row.operation_id !== null) proof.operationId = row.operation_id as string;
  if (row.needs_recheck === 1) proof.needsRecheck = true;
  return proof;
}
