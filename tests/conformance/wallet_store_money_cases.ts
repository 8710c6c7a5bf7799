/** Proofs, counters and the ledger. */
import assert from "node:assert/strict";
import { AMOUNT_SAT_MAX } from "../../wallet/limits.ts";
import { StaleOperationError } from "../../wallet/store/wallet_store.ts";
import type { ProofState } from "../../wallet/types.ts";
import {
  hex,
  KEYSET,
  MINT_A,
  MINT_B,
  operation,
  OTHER_KEYSET,
  proof,
} from "../wallet/store/fixture.ts";
import type { WalletStoreCase } from "./wallet_store_case.ts";

/** The promises about money, by name. */
export const MONEY_CASES: Readonly<Record<string, WalletStoreCase>> = {
  "keeps a proof as it was given, once and for ever": (store) => {
    const plain = proof("plain", 8n);
    const rich = proof("rich", 2n, {
      dleq: { e: hex("e"), s: hex("s"), r: hex("r") },
      witness: '{"signatures":["ab"]}',
    });
    const bound = { ...proof("bound", 4n), dleq: { e: "ab", s: "cd" } };
    store.transact((tx) =>
      tx.insertProofs([plain, rich, bound], { mint: MINT_A, state: "incoming", operationId: "p" })
    );
    const kept = { mint: MINT_A, state: "incoming", operationId: "p" };
    assert.deepEqual(store.proof(rich.y), { ...rich, ...kept });
    assert.deepEqual(store.proof(plain.y), { ...plain, ...kept });
    assert.deepEqual(
      store.proofs({ mint: MINT_A, state: "incoming" }).map(({ y }) => y),
      [plain.y, rich.y, bound.y],
    );
    store.transact((tx) => tx.moveProofs([plain.y], "spent"));
    const twice = [plain, { ...proof("new", 8n), secret: plain.secret }, {
      ...proof("new", 8n),
      y: rich.y,
    }];
    for (const again of twice) {
      assert.throws(
        () => store.transact((tx) => tx.insertProofs([again], { mint: MINT_B, state: "free" })),
        /once/,
      );
    }
  },

  "reserves what is free, for one operation, or nothing at all": (store) => {
    const proofs = [proof("a", 8n), proof("b", 4n)];
    const [one, two] = [operation("first"), operation("second")];
    const ys = proofs.map(({ y }) => y);
    store.transact((tx) => {
      tx.insertOperation(one);
      tx.insertOperation(two);
      tx.insertProofs(proofs, { mint: MINT_A, state: "free" });
      tx.reserveProofs(one.id, [ys[0]!]);
    });
    assert.throws(
      () => store.transact((tx) => tx.reserveProofs(two.id, [ys[1]!, ys[0]!])),
      StaleOperationError,
    );
    assert.equal(store.proof(ys[1]!)?.state, "free");
    assert.equal(store.proof(ys[0]!)?.operationId, one.id);
    assert.throws(() => store.transact((tx) => tx.releaseProofs(two.id, [ys[0]!])), /reserved for/);
    store.transact((tx) => tx.releaseProofs(two.id));
    assert.equal(store.proof(ys[0]!)?.state, "reserved");
    store.transact((tx) => tx.releaseProofs(one.id));
    assert.deepEqual(store.proof(ys[0]!), { ...proofs[0]!, mint: MINT_A, state: "free" });
    assert.throws(
      () => store.transact((tx) => tx.reserveProofs(two.id, [`02${hex("unknown")}`])),
      StaleOperationError,
    );
  },

  "moves a proof only where its state allows": (store) => {
    const states: readonly ProofState[] = ["free", "reserved", "outgoing", "incoming", "spent"];
    const refused = [
      "free>incoming",
      "reserved>incoming",
      "incoming>outgoing",
      ...states.map((state) => `spent>${state}`),
    ];
    store.transact((tx) => tx.insertOperation(operation("moves")));
    for (const from of states) {
      for (const to of states) {
        const { y } = proof(`${from}>${to}`, 1n);
        const operationId = operation("moves").id;
        const move = () =>
          store.transact((tx) => {
            tx.insertProofs([proof(`${from}>${to}`, 1n)], {
              mint: MINT_A,
              state: from,
              operationId,
            });
            tx.moveProofs([y], to);
          });
        if (refused.includes(`${from}>${to}`)) assert.throws(move, /does not become/);
        else {
          move();
          assert.equal(store.proof(y)?.state, to);
          assert.equal(store.proof(y)?.operationId, to === "free" ? undefined : operationId);
        }
      }
    }
  },

  "sums balances and counts coins as proofs come, move and go": (store) => {
    const { id } = operation("sums");
    store.transact((tx) => {
      tx.insertOperation(operation("sums"));
      tx.insertProofs([1, 2, 3].map((n) => proof(`a${n}`, 8n)), { mint: MINT_A, state: "free" });
      tx.insertProofs([proof("old", 8n, { keysetId: OTHER_KEYSET }), proof("small", 1n)], {
        mint: MINT_A,
        state: "free",
      });
      tx.insertProofs([proof("b", 16n)], { mint: MINT_B, state: "incoming" });
    });
    const coins = (amount: bigint, count: number, keysetId = KEYSET) => ({
      keysetId,
      amount,
      count,
    });
    assert.deepEqual(store.coins(MINT_A), [coins(1n, 1), coins(8n, 3), coins(8n, 1, OTHER_KEYSET)]);
    assert.deepEqual(
      store.proofsOf(MINT_A, coins(8n, 2)).map(({ y }) => y),
      [proof("a1", 8n).y, proof("a2", 8n).y],
    );
    store.transact((tx) => {
      tx.reserveProofs(id, [proof("a1", 8n).y]);
      tx.moveProofs([proof("a2", 8n).y], "outgoing", id);
      tx.moveProofs([proof("a3", 8n).y], "spent", id);
      tx.moveProofs([proof("b", 16n).y], "free");
    });
    assert.deepEqual(store.coins(MINT_A), [coins(1n, 1), coins(8n, 1, OTHER_KEYSET)]);
    assert.deepEqual(store.balances(), [
      { mint: MINT_A, free: 9n, reserved: 8n, outgoing: 8n, incoming: 0n },
      { mint: MINT_B, free: 16n, reserved: 0n, outgoing: 0n, incoming: 0n },
    ]);
    assert.deepEqual(store.proofs({ operationId: id }).length, 3);
  },

  "takes amounts up to the most there can be, and no others": (store) => {
    store.transact((tx) =>
      tx.insertProofs([proof("most", AMOUNT_SAT_MAX), proof("none", 0n)], {
        mint: MINT_A,
        state: "free",
      })
    );
    assert.equal(store.proof(proof("most", 1n).y)?.amount, AMOUNT_SAT_MAX);
    store.transact((tx) =>
      tx.insertProofs([proof("more", AMOUNT_SAT_MAX)], { mint: MINT_A, state: "free" })
    );
    assert.equal(store.balances()[0]?.free, 2n * AMOUNT_SAT_MAX);
    for (const amount of [-1n, AMOUNT_SAT_MAX + 1n, 1.5 as unknown as bigint]) {
      assert.throws(() =>
        store.transact((tx) =>
          tx.insertProofs([proof("wrong", amount)], { mint: MINT_A, state: "free" })
        )
      );
    }
  },

  "gives every counter once": (store) => {
    assert.equal(store.counter(KEYSET), 0);
    assert.deepEqual(
      store.transact((tx) => [tx.takeCounters(KEYSET, 3), tx.takeCounters(KEYSET, 2)]),
      [0, 3],
    );
    assert.equal(store.transact((tx) => tx.takeCounters(OTHER_KEYSET, 1)), 0);
    store.transact((tx) => tx.advanceCounter(KEYSET, 4));
    assert.equal(store.counter(KEYSET), 5);
    store.transact((tx) => tx.advanceCounter(KEYSET, 40));
    assert.equal(store.transact((tx) => tx.takeCounters(KEYSET, 1)), 40);
    assert.deepEqual(
      [1, 2].map(() => store.transact((tx) => tx.takeQuoteKeyIndex())),
      [0, 1],
    );
    for (const count of [0, -1, 1.5, 100_000]) {
      assert.throws(() => store.transact((tx) => tx.takeCounters(KEYSET, count)), /at once/);
    }
    assert.throws(() => store.transact((tx) => tx.advanceCounter(KEYSET, 2 ** 31)), /end at/);
  },

  "adds up the ledger in order": (store) => {
    const entry = (mint: typeof MINT_A, delta: bigint) => ({
      operationId: operation("ledger").id,
      mint,
      kind: delta > 0n ? "fund" as const : "fee" as const,
      delta,
      atMs: 5,
    });
    const entries = [entry(MINT_A, 100n), entry(MINT_B, 7n), entry(MINT_A, -3n)];
    store.transact((tx) => tx.addLedger(entries));
    assert.deepEqual(store.ledger(), entries);
    assert.deepEqual(store.ledger({ mint: MINT_A }), [entries[0], entries[2]]);
    assert.deepEqual(store.ledger({ operationId: operation("ledger").id }), entries);
    assert.deepEqual(store.ledger({ operationId: "none" }), []);
  },
};
