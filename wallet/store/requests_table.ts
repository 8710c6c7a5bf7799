/** Frozen requests: written once, sent as they are any number of times. */
import { assert } from "../../src/core/assert.ts";
import type { SqliteConnection, SqlRow } from "../../src/sqlite/mod.ts";
import type { FrozenRequest } from "../operations/operation.ts";
import { bounded, named, present, whole } from "./columns.ts";
import { BODY_CHARS_MAX, NAME_CHARS_MAX } from "./limits.ts";

/** Reads and changes the rows of `requests`. */
export class RequestsTable {
  readonly #database: SqliteConnection;

  constructor(database: SqliteConnection) {
    this.#database = database;
  }

  get(operationId: string, phase: string): FrozenRequest | undefined {
    const row = this.#database.get(
      "SELECT * FROM requests WHERE operation_id = ? AND phase = ?",
      operationId,
      phase,
    );
    return row && fromRow(row);
  }

  /** Freezing the same again changes nothing. @throws {Error} If the phase has one with another body. */
  freeze(request: Omit<FrozenRequest, "sendCount">): void {
    named(request.phase, NAME_CHARS_MAX, "a phase");
    bounded(request.body, BODY_CHARS_MAX, "a body");
    bounded(request.legacyBody ?? "", BODY_CHARS_MAX, "a body");
    const found = this.get(request.operationId, request.phase);
    if (found !== undefined) {
      assert(
        found.body === request.body && found.path === request.path &&
          found.legacyBody === request.legacyBody,
        `the request ${request.phase} of operation ${request.operationId} is frozen and never changes`,
      );
      return;
    }
    this.#database.run(
      "INSERT INTO requests (operation_id, phase, path, body, legacy_body) VALUES (?,?,?,?,?)",
      request.operationId,
      request.phase,
      request.path,
      request.body,
      request.legacyBody ?? null,
    );
  }

  /** Notes when it was first in doubt. Returns that time. */
  noteDoubt(operationId: string, phase: string, atMs: number): number {
    const row = this.#database.get(
      // Never in the future, should a clock have jumped.
      `UPDATE requests SET doubt_since_ms = min(coalesce(doubt_since_ms, ?), ?)
       WHERE operation_id = ? AND phase = ? RETURNING doubt_since_ms`,
      whole(atMs),
      whole(atMs),
      operationId,
      phase,
    );
    assert(row !== undefined, `the request ${phase} of operation ${operationId} is frozen`);
    return row.doubt_since_ms as number;
  }

  countSend(operationId: string, phase: string): number {
    const row = this.#database.get(
      `UPDATE requests SET send_count = send_count + 1 WHERE operation_id = ? AND phase = ?
       RETURNING send_count`,
      operationId,
      phase,
    );
    assert(row !== undefined, `the request ${phase} of operation ${operationId} is frozen`);
    return row.send_count as number;
  }
}

function fromRow(row: SqlRow): FrozenRequest {
  return {
    operationId: row.operation_id,
    phase: row.phase,
    path: row.path,
    body: row.body,
    sendCount: row.send_count,
    ...present(row, { legacyBody: "legacy_body", doubtSinceMs: "doubt_since_ms" }),
  } as unknown as FrozenRequest;
}
