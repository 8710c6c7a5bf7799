import assert from "node:assert/strict";
import { startKit } from "../../support/wallet_kit.ts";
import {
  assertBooks,
  buyerOf,
  buyingWallet,
  deskOf,
  opened,
  paymentOf,
  SELLER,
  stream,
  SUBJECT,
  TestSeller,
} from "./buying_world.ts";

const MIB = 1_048_576;

Deno.test("a session pays for a gigabyte with one swap for thirty top-ups, and never stalls", async () => {
  await using kit = await startKit({ feePpk: 100 });
  const [alice, bob] = [buyingWallet(kit), buyingWallet(kit, "bob")];
  await alice.fund(4000n);
  await using desk = deskOf(alice);
  const seller = new TestSeller(bob, { minTopUpSat: 64, priceMsatPerMiB: 1_900 });
  const startMs = kit.clock.nowMs();
  const before = kit.mints[0]!.admin.requests("/v1/swap").length;
  const buyer = buyerOf(desk);
  await using session = await opened(buyer, seller.terms, { bytesMax: 1024 * MIB });
  const { stalls } = await stream(session, seller, { bytes: 1024 * MIB });
  assert.equal(stalls, 0);
  assert.ok(seller.paidCount >= 30 && seller.paidCount <= 32, `${seller.paidCount} top-ups`);
  const swaps = kit.mints[0]!.admin.requests("/v1/swap").length - before;
  assert.equal(swaps, Math.ceil(seller.paidCount / 30), "one swap for thirty top-ups");
  const [paid] = buyer.paidFor(SUBJECT, startMs);
  assert.equal(paid!.peerId, SELLER);
  assert.equal(paid!.usedMsat, 1024 * 1_900);
  assert.equal(paid!.paidSat, seller.paidCount * 65);
  assert.equal(paid!.mint, kit.url());
  await session[Symbol.asyncDispose]();
  kit.clock.jump(4 * 3_600_000);
  for (const { id } of bob.store.operations({ kind: "redeem" })) await bob.driveToEnd(id);
  for (const { id } of alice.store.operations({ kind: "strip" })) {
    assert.equal((await alice.driveToEnd(id)).state, "done");
  }
  assertBooks(kit, [alice, bob]);
});

Deno.test("what was handed over and not answered is given again with its id, after a restart too", async () => {
  await using kit = await startKit();
  let alice = buyingWallet(kit);
  const bob = buyingWallet(kit, "bob");
  await alice.fund(500n);
  const seller = new TestSeller(bob);
  let first;
  {
    await using desk = deskOf(alice);
    await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 100 * MIB });
    first = paymentOf(await session.next());
    assert.deepEqual(paymentOf(await session.next()), first);
  }
  alice = await alice.reopen();
  await using desk = deskOf(alice);
  await using session = await opened(buyerOf(desk), seller.terms, { bytesMax: 100 * MIB });
  const again = paymentOf(await session.next());
  assert.deepEqual(again, first);
  session.answered(again.id, await seller.take(again));
  assert.deepEqual(await session.next(), { due: "nothing" });
  assert.equal(kit.mints[0]!.admin.requests("/v1/swap").length, 1, "the strip lives on");
});
