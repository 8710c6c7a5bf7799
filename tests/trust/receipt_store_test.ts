import assert from "node:assert/strict";
import { join } from "node:path";
import type { Hash } from "../../src/core/hash.ts";
import {
  type ByteReceipt,
  countersignReceipt,
  ReceiptStore,
  type SignedReceipt,
  signReceipt,
} from "../../trust/mod.ts";
import { DRAFTS_MAX, RECEIPTS_KEPT_MAX } from "../../trust/limits.ts";
import {
  CONSUMER_PEER,
  CONSUMER_SECRET,
  idOf,
  MINT,
  NOW_S,
  PROVIDER_PEER,
  PROVIDER_SECRET,
  RECEIPT,
  ROOT,
  yOf,
} from "./support.ts";

function signedOf(change: Partial<ByteReceipt> = {}): SignedReceipt {
  const signed = signReceipt({ ...RECEIPT, ...change }, {
    secretKey: PROVIDER_SECRET,
    publishes: false,
  });
  return countersignReceipt(signed, { secretKey: CONSUMER_SECRET, publishes: false });
}

Deno.test("ReceiptStore keeps receipts of both roles across a restart, with what opens them", async () => {
  const directory = await Deno.makeTempDir({ prefix: "seedmint-receipts-" });
  try {
    const path = join(directory, "receipts.sqlite");
    const salt = new Uint8Array(32).fill(4);
    const given = { role: "provider", peerId: CONSUMER_PEER, signed: signedOf() } as const;
    const got = { ...given, role: "consumer", peerId: PROVIDER_PEER, root: ROOT, salt } as const;
    {
      using store = ReceiptStore.open(path);
      store.put(given);
      store.put(got);
      assert.throws(() => store.put(given), /UNIQUE/);
    }
    using store = ReceiptStore.open(path);
    assert.deepEqual(store.list({ role: "provider" }), [given]);
    assert.deepEqual(store.list({ role: "consumer" }), [got]);
    const key = { role: "consumer", provider: RECEIPT.provider, id: RECEIPT.id } as const;
    assert.deepEqual(store.get(key), got);
    assert.equal(store.get({ ...key, id: idOf(99) }), undefined);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("ReceiptStore lists by time, peer and role, the latest first, and no more than asked", () => {
  using store = ReceiptStore.open(":memory:");
  for (let index = 1; index <= 6; index++) {
    const payments = [{ mint: MINT, ys: [yOf(index)], ids: [] }];
    store.put({
      role: index % 2 === 0 ? "provider" : "consumer",
      peerId: index <= 3 ? CONSUMER_PEER : PROVIDER_PEER,
      signed: signedOf({ id: idOf(index), toS: NOW_S + index, payments }),
    });
  }
  const ids = (filter: Parameters<ReceiptStore["list"]>[0]) =>
    store.list(filter).map(({ signed }) => Number(`0x${signed.receipt.id}`));
  assert.deepEqual(ids({}), [6, 5, 4, 3, 2, 1]);
  assert.deepEqual(ids({ limit: 2 }), [6, 5]);
  assert.deepEqual(ids({ beforeS: NOW_S + 5, limit: 2 }), [4, 3]);
  assert.deepEqual(ids({ sinceS: NOW_S + 5 }), [6, 5]);
  assert.deepEqual(ids({ peerId: CONSUMER_PEER }), [3, 2, 1]);
  assert.deepEqual(ids({ peerId: CONSUMER_PEER, role: "provider" }), [2]);
  assert.deepEqual(store.sums("provider", PROVIDER_PEER), {
    bytes: 2 * RECEIPT.bytes,
    msat: 2 * RECEIPT.msat,
  });
  assert.deepEqual(store.sums("provider", "nobody"), { bytes: 0, msat: 0 });
});

Deno.test("ReceiptStore counts a proof for each role by itself, and forgets none with its receipt", () => {
  using store = ReceiptStore.open(":memory:");
  assert.equal(store.isCounted("provider", yOf(1)), false);
  store.put({ role: "provider", peerId: CONSUMER_PEER, signed: signedOf() });
  assert.equal(store.isCounted("provider", yOf(1)), true);
  assert.equal(store.isCounted("provider", idOf(1)), true);
  assert.equal(store.isCounted("consumer", yOf(1)), false);
});

Deno.test("ReceiptStore keeps a bounded number of receipts, the latest, and still knows the proofs of others", () => {
  using store = ReceiptStore.open(":memory:");
  const signed = signedOf();
  store.transaction(() => {
    for (let index = 0; index <= RECEIPTS_KEPT_MAX; index++) {
      const receipt = {
        ...RECEIPT,
        id: idOf(index),
        toS: NOW_S + index,
        payments: index === 0 ? RECEIPT.payments : [],
      };
      store.put({ role: "provider", peerId: CONSUMER_PEER, signed: { ...signed, receipt } });
    }
  });
  assert.equal(store.count, RECEIPTS_KEPT_MAX);
  const oldest = { role: "provider", provider: RECEIPT.provider, id: idOf(0) } as const;
  assert.equal(store.get(oldest), undefined);
  assert.notEqual(store.get({ ...oldest, id: idOf(1) }), undefined);
  assert.equal(store.isCounted("provider", yOf(1)), true);
});

Deno.test("ReceiptStore writes off the oldest drafts when there are too many, as if they were signed", () => {
  using store = ReceiptStore.open(":memory:");
  const rootOf = (index: number) => index.toString(16).padStart(64, "0") as Hash;
  const draft = { fromS: 1, toS: NOW_S, bytes: 10, msat: 20 };
  store.transaction(() => {
    for (let index = 0; index <= DRAFTS_MAX; index++) {
      const askedS = NOW_S + index;
      store.putDraft(CONSUMER_PEER, rootOf(index), { ...draft, id: idOf(index), askedS });
    }
  });
  assert.equal(store.draft(CONSUMER_PEER, rootOf(0)), undefined);
  const written = { toS: NOW_S, bytes: 10, msat: 20 };
  assert.deepEqual(store.covered(CONSUMER_PEER, rootOf(0)), written);
  assert.equal(store.covered(CONSUMER_PEER, rootOf(1)), undefined);
  assert.equal(store.endDraft(idOf(1), written), rootOf(1));
  assert.equal(store.endDraft(idOf(1), written), undefined);
  assert.deepEqual(store.covered(CONSUMER_PEER, rootOf(1)), written);
});

Deno.test("ReceiptStore keeps nothing of a transaction that fails", () => {
  using store = ReceiptStore.open(":memory:");
  assert.throws(() =>
    store.transaction(() => {
      store.put({ role: "provider", peerId: CONSUMER_PEER, signed: signedOf() });
      throw new Error("power cut");
    }), /power cut/);
  assert.equal(store.count, 0);
  assert.equal(store.isCounted("provider", yOf(1)), false);
});
