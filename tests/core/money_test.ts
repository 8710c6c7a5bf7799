import assert from "node:assert/strict";
import fc from "fast-check";
import { Money } from "../../src/core/money.ts";

const AMOUNT_MAX = (1n << 64n) - 1n;
const AMOUNT = fc.bigInt({ min: 0n, max: AMOUNT_MAX / 1000n });

Deno.test("Money takes whole amounts of 0 to 64 bits and nothing else", () => {
  assert.equal(Money.sat(21).amount, 21n);
  assert.equal(Money.of(AMOUNT_MAX, "msat").amount, AMOUNT_MAX);
  for (const wrong of [-1, 1.5, NaN, Infinity, 2 ** 53, -1n, AMOUNT_MAX + 1n]) {
    assert.throws(() => Money.sat(wrong), RangeError, String(wrong));
  }
});

Deno.test("Money.parse() reads what people type", () => {
  const readings: readonly (readonly [string, string])[] = [
    ["21", "21 sat"],
    [" 21 sat ", "21 sat"],
    ["21sats", "21 sat"],
    ["1_000 SAT", "1000 sat"],
    ["21000 msat", "21000 msat"],
    ["7 msats", "7 msat"],
    ["0", "0 sat"],
    [String(AMOUNT_MAX), `${AMOUNT_MAX} sat`],
  ];
  for (const [text, expected] of readings) assert.equal(String(Money.parse(text)), expected);
  const unreadable = ["", "sat", "-1", "1.5", "1,000", "0x10", "1e3", "21 btc", "1 1", "_1", "²"];
  for (const text of [...unreadable, String(AMOUNT_MAX + 1n), "9".repeat(1_000_000)]) {
    assert.throws(() => Money.parse(text), SyntaxError, text.slice(0, 20));
  }
});

Deno.test("Money.parse() reads what toString() writes", () => {
  fc.assert(
    fc.property(AMOUNT, fc.constantFrom("sat" as const, "msat" as const), (amount, unit) => {
      const money = Money.of(amount, unit);
      assert.deepEqual(Money.parse(String(money)), money);
    }),
  );
});

Deno.test("Money adds, subtracts and compares within one unit", () => {
  assert.deepEqual(Money.sat(2).plus(Money.sat(3)), Money.sat(5));
  assert.deepEqual(Money.sat(5).minus(Money.sat(5)), Money.sat(0));
  assert.ok(Money.sat(5).minus(Money.sat(5)).isZero);
  assert.ok(!Money.sat(1).isZero);
  assert.deepEqual([1, 2, 3].map((amount) => Money.sat(amount).compare(Money.sat(2))), [-1, 0, 1]);
  assert.throws(() => Money.sat(1).minus(Money.sat(2)), RangeError);
  assert.throws(() => Money.sat(AMOUNT_MAX).plus(Money.sat(1)), RangeError);
  for (const act of ["plus", "minus", "compare"] as const) {
    assert.throws(() => Money.sat(1)[act](Money.of(1, "msat")), TypeError, act);
  }
});

Deno.test("Money changes units up, down, and there and back", () => {
  assert.equal(String(Money.of(1, "msat").ceilTo("sat")), "1 sat");
  assert.equal(String(Money.of(1000, "msat").ceilTo("sat")), "1 sat");
  assert.equal(String(Money.of(1999, "msat").floorTo("sat")), "1 sat");
  assert.equal(String(Money.sat(3).floorTo("msat")), "3000 msat");
  assert.throws(() => Money.sat(AMOUNT_MAX).ceilTo("msat"), RangeError);
  fc.assert(fc.property(AMOUNT, (amount) => {
    const msat = Money.of(amount, "msat");
    const [up, down] = [msat.ceilTo("sat").amount, msat.floorTo("sat").amount];
    assert.ok(down * 1000n <= amount && amount <= up * 1000n && up - down <= 1n);
    const sat = Money.sat(amount);
    assert.deepEqual(sat.ceilTo("msat").floorTo("sat"), sat);
  }));
});

Deno.test("Money.toNumber() gives a number that is exact, or none", () => {
  assert.equal(Money.sat(Number.MAX_SAFE_INTEGER).toNumber(), Number.MAX_SAFE_INTEGER);
  assert.throws(() => Money.sat(BigInt(Number.MAX_SAFE_INTEGER) + 1n).toNumber(), RangeError);
});
