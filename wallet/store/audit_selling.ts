/** Credit of payers, checked against their payments and against what was sold to them. */
import type { SqlRow } from "../../src/sqlite/mod.ts";
import { GROUP_BYTES, UNITS_PER_SAT, unitsOf } from "../credit_units.ts";
import { joinUnits } from "./credit_table.ts";
import type { Tables } from "./tables.ts";

/**
 * All of one payer, whichever table knows it. `ever` is what its payments were worth that counted once,
 * those that turned out dead included.
 */
const PAYERS = `
WITH payments AS (
  SELECT payer, sum(iif(state IN ('credited', 'redeemed'), credit, 0)) AS counted,
    sum(iif(state <> 'queued', amount, 0)) AS ever
  FROM incoming_payments WHERE payer <> 'local' GROUP BY payer
), sold AS (
  SELECT payer, sum(sold_sat) AS sold_sat, sum(sold_units) AS sold_units FROM sales GROUP BY payer
), payers AS (
  SELECT payer FROM credit_accounts UNION SELECT payer FROM payments WHERE counted > 0
  UNION SELECT payer FROM sold
)
SELECT payers.payer, credit_accounts.payer IS NULL AS is_missing,
  coalesce(paid, 0) AS paid, coalesce(used_sat, 0) AS used_sat, coalesce(used_units, 0) AS used_units,
  coalesce(drawn_sat, 0) AS drawn_sat, coalesce(drawn_units, 0) AS drawn_units,
  coalesce(price_max, 0) AS price_max,
  coalesce(counted, 0) AS counted, coalesce(ever, 0) AS ever,
  coalesce(sold_sat, 0) AS sold_sat, coalesce(sold_units, 0) AS sold_units
FROM payers LEFT JOIN credit_accounts USING (payer) LEFT JOIN payments USING (payer)
  LEFT JOIN sold USING (payer)`;

/** What does not hold between payments, credit and sales. */
export function* auditSelling({ database }: Tables): Iterable<string> {
  for (const row of database.each(PAYERS)) yield* auditPayer(row);
}

function* auditPayer(row: SqlRow): Iterable<string> {
  const { payer } = row;
  if (row.is_missing === 1) {
    yield `Payer ${payer} has payments or sales, and no account of credit`;
    return;
  }
  if (row.paid !== row.counted) {
    yield `The account of payer ${payer} says that ${row.paid} sat were paid, and its payments that count are ${row.counted} sat`;
  }
  const used = joinUnits(row, "used");
  const drawn = joinUnits(row, "drawn");
  const sold = joinUnits(row, "sold");
  if (used !== sold) {
    yield `The account of payer ${payer} is ${
      used - sold
    } units (2^-20 msat) off what was sold to it`;
  }
  const ever = BigInt(row.ever as number) * UNITS_PER_SAT;
  const grace = unitsOf(GROUP_BYTES, row.price_max as number);
  if (used + drawn > ever + grace) {
    yield `Payer ${payer} was served for more than it ever paid and one chunk group`;
  }
}
