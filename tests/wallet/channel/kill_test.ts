import assert from "node:assert/strict";
import { CLOSE_FAULT_POINTS } from "../../../wallet/operations/channel_close.ts";
import {
  CHANNEL_FAULT_POINTS,
  CHANNEL_RECLAIM_FAULT_POINTS,
} from "../../../wallet/operations/channel_plan.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { ChannelWorld, HOUR_MS, PAYER, SELLER } from "./channel_world.ts";

/** Pays what is not paid yet of three balances; those that were signed are handed over first. */
async function payOn(world: ChannelWorld): Promise<void> {
  const unanswered = () => world.buyer.store.stripParts({ peer: SELLER, states: ["revealed"] });
  const signed = () => world.buyer.store.stripParts({ peer: SELLER }).length;
  for (const part of unanswered()) await world.deliver(part);
  while (signed() < 3) await world.pay(64n);
}

for (const point of CHANNEL_FAULT_POINTS) {
  Deno.test(`a buyer that dies at ${point} loses nothing, and what it signed is on disk`, async () => {
    await using kit = await startKit({ feePpk: 100 });
    const world = await ChannelWorld.start(kit, { fund: 1_000n });
    world.buyer.crashAt(point);
    world.begin(600n);
    const play = async () => {
      await world.buyer.driveToEnd(world.id, { tries: 1 });
      await payOn(world);
      await world.closeAll();
    };
    await play().catch(() => {});
    assert.ok(world.buyer.isDead, `${point} is passed`);
    const before = world.seller.store.creditAccount(PAYER)?.paid ?? 0n;
    await world.reopenBuyer();
    const opened = await world.buyer.engine.resume(world.id);
    if (opened.state === "ready" && world.seller.store.openChannels().length > 0 || before === 0n) {
      await payOn(world);
    }
    await world.closeAll();
    assert.equal(world.channel.state, "done", String(world.channel.reason));
    assert.equal(world.seller.store.creditAccount(PAYER)!.paid, 192n, "each balance counts once");
    assert.equal(world.buyer.store.sellerAccount(SELLER)!.paid, 192n);
    world.assertConserved(1_000n);
    const gone = 1_000n - world.buyer.free() - world.seller.free();
    assert.ok(gone <= 8n, `fees took ${gone}`);
  });
}

for (const point of CHANNEL_RECLAIM_FAULT_POINTS) {
  Deno.test(`a buyer that dies at ${point} has all of it back after the expiry`, async () => {
    await using kit = await startKit({ feePpk: 100 });
    const world = await ChannelWorld.start(kit, { fund: 1_000n });
    await world.open(600n);
    // Signed, and never handed over: its seller is gone.
    world.sign(64n);
    kit.clock.jump(4 * HOUR_MS);
    world.buyer.crashAt(point);
    await world.buyer.driveToEnd(world.id).catch(() => {});
    assert.ok(world.buyer.isDead, `${point} is passed`);
    await world.reopenBuyer();
    await world.buyer.driveToEnd(world.id);
    assert.equal(world.channel.state, "done", String(world.channel.reason));
    assert.equal(world.buyer.store.sellerAccount(SELLER)!.paid, 0n);
    assert.equal(world.buyer.store.spentSat({ subject: "blob" }), 0n);
    world.assertConserved(1_000n);
    assert.ok(world.buyer.free() >= 994n);
  });
}

for (const point of CLOSE_FAULT_POINTS) {
  Deno.test(`a seller that dies at ${point} keeps what was signed, and credits it once`, async () => {
    await using kit = await startKit({ feePpk: 100 });
    const world = await ChannelWorld.start(kit, { fund: 1_000n });
    await world.open(600n);
    // In turn: at the first message, at a later one, or at the close.
    world.seller.crashAt(point, point.includes(".take.") ? 2 : 1);
    const play = async () => {
      for (let count = 0; count < 3; count++) await world.pay(64n);
      await world.closeAll();
    };
    await play().catch(() => {});
    assert.ok(world.seller.isDead, `${point} is passed`);
    await world.reopenSeller();
    const [record] = world.seller.store.openChannels();
    const isOpen = record?.state === "open";
    if (isOpen) await payOn(world);
    const paid = world.seller.store.creditAccount(PAYER)!.paid;
    await world.closeAll();
    assert.equal(world.seller.store.creditAccount(PAYER)!.paid, paid, "closing changes no credit");
    assert.equal(paid, 192n);
    assert.equal(world.channel.state, "done", String(world.channel.reason));
    world.assertConserved(1_000n);
    assert.ok(world.seller.free() >= 192n, `the seller has ${world.seller.free()}`);
  });
}
