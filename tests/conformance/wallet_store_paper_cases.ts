/** Quotes, mints, routes and payments. */
import assert from "node:assert/strict";
import {
  type IncomingPayment,
  type OutgoingPayment,
  type QuoteRecord,
  StaleOperationError,
} from "../../wallet/store/wallet_store.ts";
import { hex, MINT_A, MINT_B, operation } from "../wallet/store/fixture.ts";
import type { WalletStoreCase } from "./wallet_store_case.ts";

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

/** The promises about papers, by name. */
export const PAPER_CASES: Readonly<Record<string, WalletStoreCase>> = {
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
