import assert from "node:assert/strict";
import { ChannelTill } from "../../../wallet/channel/channel_intake.ts";
import { Seller } from "../../../wallet/selling/seller.ts";
import type { PaymentAnswer } from "../../../wallet/selling/selling_api.ts";
import type { StripPart } from "../../../wallet/store/buying_store.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { intakeOf, tokenFrom } from "../payments/payments_world.ts";
import { groups, hashOf, viewer } from "../selling/selling_world.ts";
import { ChannelWorld, HOUR_MS, PAYER } from "./channel_world.ts";

/** A seller with a price, in front of the world's till. */
function sellerOf(world: ChannelWorld, till: ChannelTill): Seller {
  const { engine } = world.seller;
  const seller = new Seller({ engine, intake: intakeOf(world.seller) }, { channel: till });
  seller.setService({ id: "default", priceMsatPerMiB: 1_000 });
  return seller;
}

function pay(seller: Seller, world: ChannelWorld, part: StripPart): Promise<PaymentAnswer> {
  const id = Uint8Array.fromHex(part.paymentId);
  const payment = { id, token: world.message(part) };
  return seller.pay({ viewer: viewer(PAYER), payment });
}

async function offered(seller: Seller): Promise<number | undefined> {
  const decision = await seller.decide({ viewer: viewer(PAYER), root: hashOf("film") });
  return decision.decision === "pay" ? decision.channelSat : assert.fail(decision.decision);
}

Deno.test("Seller offers channels to who has paid for good, and serves what balances pay for", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit, { fund: 4_000n });
  const till = new ChannelTill(world.seller.engine);
  await using seller = sellerOf(world, till);
  assert.equal(await offered(seller), undefined, "a stranger is offered none");
  const lockTo = world.seller.keys.payment.publicKey;
  const token = await tokenFrom(world.buyer, 500n, { lockTo });
  const payment = { id: new Uint8Array(16).fill(1), token };
  const prepaid = await seller.pay({ viewer: viewer(PAYER), payment });
  assert.equal(prepaid.answer, "credited");
  kit.clock.jump(11_000);
  assert.equal(await offered(seller), undefined, "what is not redeemed may be nothing");
  for (const { id } of world.seller.store.operations({ kind: "redeem", status: "open" })) {
    await world.seller.driveToEnd(id);
  }
  kit.clock.jump(11_000);
  assert.equal(await offered(seller), 500);
  await world.open(480n);
  const first = world.sign(64n);
  assert.deepEqual(await pay(seller, world, first), { answer: "credited", creditMsat: 564_000 });
  assert.deepEqual(await pay(seller, world, first), { answer: "credited", creditMsat: 564_000 });
  const question = { id: Uint8Array.fromHex(first.paymentId) };
  const asked = await seller.pay({ viewer: viewer(PAYER), payment: question });
  assert.equal(asked.answer, "credited", "it can be asked for by its id alone");
  const small = world.sign(10n);
  assert.deepEqual(await pay(seller, world, small), { answer: "refused", code: "price" });
  const meter = seller.openMeter({
    viewer: viewer(PAYER),
    root: hashOf("film"),
    priceMsatPerMiB: 1_000,
  });
  assert.equal(meter.take(groups(64 * 560)), 64 * 560);
  const before = meter.creditMsat;
  assert.deepEqual((await pay(seller, world, world.sign(64n))).answer, "credited");
  assert.equal(meter.creditMsat, before + 74_000, "an answer under way has it at once");
  await meter[Symbol.asyncDispose]();
  seller.earnings({ by: "peer" });
  assert.deepEqual(world.seller.troubles(), []);
  await world.closeAll();
  const [row] = seller.earnings({ by: "peer" }).rows;
  assert.equal(row!.redeemedSat, 638);
  assert.equal(row!.provisionalSat, 0);
  world.assertConserved(4_000n);
});

Deno.test("Seller takes the credit of a channel back that its payer took back", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  const till = new ChannelTill(world.seller.engine, { strangersSatMax: 1_000n });
  await using seller = sellerOf(world, till);
  assert.equal(await offered(seller), 1_000);
  await world.open(900n);
  assert.equal((await pay(seller, world, world.sign(300n))).answer, "credited");
  const meter = seller.openMeter({
    viewer: viewer(PAYER),
    root: hashOf("film"),
    priceMsatPerMiB: 1_000,
  });
  assert.equal(meter.take(groups(64)), 64);
  kit.clock.jump(4 * HOUR_MS);
  await world.buyer.driveToEnd(world.id);
  const [record] = world.seller.store.openChannels();
  await world.seller.driveToEnd(record!.operationId);
  assert.equal(meter.creditMsat, 0, "an answer under way has none left");
  assert.equal(meter.take(groups(64)), 0);
  await meter[Symbol.asyncDispose]();
  seller.earnings({ by: "peer" });
  kit.clock.jump(11_000);
  assert.equal(await offered(seller), undefined);
  assert.deepEqual(world.seller.troubles(), []);
});

Deno.test("Seller without channels refuses their messages", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  const { engine } = world.seller;
  await using seller = new Seller({ engine, intake: intakeOf(world.seller) });
  seller.setService({ id: "default", priceMsatPerMiB: 1_000 });
  await world.open(900n);
  const answer = await pay(seller, world, world.sign(300n));
  assert.deepEqual(answer, { answer: "refused", code: "malformed" });
});
