import assert from "node:assert/strict";
import fc from "fast-check";
import { chooseFunds, exactSum, overshootMax } from "../../../wallet/operations/melt_funds.ts";
import { accountOf, closedAccount } from "../../../wallet/operations/melt_account.ts";
import { MELT_SENDS_MAX } from "../../../wallet/operations/melt_limits.ts";
import { PLAN_ROUNDS_MAX } from "../../../wallet/operations/limits.ts";
import { remedyFor } from "../../../wallet/operations/melt_refusals.ts";
import { feeForCount } from "../../../wallet/selection/mod.ts";
import { splitAmount } from "../../../wallet/cashu.ts";
import type { Coin, ProofRecord } from "../../../wallet/store/wallet_store.ts";
import type { Keyset, MintUrl } from "../../../wallet/types.ts";

const mint = "https://mint.example" as MintUrl;

function keysetOf(inputFeePpk: number): Keyset {
  const keys = Object.fromEntries(
    Array.from({ length: 40 }, (_, power) => [String(2n ** BigInt(power)), "02"]),
  );
  return { id: "00aa", unit: "sat", active: true, inputFeePpk, keys };
}

/** A store that holds coins of one keyset. */
function holding(coins: readonly Coin[]) {
  const kind = (coin: Coin) => `${coin.keysetId} ${coin.amount}`;
  return {
    coins: () => [...coins],
    proofsOf: (_: MintUrl, coin: Coin) =>
      Array.from(
        { length: coin.count },
        (_, index) =>
          ({
            y: `${kind(coin)} ${index}`,
            keysetId: coin.keysetId,
            amount: coin.amount,
          }) as ProofRecord,
      ),
  };
}

function termsWith(inputFeePpk: number, givesChange = true) {
  const keyset = keysetOf(inputFeePpk);
  return { terms: { feePpkOf: () => inputFeePpk }, keyset, givesChange };
}

Deno.test("exactSum is the least sum of proofs that pays a need after their own fee", () => {
  fc.assert(fc.property(
    fc.bigInt({ min: 1n, max: 1n << 32n }),
    fc.integer({ min: 0, max: 900 }),
    (need, ppk) => {
      const keyset = keysetOf(ppk);
      const { sum, fee } = exactSum(need, keyset);
      assert.equal(sum, need + fee);
      assert.ok(feeForCount(splitAmount(sum, keyset).length, ppk) <= fee, "the fee is covered");
      assert.ok(fee <= 40n);
    },
  ));
});

Deno.test("chooseFunds takes proofs as they are while little more is put in than needed", () => {
  const store = holding([{ keysetId: "00aa", amount: 64n, count: 4 }]);
  const chosen = chooseFunds(store, { mint, amount: 100n, feeReserve: 2n, terms: termsWith(0) })!;
  assert.equal(chosen.inputs.length, 2);
  assert.equal(chosen.funds.split, undefined);
  assert.equal(chosen.worstFee, 2n);
});

Deno.test("chooseFunds splits first what would lock up more than 64 sat and a tenth", () => {
  const store = holding([{ keysetId: "00aa", amount: 512n, count: 1 }]);
  const chosen = chooseFunds(store, { mint, amount: 100n, feeReserve: 2n, terms: termsWith(100) })!;
  const { split, inputFeeSat } = chosen.funds;
  // 103 is 64 + 32 + 4 + 2 + 1: five inputs, whose fee is one sat.
  assert.deepEqual(split, { sumSat: "103", feeSat: "1" });
  assert.equal(inputFeeSat, "1");
  assert.equal(chosen.worstFee, 4n, "the split's fee, the melt's fee and the reserve");
});

Deno.test("chooseFunds puts in nothing too much where nothing comes back", () => {
  const store = holding([{ keysetId: "00aa", amount: 64n, count: 2 }]);
  const terms = termsWith(0, false);
  const chosen = chooseFunds(store, { mint, amount: 100n, feeReserve: 2n, terms })!;
  assert.equal(chosen.funds.split?.sumSat, "102");
  const exact = chooseFunds(store, { mint, amount: 126n, feeReserve: 2n, terms })!;
  assert.equal(exact.funds.split, undefined);
});

Deno.test("chooseFunds has no answer for more than is there with its fees", () => {
  const store = holding([{ keysetId: "00aa", amount: 64n, count: 1 }]);
  const ask = (amount: bigint, ppk: number) =>
    chooseFunds(store, { mint, amount, feeReserve: 0n, terms: termsWith(ppk) });
  assert.ok(ask(64n, 0) !== undefined);
  assert.equal(ask(64n, 1), undefined);
});

Deno.test("overshootMax is 64 sat, or a tenth where that is more", () => {
  assert.equal(overshootMax(1n), 64n);
  assert.equal(overshootMax(640n), 64n);
  assert.equal(overshootMax(10_000n), 1000n);
});

Deno.test("accountOf bounds the change, and closedAccount closes only within the bounds", () => {
  const sat = fc.bigInt({ min: 0n, max: 1n << 40n });
  const figures = fc.record({
    amount: sat,
    preparationFee: sat,
    inputFee: sat,
    feeReserve: sat,
    beyond: sat,
    place: fc.bigInt({ min: 0n, max: 120n }),
  });
  fc.assert(fc.property(figures, ({ beyond, place, ...rest }) => {
    const inputs = rest.amount + rest.inputFee + beyond;
    const account = accountOf({ ...rest, inputs });
    const change = account.changeMax * place / 100n;
    assert.equal(account.changeMax, beyond);
    assert.equal(account.maxDebit - account.minDebit, rest.feeReserve);
    const isWithin = change <= account.changeMax && change >= account.changeOwed;
    if (!isWithin) return assert.throws(() => closedAccount({ ...rest, inputs }, change));
    const { finalDebit, paymentFee } = closedAccount({ ...rest, inputs }, change);
    assert.equal(finalDebit, rest.preparationFee + inputs - change);
    assert.equal(paymentFee, finalDebit - account.minDebit);
    assert.ok(paymentFee >= 0n && paymentFee <= rest.feeReserve);
  }));
});

Deno.test("remedyFor lets go only after a final refusal of a request that was sent once", () => {
  const state = { sendCount: 1, meltRound: 1, isTooLate: false };
  const refused = (code: number) => ({ kind: "refused", code }) as const;
  const limited = { kind: "limited", retryAfterMs: 1 } as const;
  const table = [
    [{ ...state, answer: undefined }, "fence"],
    [{ ...state, answer: { kind: "unknown" } }, "fence"],
    [{ ...state, answer: refused(20004) }, "fence"],
    [{ ...state, answer: refused(20005) }, "fence"],
    [{ ...state, answer: refused(20006) }, "fence"],
    [{ ...state, answer: refused(11001) }, "fence"],
    [{ ...state, answer: refused(11002) }, "fence"],
    [{ ...state, answer: refused(99999) }, "fence"],
    [{ ...state, answer: refused(10001) }, "release"],
    [{ ...state, answer: refused(20007) }, "release"],
    [{ ...state, answer: refused(11006) }, "release"],
    [{ ...state, answer: refused(10001), sendCount: 2 }, "fence"],
    [{ ...state, answer: refused(12002) }, "plan-anew"],
    [{ ...state, answer: refused(11005) }, "plan-anew"],
    [{ ...state, answer: refused(11003) }, "plan-anew"],
    [{ ...state, answer: refused(12002), sendCount: 2 }, "fence"],
    [{ ...state, answer: refused(12002), meltRound: PLAN_ROUNDS_MAX }, "release"],
    [{ ...state, answer: limited }, "again"],
    [{ ...state, answer: limited, sendCount: MELT_SENDS_MAX }, "fence"],
    [{ ...state, answer: limited, isTooLate: true }, "fence"],
  ] as const;
  for (const [given, wanted] of table) {
    assert.equal(remedyFor(given), wanted, JSON.stringify(given));
  }
});
