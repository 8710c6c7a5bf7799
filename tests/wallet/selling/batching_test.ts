import assert from "node:assert/strict";
import { startKit } from "../../support/wallet_kit.ts";
import { payingWallet } from "../payments/payments_world.ts";
import { idOf, SellingWorld, viewer } from "./selling_world.ts";

const PAYMENTS = 100;

/** Swaps that a mint was asked for. */
function swapsAt(world: SellingWorld): number {
  return world.kit.mints[0]!.admin.requests().filter(({ path }) => path === "/v1/swap").length;
}

Deno.test("a hundred payments of up to three proofs are one transaction at the mint", async () => {
  await using kit = await startKit({ feePpk: 100 });
  await using world = await SellingWorld.start(kit, { fund: 8_000n });
  const { store, engine } = world.wallet;
  const tokens: string[] = [];
  // One, two and three proofs.
  for (let count = 0; count < PAYMENTS; count++) {
    tokens.push(await world.token([64n, 65n, 67n][count % 3]!));
  }
  kit.mints[0]!.admin.clearRequests();
  for (const [index, token] of tokens.entries()) {
    const answer = await world.pay(`peer ${index % 7}`, `payment ${index}`, token);
    assert.equal(answer.answer, "credited", JSON.stringify(answer));
    // Three payments in two seconds.
    kit.clock.jump(700);
    await engine.driveDue();
  }
  assert.equal(swapsAt(world), 0, "all of it counts before any is redeemed");
  kit.clock.jump(20_000);
  await engine.driveDue();
  assert.equal(swapsAt(world), 1);
  const payments = store.incomingPayments({});
  assert.equal(payments.length, PAYMENTS);
  assert.ok(payments.every(({ state }) => state === "redeemed"));
  // What was credited is what was redeemed, less what one fee for all saves.
  const credit = payments.reduce((sum, payment) => sum + payment.credit, 0n);
  assert.ok(world.wallet.free() >= credit);
  const { total } = world.seller.earnings({ by: "mint" });
  assert.equal(BigInt(total.redeemedSat), credit);
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("a batch closes by count, by age, when payments stop, and before too much is at risk", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit, {
    fund: 3_000n,
    policy: {
      batch: { proofsMin: 5, idleMs: 20_000, lingerMs: 60_000 },
      unredeemedPerPayerMaxSat: 400n,
    },
  });
  const { store } = world.wallet;
  const dueInMs = () => {
    const [open] = store.operations({ kind: "redeem", status: "open" });
    return open!.nextAtMs! - kit.clock.nowMs();
  };
  await world.credit("a", 64n);
  assert.ok(dueInMs() > 19_000 && dueInMs() <= 20_000, "idle");
  for (let count = 0; count < 3; count++) {
    kit.clock.jump(15_000);
    await world.credit(`b${count}`, 64n);
  }
  assert.ok(dueInMs() <= 15_000, "age");
  await world.credit("c", 64n);
  assert.ok(dueInMs() <= 0, "count");
  await world.redeemAll();
  for (let count = 0; count < 3; count++) await world.credit("d", 64n);
  assert.ok(dueInMs() > 19_000);
  await world.credit("d", 128n);
  assert.ok(dueInMs() <= 0, "three quarters of what one payer may have at risk");
  await world.redeemAll();
  assert.equal(store.creditAccount("d")!.paid, 320n);
});

Deno.test("dead ecash in a batch costs only its own payer", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  // Another copy of the seller, with the same key: what it redeems is dead for this one.
  const twin = payingWallet(kit, "twin", { wordsOf: "seller" });
  const tokens = [await world.token(64n), await world.token(65n), await world.token(66n)];
  for (const [index, token] of tokens.entries()) {
    const answer = await world.pay(`peer ${index}`, "x", token);
    assert.equal(answer.answer, "credited");
  }
  const meter = world.meter("peer 1");
  assert.equal(meter.take([16_384]), 1);
  await kit.redeem(tokens[1]!, { secretKey: twin.keys.payment.secretKey });
  kit.clock.jump(20_000);
  await world.redeemAll();
  const states = [0, 1, 2].map((at) =>
    world.wallet.store.incoming(`peer ${at}`, idOf("x").toHex())!.state
  );
  assert.deepEqual(states, ["redeemed", "dead", "redeemed"]);
  assert.deepEqual([0, 1, 2].map((at) => world.seller.creditOf(viewer(`peer ${at}`))), [
    64_000,
    0,
    66_000,
  ]);
  assert.equal(meter.take([16_384]), 0, "what was drawn is taken back, too");
  assert.deepEqual(await world.pay("peer 1", "x"), { answer: "refused", code: "spent" });
  await meter[Symbol.asyncDispose]();
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("payments that do not count yet use up a mint's patience no faster than it allows", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit, { fund: 3_000n });
  const { engine } = world.wallet;
  const plain: string[] = [];
  for (let count = 0; count < 12; count++) {
    plain.push(await world.token(64n, { locktimeS: Math.floor(kit.clock.nowMs() / 1000) + 1_800 }));
  }
  kit.mints[0]!.admin.clearRequests();
  for (const [index, token] of plain.entries()) {
    const answer = await world.pay(`stranger ${index}`, "x", token);
    assert.equal(answer.answer, "pending");
    await engine.driveDue();
    kit.clock.jump(1_000);
  }
  kit.clock.jump(12_000);
  await engine.driveDue();
  assert.ok(swapsAt(world) <= 4, `${swapsAt(world)} swaps for twelve strangers in twelve seconds`);
  const paid = await Promise.all(plain.map((_, index) => world.pay(`stranger ${index}`, "x")));
  assert.ok(paid.every(({ answer }) => answer === "credited"), JSON.stringify(paid));
  assert.deepEqual(world.wallet.troubles(), []);
});
