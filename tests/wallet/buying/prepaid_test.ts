import assert from "node:assert/strict";
import fc from "fast-check";
import { Prepaid, type PrepaidSums } from "../../../wallet/buying/prepaid.ts";
import {
  GROUP_BYTES,
  UNITS_PER_MSAT,
  UNITS_PER_SAT,
  unitsOf,
} from "../../../wallet/credit_units.ts";

const NOTHING: PrepaidSums = { paid: 0n, used: 0n, lost: 0n, refused: 0n };

/** What may happen to a prepaid account, in any order. */
type Event =
  | { readonly kind: "verified"; readonly bytes: number }
  | { readonly kind: "told"; readonly creditMsat: number }
  | { readonly kind: "pay"; readonly extraPermille: number }
  | { readonly kind: "refuse" }
  | { readonly kind: "return" };

const EVENT: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constant("verified" as const), bytes: fc.nat(40_000_000) }),
  fc.record({ kind: fc.constant("told" as const), creditMsat: fc.nat(300_000) }),
  fc.record({ kind: fc.constant("pay" as const), extraPermille: fc.nat(1_000) }),
  fc.constant({ kind: "refuse" as const }),
  fc.constant({ kind: "return" as const }),
);

Deno.test("Prepaid never lets more than two minimum top-ups be unverified, whatever happens in which order", () => {
  fc.assert(
    fc.property(
      fc.array(EVENT, { maxLength: 200 }),
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 1, max: 500 }),
      (events, price, topUpSat) => {
        const least = BigInt(topUpSat) * UNITS_PER_SAT;
        const prepaid = new Prepaid(NOTHING);
        let sums = { paid: 0n, lost: 0n, refused: 0n };
        let [verified, handedOver] = [0n, 0n];
        const open: bigint[] = [];
        for (const event of events) {
          switch (event.kind) {
            case "verified":
              prepaid.verified(event.bytes, price);
              verified += unitsOf(event.bytes, price);
              break;
            case "told":
              prepaid.told(event.creditMsat);
              break;
            case "pay": {
              const value = least + least * BigInt(event.extraPermille) / 1_000n;
              if (!prepaid.isDue({ least, value })) break;
              sums = { ...sums, paid: sums.paid + value };
              handedOver += value;
              open.push(value);
              prepaid.reload(sums);
              break;
            }
            case "refuse":
              sums = { ...sums, refused: open.reduce((sum, value) => sum + value, 0n) };
              prepaid.reload(sums);
              break;
            case "return": {
              const back = open.pop();
              if (back === undefined) break;
              handedOver -= back;
              const refused = open.reduce((sum, value) => sum + value, 0n);
              sums = {
                ...sums,
                paid: sums.paid - back,
                refused: refused < sums.refused ? refused : sums.refused,
              };
              prepaid.reload(sums);
              break;
            }
          }
          assert.ok(handedOver - verified <= 2n * least, "two minimum top-ups at most");
          assert.ok(prepaid.atRisk <= 2n * least);
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("a payer that pays when it is due never lets an honest seller run dry while half a top-up verifies", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 64, max: 500 }),
      fc.array(fc.integer({ min: 1, max: 16 }), { minLength: 50, maxLength: 400 }),
      // Bytes that may be on their way: less than half a top-up.
      fc.integer({ min: 0, max: 400 }),
      (price, topUpSat, steps, onTheWayPermille) => {
        const least = BigInt(topUpSat) * UNITS_PER_SAT;
        const group = unitsOf(GROUP_BYTES, price);
        fc.pre(group * 64n < least);
        const prepaid = new Prepaid(NOTHING);
        let paid = 0n;
        let sent = 0n;
        const pay = () => {
          if (!prepaid.isDue({ least, value: least })) return;
          paid += least;
          prepaid.reload({ paid, lost: 0n, refused: 0n });
        };
        pay();
        const window = least * BigInt(onTheWayPermille) / 1_000n;
        const waiting: bigint[] = [];
        let onTheWay = 0n;
        for (const groups of steps) {
          const piece = group * BigInt(groups);
          assert.ok(paid - sent > 0n, "the seller has credit to serve from");
          sent += piece;
          waiting.push(BigInt(groups));
          onTheWay += piece;
          while (onTheWay > window) {
            const count = waiting.shift()!;
            onTheWay -= group * count;
            prepaid.verified(Number(count) * GROUP_BYTES, price);
            pay();
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("Prepaid is due at half a top-up, and pays one at a time", () => {
  const least = 64n * UNITS_PER_SAT;
  const topUp = { least, value: least };
  const prepaid = new Prepaid(NOTHING);
  assert.ok(prepaid.isDue(topUp));
  prepaid.reload({ paid: least, lost: 0n, refused: 0n });
  assert.ok(!prepaid.isDue(topUp));
  prepaid.verified(31 * 1_048_576, 1_000);
  assert.ok(!prepaid.isDue(topUp));
  prepaid.verified(1 * 1_048_576, 1_000);
  assert.ok(prepaid.isDue(topUp), "half of it is verified");
});

Deno.test("what the seller says makes a payment due earlier, and never raises what is counted on", () => {
  const least = 64n * UNITS_PER_SAT;
  const topUp = { least, value: least };
  const prepaid = new Prepaid({ ...NOTHING, paid: least });
  prepaid.told(1_000_000);
  assert.equal(prepaid.there, least);
  prepaid.told(10_000);
  assert.equal(prepaid.there, 10_000n * UNITS_PER_MSAT);
  assert.ok(prepaid.isDue(topUp));
  prepaid.reload({ paid: 2n * least, lost: 0n, refused: 0n });
  prepaid.told(0);
  assert.ok(!prepaid.isDue(topUp), "two top-ups are at risk");
  assert.ok(prepaid.isLow(topUp));
});

Deno.test("a present of the seller is no debt of more than one group", () => {
  const least = 64n * UNITS_PER_SAT;
  const prepaid = new Prepaid({ ...NOTHING, paid: least });
  prepaid.verified(1_000 * 1_048_576, 1_000);
  assert.equal(prepaid.atRisk, -unitsOf(GROUP_BYTES, 1_000));
});
