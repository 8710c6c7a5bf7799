/** Operations, frozen requests and planned outputs. */
import assert from "node:assert/strict";
import {
  type OperationChange,
  StaleOperationError,
  type WalletStore,
} from "../../wallet/store/wallet_store.ts";
import {
  hex,
  KEYSET,
  MINT_A,
  MINT_B,
  operation,
  OTHER_KEYSET,
  output,
  proof,
  swapRequest,
} from "../wallet/store/fixture.ts";
import type { WalletStoreCase } from "./wallet_store_case.ts";

const EMPTY = { inputs: [], outputs: [] };

/** The journal's promises, by name. */
export const JOURNAL_CASES: Readonly<Record<string, WalletStoreCase>> = {
  "keeps an operation as it was given": (store) => {
    const given = operation("full", {
      kind: "swap",
      peerMint: MINT_B,
      parent: hex("parent").slice(0, 32),
      nextAtMs: 5_000,
      reason: "the mint is silent",
    });
    store.transact((tx) => tx.insertOperation(given));
    assert.deepEqual(store.operation(given.id), given);
    const bare = operation("bare");
    store.transact((tx) => tx.insertOperation(bare));
    assert.deepEqual(store.operation(bare.id), bare);
    assert.equal(store.operation("f".repeat(32)), undefined);
    assert.throws(() => store.transact((tx) => tx.insertOperation(bare)), /is new/);
  },

  "changes an operation only for who saw its last revision": (store, clock) => {
    const first = operation("cas");
    store.transact((tx) => tx.insertOperation(first));
    const second = store.transact((tx) => tx.updateOperation(first, { state: "swap-inflight" }));
    assert.equal(second.rev, 1);
    assert.equal(second.updatedMs, clock.nowMs());
    assert.deepEqual(store.operation(first.id), second);
    assert.throws(
      () => store.transact((tx) => tx.updateOperation(first, { state: "failed" })),
      StaleOperationError,
    );
    assert.throws(
      () => store.transact((tx) => tx.updateOperation(operation("unknown"), { fee: 1n })),
      StaleOperationError,
    );
    assert.equal(store.operation(first.id)?.state, "swap-inflight");
  },

  "counts attempts within a state, and takes fields away with null": (store) => {
    let found = operation("attempts");
    store.transact((tx) => tx.insertOperation(found));
    const change = (fields: OperationChange<unknown>) =>
      found = store.transact((tx) => tx.updateOperation(found, fields));
    change({ attempts: 2, nextAtMs: 9_000, reason: "silent" });
    assert.deepEqual([found.attempts, found.nextAtMs, found.reason], [2, 9_000, "silent"]);
    change({ fee: 1n });
    assert.deepEqual([found.attempts, found.nextAtMs, found.reason], [2, 9_000, "silent"]);
    change({ state: "other", nextAtMs: null, reason: null });
    assert.equal(found.attempts, 0);
    assert.ok(!("nextAtMs" in found) && !("reason" in found));
  },

  "lets no ended operation come back, and wakes none": (store) => {
    const open = operation("ends", { nextAtMs: 7_000 });
    store.transact((tx) => tx.insertOperation(open));
    assert.equal(store.nextDueMs(), 7_000);
    const done = store.transact((tx) => tx.updateOperation(open, { status: "done" }));
    assert.equal(done.nextAtMs, undefined);
    assert.equal(store.nextDueMs(), undefined);
    assert.throws(() => store.transact((tx) => tx.updateOperation(done, { status: "open" })));
    assert.throws(() => store.transact((tx) => tx.reserveProofs(done.id, [])), /open operation/);
    assert.throws(
      () => store.transact((tx) => tx.freezeRequest(swapRequest(done.id, EMPTY))),
      /open operation/,
    );
  },

  "lists operations newest first, those due by time, and pages": (store) => {
    const names = ["one", "two", "three", "four"];
    store.transact((tx) => {
      for (const [index, name] of names.entries()) {
        tx.insertOperation(operation(name, { nextAtMs: 100 - index, createdMs: index }));
      }
    });
    const namesOf = (filter: Parameters<WalletStore["operations"]>[0]) =>
      store.operations(filter).map(({ plan }) => (plan as { note: string }).note);
    assert.deepEqual(namesOf({}), ["four", "three", "two", "one"]);
    assert.deepEqual(namesOf({ limit: 2 }), ["four", "three"]);
    assert.deepEqual(namesOf({ before: operation("three").id }), ["two", "one"]);
    assert.deepEqual(namesOf({ status: "open", dueMs: 98 }), ["four", "three"]);
    assert.deepEqual(namesOf({ status: ["open", "attention"], dueMs: 97.9 }), ["four"]);
    assert.deepEqual(namesOf({ status: "open", dueMs: 96 }), []);
    assert.deepEqual(namesOf({ status: ["attention", "failed"] }), []);
    assert.deepEqual(namesOf({ kind: "melt" }), []);
    assert.equal(store.nextDueMs(), 97);
  },

  "keeps nothing of a transaction that throws, and no transaction after its end": (store) => {
    assert.throws(() =>
      store.transact((tx) => {
        tx.insertOperation(operation("gone"));
        tx.insertProofs([proof("gone", 8n)], { mint: MINT_A, state: "free" });
        tx.takeCounters(KEYSET, 5);
        throw new Error("on purpose");
      }), /on purpose/);
    assert.deepEqual(store.operations(), []);
    assert.deepEqual(store.balances(), []);
    assert.equal(store.counter(KEYSET), 0);
    const kept = store.transact((tx) => tx);
    assert.throws(() => kept.takeCounters(KEYSET, 1), /while it lasts/);
    assert.throws(
      () => store.transact(() => Promise.resolve() as unknown as void),
      /does not await/,
    );
  },

  "freezes a request for ever and counts how often it was sent": (store) => {
    const { id } = operation("freeze");
    const outputs = [output("f", 8n)];
    const request = swapRequest(id, { inputs: [], outputs });
    store.transact((tx) => {
      tx.insertOperation(operation("freeze"));
      tx.insertOutputs(id, "swap", { mint: MINT_A, outputs });
      tx.freezeRequest(request);
      tx.freezeRequest(request);
    });
    assert.deepEqual(store.request(id, "swap"), { ...request, sendCount: 0 });
    for (const changed of [{ body: "{}" }, { legacyBody: "{}" }, { path: "/v1/melt/bolt11" }]) {
      assert.throws(
        () => store.transact((tx) => tx.freezeRequest({ ...request, ...changed as object })),
        /never changes/,
      );
    }
    assert.equal(store.transact((tx) => tx.countSend(id, "swap")), 1);
    assert.equal(store.transact((tx) => tx.countSend(id, "swap")), 2);
    assert.equal(store.request(id, "swap")?.sendCount, 2);
    assert.throws(() => store.transact((tx) => tx.countSend(id, "melt")), /frozen/);
    assert.equal(store.request(id, "melt"), undefined);
  },

  "plans a blinded message, a secret and a counter once": (store) => {
    const first = output("once", 8n, { counter: 3 });
    const { id } = operation("plans");
    store.transact((tx) => {
      tx.insertOperation(operation("plans"));
      tx.insertOutputs(id, "swap", { mint: MINT_A, outputs: [first, output("two", 4n)] });
    });
    const twice = [
      { ...output("x", 8n), blinded: first.blinded },
      { ...output("x", 8n), secret: first.secret },
      output("x", 8n, { counter: 3 }),
    ];
    for (const again of twice) {
      assert.throws(
        () => store.transact((tx) => tx.insertOutputs(id, "b", { mint: MINT_A, outputs: [again] })),
        /once/,
      );
    }
    store.transact((tx) =>
      tx.insertOutputs(id, "b", {
        mint: MINT_A,
        outputs: [output("x", 8n, { counter: 3, keysetId: OTHER_KEYSET })],
      })
    );
    const found = store.outputs(id, "swap");
    assert.deepEqual(found.map(({ index, state }) => [index, state]), [[0, "planned"], [
      1,
      "planned",
    ]]);
    assert.deepEqual(found[0], {
      ...first,
      operationId: id,
      phase: "swap",
      mint: MINT_A,
      index: 0,
      state: "planned",
    });
    assert.equal(store.outputs(id).length, 3);
  },

  "lets a void output be signed after all, and a signed one be nothing else": (store) => {
    const { id } = operation("marks");
    const [one, two] = [output("one", 1n), output("two", 2n)];
    store.transact((tx) => {
      tx.insertOperation(operation("marks"));
      tx.insertOutputs(id, "swap", { mint: MINT_A, outputs: [one, two] });
      tx.markOutputs([one.blinded], "void");
      tx.markOutputs([one.blinded, two.blinded], "signed");
    });
    assert.deepEqual(store.outputs(id).map(({ state }) => state), ["signed", "signed"]);
    assert.throws(() => store.transact((tx) => tx.markOutputs([two.blinded], "void")));
    assert.throws(() => store.transact((tx) => tx.markOutputs([hex("?")], "void")), /planned/);
  },
};
