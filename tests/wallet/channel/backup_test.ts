import assert from "node:assert/strict";
import { join } from "node:path";
import { startKit } from "../../support/wallet_kit.ts";
import { channelWallet, ChannelWorld } from "./channel_world.ts";

Deno.test("a buyer that comes back from a backup finds the change of balances that it does not know", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  await world.open(1_000n);
  await world.pay(100n);
  const path = join(kit.directory, "backup.bin");
  await world.buyer.backup(path);
  await world.pay(50n);
  await world.pay(51n);
  const [record] = world.seller.store.openChannels();
  world.till.closeAll("a test wants it");
  await world.seller.driveToEnd(record!.operationId);
  const again = channelWallet(kit, "again", { wordsOf: "buyer" });
  await again.takeOver(path);
  await again.engine.resume(world.id);
  const done = await again.driveToEnd(world.id);
  assert.equal(done.state, "done", String(done.reason));
  for (const { id } of again.store.operations({ kind: "redeem", status: "open" })) {
    await again.driveToEnd(id);
  }
  assert.deepEqual(again.store.audit(), []);
  const [incoming] = again.store.operations({ kind: "redeem" });
  assert.equal(incoming!.amount, 799n);
});
