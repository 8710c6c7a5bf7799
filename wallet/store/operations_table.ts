/** The journal: one row for each operation. */
import { assert } from "../../src/core/assert.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import type { Operation, OperationStatus } from "../operations/operation.ts";
import { named, present, sat, storable, whole, wholeOrNull } from "./columns.ts";
import { NAME_CHARS_MAX, PLAN_CHARS_MAX, REASON_CHARS_MAX } from "./limits.ts";
import type { OperationChange, OperationFilter } from "./wallet_store.ts";
import { StaleOperationError } from "./wallet_store.ts";

/** Which status may follow which. What is done may still learn what became of it, and never undoes it. */
const STATUS_AFTER: Readonly<Record<OperationStatus, readonly OperationStatus[]>> = {
  open: ["open", "done", "failed", "attention"],
  attention: ["open", "done", "failed", "attention"],
  done: ["done"],
  failed: ["failed"],
};

const COLUMNS = `id, kind, state, status, rev, mint, peer_mint, amount, fee, plan, parent,
  next_at_ms, attempts, reason, created_ms, updated_ms`;

/** Reads and changes the rows of `operations`. */
export class OperationsTable {
  readonly #database: SqliteConnection;
  readonly #clock: Clock;

  constructor(database: SqliteConnection, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  get<Plan>(id: string): Operation<Plan> | undefined {
    const row = this.#database.get(`SELECT ${COLUMNS} FROM operations WHERE id = ?`, id);
    return row && fromRow<Plan>(row);
  }

  /** Newest first; those that are due, the longest due first. */
  list(filter: OperationFilter): Operation[] {
    const wanted: string[] = ["TRUE"];
    const values: (string | number)[] = [];
    if (filter.status !== undefined) {
      const statuses = typeof filter.status === "string" ? [filter.status] : filter.status;
      wanted.push(`(${statuses.map((status) => `status = ${literal(status)}`).join(" OR ")})`);
    }
    if (filter.kind !== undefined) {
      wanted.push("kind = ?");
      values.push(filter.kind);
    }
    if (filter.dueMs !== undefined) {
      wanted.push("next_at_ms <= ?");
      values.push(Math.floor(filter.dueMs));
    }
    if (filter.parent !== undefined) {
      wanted.push("parent = ?");
      values.push(filter.parent);
    }
    if (filter.before !== undefined) {
      wanted.push("sequence < (SELECT sequence FROM operations WHERE id = ?)");
      values.push(filter.before);
    }
    const isDue = filter.dueMs !== undefined && filter.status === "open";
    const order = filter.dueMs === undefined ? "sequence DESC" : "next_at_ms, sequence";
    return this.#database.all(
      `SELECT ${COLUMNS} FROM operations ${isDue ? "INDEXED BY operations_due" : ""}
       WHERE ${wanted.join(" AND ")} ORDER BY ${order} LIMIT ?`,
      ...values,
      filter.limit ?? -1,
    ).map((row) => fromRow(row));
  }

  nextDueMs(): number | undefined {
    const row = this.#database.get(
      `SELECT next_at_ms AS due FROM operations INDEXED BY operations_due
       WHERE status = 'open' AND next_at_ms IS NOT NULL ORDER BY next_at_ms LIMIT 1`,
    );
    return row?.due as number | undefined;
  }

  insert(operation: Operation): void {
    assert(/^[0-9a-f]{32}$/.test(operation.id), "an operation's id is 32 hex digits");
    assert(this.get(operation.id) === undefined, `operation ${operation.id} is new`);
    named(operation.state, NAME_CHARS_MAX, "a state");
    this.#database.run(
      `INSERT INTO operations (${COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
      operation.id,
      operation.kind,
      operation.state,
      operation.status,
      whole(operation.rev),
      operation.mint,
      operation.peerMint ?? null,
      storable(operation.amount),
      storable(operation.fee),
      planText(operation.plan),
      operation.parent ?? null,
      wholeOrNull(operation.nextAtMs),
      whole(operation.attempts),
      shortened(operation.reason),
      whole(operation.createdMs),
      whole(operation.updatedMs),
    );
  }

  /** @throws {StaleOperationError} If the row's `rev` is not `operation.rev`. */
  update<Plan>(operation: Operation<Plan>, change: OperationChange<Plan>): Operation<Plan> {
    const found = this.get<Plan>(operation.id);
    if (found?.rev !== operation.rev) throw staleError(operation, found);
    const state = change.state ?? found.state;
    const status = change.status ?? found.status;
    assert(
      STATUS_AFTER[found.status].includes(status),
      `a ${found.kind} that is ${found.status} does not become ${status}`,
    );
    const isOver = status === "done" || status === "failed";
    const nextAtMs = isOver ? undefined : orKept(change.nextAtMs, found.nextAtMs);
    const count = this.#database.run(
      `UPDATE operations SET state = ?, status = ?, rev = rev + 1, amount = ?, fee = ?, plan = ?,
         next_at_ms = ?, attempts = ?, reason = ?, updated_ms = ? WHERE id = ? AND rev = ?`,
      named(state, NAME_CHARS_MAX, "a state"),
      status,
      storable(change.amount ?? found.amount),
      storable(change.fee ?? found.fee),
      planText(change.plan === undefined ? found.plan : change.plan),
      wholeOrNull(nextAtMs),
      whole(change.attempts ?? (state === found.state ? found.attempts : 0)),
      shortened(orKept(change.reason, found.reason)),
      whole(this.#clock.nowMs()),
      operation.id,
      operation.rev,
    );
    assert(count === 1, `operation ${operation.id} has one row`);
    return this.get<Plan>(operation.id)!;
  }

  /** @throws {Error} If `operationId` is not there or has ended. */
  assertOpen(operationId: string, action: string): void {
    const status = this.#database.get("SELECT status FROM operations WHERE id = ?", operationId)
      ?.status;
    assert(
      status === "open" || status === "attention",
      `only an open operation may ${action}, and ${operationId} is ${status ?? "not known"}`,
    );
  }
}

/** A status as SQL text, so that an index of some of them serves; the table knows them all. */
function literal(status: OperationStatus): string {
  assert(Object.hasOwn(STATUS_AFTER, status), "a status of operations");
  return `'${status}'`;
}

function orKept<T>(changed: T | null | undefined, kept: T | undefined): T | undefined {
  return changed === undefined ? kept : changed ?? undefined;
}

function planText(plan: unknown): string {
  const text = JSON.stringify(plan);
  assert(typeof text === "string", "a plan is JSON");
  assert(text.length <= PLAN_CHARS_MAX, `a plan has at most ${PLAN_CHARS_MAX} characters`);
  return text;
}

function shortened(reason: string | undefined): string | null {
  return reason === undefined ? null : reason.slice(0, REASON_CHARS_MAX);
}

function staleError(
  operation: Pick<Operation, "id" | "rev">,
  found: Operation | undefined,
): StaleOperationError {
  return new StaleOperationError(
    found === undefined
      ? `Operation ${operation.id} is not in the journal`
      : `Operation ${operation.id} moved on: revision ${operation.rev} was read, and it is at ${found.rev}; read it again`,
  );
}

function fromRow<Plan>(row: SqlRow): Operation<Plan> {
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    status: row.status,
    rev: row.rev,
    mint: row.mint,
    amount: sat(row, "amount"),
    fee: sat(row, "fee"),
    plan: JSON.parse(row.plan as string),
    attempts: row.attempts,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
    ...present(row, {
      peerMint: "peer_mint",
      parent: "parent",
      nextAtMs: "next_at_ms",
      reason: "reason",
    }),
  } as unknown as Operation<Plan>;
}
