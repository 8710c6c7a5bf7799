import assert from "node:assert/strict";
import { newSeedWords } from "../../../src/core/keys.ts";
import { systemRandom } from "../../../src/host/system.ts";
import type { Gate } from "../../../swarm/ports.ts";
import { Wallet } from "../../../wallet/mod.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { payingWallet, tokenFrom } from "../payments/payments_world.ts";
import { groups, hashOf, idOf, SellingWorld, viewer } from "./selling_world.ts";

const FILM = hashOf("film");

Deno.test("Seller says the terms of what is priced, and serves the fleet for nothing", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  const { wallet } = world;
  const { seller }: { readonly seller: Gate & typeof world.seller } = world;
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

Deno.test("Wallet.seller sells with threads that verify, wakes who waits, and closes with the wallet", async () => {
  await using kit = await startKit();
  const buyer = payingWallet(kit, "buyer");
  await buyer.fund(500n);
  const directory = await Deno.makeTempDir({ prefix: "seedmint-seller-" });
  try {
    const seedWords = newSeedWords();
    const open = () =>
      Wallet.open({
        directory,
        seedWords,
        clock: kit.clock,
        random: systemRandom,
        openHints: null,
      });
    {
      await using wallet = await open();
      await wallet.addMint({ url: kit.url(), trust: "trusted" });
      const seller = wallet.seller();
      assert.equal(wallet.seller(), seller);
      seller.setService({ id: "default", priceMsatPerMiB: 2_000 });
      const meter = seller.openMeter({
        viewer: viewer("peer"),
        root: FILM,
        priceMsatPerMiB: 2_000,
      });
      const woken = meter.more(new AbortController().signal);
      for (const name of ["one", "two"]) {
        const token = await tokenFrom(buyer, 95n, { lockTo: wallet.paymentKey });
        const answer = await seller.pay({
          viewer: viewer("peer"),
          payment: { id: idOf(name), token },
        });
        assert.equal(answer.answer, "credited", JSON.stringify(answer));
      }
      await woken;
      assert.equal(meter.creditMsat, 190_000);
      // What has to be redeemed first is redeemed by itself, at once.
      const plain = await tokenFrom(buyer, 64n);
      const other = { viewer: viewer("other"), payment: { id: idOf("three"), token: plain } };
      assert.equal((await seller.pay(other)).answer, "pending");
      const patient = seller.openMeter({ ...other, root: FILM, priceMsatPerMiB: 2_000 });
      await patient.more(AbortSignal.timeout(20_000));
      assert.equal(patient.creditMsat, 64_000);
      await patient[Symbol.asyncDispose]();
      assert.equal(meter.take(groups(128)), 128);
      await meter[Symbol.asyncDispose]();
    }
    await using wallet = await open();
    const seller = wallet.seller();
    assert.equal(seller.isFree(FILM), false);
    assert.equal(seller.creditOf(viewer("peer")), 186_000);
    assert.deepEqual(await wallet.audit(), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("Seller with a broken disk gives free content as ever, and nothing that is priced", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit, { price: 0 });
  const { seller } = world;
  const song = hashOf("song");
  seller.setService({ id: `content:${FILM}`, priceMsatPerMiB: 1_000 });
  await world.credit("peer", 64n);
  const meter = world.meter("peer");
  kit.clock.jump(5_000);
  world.wallet.crashAfter(1);
  assert.throws(() => meter.take(groups(1)));
  assert.equal(seller.isFree(song), true);
  assert.deepEqual(await seller.decide({ viewer: viewer("peer"), root: song }), {
    decision: "free",
  });
  assert.equal(seller.isFree(FILM), false);
  await assert.rejects(seller.decide({ viewer: viewer("peer"), root: FILM }));
  assert.throws(() => meter.take(groups(1)));
  const answer = await world.pay("peer", "x", "cashuBwhatever");
  assert.equal(answer.answer === "refused" && answer.code, "internal");
  await meter[Symbol.asyncDispose]();
});
