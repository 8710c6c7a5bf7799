import assert from "node:assert/strict";
import fc from "fast-check";
import { splitFewest, splitForKeep } from "../../../wallet/selection/mod.ts";

const POWERS = Array.from({ length: 40 }, (_, index) => 1n << BigInt(index));

Deno.test("splitFewest() splits into powers of two, ascending", () => {
  assert.deepEqual(splitFewest(0n, POWERS), []);
  assert.deepEqual(splitFewest(13n, POWERS), [1n, 4n, 8n]);
  assert.deepEqual(splitFewest(6n, [1n, 2n]), [2n, 2n, 2n]);
  assert.throws(() => splitFewest(3n, [2n]), /make 3/);
});

Deno.test("splitForKeep() tops small amounts up before it takes the fewest", () => {
  assert.deepEqual(splitForKeep(13n, { denominations: POWERS }), [1n, 4n, 8n]);
  assert.deepEqual(splitForKeep(16n, { denominations: POWERS, wantedCount: 1 }), [
    1n,
    1n,
    2n,
    4n,
    8n,
  ]);
  const held = [{ keysetId: "any", amount: 1n, count: 3 }, {
    keysetId: "other",
    amount: 2n,
    count: 1,
  }];
  const topped = splitForKeep(16n, { denominations: POWERS, wantedCount: 2, held });
  assert.deepEqual(topped, [2n, 2n, 4n, 4n, 4n]);
});

Deno.test("splitForKeep() keeps the sum and its limit, and fills what is missing", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 5_000n }),
      fc.integer({ min: 0, max: 4 }),
      fc.integer({ min: 13, max: 40 }),
      (amount, wantedCount, countMax) => {
        const parts = splitForKeep(amount, { denominations: POWERS, wantedCount, countMax });
        assert.equal(parts.reduce((sum, part) => sum + part, 0n), amount);
        assert.ok(parts.length <= countMax);
        assert.deepEqual(parts, parts.toSorted((a, b) => Number(a - b)));
      },
    ),
  );
});
