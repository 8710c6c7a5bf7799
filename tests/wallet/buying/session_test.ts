import assert from "node:assert/strict";
import type { Hash } from "../../../src/core/hash.ts";
import { startKit, type WalletKit } from "../../support/wallet_kit.ts";
import {
  assertBooks,
  buyerOf,
  buyingWallet,
  declined,
  deskOf,
  opened,
  paymentOf,
  SELLER,
  stream,
  SUBJECT,
  TestSeller,
  whyNot,
} from "./buying_world.ts";

const MIB = 1_048_576;

/** A clock that moves while something waits for it. */
async function whileTimePasses<T>(kit: WalletKit, task: Promise<T>, stepMs = 200): Promise<T> {
  let isOver = false;
  const done = task.finally(() => isOver = true);
  while (!isOver) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    kit.clock.jump(stepMs);
  }
  return await done;
}

Deno.test("a buyer declines in words what its policy does not allow, and asks no mint for that", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(100n);
  await using desk = deskOf(alice, { budgets: { perSubjectMaxSat: 63n } });
  const { terms } = new TestSeller(bob);
  const asked = kit.mints[0]!.admin.requests().length;
  const dear = buyerOf(desk, { priceMaxMsatPerMiB: 999 });
  assert.match(await declined(dear, terms), /asks 1000 msat per MiB/);
  const buyer = buyerOf(desk);
  assert.match(await declined(buyer, terms), /budget of 63 sat for this content/);
  await using ample = deskOf(alice);
  assert.match(
    await declined(buyerOf(ample), { ...terms, minTopUpSat: 101 }),
    /it wants 101 sat at a time, and the wallet has 100 sat/,
  );
  assert.match(
    await declined(buyerOf(ample), { ...terms, mints: ["https://other.example"] }),
    /none of the mints/,
  );
  assert.match(await declined(buyerOf(ample), terms, { peerId: "" }), /no usable name/);
  assert.match(await declined(buyerOf(ample, { budgetSat: 60 }), terms), /60 sat that it may cost/);
  assert.equal(kit.mints[0]!.admin.requests().length, asked);
  assert.deepEqual(alice.store.operations(), alice.store.operations({ kind: "fund" }));
});

Deno.test("credit that is left at a seller is used first by the next fetch, whatever it is for", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(500n);
  await using desk = deskOf(alice);
  const seller = new TestSeller(bob);
  const buyer = buyerOf(desk);
  {
    await using session = await opened(buyer, seller.terms, { bytesMax: 10 * MIB });
    await stream(session, seller, { bytes: 10 * MIB });
  }
  assert.equal(seller.paidCount, 1);
  const subject = "cd".repeat(32) as Hash;
  const sinceMs = kit.clock.nowMs();
  await using session = await opened(buyer, seller.terms, { bytesMax: 20 * MIB, subject });
  await stream(session, seller, { bytes: 20 * MIB });
  assert.equal(seller.paidCount, 1, "54 sat were left");
  const [paid] = buyer.paidFor(subject, sinceMs);
  assert.deepEqual(paid, {
    peerId: SELLER,
    paidSat: 0,
    feeSat: 0,
    usedMsat: 20_000,
    priceMsatPerMiB: 1_000,
    mint: "",
  });
});

Deno.test("a fetch whose size nobody told locks little at first, and more as it goes on", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(4000n);
  await using desk = deskOf(alice);
  const seller = new TestSeller(bob);
  await using session = await opened(buyerOf(desk), seller.terms, {});
  const lengths = () =>
    alice.store.operations({ kind: "strip" })
      .map(({ id }) => alice.store.stripParts({ peer: SELLER }).filter((p) => p.operationId === id))
      .map((parts) => parts.length).reverse();
  await stream(session, seller, { bytes: 10 * MIB });
  assert.deepEqual(lengths(), [4]);
  await stream(session, seller, { bytes: 800 * MIB });
  const all = lengths();
  assert.ok(all.length <= 5 && all.at(-1)! >= 10, String(all));
});

Deno.test("what is left of a strip serves the next fetch of the same seller, without a swap", async () => {
  await using kit = await startKit();
  let alice = buyingWallet(kit);
  const bob = buyingWallet(kit, "bob");
  await alice.fund(2000n);
  const seller = new TestSeller(bob);
  {
    await using desk = deskOf(alice);
    await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 640 * MIB });
    await stream(session, seller, { bytes: 100 * MIB });
  }
  alice = await alice.reopen();
  await using desk = deskOf(alice);
  await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 300 * MIB });
  await stream(session, seller, { bytes: 300 * MIB });
  assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 1);
});

Deno.test("budgets hold at any time, also for fetches at once that have strips already", async () => {
  await using kit = await startKit();
  const [alice, bob, carol] = [
    buyingWallet(kit),
    buyingWallet(kit, "bob"),
    buyingWallet(kit, "carol"),
  ];
  await alice.fund(2000n);
  await using desk = deskOf(alice, { budgets: { perSubjectMaxSat: 200n } });
  const sellers = [new TestSeller(bob), new TestSeller(carol)];
  const buyer = buyerOf(desk);
  const sessions = [];
  for (const [index, seller] of sellers.entries()) {
    const peerId = `${SELLER}${index}`;
    sessions.push(await opened(buyer, seller.terms, { peerId, bytesMax: 1000 * MIB }));
  }
  let paid = 0;
  const refusals: string[] = [];
  for (let round = 0; round < 4; round++) {
    for (const [index, session] of sessions.entries()) {
      const due = await session.next();
      if (due.due === "declined") refusals.push(due.reason);
      if (due.due !== "pay") continue;
      paid++;
      session.answered(due.payment.id, await sellers[index]!.take(due.payment));
      session.verified(64 * MIB);
    }
  }
  assert.equal(paid, 3, "three times 64 sat are within 200 sat");
  assert.ok(alice.store.spentSat({ subject: SUBJECT }) <= 200n);
  assert.match(refusals[0] ?? "", /above the budget of 200 sat for this content/);
  for (const session of sessions) await session[Symbol.asyncDispose]();
});

Deno.test("a seller that takes a payment and sends nothing gets two top-ups at most, and is avoided", async () => {
  await using kit = await startKit();
  let alice = buyingWallet(kit);
  const bob = buyingWallet(kit, "bob");
  await alice.fund(2000n);
  const seller = new TestSeller(bob);
  {
    await using desk = deskOf(alice);
    await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 1000 * MIB });
    for (let asked = 0; asked < 10; asked++) {
      const due = await whileTimePasses(kit, session.next());
      if (due.due === "declined") {
        assert.match(due.reason, /did not deliver what was paid for/);
        break;
      }
      if (due.due === "pay") await seller.take(due.payment);
      if (due.due === "pay") {
        session.answered(due.payment.id, { answer: "credited", creditMsat: 0 });
      }
      session.told(0);
    }
    assert.equal(seller.paidCount, 2, "two minimum top-ups are at risk at most");
    assert.match(await declined(buyerOf(desk), seller.terms), /nothing is bought of it until/);
  }
  alice = await alice.reopen();
  await using desk = deskOf(alice);
  assert.match(await declined(buyerOf(desk), seller.terms), /nothing is bought of it until/);
  // After a time it may try again, with the same at risk as before.
  kit.clock.jump(4 * 3_600_000);
  for (const { id } of bob.store.operations({ kind: "redeem" })) await bob.driveToEnd(id);
  for (const { id } of alice.store.operations({ kind: "strip" })) await alice.driveToEnd(id);
  await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 1000 * MIB });
  paymentOf(await session.next());
});

Deno.test("bytes on their way are waited for before a seller is said to have cheated", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(2000n);
  await using desk = deskOf(alice);
  const seller = new TestSeller(bob);
  await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 1000 * MIB });
  for (let count = 0; count < 2; count++) {
    const due = paymentOf(await session.next());
    session.answered(due.id, await seller.take(due));
    session.told(0);
  }
  const next = session.next();
  await new Promise((resolve) => setTimeout(resolve, 50));
  session.verified(100 * MIB);
  paymentOf(await next);
});

Deno.test("refused payments end a session after two, count as at risk, and come back after the locktime", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(1000n);
  await using desk = deskOf(alice);
  const buyer = buyerOf(desk);
  const { terms } = new TestSeller(bob);
  const session = await opened(buyer, terms, { bytesMax: 1000 * MIB });
  const ids = new Set<string>();
  for (let count = 0; count < 2; count++) {
    const { id } = paymentOf(await session.next());
    ids.add(id.toHex());
    session.answered(id, { answer: "refused", code: "exposure" });
  }
  assert.equal(ids.size, 2);
  assert.match(whyNot(await session.next()), /refused 2 payments \(exposure\)/);
  await session[Symbol.asyncDispose]();
  const second = await opened(buyer, terms, { bytesMax: 1000 * MIB });
  assert.match(whyNot(await second.next()), /come back later/);
  await second[Symbol.asyncDispose]();
  assert.equal(alice.store.spentSat({ subject: SUBJECT }), 128n);
  kit.clock.jump(3 * 3_600_000);
  for (const { id } of alice.store.operations({ kind: "strip" })) {
    assert.equal((await alice.driveToEnd(id)).state, "done");
  }
  assert.equal(alice.free(), 1000n, "everything is ours again");
  assert.equal(alice.store.spentSat({ subject: SUBJECT }), 0n);
  await using third = await opened(buyer, terms, { bytesMax: 1000 * MIB });
  paymentOf(await third.next());
  assertBooks(kit, [alice, bob]);
});

Deno.test("a refusal that passes is asked again with the same payment", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(1000n);
  await using desk = deskOf(alice);
  const seller = new TestSeller(bob);
  await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 1000 * MIB });
  const first = paymentOf(await session.next());
  session.answered(first.id, { answer: "refused", code: "busy", retryMs: 50 });
  assert.deepEqual(paymentOf(await session.next()), first);
  session.answered(first.id, { answer: "pending", retryMs: 50 });
  assert.deepEqual(paymentOf(await session.next()), first);
  session.answered(first.id, await seller.take(first));
  assert.deepEqual(await session.next(), { due: "nothing" });
});

Deno.test("a seller that redeems what it has refused has kept it: that is lost, and counts as paid", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(1000n);
  await using desk = deskOf(alice);
  const seller = new TestSeller(bob);
  const session = await opened(buyerOf(desk), seller.terms, { bytesMax: 1000 * MIB });
  const due = paymentOf(await session.next());
  await seller.take(due);
  session.answered(due.id, { answer: "refused", code: "spent" });
  await session[Symbol.asyncDispose]();
  kit.clock.jump(3 * 3_600_000);
  for (const { id } of bob.store.operations({ kind: "redeem" })) await bob.driveToEnd(id);
  for (const { id } of alice.store.operations({ kind: "strip" })) await alice.driveToEnd(id);
  assert.equal(alice.store.spentSat({ subject: SUBJECT }), 64n);
  assert.match(
    await declined(buyerOf(desk), seller.terms),
    /redeemed a payment that it had refused/,
  );
  assertBooks(kit, [alice, bob]);
});

Deno.test("money at a mint that the seller does not take is swapped first, within the fees allowed", async () => {
  await using kit = await startKit({ mints: 2, feePpk: 100 });
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(2000n, kit.url(0));
  await using desk = deskOf(alice);
  const seller = new TestSeller(bob, { mints: [kit.url(1)] });
  const sinceMs = kit.clock.nowMs();
  const buyer = buyerOf(desk);
  await using session = await opened(buyer, seller.terms, { bytesMax: 300 * MIB });
  await whileTimePasses(kit, stream(session, seller, { bytes: 300 * MIB }), 50);
  const [paid] = buyer.paidFor(SUBJECT, sinceMs);
  assert.equal(paid!.mint, kit.url(1));
  assert.equal(paid!.usedMsat, 300_000);
  assert.ok(paid!.feeSat > 0 && paid!.feeSat <= 20 + 32, `${paid!.feeSat} sat of fees`);
  assert.equal(kit.mints[1]!.admin.requests("/v1/swap").length, 1);
  for (const { id } of alice.store.operations({ kind: "swap" })) await alice.driveToEnd(id);
  assert.deepEqual(alice.troubles(), []);
  const frugal = buyerOf(desk, { maxFeeSat: 0 });
  await using other = await opened(frugal, seller.terms, {
    peerId: `${SELLER}2`,
    bytesMax: 1000 * MIB,
  });
  assert.match(whyNot(await other.next()), /fees/);
});

Deno.test("sessions that end before their strip was sent leave nothing behind", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(1000n);
  await using desk = deskOf(alice);
  const { terms } = new TestSeller(bob);
  kit.mints[0]!.admin.failNext("/v1/keysets", 50, 503);
  const session = await opened(buyerOf(desk), terms, { bytesMax: 1000 * MIB });
  await session[Symbol.asyncDispose]();
  await desk[Symbol.asyncDispose]();
  assert.match(whyNot(await session.next()), /over/);
  assert.equal(alice.store.spentSat({ subject: SUBJECT }), 0n);
  for (const { id, status } of alice.store.operations({ kind: "strip" })) {
    if (status === "open") await alice.driveToEnd(id);
  }
  kit.clock.jump(4 * 3_600_000);
  for (const { id } of alice.store.operations({ kind: "strip", status: "open" })) {
    await alice.driveToEnd(id);
  }
  assert.equal(alice.free(), 1000n);
  assertBooks(kit, [alice]);
});

Deno.test("preparePayment() of a buyer pays once within its policy", async () => {
  await using kit = await startKit();
  const alice = buyingWallet(kit);
  await alice.fund(500n);
  await using desk = deskOf(alice);
  const request = {
    paymentId: "one",
    mints: [kit.url()],
    priceSat: 50,
    subject: SUBJECT,
    payee: "https://seller.example",
  };
  const first = await buyerOf(desk).preparePayment(request);
  assert.equal(first.status, "ready");
  assert.deepEqual(await buyerOf(desk).preparePayment(request), first);
  const buyer = buyerOf(desk, { budgetSat: 40 });
  const second = await buyer.preparePayment({ ...request, paymentId: "two" });
  assert.equal(second.status, "declined");
  const [paid] = buyer.paidFor(SUBJECT, 0);
  assert.equal(paid!.paidSat, 50);
  assert.equal(paid!.peerId, "https://seller.example");
});

Deno.test("two fetches that pay from one coin at once both get their top-ups", async () => {
  await using kit = await startKit();
  const [alice, bob, carol] = [
    buyingWallet(kit),
    buyingWallet(kit, "bob"),
    buyingWallet(kit, "carol"),
  ];
  await alice.fund(1024n);
  await using desk = deskOf(alice);
  const buyer = buyerOf(desk);
  const sessions = await Promise.all(
    [bob, carol].map((wallet, index) =>
      opened(buyer, new TestSeller(wallet).terms, {
        peerId: `${SELLER}${index}`,
        bytesMax: 256 * MIB,
      })
    ),
  );
  const dues = await Promise.all(sessions.map((session) => session.next()));
  for (const due of dues) paymentOf(due);
  assert.equal(alice.free(), 512n);
  for (const session of sessions) await session[Symbol.asyncDispose]();
});

Deno.test("fetches of one seller at once share what is prepaid there, and its two top-ups at risk", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(2000n);
  await using desk = deskOf(alice);
  const seller = new TestSeller(bob);
  const buyer = buyerOf(desk);
  const sessions = await Promise.all(
    ["11", "22", "33"].map((digits) =>
      opened(buyer, seller.terms, { bytesMax: 500 * MIB, subject: digits.repeat(32) as Hash })
    ),
  );
  const first = paymentOf(await sessions[0]!.next());
  for (const session of sessions) {
    assert.deepEqual(paymentOf(await session.next()), first, "it is not answered yet");
  }
  sessions[0]!.answered(first.id, await seller.take(first));
  for (const session of sessions) assert.deepEqual(await session.next(), { due: "nothing" });
  sessions[1]!.verified(32 * MIB);
  const dues = await Promise.all(sessions.map((session) => session.next()));
  const ids = new Set(dues.map((due) => paymentOf(due).id.toHex()));
  assert.equal(ids.size, 1, "one payment is due, whoever asks");
  assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 1);
  for (const session of sessions) await session[Symbol.asyncDispose]();
});

Deno.test("onDue() tells once that a payment is due, and not again for what was declined", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(64n);
  await using desk = deskOf(alice);
  const seller = new TestSeller(bob);
  await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 500 * MIB });
  const first = paymentOf(await session.next());
  session.answered(first.id, await seller.take(first));
  let told = 0;
  session.onDue(() => told++);
  session.verified(31 * MIB);
  assert.equal(told, 0);
  session.verified(MIB);
  assert.equal(told, 1);
  session.verified(MIB);
  assert.equal(told, 1);
  assert.match(whyNot(await session.next()), /0 sat are free|no mint where money is free/);
  session.verified(MIB);
  assert.equal(told, 1, "nobody asks again and again for what is not to be had");
});

Deno.test("bytes lost with broken streams do not add up to a lie, as long as they are few for what was delivered", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(8000n);
  await using desk = deskOf(alice);
  const seller = new TestSeller(bob);
  const buyer = buyerOf(desk);
  for (let fetch = 0; fetch < 12; fetch++) {
    await using session = await opened(buyer, seller.terms, { bytesMax: 400 * MIB });
    session.told(seller.creditMsat);
    await stream(session, seller, { bytes: 400 * MIB });
    // Sent, and nobody was there to verify it any more.
    assert.ok(seller.serve(10 * MIB) > 0);
  }
  const account = alice.store.sellerAccount(SELLER)!;
  assert.equal(account.strikes, 0);
  assert.ok(account.lost > 0n && account.lost <= account.used / 32n);
});

Deno.test("what a seller claims to have sent beyond that is never given up", async () => {
  await using kit = await startKit();
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(2000n);
  await using desk = deskOf(alice);
  const seller = new TestSeller(bob);
  const buyer = buyerOf(desk);
  {
    await using session = await opened(buyer, seller.terms, { bytesMax: 400 * MIB });
    await stream(session, seller, { bytes: 20 * MIB });
  }
  await using session = await opened(buyer, seller.terms, { bytesMax: 400 * MIB });
  session.told(20_000);
  assert.equal(alice.store.sellerAccount(SELLER)!.lost, 0n);
});
