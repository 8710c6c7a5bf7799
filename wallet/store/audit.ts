/**
 * The books, checked against each other. Most of this the schema and the transitions make impossible;
 * the audit is for what they cannot see, and for a disk or a backup that is not what it was.
 */
import type { SqlRow } from "../../src/sqlite/mod.ts";
import { auditBuying } from "./audit_buying.ts";
import { auditChannels } from "./audit_channel.ts";
import { auditRequests } from "./audit_requests.ts";
import { auditSelling } from "./audit_selling.ts";
import type { Tables } from "./tables.ts";

/** After so many findings nobody reads on. */
const PROBLEM_COUNT_MAX = 100;

/** What does not hold, in words without secrets; empty when all is well. */
export function auditOf(tables: Tables): string[] {
  const problems: string[] = [];
  for (
    const check of [
      ledgerAgainstProofs,
      ...CHECKS.map(checkOf),
      auditRequests,
      auditSelling,
      auditBuying,
      auditChannels,
    ]
  ) {
    for (const problem of check(tables)) {
      problems.push(problem);
      if (problems.length === PROBLEM_COUNT_MAX) return problems;
    }
  }
  return problems;
}

function* ledgerAgainstProofs({ database, ledger }: Tables): Iterable<string> {
  const held = new Map(
    database.all(
      `SELECT mint, CAST(sum(amount) AS TEXT) AS total FROM proofs
       WHERE state IN ('free', 'reserved') GROUP BY mint`,
    ).map((row) => [row.mint as string, BigInt(row.total as string)]),
  );
  const booked = new Map<string, bigint>(ledger.totals());
  for (const mint of new Set([...held.keys(), ...booked.keys()])) {
    const found = held.get(mint) ?? 0n;
    const wanted = booked.get(mint) ?? 0n;
    if (found === wanted) continue;
    yield `At ${mint} the ledger says ${wanted} sat, and the proofs that are free or reserved are ${found} sat`;
  }
}

/** A query for what must not be, and how to say it. */
interface Check {
  readonly sql: string;
  readonly say: (row: SqlRow) => string;
}

const CHECKS: readonly Check[] = [
  {
    sql: "SELECT quick_check AS found FROM pragma_quick_check WHERE quick_check <> 'ok'",
    say: (row) => `The database is damaged: ${row.found}`,
  },
  {
    sql: `SELECT "table" AS name, count(*) AS count FROM pragma_foreign_key_check GROUP BY "table"`,
    say: (row) =>
      `${row.count} rows of ${row.name} belong to operations that are not in the journal`,
  },
  {
    sql: `SELECT mint, state, keyset_id, sum(count) AS count FROM (
            SELECT mint, state, keyset_id, amount, needs_recheck, count FROM coins
            UNION ALL
            SELECT mint, state, keyset_id, amount, needs_recheck, -count(*) FROM proofs
            WHERE state <> 'spent' GROUP BY mint, state, keyset_id, amount, needs_recheck
          ) GROUP BY mint, state, keyset_id, amount, needs_recheck HAVING sum(count) <> 0`,
    say: (row) =>
      `The sums of ${row.state} proofs of keyset ${row.keyset_id} at ${row.mint} are wrong by ${row.count} proofs`,
  },
  {
    sql: `SELECT coalesce(proofs.operation_id, 'none') AS operation, operations.status,
            count(*) AS count
          FROM proofs LEFT JOIN operations ON operations.id = proofs.operation_id
          WHERE proofs.state = 'reserved'
            AND coalesce(operations.status, '') NOT IN ('open', 'attention')
          GROUP BY proofs.operation_id`,
    say: (row) =>
      `${row.count} proofs are reserved for operation ${row.operation}, which is ${
        row.status ?? "not in the journal"
      }`,
  },
  {
    sql: `SELECT outputs.operation_id AS operation, outputs.phase, count(*) AS count
          FROM outputs LEFT JOIN proofs ON proofs.secret = outputs.secret
          WHERE outputs.state = 'signed' AND (proofs.y IS NULL
            OR proofs.mint <> outputs.mint
            OR (outputs.amount <> 0 AND proofs.amount <> outputs.amount))
          GROUP BY outputs.operation_id, outputs.phase`,
    say: (row) =>
      `${row.count} signed outputs of ${row.phase} of operation ${row.operation} have no proof of their amount`,
  },
  {
    sql: `SELECT operation_id AS operation, phase, count(*) AS count
          FROM outputs JOIN operations ON operations.id = operation_id
          WHERE outputs.state = 'planned' AND role <> 'change' AND status = 'done'
          GROUP BY operation_id, phase`,
    say: (row) =>
      `Operation ${row.operation} is done, and ${row.count} outputs of its ${row.phase} are neither signed nor void`,
  },
  {
    sql: `SELECT outputs.keyset_id, max(outputs.counter) AS used, coalesce(counters.next, 0) AS next
          FROM outputs LEFT JOIN counters ON counters.keyset_id = outputs.keyset_id
            AND counters.seed_fingerprint = outputs.seed_fingerprint
          WHERE outputs.counter IS NOT NULL
          GROUP BY outputs.seed_fingerprint, outputs.keyset_id
          HAVING max(outputs.counter) >= coalesce(counters.next, 0)`,
    say: (row) =>
      `Counter ${row.used} of keyset ${row.keyset_id} is used, and the next to be taken is ${row.next}`,
  },
  {
    sql: `SELECT operation, CAST(sum(held) AS TEXT) AS held, CAST(sum(owed) AS TEXT) AS owed FROM (
            SELECT operation_id AS operation, amount AS held, 0 AS owed FROM proofs
            WHERE state = 'incoming' AND operation_id IS NOT NULL
            UNION ALL
            SELECT operation_id, 0, amount FROM incoming_payments
            WHERE state IN ('queued', 'credited') AND operation_id IS NOT NULL
          ) WHERE operation NOT IN (SELECT operation_id FROM channels)
          GROUP BY operation HAVING sum(held) <> sum(owed)`,
    say: (row) =>
      `Operation ${row.operation} redeems payments of ${row.owed} sat, and its incoming proofs are ${row.held} sat`,
  },
  {
    sql: `SELECT operation_id AS operation, count(*) AS count FROM ledger
          WHERE operation_id NOT IN (SELECT id FROM operations) GROUP BY operation_id`,
    say: (row) => `The ledger names operation ${row.operation}, which is not in the journal`,
  },
];

function checkOf(check: Check): (tables: Tables) => Iterable<string> {
  return ({ database }) => database.all(check.sql).map(check.say);
}
