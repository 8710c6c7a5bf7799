import assert from "node:assert/strict";
import { ChannelTill } from "../../../wallet/channel/channel_intake.ts";
import { startKit } from "../../support/wallet_kit.ts";
import {
  assertBooks,
  buyerOf,
  deskOf,
  opened,
  paymentOf,
  stream,
  SUBJECT,
} from "../buying/buying_world.ts";
import { buyingWallet as wallet, ChannelSeller, settle } from "./channel_seller.ts";

const MIB = 1_048_576;

for (const feePpk of [0, 100]) {
  Deno.test(`a session longer than a strip pays from a channel, at ${feePpk} ppk`, async () => {
    await using kit = await startKit({ feePpk });
    const alice = wallet(kit, "alice");
    await alice.fund(6_000n);
    const seller = new ChannelSeller(wallet(kit, "seller"));
    await using desk = deskOf(alice);
    const buyer = buyerOf(desk);
    const bytes = 4_000 * MIB;
    const session = await opened(buyer, seller.terms, { bytesMax: bytes });
    const { stalls } = await stream(session, seller, { bytes, step: 4 * MIB });
    await session[Symbol.asyncDispose]();
    assert.equal(stalls, 0);
    assert.ok(seller.balanceCount >= 60, `${seller.balanceCount} of about 63 are from a channel`);
    const swaps = kit.mints[0]!.admin.requests("/v1/swap").length;
    assert.ok(swaps <= 2, `${swaps} swaps so far`);
    const [paid] = buyer.paidFor(SUBJECT, 0);
    assert.ok(paid!.paidSat >= 4_000 && paid!.paidSat < 4_100, JSON.stringify(paid));
    assert.deepEqual(alice.troubles(), []);
    seller.till.closeAll("the test is over");
    await settle([seller.wallet, alice]);
    for (const { id } of alice.store.operations({ kind: "channel", status: "open" })) {
      await alice.engine.resume(id);
    }
    await settle([seller.wallet, alice]);
    assert.equal(alice.store.operations({ kind: "channel", status: "open" }).length, 0);
    assertBooks(kit, [alice, seller.wallet]);
  });
}

Deno.test("a session goes on with a channel once its seller says that it takes one", async () => {
  await using kit = await startKit();
  const alice = wallet(kit, "alice");
  await alice.fund(8_000n);
  const seller = new ChannelSeller(wallet(kit, "seller"));
  await using desk = deskOf(alice);
  const bytes = 4_000 * MIB;
  const { channelSat, ...terms } = seller.terms; // as adverts have them
  const session = await opened(buyerOf(desk), terms, { bytesMax: bytes });
  await stream(session, seller, { bytes: 400 * MIB, step: 4 * MIB });
  assert.equal(seller.balanceCount, 0);
  session.takesChannels(channelSat!);
  await stream(session, seller, { bytes: bytes - 400 * MIB, step: 4 * MIB });
  await session[Symbol.asyncDispose]();
  assert.ok(seller.balanceCount >= 25, `${seller.balanceCount}`);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("a session that a strip is enough for opens no channel", async () => {
  await using kit = await startKit();
  const alice = wallet(kit, "alice");
  await alice.fund(6_000n);
  const seller = new ChannelSeller(wallet(kit, "seller"));
  await using desk = deskOf(alice);
  const bytes = 1_000 * MIB;
  const session = await opened(buyerOf(desk), seller.terms, { bytesMax: bytes });
  await stream(session, seller, { bytes, step: 4 * MIB });
  await session[Symbol.asyncDispose]();
  assert.equal(seller.balanceCount, 0);
  assert.equal(alice.store.operations({ kind: "channel" }).length, 0);
});

Deno.test("a seller that refuses a channel is paid from a strip, and the channel comes back", async () => {
  await using kit = await startKit();
  const alice = wallet(kit, "alice");
  await alice.fund(8_000n);
  const seller = new ChannelSeller(wallet(kit, "seller"), { channelSat: 5_000 });
  // What it says and what it does differ.
  const strict = new ChannelTill(seller.wallet.engine);
  Object.defineProperty(seller, "till", { value: strict });
  await using desk = deskOf(alice);
  const bytes = 2_000 * MIB;
  const session = await opened(buyerOf(desk), seller.terms, { bytesMax: bytes });
  await stream(session, seller, { bytes, step: 4 * MIB });
  await session[Symbol.asyncDispose]();
  assert.equal(seller.balanceCount, 0);
  const [channel] = alice.store.operations({ kind: "channel" });
  kit.clock.jump(4 * 3_600_000);
  assert.equal((await alice.driveToEnd(channel!.id)).status, "done");
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("a balance that was signed and not answered is handed over again, the same text", async () => {
  await using kit = await startKit();
  let alice = wallet(kit, "alice");
  await alice.fund(6_000n);
  const seller = new ChannelSeller(wallet(kit, "seller"));
  let desk = deskOf(alice);
  const bytes = 4_000 * MIB;
  const terms = { bytesMax: bytes };
  const first = await opened(buyerOf(desk), seller.terms, terms);
  const payment = paymentOf(await first.next());
  assert.match(payment.token!, /^channel1:/);
  await desk[Symbol.asyncDispose]();
  alice = await alice.reopen();
  desk = deskOf(alice);
  const second = await opened(buyerOf(desk), seller.terms, terms);
  const again = paymentOf(await second.next());
  assert.deepEqual(again, payment);
  second.answered(again.id, await seller.take(again));
  assert.equal(seller.creditMsat, 64_000);
  second.answered(again.id, await seller.take(again));
  assert.equal(seller.creditMsat, 64_000, "once");
  await desk[Symbol.asyncDispose]();
});
