/** P1 to P7: what mints and Lightning may do with a payment. */
import assert from "node:assert/strict";
import { beginMelt } from "../../../wallet/operations/melt.ts";
import { beginSwap } from "../../../wallet/operations/swap.ts";
import type { SwapPlan } from "../../../wallet/operations/swap_plan.ts";
import { FaultProxy } from "../../../devnet/fault_proxy/mod.ts";
import { parseMintUrl } from "../../../wallet/mint/mint_url.ts";
import { startKit } from "../../support/wallet_kit.ts";
import {
  fundedKit,
  meltPosts,
  paidBy,
  play,
  shopInvoice,
  walletOf,
} from "../operations/melt_world.ts";
import { bothWays } from "./paying.ts";

Deno.test("P1 a payment that is pending is held: for three looks, over a restart, for ever with an alert", async (test) => {
  await bothWays(test, "paid after three looks", async (paying) => {
    paying.kit.lightning.script({ action: "hold" });
    await paying.begin();
    let looks = 0;
    const ended = await paying.play(({ state }) => {
      if (state === paying.state("pending") && ++looks === 3) {
        paying.kit.lightning.settle(paying.paymentHash);
      }
    });
    paying.assertPaid(ended);
    assert.equal(looks, 3);
  });
  await bothWays(test, "paid while nobody looked", async (paying) => {
    paying.kit.lightning.script({ action: "hold" });
    await paying.begin();
    assert.equal((await paying.drive()).state, paying.state("pending"));
    await paying.reopen();
    paying.kit.lightning.settle(paying.paymentHash);
    paying.assertPaid(await paying.play());
  });
  await bothWays(test, "never paid", async (paying) => {
    paying.admin.pendingForever();
    await paying.begin();
    let operation = await paying.drive();
    for (let hour = 0; hour < 24; hour++) {
      paying.kit.clock.jump(3_600_000);
      operation = await paying.drive();
    }
    assert.deepEqual([operation.state, operation.status], [paying.state("pending"), "open"]);
    assert.ok(operation.nextAtMs !== undefined && operation.reason !== undefined);
    const alerts = paying.alice.events.filter(({ event }) => event === "attention");
    assert.equal(alerts.length, 1, "people hear of it once");
    assert.deepEqual(paying.alice.troubles(), []);
    assert.equal(meltPosts(paying.kit), 1);
    await paying.admin.releasePending();
    const ended = await paying.play();
    // A day later a destination's invoice is too old to be paid.
    if (ended.status === "done") paying.assertPaid(ended);
    else paying.assertBack(ended);
  });
});

Deno.test("P2 a melt is posted once, whatever its mint keeps of a pending answer", async (test) => {
  await bothWays(test, "PENDING is kept", async (paying) => {
    paying.admin.change({ cachePending: true });
    paying.kit.lightning.script({ action: "hold" });
    await paying.begin();
    let looks = 0;
    const ended = await paying.play(({ state }) => {
      if (state === paying.state("pending") && ++looks === 6) {
        paying.kit.lightning.settle(paying.paymentHash);
      }
    });
    paying.assertPaid(ended);
  });
});

Deno.test("P3 a mint that says it failed, and paid, is found out, and the change is claimed", async (test) => {
  await bothWays(test, "400 with code 20004", async (paying) => {
    paying.admin.setFeeReserve({ minSat: 20 });
    paying.admin.lieAfterPaying();
    await paying.begin();
    const ended = await paying.play();
    paying.assertPaid(ended);
    assert.ok(ended.fee < 10n, "of 20 sat in reserve most came back");
  });
});

Deno.test("P4 a late copy of a melt that failed loses against the fence, or is seen paid", async (test) => {
  for (const isFirst of [false, true]) {
    await test.step(isFirst ? "the copy is faster" : "the fence is faster", async () => {
      await using kit = await startKit();
      await using proxy = await FaultProxy.start({ target: kit.mints[0]!.url, clock: kit.clock });
      kit.mints[0]!.admin.change({ cacheTtlS: 0 });
      const alice = walletOf(kit, { urls: [proxy.url] });
      const mint = parseMintUrl(proxy.url);
      await alice.fund(1_000n, mint);
      const { bolt11: invoice } = await shopInvoice(kit, 100n);
      kit.lightning.script({ action: "fail" });
      const { id } = await beginMelt(alice.context, { mint, invoice });
      if (isFirst) alice.crashAt("melt.fence.before-send");
      const first = await play({}, alice, id).catch(() => undefined);
      const melt = proxy.log.find(({ path }) => path === "/v1/melt/bolt11")!;
      const late = await proxy.replay(melt.index);
      if (!isFirst) {
        assert.deepEqual([late.status, JSON.parse(late.text).code], [400, 11001]);
        assert.equal(first!.status, "failed");
        assert.equal(alice.free(mint), 1_000n - first!.fee);
        assert.equal(paidBy(kit), 0);
        assert.deepEqual(alice.troubles(), []);
        return;
      }
      assert.equal(late.status, 200);
      const again = await alice.reopen();
      const ended = await play({}, again, id);
      assert.equal(ended.status, "done", String(ended.reason));
      assert.equal(paidBy(kit), 1);
      assert.equal(again.free(mint), 900n - ended.fee);
      assert.deepEqual(again.troubles(), []);
    });
  }
});

Deno.test("P5 a payment that the destination never sees is waited for with an alert, and not made again", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  kit.lightning.script({ action: "notify-never" });
  const ends = { from: kit.url(0), to: kit.url(1), amount: 100n };
  const begun = await beginSwap(alice.context, ends);
  let operation = await alice.engine.drive(begun.id);
  for (let hour = 0; hour < 24; hour++) {
    kit.clock.jump(3_600_000);
    operation = await alice.engine.drive(begun.id);
  }
  assert.deepEqual([operation.state, operation.status], ["awaiting-dest", "open"]);
  assert.equal(alice.events.filter(({ event }) => event === "attention").length, 1);
  assert.equal(meltPosts(kit), 1);
  assert.equal(paidBy(kit), 1);
  kit.lightning.settle((operation.plan as SwapPlan).paymentHash);
  const ended = await play({}, alice, begun.id);
  assert.equal(ended.status, "done", String(ended.reason));
  assert.equal(alice.free(kit.url(1)), 100n);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("P6 a reserve above the cap, another amount or another invoice ends it before anything is sent", async (test) => {
  const path = "/v1/melt/quote/bolt11";
  await bothWays(test, "a reserve above the cap", async (paying) => {
    paying.admin.setFeeReserve({ minSat: 9 });
    await paying.begin({ feeMax: 8n });
    paying.assertBack(await paying.play());
    assert.equal(meltPosts(paying.kit), 0);
  });
  await bothWays(test, "another amount", async (paying) => {
    paying.admin.alterAnswers(path, { amount: 101 }, { count: 100 });
    await paying.begin();
    paying.assertBack(await paying.play());
    assert.equal(meltPosts(paying.kit), 0);
  });
  await bothWays(test, "another invoice, from a man in the middle", async (paying) => {
    const { bolt11 } = await shopInvoice(paying.kit, 100n);
    paying.admin.alterAnswers(path, { request: bolt11 }, { count: 100 });
    await paying.begin();
    paying.assertBack(await paying.play());
    assert.equal(meltPosts(paying.kit), 0);
  });
  await test.step("swap: the destination's invoice is somebody else's", async () => {
    await using world = await fundedKit({ mints: 2 });
    const { kit, alice } = world;
    const { bolt11 } = await shopInvoice(kit, 150n);
    const altered = { request: bolt11 };
    kit.mints[1]!.admin.alterAnswers("/v1/mint/quote/bolt11", altered, { count: 100 });
    const ends = { from: kit.url(0), to: kit.url(1), amount: 100n };
    const begun = await beginSwap(alice.context, ends);
    const ended = await play({}, alice, begun.id);
    assert.equal(ended.status, "failed");
    assert.equal(meltPosts(kit), 0);
    assert.equal(alice.free(), 1_000n);
    assert.deepEqual(alice.troubles(), []);
  });
});

Deno.test("P7 a destination's quote that expired after the source paid is claimed", async () => {
  await using world = await fundedKit({ mints: 2 });
  const { kit, alice } = world;
  kit.lightning.script({ action: "notify-never" });
  const ends = { from: kit.url(0), to: kit.url(1), amount: 100n };
  const begun = await beginSwap(alice.context, ends);
  const waiting = await alice.engine.drive(begun.id);
  assert.equal(waiting.state, "awaiting-dest");
  const { dest, paymentHash } = waiting.plan as SwapPlan;
  kit.clock.jump(dest!.expiryMs! - kit.clock.nowMs() + 48 * 3_600_000);
  kit.lightning.settle(paymentHash);
  const ended = await play({}, alice, begun.id);
  assert.equal(ended.status, "done", String(ended.reason));
  assert.equal(alice.free(kit.url(1)), 100n);
  assert.deepEqual(alice.troubles(), []);
});
