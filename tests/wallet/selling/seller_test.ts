import assert from "node:assert/strict";
import { startKit } from "../../support/wallet_kit.ts";
import { groups, hashOf, SellingWorld, viewer } from "./selling_world.ts";

const FILM = hashOf("film");

Deno.test("Seller says the terms of what is priced, and serves the fleet for nothing", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  const { seller, wallet } = world;
  assert.equal(seller.isFree(FILM), false);
  assert.deepEqual(await seller.decide({ viewer: viewer("peer"), root: FILM }), {
    decision: "pay",
    priceMsatPerMiB: 1_000,
    minTopUpSat: 64,
    mints: [kit.url()],
    p2pk: wallet.keys.payment.publicKey,
    locktimeMin: 90,
  });
  assert.deepEqual(await seller.decide({ viewer: viewer("friend", true), root: FILM }), {
    decision: "free",
  });
  seller.disable("default");
  assert.equal(seller.isFree(FILM), true);
  assert.deepEqual(await seller.decide({ viewer: viewer("peer"), root: FILM }), {
    decision: "free",
  });
});

Deno.test("Seller charges by the byte, exactly, and stops when the credit is used up", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  assert.equal(world.seller.creditOf(viewer("peer")), 0);
  const broke = world.meter("peer");
  assert.equal(broke.take(groups(1)), 0);
  await world.credit("peer", 64n);
  assert.equal(world.seller.creditOf(viewer("peer")), 64_000);
  // 64 sat are 64 MiB: 4096 groups, and nothing for grace.
  assert.equal(broke.take(groups(4_000)), 4_000);
  assert.equal(broke.isLow, true);
  assert.equal(broke.creditMsat, 1_500);
  assert.equal(broke.take(groups(200)), 96);
  assert.equal(broke.creditMsat, 0);
  assert.equal(broke.take(groups(1)), 0);
  await broke[Symbol.asyncDispose]();
  const { rows, total } = world.seller.earnings({ by: "content" });
  assert.deepEqual(rows.map(({ key, soldMsat }) => [key, soldMsat]), [[FILM, 64_000]]);
  assert.equal(total.soldBytes, 64 * 2 ** 20);
  assert.deepEqual(world.wallet.troubles(), []);
});
