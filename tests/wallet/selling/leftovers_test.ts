import assert from "node:assert/strict";
import { UNITS_PER_SAT } from "../../../wallet/credit_units.ts";
import { decodeToken } from "../../../wallet/token.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { groups, hashOf, SellingWorld, viewer } from "./selling_world.ts";

const WEEK_MS = 7 * 24 * 3_600_000;

/** Sat in a token. */
async function worthOf(world: SellingWorld, token: string): Promise<bigint> {
  const keysets = await world.buyer.context.mints.of(world.kit.url()).keysets();
  const { proofs } = decodeToken(token, keysets.map(({ id }) => id));
  return proofs.reduce((sum, { amount }) => sum + amount, 0n);
}

Deno.test("Seller pays back what is left, locked to the payer, and gives the same token each time", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  await world.credit("p", 64n);
  await world.redeemAll();
  const meter = world.meter("p");
  meter.take(groups(100));
  assert.equal(
    (await world.seller.refund(viewer("p"))).status,
    "declined",
    "an answer is under way",
  );
  await meter[Symbol.asyncDispose]();
  const [first, same] = await Promise.all([
    world.seller.refund(viewer("p")),
    world.seller.refund(viewer("p")),
  ]);
  assert.equal(first.status, "refunded", JSON.stringify(first));
  assert.deepEqual(same, first);
  assert.deepEqual(await world.seller.refund(viewer("p")), first);
  await world.reopen();
  assert.deepEqual(await world.seller.refund(viewer("p")), first);
  if (first.status !== "refunded") return;
  // 100 groups are 1.5625 sat: 62.4375 sat are left, and the fraction stays.
  assert.equal(first.amountSat, 62);
  assert.equal(await worthOf(world, first.token), 62n);
  assert.equal(world.seller.creditOf(viewer("p")), 437);
  assert.equal(
    await kit.redeem(first.token, { secretKey: world.buyer.keys.payment.secretKey }),
    62n,
  );
  const { total } = world.seller.earnings({ by: "peer" });
  assert.deepEqual(
    [total.soldMsat, total.refundedMsat, total.redeemedSat],
    [1_562, 62_000, 64],
  );
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("Seller pays back nothing of dust, to nobody without a key, and once a day", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  const codeOf = async (peer: string) => {
    const answer = await world.seller.refund(viewer(peer));
    return answer.status === "declined" ? answer.code : answer.status;
  };
  assert.equal(await codeOf("stranger"), "dust");
  await world.credit("p", 64n);
  assert.equal(await codeOf("p"), "unavailable", "what it paid is not redeemed");
  await world.redeemAll();
  const before = await world.seller.refund(viewer("p"));
  assert.equal(before.status, "refunded");
  if (before.status !== "refunded") return;
  await kit.redeem(before.token, { secretKey: world.buyer.keys.payment.secretKey });
  for (const { id } of world.wallet.store.operations({ kind: "send", status: "open" })) {
    await world.wallet.engine.resume(id);
  }
  await world.credit("p", 64n);
  await world.redeemAll();
  assert.equal(await codeOf("p"), "busy");
  kit.clock.jump(24 * 3_600_000);
  assert.equal(await codeOf("p"), "refunded");
});

Deno.test("Seller gives credit back when the refund comes to nothing", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  await world.credit("p", 64n);
  await world.redeemAll();
  // The mint turns the lock down before anything was sent.
  kit.mints[0]!.admin.disableNuts([11]);
  kit.clock.jump(2 * 24 * 3_600_000);
  const answer = await world.seller.refund(viewer("p"));
  assert.notEqual(answer.status, "refunded");
  for (const { id } of world.wallet.store.operations({ kind: "send", status: "open" })) {
    await world.wallet.driveToEnd(id);
  }
  assert.equal(world.seller.creditOf(viewer("p")), 64_000);
  assert.deepEqual(world.wallet.store.sales({ payer: "p" }).map(({ units }) => units), [0n]);
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("A refund that nobody fetched comes back after its locktime, and is credit again", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  await world.credit("p", 64n);
  await world.redeemAll();
  assert.equal((await world.seller.refund(viewer("p"))).status, "refunded");
  assert.equal(world.seller.creditOf(viewer("p")), 0);
  const [send] = world.wallet.store.operations({ kind: "send", status: "open" });
  kit.clock.jump(WEEK_MS + 3_600_000);
  const ended = await world.wallet.driveToEnd(send!.id);
  assert.equal(ended.state, "reclaimed");
  assert.equal(world.seller.creditOf(viewer("p")), 64_000);
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("Credit below what is paid back expires after a week without use, and no other does", async () => {
  await using kit = await startKit();
  await using world = await SellingWorld.start(kit);
  for (const peer of ["dust", "rich", "active"]) await world.credit(peer, 64n);
  const use = async (peer: string, count: number) => {
    const meter = world.meter(peer);
    assert.equal(meter.take(groups(count)), count);
    await meter[Symbol.asyncDispose]();
    // What is drawn is given back a moment later.
    kit.clock.jump(1_500);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  await use("dust", 2_100);
  await use("rich", 2_000);
  kit.clock.jump(WEEK_MS - 60_000);
  assert.equal(world.seller.expireCredit(), 0);
  await use("active", 2_100);
  kit.clock.jump(120_000);
  assert.equal(world.seller.expireCredit(), 1);
  const left = ["dust", "rich", "active"].map((peer) => world.seller.creditOf(viewer(peer)));
  assert.deepEqual(left, [0, 32_750, 31_187]);
  const { rows } = world.seller.earnings({ by: "peer" });
  const dust = rows.find(({ key }) => key === "dust")!;
  assert.deepEqual([dust.soldMsat, dust.expiredMsat], [32_812, 31_187]);
  const expired = world.wallet.store.sales({ payer: "dust" });
  assert.equal(expired.reduce((sum, { units }) => sum + units, 0n), 64n * UNITS_PER_SAT);
  assert.equal(world.seller.expireCredit(), 0);
  assert.deepEqual(world.wallet.troubles(), []);
});

Deno.test("earnings by day, mint, peer and content add up to the same, provisional and redeemed", async () => {
  await using kit = await startKit({ mints: 2 });
  await using world = await SellingWorld.start(kit);
  await world.buyer.fund(500n, kit.url(1));
  await world.credit("p", 64n);
  const answer = await world.pay("q", "x", await world.token(100n, { mint: kit.url(1) }));
  assert.equal(answer.answer, "credited");
  for (const [peer, name] of [["p", "film"], ["q", "film"], ["q", "song"]] as const) {
    const meter = world.meter(peer, 1_000, hashOf(name));
    assert.equal(meter.take(groups(640)), 640);
    await meter[Symbol.asyncDispose]();
  }
  const of = (by: "day" | "mint" | "peer" | "content") => world.seller.earnings({ by });
  assert.deepEqual(
    of("mint").rows.map(({ key, provisionalSat }) => [key, provisionalSat]).sort(),
    [
      [kit.url(0), 64],
      [kit.url(1), 100],
    ].sort(),
  );
  await world.redeemAll();
  assert.deepEqual(of("peer").rows.map((row) => [row.key, row.soldMsat, row.redeemedSat]), [
    ["p", 10_000, 64],
    ["q", 20_000, 100],
  ]);
  const content = new Map(of("content").rows.map(({ key, soldMsat }) => [key, soldMsat]));
  assert.deepEqual(
    content,
    new Map([[hashOf("film"), 20_000], [hashOf("song"), 10_000]].sort() as [string, number][]),
  );
  const days = of("day").rows;
  assert.equal(days.length, 1);
  assert.match(days[0]!.key, /^\d{4}-\d\d-\d\d$/);
  for (const by of ["day", "peer", "content"] as const) assert.equal(of(by).total.soldMsat, 30_000);
  for (const by of ["day", "peer", "mint"] as const) {
    assert.deepEqual([of(by).total.redeemedSat, of(by).total.provisionalSat], [164, 0]);
  }
  const tomorrow = kit.clock.nowMs() + 24 * 3_600_000;
  assert.deepEqual(world.seller.earnings({ by: "day", sinceMs: tomorrow }).rows, []);
  assert.deepEqual(world.seller.soldTo("q", hashOf("song")), { bytes: 640 * 16_384, msat: 10_000 });
});
