import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { beginMelt, meltResultOf } from "../../../wallet/operations/melt.ts";
import type { MeltPlan } from "../../../wallet/operations/melt_plan.ts";
import {
  AMOUNT,
  assertConserved,
  assertPaid,
  assertTakenBack,
  begin,
  fundedKit,
  meltPosts,
  play,
  shopInvoice,
  shopSat,
  type WalletKit,
} from "./melt_world.ts";

Deno.test("melt pays an invoice once, takes its change, and shows preimage, fee and change", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  kit.mints[0]!.admin.setFeeReserve({ minSat: 10 });
  const { bolt11, paymentHash } = await shopInvoice(kit, 100n);
  const begun = await beginMelt(alice.context, { mint: kit.url(), invoice: bolt11 });
  const done = await alice.driveToEnd(begun.id);
  assert.equal(done.status, "done", String(done.reason));
  assert.equal(shopSat(kit), 100n);
  assert.equal(meltPosts(kit), 1);
  const result = meltResultOf(done);
  const hash = createHash("sha256").update(Uint8Array.fromHex(result.preimage!)).digest("hex");
  assert.equal(hash, paymentHash);
  assert.equal(result.isProven, true);
  assert.equal(result.feeSat, done.fee);
  assert.equal(alice.free(), 900n - done.fee);
  assert.ok(result.changeSat! > 0n);
  assert.ok(done.fee <= result.feeMaxSat!);
  assertConserved(kit, alice);
});

Deno.test("a prepared melt rests until it is confirmed, and lets go when it is not", async (test) => {
  await test.step("confirmed", async () => {
    await using world = await fundedKit();
    const { kit, alice } = world;
    const begun = await begin(alice, { holdMs: 60_000 });
    const held = await alice.engine.drive(begun.id);
    assert.equal(held.state, "prepared");
    assert.ok(meltResultOf(held).feeMaxSat! > 0n, "the fee is shown before it is paid");
    kit.clock.jump(30_000);
    assert.equal((await alice.engine.drive(begun.id)).state, "prepared");
    assert.equal(meltPosts(kit), 0);
    assertPaid(kit, alice, await alice.engine.confirm(begun.id));
  });
  await test.step("cancelled", async () => {
    await using world = await fundedKit();
    const { kit, alice } = world;
    const begun = await begin(alice, { holdMs: 60_000 });
    await alice.engine.drive(begun.id);
    assertTakenBack(kit, alice, alice.engine.cancel(begun.id));
  });
  await test.step("forgotten", async () => {
    await using world = await fundedKit();
    const { kit, alice } = world;
    const begun = await begin(alice, { holdMs: 60_000 });
    await alice.engine.drive(begun.id);
    kit.clock.jump(60_001);
    const ended = await alice.engine.drive(begun.id);
    assertTakenBack(kit, alice, ended);
    assert.match(ended.reason!, /not confirmed in time/);
  });
  await test.step("confirmed after its quote went stale: quoted anew", async () => {
    await using world = await fundedKit();
    const { kit, alice } = world;
    const { bolt11 } = await kit.lightning.createInvoice({
      payee: "shop",
      amountMsat: AMOUNT * 1000n,
      expiryS: 48 * 3600,
    });
    const holdMs = 30 * 3_600_000;
    const begun = await beginMelt(alice.context, { mint: kit.url(), invoice: bolt11, holdMs });
    const held = await alice.engine.drive(begun.id);
    const quote = (held.plan as MeltPlan).quote!;
    kit.clock.jump(quote.expiryMs! - kit.clock.nowMs());
    const ended = await alice.engine.confirm(begun.id);
    assertPaid(kit, alice, ended);
    assert.equal((ended.plan as MeltPlan).requoteCount, 1);
  });
});

Deno.test("beginMelt refuses what cannot be paid before it asks anybody", async () => {
  await using world = await fundedKit();
  const { kit, alice } = world;
  const { context } = alice;
  const mint = kit.url();
  await assert.rejects(beginMelt(context, { mint, invoice: "lnbc1nonsense" }), SyntaxError);
  const open = await kit.lightning.createInvoice({ payee: "shop" });
  await assert.rejects(beginMelt(context, { mint, invoice: open.bolt11 }), /without an amount/);
  const old = await kit.lightning.createInvoice({ payee: "shop", amountMsat: 1000n, expiryS: 1 });
  kit.clock.jump(2000);
  await assert.rejects(beginMelt(context, { mint, invoice: old.bolt11 }), /has expired/);
  const { bolt11 } = await shopInvoice(kit, AMOUNT);
  const stranger = "https://mint.example" as typeof mint;
  await assert.rejects(beginMelt(context, { mint: stranger, invoice: bolt11 }), /not listed|list/);
  const first = await beginMelt(context, { mint, invoice: bolt11 });
  await assert.rejects(
    beginMelt(context, { mint, invoice: bolt11.toUpperCase() }),
    new RegExp(`operation ${first.id} is paying it already`),
  );
  assert.equal(kit.mints[0]!.admin.requests().length, 0);
});

Deno.test("a melt of more than is free ends at once and says what is missing", async () => {
  await using world = await fundedKit({ sat: 64n });
  const { kit, alice } = world;
  const begun = await begin(alice);
  const ended = await play({}, alice, begun.id);
  assertTakenBack(kit, alice, ended, 64n);
  assert.match(ended.reason!, /not enough is free at .* for 100 sat/);
});

Deno.test("a mint without NUT-08 gets the exact sum, and nothing to give back", async () => {
  await using world = await fundedKit({ prepare: (kit) => kit.mints[0]!.admin.disableNuts([8]) });
  const { kit, alice } = world;
  const begun = await begin(alice);
  const ended = await play({}, alice, begun.id);
  assertPaid(kit, alice, ended);
  const { funds } = ended.plan as MeltPlan;
  assert.ok(funds!.split !== undefined, "a swap made the exact sum");
  assert.equal(ended.fee, BigInt((ended.plan as MeltPlan).quote!.feeReserveSat));
});

Deno.test("D1: change that does not check out blocks the mint, and never the payment", async (test) => {
  const cases: readonly (readonly [string, (kit: WalletKit) => void, "done" | "attention"])[] = [
    ["zero-value signatures are no proofs", (kit) => {
      kit.mints[0]!.admin.change({ zeroChange: true });
    }, "done"],
    ["permuted signatures are matched by blinded message", (kit) => {
      kit.mints[0]!.admin.permuteSignatures(1, { path: "/v1/melt/bolt11" });
    }, "done"],
    ["an answer without its change is asked for again", (kit) => {
      kit.mints[0]!.admin.alterAnswers("/v1/melt/bolt11", { change: [] });
    }, "done"],
    ["a signature too few is restored", (kit) => {
      kit.mints[0]!.admin.dropSignature(1, { path: "/v1/melt/bolt11" });
    }, "done"],
    ["false proofs on every answer", (kit) => {
      kit.mints[0]!.admin.badDleq(100);
    }, "attention"],
  ];
  for (const [name, spoil, status] of cases) {
    await test.step(name, async () => {
      await using world = await fundedKit();
      const { kit, alice } = world;
      kit.mints[0]!.admin.setFeeReserve({ minSat: 30 });
      spoil(kit);
      const begun = await begin(alice);
      const ended = await play({}, alice, begun.id);
      assert.equal(shopSat(kit), AMOUNT);
      if (status === "done") {
        assertPaid(kit, alice, ended);
        assert.ok(meltResultOf(ended).changeSat! >= 28n, "all of the change is here");
        return;
      }
      assert.equal(ended.status, "attention");
      assert.equal(ended.state, "paid");
      assert.ok(alice.store.mint(kit.url())!.blockedReason !== undefined);
      assert.deepEqual(alice.store.audit(), []);
      // Once the mint is honest again, what it owed is still there.
      await kit.mints[0]!.admin.clearFaults();
      assertPaid(kit, alice, await alice.engine.resume(begun.id));
    });
  }
});

Deno.test("change that is more than was put in is not taken, and blocks the mint", async () => {
  await using world = await fundedKit({
    prepare: (kit) => kit.mints[0]!.admin.disableNuts([12]),
  });
  const { kit, alice } = world;
  const { admin } = kit.mints[0]!;
  admin.setFeeReserve({ minSat: 30 });
  const begun = await begin(alice);
  alice.crashAt("melt.melt.after-send");
  await play({}, alice, begun.id).catch(() => {});
  const again = await alice.reopen();
  const [blank] = again.store.outputs(begun.id, "melt");
  const outputs = [{ amount: 0, id: blank!.keysetId, B_: blank!.blinded }];
  const signatures = [{ id: blank!.keysetId, amount: 1024, C_: blank!.blinded }];
  admin.alterAnswers("/v1/melt/quote/bolt11", { change: [] }, { count: 100 });
  admin.alterAnswers("/v1/restore", { outputs, signatures }, { count: 100 });
  const ended = await play({}, again, begun.id);
  assert.equal(shopSat(kit), AMOUNT);
  assert.equal(ended.status, "attention", `${ended.state} ${ended.reason}`);
  assert.match(ended.reason!, /more comes back than was put in/);
  assert.ok(again.store.mint(kit.url())!.blockedReason !== undefined);
  assert.deepEqual(again.store.audit(), []);
  admin.disableNuts([]);
  await admin.clearFaults();
  assertPaid(kit, again, await again.engine.resume(begun.id));
});
