/** The contract of {@link WalletStore}, run against every implementation. */
import assert from "node:assert/strict";
import type { ManualClock } from "../support/manual_clock.ts";
import { AMOUNT_SAT_MAX } from "../../wallet/limits.ts";
import type { ProofState } from "../../wallet/types.ts";
import {
  type IncomingPayment,
  type OperationChange,
  type OutgoingPayment,
  type QuoteRecord,
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

/** Opens an empty store for the seed with the tests' fingerprint. */
export type OpenWalletStore = () => { readonly store: WalletStore; readonly clock: ManualClock };

type Case = (store: WalletStore, clock: ManualClock) => void;

/** Registers the suite for `name`. */
export function testWalletStore(name: string, open: OpenWalletStore): void {
  for (const [title, run] of Object.entries({ ...JOURNAL, ...MONEY, ...PAPERS })) {
    Deno.test(`${name} ${title}`, () => {
      const { store, clock } = open();
      using _store = store;
      run(store, clock);
    });
  }
}

const JOURNAL: Readonly<Record<string, Case>> = {
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

const EMPTY = { inputs: [], outputs: [] };

const MONEY: Readonly<Record<string, Case>> = {
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

const QUOTE: QuoteRecord = {
  mint: MINT_A,
  kind: "mint",
  quoteId: "quote",
  operationId: operation("quotes").id,
  amount: 10n,
  feeReserve: 0n,
  request: "lnbc1",
  state: "UNPAID",
  keyIndex: 4,
};

const INCOMING: IncomingPayment = {
  paymentId: "payment",
  payer: "peer",
  tokenHash: hex("token"),
  mint: MINT_A,
  amount: 10n,
  credit: 9n,
  state: "queued",
  version: 1,
  createdMs: 100,
};

const OUTGOING: OutgoingPayment = {
  paymentId: "payment",
  subject: "blob",
  payee: "seeder",
  amount: 10n,
  cost: 12n,
  state: "reserved",
  createdMs: 100,
};

const PAPERS: Readonly<Record<string, Case>> = {
  "moves a quote on and never back": (store) => {
    store.transact((tx) => tx.insertOperation(operation("quotes")));
    const put = (fields: Partial<QuoteRecord>) => {
      store.transact((tx) => tx.putQuote({ ...QUOTE, ...fields }));
      return store.quote(MINT_A, fields.quoteId ?? QUOTE.quoteId)!;
    };
    assert.deepEqual(put({}), QUOTE);
    assert.equal(put({ state: "PAID", expiryMs: 5 }).state, "PAID");
    assert.equal(put({ state: "UNPAID", expiryMs: 4 }).state, "PAID");
    const issued = put({ state: "ISSUED", amount: 11n, request: "lnbc2" });
    assert.deepEqual(issued, { ...QUOTE, state: "ISSUED", expiryMs: 5 });
    const melt = { kind: "melt", quoteId: "melt" } as const;
    assert.equal(put({ ...melt, state: "PENDING" }).state, "PENDING");
    assert.equal(put({ ...melt, state: "UNPAID" }).state, "UNPAID");
    assert.equal(put({ ...melt, state: "PAID" }).state, "PAID");
    assert.equal(put({ ...melt, state: "PENDING" }).state, "PAID");
    assert.deepEqual(store.quotes(QUOTE.operationId).map(({ quoteId }) => quoteId), [
      "quote",
      "melt",
    ]);
    assert.throws(() => put({ state: "SETTLED" }), /no state/);
    store.transact((tx) => tx.insertOperation(operation("thief")));
    assert.throws(() => put({ operationId: operation("thief").id }), { code: "protocol" });
  },

  "keeps mints and routes as they were last given": (store) => {
    const full = {
      url: MINT_B,
      trust: "trusted",
      exposureMaxSat: 1_000n,
      cache: "{}",
      cachedMs: 4,
      cooldownUntilMs: 5,
      blockedReason: "it lied",
      addedMs: 1,
    } as const;
    store.transact((tx) => {
      tx.putMint({ url: MINT_A, trust: "accepted", addedMs: 2 });
      tx.putMint(full);
    });
    assert.deepEqual(store.mints(), [full, { url: MINT_A, trust: "accepted", addedMs: 2 }]);
    store.transact((tx) => tx.putMint({ url: MINT_B, trust: "accepted", addedMs: 9 }));
    assert.deepEqual(store.mint(MINT_B), { url: MINT_B, trust: "accepted", addedMs: 1 });
    store.transact((tx) => tx.removeMint(MINT_B));
    assert.equal(store.mint(MINT_B), undefined);
    const route = {
      from: MINT_A,
      to: MINT_B,
      successPermille: 900,
      feePpm: 20,
      latencyMs: 30,
      cooldownUntilMs: 0,
      updatedMs: 6,
    };
    store.transact((tx) => tx.putRoute({ ...route, feePpm: 1 }));
    store.transact((tx) => tx.putRoute(route));
    assert.deepEqual(store.route(MINT_A, MINT_B), route);
    assert.deepEqual(store.routes(), [route]);
    assert.equal(store.route(MINT_B, MINT_A), undefined);
  },

  "moves a payment to us on, version by version": (store) => {
    const put = (fields: Partial<IncomingPayment>) =>
      store.transact((tx) => tx.putIncoming({ ...INCOMING, ...fields }));
    put({});
    assert.deepEqual(store.incoming("peer", "payment"), INCOMING);
    assert.equal(store.incoming("other", "payment"), undefined);
    assert.throws(() => put({}), StaleOperationError);
    assert.throws(() => put({ version: 3 }), StaleOperationError);
    assert.throws(() => put({ version: 2, tokenHash: hex("other") }), /never changes/);
    put({ version: 2, state: "credited", redeemByMs: 9, operationId: "o" });
    assert.equal(store.incomingPayments({ state: "credited" }).length, 1);
    assert.equal(store.incomingPayments({ operationId: "o" }).length, 1);
    assert.deepEqual(store.incomingPayments({ state: "queued" }), []);
    assert.throws(() => put({ version: 3, state: "queued" }), /does not become/);
    put({ version: 3, state: "dead" });
    assert.throws(() => put({ version: 4, state: "redeemed" }), /does not become/);
    put({ payer: "other" });
    assert.equal(store.incomingPayments({}).length, 2);
  },

  "sums what was spent for budgets until it comes back": (store) => {
    const put = (fields: Partial<OutgoingPayment>) =>
      store.transact((tx) => tx.putOutgoing({ ...OUTGOING, ...fields }));
    put({});
    put({ paymentId: "two", subject: "other", createdMs: 200, cost: 5n });
    put({ paymentId: "three", payee: "somebody", createdMs: 300, cost: 1n });
    assert.equal(store.spentSat({}), 18n);
    assert.equal(store.spentSat({ subject: "blob" }), 13n);
    assert.equal(store.spentSat({ payee: "seeder" }), 17n);
    assert.equal(store.spentSat({ sinceMs: 200 }), 6n);
    assert.equal(store.spentSat({ payee: "nobody" }), 0n);
    put({ state: "spent", cost: 11n, operationId: "o" });
    assert.deepEqual(store.outgoing("payment"), {
      ...OUTGOING,
      state: "spent",
      cost: 11n,
      operationId: "o",
    });
    assert.throws(() => put({ state: "reserved" }), /does not become/);
    assert.throws(() => put({ state: "spent", amount: 1n }), /never changes/);
    put({ state: "returned" });
    assert.equal(store.spentSat({}), 6n);
    assert.equal(store.outgoing("none"), undefined);
  },
};
