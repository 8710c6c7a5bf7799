import assert from "node:assert/strict";
import {
  type ChannelMessage,
  decodeChannelMessage,
  encodeChannelMessage,
} from "../../../wallet/channel/message.ts";
import { ChannelTill } from "../../../wallet/channel/channel_intake.ts";
import { channelIdOf, type ChannelTerms } from "../../../wallet/channel/terms.ts";
import { endOfRecord, requestClose } from "../../../wallet/operations/channel_close.ts";
import { endOfChannel } from "../../../wallet/operations/channel_plan.ts";
import { planOutputs } from "../../../wallet/outputs/planning.ts";
import { swapBody } from "../../../wallet/outputs/requests.ts";
import { startKit } from "../../support/wallet_kit.ts";
import { ChannelWorld, HOUR_MS, PAYER, SELLER } from "./channel_world.ts";

/** A message changed as a liar would. */
function changed(text: string, change: (message: ChannelMessage) => ChannelMessage): string {
  return encodeChannelMessage(change(decodeChannelMessage(text)!));
}

/** The same with other terms, its name made anew. */
function withTerms(message: ChannelMessage, change: Partial<ChannelTerms>): ChannelMessage {
  const open = { ...message.open!, ...change };
  return { ...message, open, channelId: channelIdOf(open) };
}

let lastId = 0;

/** What the seller says of a text; each time under a new id, and of a new payer if wanted. */
async function say(world: ChannelWorld, message: string, payer = PAYER): Promise<string> {
  const paymentId = (++lastId).toString(16).padStart(32, "0");
  const answer = await world.till.pay({ payer, paymentId, message });
  return answer.answer === "refused" ? answer.code : answer.answer;
}

Deno.test("ChannelTill takes a balance once, and lower ones for nothing", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  await world.open(1_000n);
  const parts = [await world.pay(10n), await world.pay(20n), await world.pay(30n)];
  const credit = () => world.seller.store.creditAccount(PAYER)!.paid;
  assert.equal(credit(), 60n);
  for (const part of parts) {
    assert.deepEqual(
      await world.deliver(part),
      { answer: "credited" },
      "the same id, the same answer",
    );
    assert.equal(await say(world, world.message(part)), "credited", "another id, nothing more");
  }
  assert.equal(credit(), 60n);
  const [first, last] = [parts[0]!, parts[2]!];
  const other = await world.till.pay({
    payer: PAYER,
    paymentId: last.paymentId,
    message: world.message(first),
  });
  assert.deepEqual(other, { answer: "refused", code: "conflict" });
  assert.equal(await say(world, world.message(last), "somebody else"), "conflict");
  assert.equal(world.seller.store.creditAccount("somebody else"), undefined);
  assert.deepEqual(world.seller.troubles(), []);
});

Deno.test("ChannelTill refuses signatures that are not the buyer's, of this balance, in this channel", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit, { fund: 4_000n });
  await world.open(1_000n);
  await world.pay(100n);
  const part = world.sign(100n);
  const text = world.message(part);
  const bad: ((message: ChannelMessage) => ChannelMessage)[] = [
    (message) => ({ ...message, balance: message.balance + 1n }),
    (message) => ({ ...message, signature: "00".repeat(64) }),
    (message) => ({ ...message, balance: 100_000n }),
  ];
  for (const [index, change] of bad.entries()) {
    // One liar is soon not heard any more: time passes.
    kit.clock.jump(120_000);
    assert.equal(await say(world, changed(text, change)), "malformed", `change ${index}`);
  }
  // A keyset that the mint does not have may be one that it was not asked for yet.
  const unknown = changed(text, (message) => ({ ...message, keysetId: `00${"ab".repeat(7)}` }));
  kit.clock.jump(120_000);
  assert.ok(["malformed", "unavailable"].includes(await say(world, unknown)));
  // Our own signature of the same is no signature of the buyer's.
  const record = world.seller.store.openChannels()[0]!;
  const keyset = await world.seller.context.mints.of(record.mint).keyset(record.keysetId);
  const own = endOfRecord(world.seller.context, record, keyset).sign(200n, keyset);
  kit.clock.jump(120_000);
  assert.equal(await say(world, changed(text, (message) => ({ ...message, ...own }))), "malformed");
  assert.equal(world.seller.store.creditAccount(PAYER)!.paid, 100n);
  kit.clock.jump(120_000);
  assert.deepEqual(await world.deliver(part), { answer: "credited" }, "the true one counts");
});

Deno.test("ChannelTill hears who sends forgeries less", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  await world.open(1_000n);
  await world.pay(100n);
  const text = world.message(world.sign(100n));
  const answers: string[] = [];
  for (let count = 0; count < 6; count++) {
    answers.push(
      await say(world, changed(text, (one) => ({ ...one, balance: 150n + BigInt(count) }))),
    );
  }
  assert.equal(answers[0], "malformed");
  assert.equal(answers.at(-1), "busy");
});

Deno.test("ChannelTill opens no channel on terms that leave it without its money", async () => {
  await using kit = await startKit({ mints: 2 });
  const world = await ChannelWorld.start(kit);
  await world.open(1_000n);
  const text = world.message(world.sign(100n));
  const nowS = Math.floor(kit.clock.nowMs() / 1000);
  const stranger = world.buyer.keys.quoteKey(7).publicKey;
  const cases: (readonly [string, (message: ChannelMessage) => ChannelMessage])[] = [
    ["locked", (message) => withTerms(message, { seller: stranger })],
    ["locked", (message) => withTerms(message, { expiryS: nowS + 3600 })],
    ["mint", (message) => withTerms(message, { mint: "https://mint.example" as never })],
    ["mint", (message) => withTerms(message, { keysetId: `00${"cd".repeat(7)}` })],
    ["malformed", (message) => withTerms(message, { expiryS: nowS + 86_400 })],
    ["malformed", (message) => withTerms(message, { buyer: stranger })],
  ];
  for (const [code, change] of cases) {
    assert.equal(await say(world, changed(text, change), `liar ${++lastId}`), code);
  }
  // The signature is right, and a funding proof is not: signed by the liar, over what no mint signed.
  const { open } = decodeChannelMessage(text)!;
  const keyset = await world.buyer.context.mints.of(world.channel.mint).keyset(open!.keysetId);
  const forged = { ...open!, proofs: open!.proofs.map((proof) => ({ ...proof, amount: 1_024n })) };
  const { ChannelEnd } = await import("../../../wallet/channel/terms.ts");
  const end = new ChannelEnd(forged, { keyset, key: world.buyer.keys.payment });
  const message = { channelId: end.id, open: forged, ...end.sign(100n, keyset) };
  assert.equal(await say(world, encodeChannelMessage(message), "forger"), "malformed");
  assert.equal(world.seller.store.openChannels().length, 0);
  assert.equal(world.seller.store.proofs({ state: "incoming" }).length, 0);
});

Deno.test("ChannelTill refuses what is no message, without a throw", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  const b64 = (json: string) =>
    `channel1:${
      new TextEncoder().encode(json).toBase64({ alphabet: "base64url", omitPadding: true })
    }`;
  const texts = [
    "channel1:",
    "channel1:!!",
    b64("{}"),
    b64("[]"),
    b64("null"),
    b64(`{"channel":1}`),
  ];
  for (const [index, text] of [...texts, `channel1:${"A".repeat(20_000)}`].entries()) {
    assert.equal(await say(world, text, `p${index}`), "malformed");
  }
  const unknown = encodeChannelMessage({
    channelId: "ab".repeat(32),
    balance: 5n,
    keysetId: `00${"ab".repeat(7)}`,
    signature: "cd".repeat(64),
  });
  assert.equal(await say(world, unknown, "q"), "unavailable");
});

Deno.test("ChannelTill lets nobody owe more in channels than it has paid for good", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit, { fund: 4_000n });
  const careful = new ChannelTill(world.seller.engine, { strangersSatMax: 200n });
  assert.equal(careful.allowanceOf(PAYER), 200);
  world.till = careful;
  await world.open(500n);
  const part = world.sign(100n);
  assert.deepEqual(await world.deliver(part), { answer: "refused", code: "exposure" });
  await world.open(190n);
  await world.pay(150n);
  kit.clock.jump(11_000);
  assert.equal(careful.allowanceOf(PAYER), 10);
  await world.closeAll();
  kit.clock.jump(11_000);
  assert.equal(careful.allowanceOf(PAYER), 350, "what it paid for good, and what strangers may");
});

Deno.test("a buyer cannot close a channel alone, nor take it back before it expires", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  await world.open(1_000n);
  await world.pay(100n);
  const { buyer, channel } = world;
  const mint = buyer.context.mints.of(channel.mint);
  const keyset = await mint.activeKeyset();
  const end = endOfChannel(buyer.context, channel, keyset);
  const outputs = end.outputs(50n, keyset);
  const { signature } = end.sign(50n, keyset);
  const attempt = async (signatures: readonly string[]) => {
    const witness = JSON.stringify({ signatures });
    const inputs = end.inputs.map((proof, index) => index === 0 ? { ...proof, witness } : proof);
    const outcome = await mint.post("/v1/swap", swapBody({ inputs, outputs }));
    return outcome.kind === "refused" ? outcome.code : outcome.kind;
  };
  assert.equal(await attempt([signature]), 10001);
  assert.equal(await attempt([signature, end.sign(50n, keyset).signature]), 10001);
  await buyer.engine.resume(world.id);
  assert.equal(world.channel.state, "ready", "it waits");
  await world.closeAll();
  world.assertConserved(2_000n);
  assert.equal(world.seller.free(), 100n);
});

Deno.test("a seller takes no more than the buyer signed, and nothing with a signature of its own alone", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  await world.open(1_000n);
  await world.pay(100n);
  const { seller } = world;
  const record = seller.store.openChannels()[0]!;
  const keyset = await seller.context.mints.of(record.mint).keyset(record.keysetId);
  const end = endOfRecord(seller.context, record, keyset);
  const more = { balance: 900n, keysetId: keyset.id, signature: record.signature };
  const outputs = end.outputs(900n, keyset);
  const outcome = await seller.context.mints.of(record.mint).post(
    "/v1/swap",
    swapBody({ inputs: end.closed(more, keyset), outputs }),
  );
  assert.equal(outcome.kind === "refused" ? outcome.code : outcome.kind, 10001);
  await world.closeAll();
  assert.equal(seller.free(), 100n);
});

Deno.test("when the expiry passes before the seller closes, the buyer has all and the credit is gone", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  await world.open(1_000n);
  await world.pay(300n);
  kit.clock.jump(4 * HOUR_MS);
  await world.buyer.driveToEnd(world.id);
  assert.equal(world.channel.state, "done");
  const [record] = world.seller.store.openChannels();
  await world.seller.driveToEnd(record!.operationId);
  const lost = world.seller.store.channel(record!.id)!;
  assert.equal(lost.state, "lost");
  assert.equal(world.seller.store.creditAccount(PAYER)!.paid, 0n);
  assert.equal(world.buyer.store.sellerAccount(SELLER)!.paid, 0n);
  assert.equal(world.till.allowanceOf(PAYER), 0, "it is not trusted again");
  world.assertConserved(2_000n);
  assert.equal(world.buyer.free(), 2_000n);
});

Deno.test("a seller closes in time by itself: when it is idle, full, or about to expire", async () => {
  await using kit = await startKit();
  for (const how of ["idle", "full", "expiry"]) {
    const world = await ChannelWorld.start(kit, { name: how, fund: 500n });
    await world.open(400n);
    if (how === "full") { for (let count = 0; count < 4; count++) await world.pay(100n); }
    else await world.pay(100n);
    const operationId = world.seller.store.operations({ kind: "channel-close" })[0]!.id;
    const state = () => world.seller.store.operation(operationId)!.state;
    if (how !== "full") {
      for (let minutes = 0; minutes < 9; minutes += 3) {
        kit.clock.jump(3 * 60_000);
        await world.seller.engine.driveDue();
        assert.equal(state(), "open", how);
      }
    }
    if (how === "idle") kit.clock.jump(2 * 60_000);
    if (how === "expiry") {
      for (let minutes = 9; minutes < 111; minutes += 4) {
        kit.clock.jump(4 * 60_000);
        if (minutes < 100) await world.pay(1n);
        await world.seller.engine.driveDue();
      }
    }
    await world.seller.driveToEnd(operationId);
    assert.equal(state(), "done", how);
    await world.settle();
    assert.deepEqual(world.seller.troubles(), []);
  }
});

Deno.test("a close that the mint refuses is tried again until it goes well", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  await world.open(1_000n);
  await world.pay(300n);
  kit.mints[0]!.admin.rotateKeyset();
  const [record] = world.seller.store.openChannels();
  requestClose(world.seller.context, record!.operationId, "a test wants it");
  const refused = await world.seller.engine.drive(record!.operationId);
  assert.equal(refused.state, "closing");
  assert.match(refused.reason!, /refuses to close/);
  assert.equal(refused.status, "open");
  assert.equal(world.seller.store.channelOf(record!.operationId)!.balance, 300n);
  assert.equal(await say(world, world.message(world.sign(10n))), "unavailable");
  assert.deepEqual(world.seller.troubles(), []);
  kit.clock.jump(4 * HOUR_MS);
  await world.buyer.driveToEnd(world.id);
  await world.seller.driveToEnd(record!.operationId);
  assert.equal(world.seller.store.channel(record!.id)!.state, "lost");
  world.assertConserved(2_000n);
});

Deno.test("a payer that has an output signed before keeps its seller from closing: what it may owe is bounded", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  await world.open(1_000n);
  await world.pay(300n);
  const { buyer, channel } = world;
  const mint = buyer.context.mints.of(channel.mint);
  const keyset = await mint.activeKeyset();
  const end = endOfChannel(buyer.context, channel, keyset);
  const victim = end.outputsOf("seller", 300n, keyset)[0]!;
  const coin = buyer.store.proofs({ mint: channel.mint, state: "free" })
    .reduce((a, b) => a.amount < b.amount ? a : b);
  const rest = coin.amount - 1n;
  const { keys } = buyer;
  const outputs = [
    { ...victim, amount: 1n },
    ...rest > 0n
      ? planOutputs({ amount: rest, role: "keep", keyset, keys, firstCounter: 9_000 })
      : [],
  ];
  const outcome = await mint.post("/v1/swap", swapBody({ inputs: [coin], outputs }));
  assert.equal(outcome.kind, "answered");
  const [record] = world.seller.store.openChannels();
  requestClose(world.seller.context, record!.operationId, "a test wants it");
  await world.seller.driveToEnd(record!.operationId, { tries: 6 });
  assert.equal(world.seller.store.operation(record!.operationId)!.state, "closing");
  assert.deepEqual(world.seller.store.audit(), []);
  const strict = new ChannelTill(world.seller.engine);
  assert.equal(strict.allowanceOf(PAYER), 0, "who never paid for good opens none");
});

Deno.test("ChannelTill opens a channel once that is offered many times at once", async () => {
  await using kit = await startKit();
  const world = await ChannelWorld.start(kit);
  await world.open(1_000n);
  const text = world.message(world.sign(100n));
  const answers = await Promise.all(Array.from({ length: 4 }, () => say(world, text)));
  assert.deepEqual(answers, ["credited", "credited", "credited", "credited"]);
  assert.equal(world.seller.store.creditAccount(PAYER)!.paid, 100n);
  assert.equal(world.seller.store.openChannels().length, 1);
  assert.deepEqual(world.seller.troubles(), []);
});
