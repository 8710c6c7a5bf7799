import assert from "node:assert/strict";
import fc from "fast-check";
import {
  ceilPpk,
  feeForCount,
  inputFee,
  maxSpendable,
  selectCoins,
  selectFrom,
  type Selection,
  type SelectOptions,
  selectProofs,
  termsOf,
} from "../../../wallet/selection/mod.ts";
import { MemoryWalletStore } from "../../../wallet/store/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { FINGERPRINT, MINT_A, proof } from "../store/fixture.ts";

interface Piece {
  readonly keysetId: string;
  readonly amount: bigint;
}

/** Keysets of the properties; `dusty` costs a sat for each input, `dead` is expired. */
const FEES: Readonly<Record<string, number>> = {
  cheap: 0,
  usual: 100,
  old: 250,
  dusty: 1000,
  dead: 0,
};

const TERMS = termsOf(
  Object.entries(FEES).map(([id, inputFeePpk]) => ({
    id,
    inputFeePpk,
    active: id !== "old",
    ...id === "dead" ? { finalExpiry: 1_000 } : {},
  })),
  { nowMs: 1_000_000 },
);

const PIECE: fc.Arbitrary<Piece> = fc.record({
  keysetId: fc.constantFrom(...Object.keys(FEES), "unknown"),
  amount: fc.constantFrom(1n, 1n, 2n, 4n, 8n, 16n, 5n),
});

const PIECES = fc.array(PIECE, { minLength: 2, maxLength: 9 });

const WISH = fc.record({
  amount: fc.bigInt({ min: 1n, max: 24n }),
  outputFee: fc.bigInt({ min: 0n, max: 2n }),
  inputCountMax: fc.integer({ min: 2, max: 9 }),
  overshootMaxSat: fc.option(fc.bigInt({ min: 0n, max: 6n }), { nil: undefined }),
  exact: fc.constantFrom(false, false, false, true),
});

type Wish = typeof WISH extends fc.Arbitrary<infer T> ? T : never;

function optionsOf(wish: Wish): SelectOptions {
  const { overshootMaxSat, ...rest } = wish;
  return { ...TERMS, ...rest, ...overshootMaxSat === undefined ? {} : { overshootMaxSat } };
}

function isUsable({ keysetId, amount }: Piece): boolean {
  const fee = FEES[keysetId];
  return fee !== undefined && keysetId !== "dead" && amount * 1000n > BigInt(fee);
}

/** The change of `inputs` for `wish`, or undefined if they will not do. */
function changeOf(inputs: readonly Piece[], wish: Wish): bigint | undefined {
  if (inputs.length > wish.inputCountMax || !inputs.every(isUsable)) return undefined;
  const sum = inputs.reduce((total, { amount }) => total + amount, 0n);
  const change = sum - inputFee(inputs, TERMS.feePpkOf) - wish.amount - wish.outputFee;
  const changeMax = wish.exact ? 0n : wish.overshootMaxSat;
  return change < 0n || (changeMax !== undefined && change > changeMax) ? undefined : change;
}

/** Every subset that will do. */
function allSolutions(pieces: readonly Piece[], wish: Wish): Piece[][] {
  const usable = pieces.filter(isUsable);
  return Array.from(
    { length: 2 ** usable.length },
    (_, bits) => usable.filter((_, index) => bits & (1 << index)),
  ).filter((inputs) => changeOf(inputs, wish) !== undefined);
}

Deno.test("selectProofs() finds a set exactly when there is one, and pays its own fee", () => {
  fc.assert(
    fc.property(PIECES, WISH, (pieces, wish) => {
      const found = selectProofs({ proofs: pieces, ...optionsOf(wish) });
      const solutions = allSolutions(pieces, wish);
      assert.equal(found !== undefined, solutions.length > 0);
      if (found === undefined) return;
      assert.equal(new Set(found.inputs).size, found.inputs.length);
      assert.ok(found.inputs.every((input) => pieces.includes(input)));
      assert.equal(changeOf(found.inputs, wish), found.change);
      assert.equal(found.fee, inputFee(found.inputs, TERMS.feePpkOf));
    }),
    { numRuns: 400 },
  );
});

Deno.test("selectProofs() takes no more proofs than it must when all keysets are active", () => {
  fc.assert(
    fc.property(PIECES, WISH, (pieces, wish) => {
      const active = pieces.filter(({ keysetId }) => keysetId !== "old");
      const found = selectProofs({ proofs: active, ...optionsOf(wish) });
      if (found === undefined) return;
      const fewest = Math.min(...allSolutions(active, wish).map(({ length }) => length));
      assert.equal(found.inputs.length, fewest);
    }),
    { numRuns: 400 },
  );
});

Deno.test("selectProofs() gives the same answer to the same question", () => {
  fc.assert(fc.property(PIECES, WISH, (pieces, wish) => {
    const ask = () => selectProofs({ proofs: pieces, ...optionsOf(wish) });
    assert.deepEqual(ask(), ask());
  }));
});

function select(
  proofs: readonly Piece[],
  options: Partial<SelectOptions> & { readonly amount: bigint },
): Selection<Piece> | undefined {
  return selectProofs({ proofs, ...TERMS, ...options });
}

function pieces(keysetId: string, ...amounts: readonly number[]): Piece[] {
  return amounts.map((amount) => ({ keysetId, amount: BigInt(amount) }));
}

function amountsOf(selection: Selection<Piece> | undefined): number[] | undefined {
  return selection?.inputs.map(({ amount }) => Number(amount)).sort((a, b) => a - b);
}

Deno.test("selectProofs() leaves dust, expired, unknown and unchecked proofs alone", () => {
  const useless = [
    ...pieces("dusty", 1, 1, 1, 1),
    ...pieces("dead", 64),
    ...pieces("unknown", 64),
  ];
  assert.equal(select(useless, { amount: 1n }), undefined);
  assert.deepEqual(amountsOf(select([...useless, ...pieces("cheap", 1)], { amount: 1n })), [1]);
  assert.equal(
    select([{ ...pieces("cheap", 8)[0]!, needsRecheck: true } as Piece], { amount: 1n }),
    undefined,
  );
});

Deno.test("selectProofs() lets the proofs of inactive keysets go first", () => {
  const old = pieces("old", 4, 4);
  assert.deepEqual(
    select([...pieces("usual", 16, 8), ...old], { amount: 5n })?.inputs,
    old,
  );
  const mixed = select([...pieces("usual", 16, 8, 4), ...old], { amount: 10n });
  assert.deepEqual(mixed?.inputs.filter(({ keysetId }) => keysetId === "old").length, 2);
  assert.deepEqual(amountsOf(mixed), [4, 4, 4]);
});

Deno.test("selectProofs() puts little in too much", () => {
  assert.deepEqual(amountsOf(select(pieces("cheap", 64, 32, 8, 2), { amount: 30n })), [32]);
  assert.deepEqual(amountsOf(select(pieces("cheap", 64, 32, 8, 2), { amount: 33n })), [64]);
  assert.deepEqual(
    amountsOf(select(pieces("cheap", 64, 32, 8, 2), { amount: 34n, overshootMaxSat: 5n })),
    [2, 32],
  );
  assert.deepEqual(amountsOf(select(pieces("cheap", 64, 32, 8, 2), { amount: 42n, exact: true })), [
    2,
    8,
    32,
  ]);
  assert.equal(select(pieces("cheap", 64, 32, 8, 2), { amount: 41n, exact: true }), undefined);
});

Deno.test("selectProofs() rounds the fee up once for the request, as NUT-02 says", () => {
  const ten = select(pieces("usual", ...Array(10).fill(1)), { amount: 9n });
  assert.deepEqual([ten?.inputs.length, ten?.fee, ten?.change], [10, 1n, 0n]);
  const eleven = select(pieces("usual", ...Array(12).fill(1)), { amount: 10n });
  assert.deepEqual([eleven?.inputs.length, eleven?.fee, eleven?.change], [12, 2n, 0n]);
  assert.equal(select(pieces("usual", ...Array(11).fill(1)), { amount: 10n }), undefined);
  assert.deepEqual([1, 10, 11, 20].map((count) => feeForCount(count, 100)), [1n, 1n, 2n, 2n]);
  assert.deepEqual([0n, 1n, 1000n, 1001n].map(ceilPpk), [0n, 1n, 1n, 2n]);
  assert.throws(() => inputFee(pieces("unknown", 1), TERMS.feePpkOf), /is known/);
});

Deno.test("selectProofs() of nothing is nothing, and of too little undefined", () => {
  assert.deepEqual(select([], { amount: 0n }), { inputs: [], fee: 0n, change: 0n });
  assert.equal(select([], { amount: 1n }), undefined);
  assert.throws(() => select([], { amount: -1n }), /not negative/);
  const many = pieces("cheap", ...Array(300).fill(1));
  assert.equal(select(many, { amount: 201n }), undefined);
  assert.equal(select(many, { amount: 200n })?.inputs.length, 200);
});

Deno.test("maxSpendable() is the most that selection can reach", () => {
  const COINS = fc.array(
    fc.record({
      keysetId: fc.constantFrom(...Object.keys(FEES), "unknown"),
      amount: fc.constantFrom(1n, 2n, 4n, 64n),
      count: fc.integer({ min: 1, max: 5 }),
    }),
    { maxLength: 6 },
  );
  fc.assert(fc.property(COINS, fc.integer({ min: 1, max: 8 }), (coins, inputCountMax) => {
    const most = maxSpendable({ coins, ...TERMS, inputCountMax });
    const at = (amount: bigint) => selectCoins(coins, { ...TERMS, amount, inputCountMax });
    assert.ok(at(most) !== undefined);
    assert.equal(at(most + 1n), undefined);
  }));
});

Deno.test("selectFrom() takes from a store what selectProofs() would, in under 5 ms", () => {
  using store = MemoryWalletStore.open({ clock: new ManualClock(), seedFingerprint: FINGERPRINT });
  const proofs = Array.from(
    { length: 10_000 },
    (_, index) =>
      proof(`many ${index}`, 1n << BigInt(index % 20), {
        keysetId: index % 3 === 0 ? "usual" : "cheap",
      }),
  );
  store.transact((tx) => tx.insertProofs(proofs, { mint: MINT_A, state: "free" }));
  const options = { ...TERMS, amount: 1_234_567n, overshootMaxSat: 100n };
  const found = selectFrom(store, { ...options, mint: MINT_A });
  const expected = selectProofs({ proofs, ...options });
  assert.deepEqual(found?.inputs.map(({ y }) => y), expected?.inputs.map(({ y }) => y));
  assert.ok(found!.change <= 100n);
  const fastest = (work: () => void) =>
    Math.min(...Array.from({ length: 10 }, () => {
      const startMs = performance.now();
      work();
      return performance.now() - startMs;
    }));
  assert.ok(fastest(() => selectFrom(store, { ...options, mint: MINT_A })) < 5);
  assert.ok(fastest(() => selectProofs({ proofs, ...options })) < 5);
});
