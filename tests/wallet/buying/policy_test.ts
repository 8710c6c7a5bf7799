import assert from "node:assert/strict";
import {
  budgetLeft,
  spendTrouble,
  stripCount,
  termsTrouble,
} from "../../../wallet/buying/policy.ts";
import { UNITS_PER_SAT } from "../../../wallet/credit_units.ts";
import type { SellerTerms } from "../../../wallet/buying/buying_api.ts";
import type { SpendFilter } from "../../../wallet/store/wallet_store.ts";

const TERMS: SellerTerms = {
  priceMsatPerMiB: 1_000,
  minTopUpSat: 64,
  mints: ["https://mint.example"],
  p2pk: "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa",
  locktimeMin: 90,
};

const OPTIONS = { priceMaxMsatPerMiB: 2_000 };

Deno.test("termsTrouble() takes fair terms and says in words what is wrong with others", () => {
  assert.equal(termsTrouble(TERMS, OPTIONS), undefined);
  const cases: readonly (readonly [Partial<SellerTerms>, RegExp])[] = [
    [{ priceMsatPerMiB: 2_001 }, /asks 2001 msat per MiB, and at most 2000/],
    [{ priceMsatPerMiB: 0 }, /ask for nothing/],
    [{ priceMsatPerMiB: -1 }, /no whole numbers/],
    [{ priceMsatPerMiB: 1.5 }, /no whole numbers/],
    [{ priceMsatPerMiB: NaN }, /no whole numbers/],
    [{ minTopUpSat: 0 }, /ask for nothing/],
    [{ minTopUpSat: 257 }, /257 sat at once, which is for more than 256 MiB/],
    [{ locktimeMin: 1_441 }, /1441 minutes/],
    [{ p2pk: "02" + "ff".repeat(32) }, /no key/],
    [{ p2pk: "hello" }, /no key/],
    [{ mints: [] }, /names no mint/],
    [{ mints: new Array(51).fill("https://mint.example") }, /too many mints/],
  ];
  for (const [change, words] of cases) {
    assert.match(termsTrouble({ ...TERMS, ...change }, OPTIONS) ?? "fine", words);
  }
  // However cheap, a payment may be worth its fees.
  assert.equal(termsTrouble({ ...TERMS, priceMsatPerMiB: 1 }, OPTIONS), undefined);
});

/** Spent sums by filter. */
function spent(sums: { subject?: bigint; payee?: bigint; day?: bigint; recent?: bigint }) {
  return {
    spentSat(filter: SpendFilter): bigint {
      if (filter.subject !== undefined && filter.sinceMs !== undefined) return sums.recent ?? 0n;
      if (filter.subject !== undefined) return sums.subject ?? 0n;
      if (filter.payee !== undefined) return sums.payee ?? 0n;
      return sums.day ?? 0n;
    },
  };
}

const SPENDING = { subject: "blob", payee: "peer", sinceMs: 0 };

Deno.test("budgetLeft() is the least of all budgets, and never below nothing", () => {
  const budgets = { perSubjectMaxSat: 100n, perPayeeMaxSat: 200n, perDayMaxSat: 300n };
  const left = (sums: Parameters<typeof spent>[0], buyer = {}) =>
    budgetLeft(spent(sums), SPENDING, { budgets, buyer, nowMs: 1e12 });
  assert.equal(left({}), 100n);
  assert.equal(left({ subject: 90n }), 10n);
  assert.equal(left({ payee: 195n }), 5n);
  assert.equal(left({ day: 299n }), 1n);
  assert.equal(left({ day: 301n }), 0n);
  assert.equal(left({ recent: 20n }, { budgetSat: 50 }), 30n);
  assert.equal(left({ day: 301n }, { budgetSat: 50, confirmed: true }), 50n);
  assert.equal(
    budgetLeft(spent({}), SPENDING, { budgets: {}, buyer: {}, nowMs: 1e12 }),
    undefined,
  );
});

Deno.test("spendTrouble() says which budget it would break", () => {
  const budgets = { perSubjectMaxSat: 100n };
  const of = (costMax: bigint, buyer = {}, recent = 0n) =>
    spendTrouble(spent({ subject: 60n, recent }), { ...SPENDING, costMax }, {
      budgets,
      buyer,
      nowMs: 1e12,
    });
  assert.equal(of(40n), undefined);
  assert.match(of(41n) ?? "", /above the budget of 100 sat for this content, of which 60 sat/);
  assert.equal(of(41n, { confirmed: true }), undefined);
  assert.match(of(30n, { budgetSat: 40 }, 11n) ?? "", /above the 40 sat that it may cost/);
});

Deno.test("stripCount() makes as many top-ups as the content can still cost, the budgets leave and one swap takes", () => {
  const sat = (amount: number) => BigInt(amount) * UNITS_PER_SAT;
  const need = { minTopUpSat: 64, leftSat: undefined, covered: 0n };
  assert.equal(stripCount({ ...need, remaining: undefined }), 30);
  assert.equal(stripCount({ ...need, remaining: sat(640) }), 10);
  assert.equal(stripCount({ ...need, remaining: sat(641) }), 11);
  assert.equal(stripCount({ ...need, remaining: sat(640), covered: sat(64) }), 9);
  assert.equal(stripCount({ ...need, remaining: sat(64), covered: sat(64) }), 0);
  assert.equal(stripCount({ ...need, remaining: sat(100_000) }), 30);
  assert.equal(stripCount({ ...need, remaining: sat(100_000), leftSat: 200n }), 3);
  assert.equal(stripCount({ ...need, remaining: undefined, leftSat: 0n }), 0);
});
