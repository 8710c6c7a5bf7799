/** Channels, checked against the payments that they are made of and the ecash that they hold. */
import type { SqlRow } from "../../src/sqlite/mod.ts";
import type { Tables } from "./tables.ts";

/** A query for what must not be, and how to say it. */
interface Check {
  readonly sql: string;
  readonly say: (row: SqlRow) => string;
}

const CHECKS: readonly Check[] = [
  {
    sql: `SELECT channels.operation_id AS operation, channels.credit, channels.balance,
            coalesce(sum(incoming_payments.credit), 0) AS counted,
            coalesce(sum(incoming_payments.amount), 0) AS paid
          FROM channels LEFT JOIN incoming_payments
            ON incoming_payments.operation_id = channels.operation_id
          GROUP BY channels.id
          HAVING counted <> channels.credit OR paid <> channels.balance`,
    say: (row) =>
      `The channel of operation ${row.operation} has a balance of ${row.balance} sat and ${row.credit} sat of credit, and its payments are ${row.paid} and ${row.counted}`,
  },
  {
    sql: `SELECT channels.operation_id AS operation, channels.state, capacity,
            coalesce(sum(proofs.amount), 0) AS held
          FROM channels LEFT JOIN proofs ON proofs.operation_id = channels.operation_id
            AND proofs.state = 'incoming'
          GROUP BY channels.id
          HAVING held <> iif(channels.state IN ('open', 'closing'), capacity, 0)`,
    say: (row) =>
      `The channel of operation ${row.operation} is ${row.state} with ${row.capacity} sat, and its funding is ${row.held} sat`,
  },
  {
    sql: `SELECT channel_balances.operation_id AS operation, channel_balances.balance,
            (SELECT sum(gross) FROM strip_parts AS parts
             WHERE parts.operation_id = channel_balances.operation_id
               AND parts.place <= strip_parts.place) AS handed
          FROM channel_balances JOIN strip_parts USING (payment_id)
          WHERE handed <> channel_balances.balance`,
    say: (row) =>
      `A balance of ${row.balance} sat was signed in operation ${row.operation}, and its top-ups up to there are ${row.handed} sat`,
  },
];

/** What does not hold between channels, payments and ecash. */
export function* auditChannels({ database }: Tables): Iterable<string> {
  for (const { sql, say } of CHECKS) yield* database.all(sql).map(say);
}
