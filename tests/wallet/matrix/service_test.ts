/** O1, O2, C1 to C3: mints that are away or busy, and many who want the same at once. */
import assert from "node:assert/strict";
import { beginFund } from "../../../wallet/operations/fund_plan.ts";
import { beginMelt } from "../../../wallet/operations/melt.ts";
import { beginSwap } from "../../../wallet/operations/swap.ts";
import { MatrixWorld } from "../../support/matrix_world.ts";
import { startKit, type TestWallet, type WalletKit } from "../../support/wallet_kit.ts";
import { fundedKit, paidBy, SAGAS, shopInvoice } from "../operations/melt_world.ts";
import { send } from "../operations/send_support.ts";
import {
  intakeOf,
  payingWallet,
  refusedCode,
  taken,
  tokenFrom,
} from "../payments/payments_world.ts";
import { assertAllDone, inWeather } from "./weather.ts";

const HOUR_MS = 3_600_000;

Deno.test("O1 a mint that is away for a day is not hammered; credit is given up to the exposure and kept", async () => {
  await using kit = await startKit();
  let isAway = false;
  let askedCount = 0;
  const bobFetch: typeof fetch = (input, init) => {
    askedCount++;
    return isAway ? Promise.reject(new TypeError("connection refused")) : fetch(input, init);
  };
  const alice = payingWallet(kit, "alice");
  let bob = payingWallet(kit, "bob", { fetch: bobFetch });
  await alice.fund(2_000n);
  const lockTo = bob.keys.payment.publicKey;
  const tokens = [];
  for (let index = 0; index < 4; index++) tokens.push(await tokenFrom(alice, 100n, { lockTo }));
  const policy = { unredeemedPerMintMaxSat: 250n };
  taken(await intakeOf(bob, policy).take({ payer: "peer", paymentId: "0", token: tokens[0]! }));
  isAway = true;
  // The mint is away when the node starts: what it knew before is enough.
  bob = await bob.reopen();
  const intake = intakeOf(bob, policy);
  const second = taken(await intake.take({ payer: "peer", paymentId: "1", token: tokens[1]! }));
  assert.equal(second.state, "credited");
  const third = await intake.take({ payer: "peer", paymentId: "2", token: tokens[2]! });
  assert.ok(third.status !== "taken" || third.payment.state === "queued", "above the exposure");
  askedCount = 0;
  for (let minutes = 0; minutes < 24 * 60; minutes += 1) {
    kit.clock.jump(60_000);
    await bob.engine.driveDue();
  }
  assert.ok(askedCount > 0 && askedCount < 1_500, `${askedCount} requests in a day`);
  const states = () => ["0", "1"].map((id) => bob.store.incoming("peer", id)!.state);
  assert.deepEqual(states(), ["credited", "credited"], "credit is not taken back for silence");
  isAway = false;
  for (let round = 0; round < 10; round++) {
    kit.clock.jump(HOUR_MS / 6);
    await bob.engine.driveDue();
  }
  assert.deepEqual(states(), ["redeemed", "redeemed"]);
  assert.deepEqual(bob.troubles(), []);
});

Deno.test("O2 a mint that says 429 is left alone for as long as it wants, and nothing is lost", async (test) => {
  for (const saysWhen of [true, false]) {
    await test.step(saysWhen ? "with Retry-After" : "without", () =>
      inWeather(({ kit }) => {
        for (const { admin } of kit.mints) admin.rateLimit({ perMinute: 25, saysWhen });
      }, assertAllDone));
  }
  await test.step("batches grow meanwhile: many payments, one swap", async () => {
    await using kit = await startKit();
    const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
    await alice.fund(2_000n);
    const lockTo = bob.keys.payment.publicKey;
    const intake = intakeOf(bob);
    const ids = new Set<string>();
    for (let index = 0; index < 6; index++) {
      const token = await tokenFrom(alice, 60n, { lockTo });
      const offer = { payer: `peer${index}`, paymentId: "p", token };
      ids.add(taken(await intake.take(offer)).operationId!);
    }
    assert.equal(ids.size, 1);
    kit.mints[0]!.admin.clearRequests();
    kit.mints[0]!.admin.rateLimit({ perMinute: 1, transactionsOnly: true });
    const [id] = ids;
    assert.equal((await bob.driveToEnd(id!)).state, "redeemed");
    assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 1);
    assert.equal(bob.free(), 360n);
  });
});

/** An operation of each kind that stopped right after its request. */
const STOPPED: readonly (readonly [string, string, (alice: TestWallet) => Promise<string>])[] = [
  ["fund", "fund.mint.after-send", async (alice) => {
    const { id } = await beginFund(alice.context, { mint: alice.kit.url(), amount: 50n });
    await alice.engine.drive(id);
    await alice.kit.pay(alice.invoiceOf({ id }));
    await alice.driveToEnd(id);
    return id;
  }],
  ["send", "send.swap.after-send", async (alice) => (await send(alice, { amount: 10n })).id],
  ["melt", "melt.melt.after-send", async (alice) => {
    const { bolt11: invoice } = await shopInvoice(alice.kit, 100n);
    const { id } = await beginMelt(alice.context, { mint: alice.kit.url(), invoice });
    await alice.driveToEnd(id);
    return id;
  }],
  ["swap", "swap.mint.after-send", async (alice) => {
    const ends = { from: alice.kit.url(0), to: alice.kit.url(1), amount: 100n };
    const { id } = await beginSwap(alice.context, ends);
    await alice.driveToEnd(id);
    return id;
  }],
];

Deno.test("C1 eight who resume at once, and two processes on one database, have one effect", async (test) => {
  for (const [kind, point, begin] of STOPPED) {
    for (const isShared of [false, true]) {
      const who = isShared ? "four each over two connections" : "eight of one process";
      await test.step(`${kind}: ${who}`, async () => {
        await using world = await fundedKit({ mints: 2 });
        const { kit } = world;
        world.alice.crashAt(point);
        await begin(world.alice).catch(() => {});
        assert.ok(world.alice.isDead, "it stopped");
        await world.alice[Symbol.asyncDispose]();
        const open = () => kit.wallet("alice", { sagas: SAGAS, lock: !isShared });
        const alice = open();
        const twin = isShared ? open() : alice;
        const [{ id } = assert.fail("an open operation was wanted")] = alice.store.operations({
          status: "open",
        });
        const resumed = Array.from(
          { length: 8 },
          (_, index) => (index % 2 === 0 ? alice : twin).engine.resume(id),
        );
        await Promise.all(resumed);
        const ended = await alice.driveToEnd(id);
        assert.ok(ended.status === "done" || ended.state === "token-ready", String(ended.reason));
        assertOnce(kit, alice);
      });
    }
  }
  await test.step("a second process is refused while the first has the wallet", async () => {
    await using world = await MatrixWorld.start({ mints: 1 });
    const folder = await world.funded("alice", 100);
    await using first = await world.open(folder);
    await assert.rejects(world.open(folder), { code: "locked" });
    world.assertConserved([await world.settled(first)]);
  });
});

/** Every request had its effect once: the books of mints, Lightning and wallet agree. */
function assertOnce(kit: WalletKit, alice: TestWallet): void {
  assert.deepEqual(alice.troubles(), []);
  assert.ok(paidBy(kit) <= 1);
  for (const [index, mint] of kit.mints.entries()) {
    const held = alice.store.balances().find((one) => one.mint === kit.url(index));
    const total = (held?.free ?? 0n) + (held?.reserved ?? 0n) + (held?.outgoing ?? 0n);
    assert.equal(total, mint.admin.books().outstanding);
  }
}

Deno.test("C2 one token sent to two nodes of ours is worth something to one of them", async (test) => {
  await test.step("each node has a key of its own: the other refuses it", async () => {
    await using kit = await startKit();
    const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
    const carol = payingWallet(kit, "carol");
    await alice.fund(500n);
    const token = await tokenFrom(alice, 100n, { lockTo: bob.keys.payment.publicKey });
    const [mine, hers] = await Promise.all([
      intakeOf(bob).take({ payer: "peer", paymentId: "p", token }),
      intakeOf(carol).take({ payer: "peer", paymentId: "p", token }),
    ]);
    assert.equal(taken(mine).state, "credited");
    assert.equal(refusedCode(hers), "locked");
  });
  await test.step("a key that two nodes share against the rule: one wins, the other's credit dies", async () => {
    await using kit = await startKit();
    const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
    const twin = payingWallet(kit, "twin", { wordsOf: "bob" });
    await alice.fund(500n);
    const token = await tokenFrom(alice, 100n, { lockTo: bob.keys.payment.publicKey });
    const { id: keysetId } = await twin.context.mints.of(kit.url()).activeKeyset();
    twin.store.transact((tx) => tx.advanceCounter(keysetId, 1_000));
    const payments = [];
    for (const one of [bob, twin]) {
      payments.push(taken(await intakeOf(one).take({ payer: "peer", paymentId: "p", token })));
    }
    await Promise.all([
      bob.driveToEnd(payments[0]!.operationId!),
      twin.driveToEnd(payments[1]!.operationId!),
    ]);
    const states = [bob, twin].map((one) => one.store.incoming("peer", "p")!.state);
    assert.deepEqual(states.sort(), ["dead", "redeemed"]);
    assert.equal(bob.free() + twin.free(), 100n);
    assert.deepEqual([...bob.troubles(), ...twin.troubles()], []);
  });
});

Deno.test("C3 one payment id with two tokens, or one token with two ids, is a conflict", async () => {
  await using kit = await startKit();
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(500n);
  const lockTo = bob.keys.payment.publicKey;
  const [one, other] = [
    await tokenFrom(alice, 50n, { lockTo }),
    await tokenFrom(alice, 50n, { lockTo }),
  ];
  const intake = intakeOf(bob);
  const offers = [
    { payer: "peer", paymentId: "p", token: one },
    { payer: "peer", paymentId: "p", token: other },
    { payer: "peer", paymentId: "q", token: one },
    { payer: "thief", paymentId: "p", token: one },
  ];
  const outcomes = await Promise.all(offers.map((offer) => intake.take(offer)));
  assert.deepEqual(outcomes.map(({ status }) => status), [
    "taken",
    "conflict",
    "conflict",
    "conflict",
  ]);
  const again = await intake.take(offers[0]!);
  assert.deepEqual(again, outcomes[0], "the same payment has the same receipt");
  await bob.driveToEnd(taken(again).operationId!);
  assert.equal(bob.free(), 50n);
  for (const offer of offers.slice(1)) {
    assert.notEqual((await intake.take(offer)).status, "taken", "afterwards, too");
  }
  assert.deepEqual(bob.troubles(), []);
});
