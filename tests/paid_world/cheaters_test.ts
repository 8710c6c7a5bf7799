/** Cheaters with real wallets and mints: what they got is told by the mints' books. */
import assert from "node:assert/strict";
import { ChildError } from "../support/wallet_process.ts";
import { costOf, UNITS_PER_SAT } from "./accounts.ts";
import type { Cheat } from "./commands.ts";
import type { TraderProcess } from "./trader.ts";
import { CLIP, type Home, PaidWorld } from "./world.ts";

/** Fee of redeeming one payment, in sat: it comes on top of what the payment is worth. */
const REDEEM_FEE_SAT = 1;

/** What a cheat leads to, and how much of the content its buyer has in the end, in parts. */
const CHEATS: Readonly<
  Record<Cheat, { readonly says: string; readonly least: number; readonly most: number }>
> = {
  keeps: { says: "takes payments and sends nothing", least: 0, most: 0 },
  garbage: { says: "sends garbage", least: 0.25, most: 0.6 },
  stalls: { says: "stalls at 99 %", least: 0.8, most: 0.999 },
  denies: { says: "says that it never got a payment", least: 0, most: 0 },
  ponders: { says: "looks at a payment for ever", least: 0, most: 0 },
};

/** Fetches of somebody who does not give up. */
const TRIES = 2;

/** Fetches, again and again as a user might, and what everybody has then. */
async function cheated(
  world: PaidWorld,
  home: Home,
  buyer: TraderProcess,
): Promise<{ readonly givenSat: number; readonly verifiedBytes: number }> {
  for (let tries = 0; tries < TRIES; tries++) {
    await assert.rejects(world.fetch(buyer, { waitMs: 4_000 }), ChildError);
  }
  const verifiedBytes = await world.verifiedBytes(buyer);
  // It is not honest to its own books either; its wallet is sound.
  world.seller.kill();
  await world.seller[Symbol.asyncDispose]();
  await world.startSeller();
  await world.settleSeller(home);
  await world.settleBuyer(home, buyer);
  await world.assertConserved();
  return { givenSat: world.givenSat(home), verifiedBytes };
}

for (const [cheat, { says, least, most }] of Object.entries(CHEATS)) {
  Deno.test(`a seller that ${says} gets two least payments for nothing at most`, async () => {
    await using world = await PaidWorld.start(CLIP, { cheat: cheat as Cheat });
    const home = await world.buyer("ben");
    const { givenSat, verifiedBytes } = await cheated(world, home, await world.startBuyer(home));
    const part = verifiedBytes / world.size;
    assert.ok(part >= least && part <= most, `${part} of the content`);
    const { priceMsatPerMiB, minTopUpSat } = world.goods;
    const worthSat = Number(costOf(verifiedBytes, priceMsatPerMiB)) / Number(UNITS_PER_SAT);
    const payments = Math.ceil(worthSat / minTopUpSat) + 2;
    const lossSat = givenSat - worthSat - payments * REDEEM_FEE_SAT;
    assert.ok(givenSat > 0, "it was paid");
    assert.ok(lossSat <= 2 * minTopUpSat, `${lossSat} sat for nothing`);
  });
}

Deno.test("a seller that raises its price in the middle of a stream is paid no more than was agreed", async () => {
  await using world = await PaidWorld.start(CLIP, { bytesPerSecond: 4 * 2 ** 20 });
  const home = await world.buyer("ben");
  const buyer = await world.startBuyer(home);
  const { priceMsatPerMiB, minTopUpSat } = world.goods;
  const agreed = world.terms!;
  let raised: Promise<void> | undefined;
  buyer.onEvent = ({ event }) => {
    if (event !== "progress") return;
    raised ??= world.setPrice({ priceMsatPerMiB: priceMsatPerMiB * 10, minTopUpSat });
  };
  const end = await world.fetch(buyer, { waitMs: 20_000 }).then(() => "complete", (error) => {
    assert.ok(error instanceof ChildError && error.code === "payment-required", String(error));
    return "left";
  });
  await raised;
  assert.notEqual(raised, undefined);
  world.terms = agreed;
  const verifiedBytes = await world.verifiedBytes(buyer);
  if (end === "complete") assert.equal(verifiedBytes, world.size);
  await world.settleSeller(home);
  await world.settleBuyer(home, buyer);
  world.assertFair(home, { cost: costOf(verifiedBytes, priceMsatPerMiB) });
  await world.assertConserved();
});

Deno.test("a payment that is shown again, elsewhere or by another, is worth nothing more", async () => {
  await using world = await PaidWorld.start(CLIP);
  const home = await world.buyer("ben");
  const buyer = await world.startBuyer(home);
  await world.fetch(buyer);
  const payments = await buyer.ask<{ id: string; token: string }[]>({ do: "payments" });
  assert.ok(payments.length >= 8, `${payments.length} payments`);
  const before = world.reckon(home).credit;
  const { address } = world;
  const offer = (paymentId: string, token: string, peerSecret?: string) =>
    buyer.ask<{ t: string; code?: string }>({
      do: "offer",
      ...{ address, paymentId, token },
      ...peerSecret === undefined ? {} : { peerSecret },
    });
  const [first, second] = payments as [typeof payments[0], typeof payments[0]];
  const freshId = "ab".repeat(16);
  const same = await offer(first.id, first.token);
  assert.equal(same.t, "credited", "asked again, it is the same answer");
  for (
    const answer of [
      await offer(freshId, first.token),
      await offer(second.id, first.token),
      await offer(freshId, second.token, "07".repeat(32)),
      await offer(first.id, first.token, "08".repeat(32)),
    ]
  ) assert.equal(answer.t, "refused", JSON.stringify(answer));
  const after = world.reckon(home).credit;
  assert.deepEqual([after.paid, after.payments.dead ?? 0], [before.paid, 0]);
  await world.assertVerified(buyer);
  await world.settleSeller(home);
  await world.settleBuyer(home, buyer);
  world.assertFair(home);
  await world.assertConserved();
});

Deno.test("a buyer that claims credit without a payment gets the price, and not one group", async () => {
  await using world = await PaidWorld.start(CLIP);
  const home = await world.buyer("ben");
  const buyer = await world.startBuyer(home);
  const { address, hash } = world;
  const answer = await buyer.ask<{ t: string }>({ do: "ask", address, hash });
  assert.equal(answer.t, "payment-required");
  const { credit, servedBytes } = world.reckon(home);
  assert.deepEqual([credit.paid, credit.used, servedBytes], [0n, 0n, 0]);
});
