import assert from "node:assert/strict";
import fc from "fast-check";
import { ManualClock } from "../../support/manual_clock.ts";
import { MemoryWalletStore, type WalletStore } from "../../../wallet/store/mod.ts";
import type { ProofState } from "../../../wallet/types.ts";
import { FINGERPRINT, KEYSET, MINT_A, operation, output, proof, swapRequest } from "./fixture.ts";

/** What the wallet should know, in the simplest form. */
interface Model {
  readonly proofs: Map<string, { readonly amount: bigint; state: ProofState; owner?: number }>;
  readonly operations: { rev: number; isOpen: boolean; phaseCount: number }[];
  counter: number;
}

type Command = fc.Command<Model, WalletStore>;

const byIndex = <T>(list: readonly T[], index: number): T | undefined =>
  list.length === 0 ? undefined : list[index % list.length];

/** One command from how it changes both; what throws must change nothing. */
function command(name: string, run: (model: Model, store: WalletStore) => void): Command {
  return {
    check: () => true,
    run: (model, store) => {
      run(model, store);
      compare(model, store);
    },
    toString: () => name,
  };
}

function compare(model: Model, store: WalletStore): void {
  const sums = { free: 0n, reserved: 0n, outgoing: 0n, incoming: 0n, spent: 0n };
  const coins = new Map<bigint, number>();
  for (const { amount, state } of model.proofs.values()) {
    sums[state] += amount;
    if (state === "free") coins.set(amount, (coins.get(amount) ?? 0) + 1);
  }
  const { free, reserved, outgoing, incoming } = store.balances()[0] ??
    { free: 0n, reserved: 0n, outgoing: 0n, incoming: 0n };
  assert.deepEqual({ free, reserved, outgoing, incoming, spent: sums.spent }, sums);
  assert.deepEqual(
    store.coins(MINT_A),
    [...coins].sort(([a], [b]) => Number(a - b))
      .map(([amount, count]) => ({ keysetId: KEYSET, amount, count })),
  );
  assert.equal(store.counter(KEYSET), model.counter);
  assert.equal(
    store.operations({ status: "open" }).length,
    model.operations.filter(({ isOpen }) => isOpen).length,
  );
  assert.deepEqual(store.audit(), []);
}

const begin = () =>
  command("begin", (model, store) => {
    const index = model.operations.length;
    store.transact((tx) => tx.insertOperation(operation(`op ${index}`)));
    model.operations.push({ rev: 0, isOpen: true, phaseCount: 0 });
  });

const receive = (exponents: readonly number[], state: "free" | "outgoing") =>
  command(`receive ${exponents} ${state}`, (model, store) => {
    if (model.operations.length === 0) return;
    const made = exponents.map((exponent, index) =>
      proof(`proof ${model.proofs.size + index}`, 1n << BigInt(exponent))
    );
    const delta = made.reduce((sum, { amount }) => sum + amount, 0n);
    store.transact((tx) => {
      tx.insertProofs(made, { mint: MINT_A, state });
      if (state === "outgoing") return;
      const operationId = operation("op 0").id;
      tx.addLedger([{ operationId, mint: MINT_A, kind: "fund", delta, atMs: 1 }]);
    });
    for (const { y, amount } of made) model.proofs.set(y, { amount, state });
  });

const reserve = (which: number, picks: readonly number[]) =>
  command(`reserve ${which} ${picks}`, (model, store) => {
    const owner = model.operations.length === 0 ? 0 : which % model.operations.length;
    const found = model.operations[owner];
    const ys = [...new Set(picks.map((pick) => byIndex([...model.proofs.keys()], pick)))]
      .filter((y) => y !== undefined);
    const isAllowed = found?.isOpen === true &&
      ys.every((y) => model.proofs.get(y)!.state === "free");
    const act = () =>
      store.transact((tx) => {
        const { id } = operation(`op ${owner}`);
        tx.reserveProofs(id, ys);
        const outputs = [output(`${owner} ${found!.phaseCount}`, 1n, { counter: model.counter })];
        assert.equal(tx.takeCounters(KEYSET, 1), model.counter);
        const phase = `swap ${found!.phaseCount}`;
        tx.insertOutputs(id, phase, { mint: MINT_A, outputs });
        const inputs = ys.map((y) => tx.proof(y)!);
        tx.freezeRequest(swapRequest(id, { inputs, outputs, phase }));
        tx.countSend(id, phase);
      });
    if (!isAllowed) return void assert.throws(act);
    act();
    model.counter++;
    found.phaseCount++;
    for (const y of ys) Object.assign(model.proofs.get(y)!, { state: "reserved", owner });
  });

/** Ends an operation: its inputs are spent, or they are free again and its outputs void. */
const end = (which: number, isSpent: boolean) =>
  command(`end ${which} ${isSpent}`, (model, store) => {
    if (model.operations.length === 0) return;
    const owner = which % model.operations.length;
    const found = model.operations[owner]!;
    const { id } = operation(`op ${owner}`);
    const mine = [...model.proofs].filter(([, held]) =>
      held.state === "reserved" && held.owner === owner
    );
    const delta = -mine.reduce((sum, [, { amount }]) => sum + amount, 0n);
    const act = () =>
      store.transact((tx) => {
        tx.markOutputs(tx.outputs(id).map(({ blinded }) => blinded), "void");
        if (isSpent) {
          tx.moveProofs(mine.map(([y]) => y), "spent");
          tx.addLedger([{ operationId: id, mint: MINT_A, kind: "loss", delta, atMs: 1 }]);
        } else tx.releaseProofs(id);
        tx.updateOperation({ ...store.operation(id)!, rev: found.rev }, {
          status: isSpent ? "done" : "failed",
        });
      });
    if (!found.isOpen) {
      // What has ended may learn more of itself; it does not become anything else.
      const isSame = store.operation(id)!.status === (isSpent ? "done" : "failed");
      return isSame ? undefined : void assert.throws(act);
    }
    act();
    found.isOpen = false;
    found.rev++;
    for (const [, held] of mine) held.state = isSpent ? "spent" : "free";
  });

const abandon = (exponent: number) =>
  command(`abandon ${exponent}`, (model, store) => {
    assert.throws(() =>
      store.transact((tx) => {
        tx.insertProofs([proof("abandoned", 1n << BigInt(exponent))], {
          mint: MINT_A,
          state: "free",
        });
        tx.takeCounters(KEYSET, 5);
        for (const y of model.proofs.keys()) {
          if (tx.proof(y)!.state !== "spent") tx.moveProofs([y], "spent");
        }
        throw new Error("crash");
      }), /crash/);
  });

const INDEX = fc.nat({ max: 40 });
const COMMANDS = fc.commands([
  fc.constant(begin()),
  fc.tuple(
    fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 4 }),
    fc.constantFrom("free" as const, "free" as const, "outgoing" as const),
  ).map(([exponents, state]) => receive(exponents, state)),
  fc.tuple(INDEX, fc.array(INDEX, { minLength: 1, maxLength: 3 })).map(([which, picks]) =>
    reserve(which, picks)
  ),
  fc.tuple(INDEX, fc.boolean()).map(([which, isSpent]) => end(which, isSpent)),
  fc.nat({ max: 6 }).map(abandon),
], { maxCommands: 30 });

Deno.test("MemoryWalletStore does what a simple model of it does, and its audit agrees", () => {
  fc.assert(
    fc.property(COMMANDS, (commands) => {
      using store = MemoryWalletStore.open({
        clock: new ManualClock(),
        seedFingerprint: FINGERPRINT,
      });
      fc.modelRun(
        () => ({ model: { proofs: new Map(), operations: [], counter: 0 }, real: store }),
        commands,
      );
    }),
    { numRuns: 60 },
  );
});
