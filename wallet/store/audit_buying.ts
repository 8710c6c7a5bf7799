/** Strips of top-ups, checked against their sellers' sums, their proofs and the budgets. */
import type { SqlRow } from "../../src/sqlite/mod.ts";
import type { Tables } from "./tables.ts";

/** A query for what must not be, and how to say it. */
interface Check {
  readonly sql: string;
  readonly say: (row: SqlRow) => string;
}

const CHECKS: readonly Check[] = [
  {
    sql: `WITH parts AS (
            SELECT peer,
              sum(iif(state IN ('revealed', 'credited', 'refused', 'claimed')
                AND revealed_ms IS NOT NULL, net, 0)) AS paid,
              sum(iif(state = 'refused', net, 0)) AS refused
            FROM strip_parts GROUP BY peer
          )
          SELECT coalesce(parts.peer, seller_accounts.peer) AS peer,
            coalesce(parts.paid, 0) AS wanted, coalesce(seller_accounts.paid, 0) AS found
          FROM parts FULL JOIN seller_accounts ON seller_accounts.peer = parts.peer
          WHERE coalesce(parts.paid, 0) <> coalesce(seller_accounts.paid, 0)
            OR coalesce(parts.refused, 0) <> coalesce(seller_accounts.refused, 0)`,
    say: (row) =>
      `The account of seller ${row.peer} says that ${row.found} sat were handed over, and its top-ups that were are ${row.wanted} sat`,
  },
  {
    sql: `SELECT strip_parts.operation_id AS operation, count(*) AS count
          FROM strip_parts LEFT JOIN outgoing_payments USING (payment_id)
          WHERE revealed_ms IS NOT NULL AND outgoing_payments.payment_id IS NULL
          GROUP BY strip_parts.operation_id`,
    say: (row) =>
      `${row.count} top-ups of operation ${row.operation} were handed over and are in no budget`,
  },
  {
    sql: `SELECT strip_parts.operation_id AS operation, strip_parts.place, gross,
            coalesce(sum(proofs.amount), 0) AS worth
          FROM strip_parts, json_each(strip_parts.ys)
            LEFT JOIN proofs ON proofs.y = json_each.value
          GROUP BY strip_parts.payment_id HAVING worth <> gross`,
    say: (row) =>
      `Top-up ${row.place} of operation ${row.operation} is of ${row.gross} sat, and its proofs are ${row.worth} sat`,
  },
  {
    // Of a top-up that is claimed, a part may be on its way back still.
    sql: `SELECT strip_parts.operation_id AS operation, strip_parts.place, strip_parts.state,
            count(*) AS count
          FROM strip_parts, json_each(strip_parts.ys) JOIN proofs ON proofs.y = json_each.value
          WHERE iif(proofs.state = 'spent',
            strip_parts.state NOT IN ('claimed', 'returned'), strip_parts.state = 'returned')
          GROUP BY strip_parts.payment_id`,
    say: (row) =>
      `Top-up ${row.place} of operation ${row.operation} is ${row.state}, and ${row.count} of its proofs say otherwise`,
  },
  {
    sql: `SELECT strip_parts.operation_id AS operation, count(*) AS count
          FROM strip_parts JOIN operations ON operations.id = strip_parts.operation_id
          WHERE operations.status = 'done'
            AND strip_parts.state NOT IN ('claimed', 'returned')
          GROUP BY strip_parts.operation_id`,
    say: (row) =>
      `Operation ${row.operation} is done, and ${row.count} of its top-ups are neither redeemed nor back`,
  },
];

/** What does not hold between top-ups, sellers, proofs and budgets. */
export function* auditBuying({ database }: Tables): Iterable<string> {
  for (const { sql, say } of CHECKS) yield* database.all(sql).map(say);
}
