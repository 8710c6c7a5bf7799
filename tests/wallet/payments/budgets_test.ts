import assert from "node:assert/strict";
import fc from "fast-check";
import { budgetTrouble } from "../../../wallet/payments/budgets.ts";
import type { WalletReads } from "../../../wallet/store/wallet_store.ts";

interface Spent {
  readonly subject: string;
  readonly payee: string;
  readonly cost: bigint;
  readonly createdMs: number;
}

const DAY_MS = 24 * 3_600_000;

function readsOf(spent: readonly Spent[]): Pick<WalletReads, "spentSat"> {
  return {
    spentSat: ({ subject, payee, sinceMs }) =>
      spent.filter((one) =>
        (subject === undefined || one.subject === subject) &&
        (payee === undefined || one.payee === payee) && one.createdMs >= (sinceMs ?? 0)
      ).reduce((sum, one) => sum + one.cost, 0n),
  };
}

const name = fc.constantFrom("a", "b");
const expense = fc.record({
  subject: name,
  payee: name,
  cost: fc.bigInt(1n, 50n),
  createdMs: fc.integer({ min: 0, max: 2 * DAY_MS }),
});

Deno.test("budgetTrouble never lets what is spent grow above a budget", () => {
  fc.assert(fc.property(fc.array(expense, { maxLength: 30 }), (wanted) => {
    const budgets = { perSubjectMaxSat: 100n, perPayeeMaxSat: 120n, perDayMaxSat: 150n };
    const spent: Spent[] = [];
    const inOrder = [...wanted].sort((a, b) => a.createdMs - b.createdMs);
    for (const one of inOrder) {
      const trouble = budgetTrouble(
        readsOf(spent),
        { ...one, costMax: one.cost },
        { budgets, nowMs: one.createdMs },
      );
      if (trouble === undefined) spent.push(one);
      const reads = readsOf(spent);
      const sinceMs = one.createdMs - DAY_MS;
      assert.ok(reads.spentSat({ subject: one.subject }) <= budgets.perSubjectMaxSat);
      assert.ok(reads.spentSat({ payee: one.payee, sinceMs }) <= budgets.perPayeeMaxSat);
      assert.ok(reads.spentSat({ sinceMs }) <= budgets.perDayMaxSat);
    }
  }));
});

Deno.test("budgetTrouble lets everything through where there is no budget", () => {
  const reads = readsOf([{ subject: "a", payee: "a", cost: 10n ** 9n, createdMs: 0 }]);
  const wanted = { subject: "a", payee: "a", costMax: 10n ** 9n };
  assert.equal(budgetTrouble(reads, wanted, { budgets: {}, nowMs: 1 }), undefined);
});

Deno.test("budgetTrouble adds up payments without a name over the day alone", () => {
  const budgets = { perSubjectMaxSat: 10n, perPayeeMaxSat: 10n, perDayMaxSat: 25n };
  const spent: Spent[] = [];
  const trouble = (costMax: bigint) =>
    budgetTrouble(readsOf(spent), { subject: "", payee: "", costMax }, { budgets, nowMs: 0 });
  for (let count = 0; count < 2; count++) {
    assert.equal(trouble(10n), undefined);
    spent.push({ subject: "", payee: "", cost: 10n, createdMs: 0 });
  }
  assert.match(trouble(11n)!, /this content/);
  assert.match(trouble(6n)!, /for a day/);
  assert.equal(trouble(5n), undefined);
});
