/**
 * Moves money in the wallet whose directory is the first argument, transaction after transaction, and
 * says which ones are on disk, until it is killed.
 */
import { SqliteWalletStore } from "../../../wallet/store/mod.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { FINGERPRINT, KEYSET, MINT_A, operation, output, proof, swapRequest } from "./fixture.ts";

const [directory, from] = Deno.args;
using store = SqliteWalletStore.open({
  directory: directory!,
  clock: new ManualClock(),
  seedFingerprint: FINGERPRINT,
});

const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** A swap of all that is free into eight proofs, in the two transactions of a saga. */
function swap(name: string): void {
  const begun = operation(name);
  const inputs = store.proofs({ mint: MINT_A, state: "free" });
  const total = inputs.reduce((sum, { amount }) => sum + amount, 0n);
  const [inflight, outputs] = store.transact((tx) => {
    tx.insertOperation(begun);
    const first = tx.takeCounters(KEYSET, 8);
    const planned = Array.from(
      { length: 8 },
      (_, index) => output(`${name} ${index}`, total / 8n, { counter: first + index }),
    );
    tx.reserveProofs(begun.id, inputs.map(({ y }) => y));
    tx.insertOutputs(begun.id, "swap", { mint: MINT_A, outputs: planned });
    tx.freezeRequest(swapRequest(begun.id, { inputs, outputs: planned }));
    return [tx.updateOperation(begun, { state: "swap-inflight" }), planned] as const;
  });
  say(`planned ${name}`);
  store.transact((tx) => {
    tx.moveProofs(inputs.map(({ y }) => y), "spent");
    tx.insertProofs(
      outputs.map(({ secret, amount }) => ({ ...proof(secret, amount), secret })),
      { mint: MINT_A, state: "free" },
    );
    tx.markOutputs(outputs.map(({ blinded }) => blinded), "signed");
    tx.updateOperation(inflight, { state: "done", status: "done" });
  });
  say(`done ${name}`);
}

if (store.operations().length === 0) {
  const funding = operation("funding", { kind: "fund", status: "done" });
  store.transact((tx) => {
    tx.insertOperation(funding);
    tx.insertProofs([proof("funding", 800n)], { mint: MINT_A, state: "free" });
    tx.addLedger([{ operationId: funding.id, mint: MINT_A, kind: "fund", delta: 800n, atMs: 1 }]);
  });
}
// What a killed run left reserved is released, as a saga would that sent nothing.
for (const stopped of store.operations({ status: "open" })) {
  store.transact((tx) => {
    tx.markOutputs(tx.outputs(stopped.id).map(({ blinded }) => blinded), "void");
    tx.releaseProofs(stopped.id);
    tx.updateOperation(stopped, { status: "failed" });
  });
}
say("ready");
for (let index = 0; index < 10_000; index++) swap(`${from} ${index}`);
