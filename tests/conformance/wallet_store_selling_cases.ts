/** Credit of payers, sales, prices and refunds. */
import assert from "node:assert/strict";
import { UNITS_PER_SAT } from "../../wallet/credit_units.ts";
import type { SaleRecord } from "../../wallet/store/selling_store.ts";
import type { IncomingPayment, WalletStore } from "../../wallet/store/wallet_store.ts";
import { hex, MINT_A, MINT_B, operation } from "../wallet/store/fixture.ts";
import type { WalletStoreCase } from "./wallet_store_case.ts";

const PAYMENT: IncomingPayment = {
  paymentId: "payment",
  payer: "peer",
  tokenHash: hex("token"),
  mint: MINT_A,
  amount: 100n,
  credit: 99n,
  state: "credited",
  version: 1,
  createdMs: 100,
};

const SALE: SaleRecord = {
  day: 20_000,
  payer: "peer",
  kind: "content",
  root: "a".repeat(64),
  bytes: 1_000,
  units: 7n * UNITS_PER_SAT + 3n,
};

function put(store: WalletStore, fields: Partial<IncomingPayment> = {}): void {
  store.transact((tx) => tx.putIncoming({ ...PAYMENT, ...fields }));
}

/** The promises about selling, by name. */
export const SELLING_CASES: Readonly<Record<string, WalletStoreCase>> = {
  "gives credit with a payment, and takes it back with one that died": (store, clock) => {
    assert.equal(store.creditAccount("peer"), undefined);
    put(store, { state: "queued" });
    assert.equal(store.creditAccount("peer")?.paid ?? 0n, 0n);
    put(store, { version: 2, state: "credited" });
    assert.deepEqual(store.creditAccount("peer"), {
      payer: "peer",
      paid: 99n,
      used: 0n,
      drawn: 0n,
      priceMaxMsatPerMiB: 0,
      movedMs: clock.nowMs(),
    });
    put(store, { paymentId: "two", credit: 10n, state: "redeemed" });
    put(store, { version: 3, state: "redeemed" });
    assert.equal(store.creditAccount("peer")!.paid, 109n);
    put(store, { paymentId: "three", credit: 50n });
    put(store, { paymentId: "three", credit: 20n, version: 2 });
    assert.equal(store.creditAccount("peer")!.paid, 129n);
    put(store, { paymentId: "three", credit: 0n, version: 3, state: "dead" });
    assert.equal(store.creditAccount("peer")!.paid, 109n);
    put(store, { payer: "local" });
    assert.equal(store.creditAccount("local"), undefined, "the user owes nobody anything");
    assert.deepEqual(store.audit(), []);
  },

  "keeps no credit of a transaction that failed": (store) => {
    assert.throws(() =>
      store.transact((tx) => {
        tx.putIncoming(PAYMENT);
        throw new Error("no");
      })
    );
    assert.equal(store.creditAccount("peer"), undefined);
  },

  "draws credit that is there, sells it, and gives back the rest": (store) => {
    put(store);
    const draw = (units: bigint) =>
      store.transact((tx) => tx.drawCredit("peer", { units, priceMsatPerMiB: 2_000 }));
    assert.throws(() => draw(99n * UNITS_PER_SAT + 1n), /no more credit is drawn/);
    draw(64n * UNITS_PER_SAT);
    assert.throws(() => draw(36n * UNITS_PER_SAT), /no more credit is drawn/);
    assert.equal(store.creditAccounts({ isDrawn: true }).length, 1);
    const backTooMuch = () => store.transact((tx) => tx.returnCredit("peer", 65n * UNITS_PER_SAT));
    assert.throws(backTooMuch, /no more credit is given back/);
    store.transact((tx) => {
      tx.returnCredit("peer", 64n * UNITS_PER_SAT);
      tx.addSale(SALE);
      tx.addSale({ ...SALE, bytes: 24, units: 5n });
    });
    const account = store.creditAccount("peer")!;
    assert.equal(account.used, SALE.units + 5n);
    assert.equal(account.drawn, 0n);
    assert.equal(account.priceMaxMsatPerMiB, 2_000);
    assert.deepEqual(store.sales(), [{ ...SALE, bytes: 1_024, units: SALE.units + 5n }]);
    assert.deepEqual(store.creditAccounts({ isDrawn: true }), []);
    assert.deepEqual(store.audit(), []);
  },

  "takes a sale back, though it was booked the day before, and no more than that": (store) => {
    put(store);
    store.transact((tx) => tx.addSale(SALE));
    store.transact((tx) => tx.addSale({ ...SALE, day: 20_001, bytes: -400, units: -5n }));
    assert.deepEqual(store.sales(), [{ ...SALE, bytes: 600, units: SALE.units - 5n }]);
    assert.throws(
      () => store.transact((tx) => tx.addSale({ ...SALE, bytes: -601, units: -1n })),
      /no more is taken back/,
    );
    assert.deepEqual(store.audit(), []);
  },

  "adds up sales and payments by what is asked for": (store) => {
    put(store, { createdMs: 20_000 * 86_400_000 });
    put(store, { payer: "other", mint: MINT_B, state: "queued", createdMs: 86_400_000 });
    put(store, { payer: "local", createdMs: 86_400_000 });
    store.transact((tx) => {
      tx.addSale(SALE);
      tx.addSale({ ...SALE, day: 20_001, root: "b".repeat(64) });
      tx.addSale({ ...SALE, kind: "expired", root: "", bytes: 0, units: 1n });
    });
    const kinds = (rows: readonly { key: string; kind: string }[]) =>
      rows.map(({ key, kind }) => `${key.slice(0, 5)} ${kind}`);
    assert.deepEqual(kinds(store.saleTotals("day")), [
      "20000 content",
      "20000 expired",
      "20001 content",
    ]);
    assert.deepEqual(kinds(store.saleTotals("day", { sinceDay: 20_001 })), ["20001 content"]);
    assert.deepEqual(kinds(store.saleTotals("content")), [
      " expired",
      "aaaaa content",
      "bbbbb content",
    ]);
    const [content] = store.saleTotals("peer");
    assert.equal(content!.units, 2n * SALE.units);
    const income = store.incomeTotals("mint").map(({ key, state, credit }) => [key, state, credit]);
    assert.deepEqual(income, [[MINT_A, "credited", 99n], [MINT_B, "queued", 99n]]);
    assert.deepEqual(store.incomeTotals("day").map(({ key }) => key), ["1", "20000"]);
    assert.deepEqual(
      store.incomeTotals("peer", { sinceMs: 86_400_001 }).map(({ key }) => key),
      ["peer"],
    );
    assert.deepEqual(store.mintsOfPayer("peer"), [MINT_A]);
    assert.deepEqual(store.mintsOfPayer("other"), []);
  },

  "finds idle accounts with something left, the longest idle first": (store, clock) => {
    const startMs = clock.nowMs();
    put(store, { payer: "used up", credit: 1n });
    store.transact((tx) => tx.addSale({ ...SALE, payer: "used up", units: UNITS_PER_SAT }));
    put(store, { payer: "old" });
    clock.jump(1_000);
    put(store, { payer: "new" });
    const payers = (filter: Parameters<WalletStore["creditAccounts"]>[0]) =>
      store.creditAccounts(filter).map(({ payer }) => payer);
    assert.deepEqual(payers({ hasCredit: true }), ["old", "new"]);
    assert.deepEqual(payers({ hasCredit: true, idleSinceMs: startMs }), ["old"]);
    assert.deepEqual(payers({ limit: 1 }), ["used up"]);
    store.transact((tx) => tx.putRefundKey("old", `02${"1".repeat(64)}`));
    assert.equal(store.creditAccount("old")?.refundKey, `02${"1".repeat(64)}`);
  },

  "keeps prices until they are taken away": (store) => {
    const service = {
      id: "default",
      enabled: true,
      priceMsatPerMiB: 5,
      minTopUpSat: 64,
      mints: [MINT_A],
      updatedMs: 7,
    };
    store.transact((tx) => tx.putService(service));
    assert.deepEqual(store.services(), [service]);
    const { minTopUpSat: _, mints: __, ...plain } = { ...service, enabled: false };
    store.transact((tx) => tx.putService(plain));
    assert.deepEqual(store.services(), [plain]);
    store.transact((tx) => tx.removeService("default"));
    assert.deepEqual(store.services(), []);
  },

  "keeps one refund a day for each payer, and finds those that came to nothing": (store) => {
    put(store);
    const [first, second] = [operation("first"), operation("second")];
    store.transact((tx) => {
      tx.insertOperation(first);
      tx.insertOperation(second);
      tx.addCreditRefund({ payer: "peer", period: 1, operationId: first.id, createdMs: 10 });
    });
    const again = { payer: "peer", period: 1, operationId: second.id, createdMs: 11 };
    assert.throws(() => store.transact((tx) => tx.addCreditRefund(again)));
    store.transact((tx) => tx.addCreditRefund({ ...again, period: 2 }));
    assert.equal(store.lastCreditRefund("peer")?.period, 2);
    assert.equal(store.creditRefund("peer", 1)?.operationId, first.id);
    assert.equal(store.creditRefundOf(second.id)?.period, 2);
    assert.equal(store.creditRefundCount(11), 1);
    assert.deepEqual(store.lostCreditRefunds(), []);
    store.transact((tx) => tx.updateOperation(first, { state: "failed", status: "failed" }));
    assert.deepEqual(store.lostCreditRefunds().map(({ period }) => period), [1]);
    assert.equal(store.transact((tx) => tx.removeCreditRefund("peer", 1)), true);
    assert.equal(store.transact((tx) => tx.removeCreditRefund("peer", 1)), false);
  },
};
