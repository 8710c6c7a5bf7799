import assert from "node:assert/strict";
import { requestReclaim } from "../../../wallet/operations/reclaim_request.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { ChannelWorld, HOUR_MS, PAYER, SELLER } from "./channel_world.ts";

for (const feePpk of [0, 100, 999]) {
  Deno.test(`a channel pays 300 balances and closes with what was funded, at ${feePpk} ppk`, async () => {
    await using kit = await startKit({ feePpk, mints: 2 });
    const world = await ChannelWorld.start(kit, { fund: 2_000n });
    await world.open(1_500n);
    assert.ok(world.buyer.store.audit().length === 0, world.buyer.store.audit().join());
    const swaps = () => kit.mints[0]!.admin.requests("/v1/swap").length;
    assert.equal(swaps(), 1);
    for (let count = 0; count < 300; count++) await world.pay(4n);
    assert.equal(swaps(), 1, "a balance asks no mint");
    const account = world.seller.store.creditAccount(PAYER)!;
    assert.equal(account.paid, 1_200n);
    assert.equal(world.buyer.store.sellerAccount(SELLER)!.paid, 1_200n);
    assert.deepEqual(world.seller.troubles(), []);
    assert.deepEqual(world.buyer.troubles(), []);
    await world.closeAll();
    assert.equal(swaps(), 4, "open, close, and one redemption on each side");
    assert.equal(world.channel.state, "done");
    assert.ok(world.seller.free() >= 1_200n, `the seller has ${world.seller.free()}`);
    assert.equal(world.seller.store.creditAccount(PAYER)!.paid, 1_200n);
    const states = new Set(
      world.buyer.store.stripParts({ peer: SELLER }).map(({ state }) => state),
    );
    assert.deepEqual([...states], ["claimed"]);
    if (feePpk === 0) assert.equal(world.buyer.free() + world.seller.free(), 2_000n);
    world.assertConserved(2_000n);
  });
}

Deno.test("requestReclaim() of a channel says until when it is open, and takes it back after its expiry", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit, { fund: 2_000n });
  await world.open(1_500n);
  await world.pay(64n);
  const { context, engine } = world.buyer;
  const expiryMs = world.channel.plan.lock.locktimeS! * 1000;
  assert.throws(() => requestReclaim(context, world.id), (error: Error) => {
    const [, time] = /open with its seller.* until (\S+Z), and what is left/.exec(error.message)!;
    assert.ok(Date.parse(time!) >= expiryMs && Date.parse(time!) < expiryMs + HOUR_MS);
    return true;
  });
  kit.clock.jump(4 * HOUR_MS);
  requestReclaim(context, world.id);
  assert.equal((await engine.drive(world.id)).state, "done");
  assert.equal(world.buyer.free(), 2_000n, "its seller never closed it");
  assert.equal(requestReclaim(context, world.id).state, "done", "again, it is the same");
});
