/** Frozen requests, checked against the outputs and proofs that they are about. */
import type { SqlRow } from "../../src/sqlite/mod.ts";
import type { Tables } from "./tables.ts";

/** Bodies are up to a megabyte: few are looked at together. */
const PAGE = 50;

interface Body {
  readonly outputs: ReadonlyMap<string, { readonly id: unknown; readonly amount: unknown }>;
  readonly outputCount: number;
  readonly secrets: readonly string[];
}

/** What a walk over all requests remembers. */
interface Walk {
  /** Each blinded message, by the request that it is in. */
  readonly requestOf: Map<string, string>;
  /** Each input of requests that may still be under way, by operation. */
  readonly spenderOf: Map<string, string>;
}

/** What does not hold between requests, outputs and proofs. */
export function* auditRequests(tables: Tables): Iterable<string> {
  const walk: Walk = { requestOf: new Map(), spenderOf: new Map() };
  let after = 0;
  for (;;) {
    const page = tables.database.all(
      `SELECT requests.rowid AS place, requests.*, operations.status FROM requests
       JOIN operations ON operations.id = operation_id
       WHERE requests.rowid > ? ORDER BY requests.rowid LIMIT ${PAGE}`,
      after,
    );
    for (const row of page) yield* auditRequest(tables, row, walk);
    if (page.length < PAGE) break;
    after = page.at(-1)!.place as number;
  }
  yield* outputsWithoutRequest(tables);
}

function* auditRequest(tables: Tables, row: SqlRow, walk: Walk): Iterable<string> {
  const name = `the request ${row.phase} of operation ${row.operation_id}`;
  const body = parseBody(row.body as string);
  if (body === undefined) {
    yield `What is frozen as ${name} is no request`;
    return;
  }
  yield* againstOutputs(tables, { row, name, body });
  if (row.legacy_body !== null) {
    const legacy = parseBody(row.legacy_body as string);
    const isSame = legacy !== undefined && legacy.outputCount === body.outputCount &&
      [...body.outputs.keys()].every((blinded) => legacy.outputs.has(blinded));
    if (!isSame) yield `Both forms of ${name} are not about the same outputs`;
  }
  for (const blinded of body.outputs.keys()) {
    const other = walk.requestOf.get(blinded);
    if (other !== undefined) yield `One blinded message is in ${other} and in ${name}`;
    walk.requestOf.set(blinded, name);
  }
  if (row.status === "open" || row.status === "attention") {
    yield* againstProofs(tables, { row, name, body, walk });
  }
}

function* againstOutputs(
  tables: Tables,
  { row, name, body }: { readonly row: SqlRow; readonly name: string; readonly body: Body },
): Iterable<string> {
  const outputs = tables.outputs.list(row.operation_id as string, row.phase as string);
  if (outputs.length !== body.outputCount || body.outputs.size !== body.outputCount) {
    yield `There are ${body.outputCount} outputs in ${name}, and ${outputs.length} are planned for it`;
  }
  for (const output of outputs) {
    const asked = body.outputs.get(output.blinded);
    if (asked?.id === output.keysetId && String(asked.amount) === String(output.amount)) continue;
    yield `Output ${output.index} of ${name} was planned in another way than it is asked for`;
  }
}

/**
 * Inputs of a request that may be under way: no other operation has them in one, and none is free. What
 * was refused for good has all of its outputs void, and its inputs may be anywhere.
 */
function* againstProofs(
  tables: Tables,
  { row, name, body, walk }: {
    readonly row: SqlRow;
    readonly name: string;
    readonly body: Body;
    readonly walk: Walk;
  },
): Iterable<string> {
  const operationId = row.operation_id as string;
  const outputs = tables.outputs.list(operationId, row.phase as string);
  if (outputs.length > 0 && outputs.every(({ state }) => state === "void")) return;
  for (const secret of body.secrets) {
    const proof = tables.database.get(
      "SELECT state, operation_id FROM proofs WHERE secret = ?",
      secret,
    );
    if (proof === undefined) {
      yield `A proof that ${name} spends is not in the wallet`;
      continue;
    }
    const other = walk.spenderOf.get(secret);
    if (other !== undefined && other !== operationId) {
      yield `One proof is spent by operation ${other} and by ${name}`;
    }
    walk.spenderOf.set(secret, operationId);
    if (proof.state === "free" && (row.send_count as number) > 0) {
      yield `A proof that ${name} spends is free although the request was sent`;
    }
    if (proof.state === "reserved" && proof.operation_id !== operationId) {
      yield `A proof that ${name} spends is reserved for operation ${proof.operation_id}`;
    }
  }
}

/** Outputs of a restore are asked for without a frozen request; all others have one. */
function* outputsWithoutRequest({ database }: Tables): Iterable<string> {
  const rows = database.all(
    `SELECT outputs.operation_id AS operation, outputs.phase, count(*) AS count FROM outputs
     JOIN operations ON operations.id = outputs.operation_id
     LEFT JOIN requests ON requests.operation_id = outputs.operation_id
       AND requests.phase = outputs.phase
     WHERE requests.phase IS NULL AND operations.kind <> 'restore'
     GROUP BY outputs.operation_id, outputs.phase`,
  );
  for (const { operation, phase, count } of rows) {
    yield `${count} outputs of ${phase} of operation ${operation} are in no frozen request`;
  }
}

function parseBody(text: string): Body | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null) return undefined;
  const { outputs = [], inputs = [] } = json as Record<string, unknown>;
  if (!Array.isArray(outputs) || !Array.isArray(inputs)) return undefined;
  const byBlinded = new Map<string, { readonly id: unknown; readonly amount: unknown }>();
  for (const output of outputs) {
    if (typeof output?.B_ !== "string") return undefined;
    byBlinded.set(output.B_, { id: output.id, amount: output.amount });
  }
  const secrets: string[] = [];
  for (const input of inputs) {
    if (typeof input?.secret !== "string") return undefined;
    secrets.push(input.secret);
  }
  return { outputs: byBlinded, outputCount: outputs.length, secrets };
}
