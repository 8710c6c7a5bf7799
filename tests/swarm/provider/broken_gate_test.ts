import { deepEqual, equal } from "node:assert/strict";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import type { Message } from "../../../swarm/protocol/mod.ts";
import { type Breakable, costOf, payment, unitsOfMsat } from "./memory_gate.ts";
import { kinds, Shop } from "./shop.ts";
import { content, FETCHER, importCollection } from "./support.ts";

const MIB = 1024 * 1024;

/** A call of the gate that throws, and the answers of a provider to who has credit. */
const BREAKS: Readonly<Record<Exclude<Breakable, "pay" | "more" | "giveBack">, string[]>> = {
  isFree: ["denied internal"],
  decide: ["denied internal"],
  creditOf: ["denied internal"],
  openMeter: ["denied internal"],
  take: ["granted", "failed internal"],
  isLow: ["granted", "failed internal"],
  creditMsat: ["granted", "end"],
  dispose: ["granted", "end"],
};

function words(messages: readonly Message[]): string[] {
  return messages.map((message) => "code" in message ? `${message.t} ${message.code}` : message.t);
}

for (const [what, expected] of Object.entries(BREAKS)) {
  Deno.test(`Provider answers ${expected.join(", ")} when ${what} of the gate throws`, async () => {
    await using shop = await Shop.start();
    const { gate, nodes } = shop;
    const blob = await nodes.seeding.importBytes(content(MIB));
    const { root } = await importCollection(nodes.seeding, [
      ["0", content(5000)],
      ["1", content(200_000)],
    ]);
    gate.give(FETCHER, 64_000);
    gate.broken.add(what as Breakable);
    const line = await nodes.open();
    await line.send({ t: "want", hash: blob.hash, format: "blob" });
    const first = await line.paidAnswer();
    deepEqual(words(first.messages), expected);
    await line.send({ t: "want", hash: root, format: "collection" });
    const second = await line.paidAnswer();
    deepEqual(words(second.messages), expected);
    const isServed = expected.at(-1) === "end";
    if (!isServed) equal(first.data.length + second.data.length, 0);
    // Nothing is charged but what was served.
    equal(shop.units, unitsOfMsat(64_000) - costOf(isServed ? MIB + 205_000 : 0));
    // And the stream and the provider are well.
    gate.broken.clear();
    await line.send({ t: "want", hash: blob.hash, format: "blob" });
    deepEqual(words((await line.paidAnswer()).messages), ["granted", "end"]);
  });
}

Deno.test("Provider says internal when telling what is left throws", async () => {
  await using shop = await Shop.start();
  const { hash } = await shop.nodes.seeding.importBytes(content(MIB));
  shop.gate.give(FETCHER, 10);
  shop.gate.broken.add("creditMsat");
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  const { messages, data } = await line.paidAnswer();
  deepEqual(words(messages), ["granted", "failed internal"]);
  equal(data.length, 0);
  equal(shop.units, unitsOfMsat(10), "what was charged and not sent was given back");
});

Deno.test("Provider says internal when waiting for credit throws, after what was paid for", async () => {
  await using shop = await Shop.start();
  const { hash } = await shop.nodes.seeding.importBytes(content(MIB));
  shop.gate.accountOf(FETCHER).credit = costOf(3 * GROUP_BYTES);
  shop.gate.broken.add("more");
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  const { messages, data } = await line.paidAnswer();
  deepEqual(words(messages), ["granted", "low", "failed internal"]);
  equal(Math.floor(data.length / GROUP_BYTES), 3);
  equal(shop.units, 0n);
});

Deno.test("Provider drops no stream when giving back throws", async () => {
  await using shop = await Shop.start();
  const { hash } = await shop.nodes.seeding.importBytes(content(MIB));
  shop.gate.give(FETCHER, 10);
  shop.gate.broken.add("creditMsat").add("giveBack").add("dispose");
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  deepEqual(kinds((await line.paidAnswer()).messages), ["granted", "failed"]);
  await line.send({ t: "have", blobs: [{ hash }] });
  equal((await line.answer()).messages[0]!.t, "holdings");
});

Deno.test("Provider asks for the same payment again when checking it throws", async () => {
  await using shop = await Shop.start();
  const { hash } = await shop.nodes.seeding.importBytes(content(10));
  shop.gate.broken.add("pay");
  const line = await shop.nodes.open();
  const offer = payment(1, 64_000);
  await line.send({ t: "want", hash, format: "blob", payment: offer });
  const [denied] = (await line.paidAnswer()).messages;
  deepEqual(denied, { t: "denied", code: "internal", retryMs: 2000 });
  await line.send({ t: "top-up", payment: offer });
  const refused = { t: "refused", paymentId: offer.id, code: "internal", retryMs: 2000 };
  deepEqual(await line.next(), refused);
  shop.gate.broken.clear();
  await line.send({ t: "top-up", payment: offer });
  deepEqual(await line.next(), { t: "credited", paymentId: offer.id, creditMsat: 64_000 });
});

Deno.test("Provider stops when a meter takes what it was not asked for", async () => {
  await using shop = await Shop.start();
  const { gate, nodes } = shop;
  const { hash } = await nodes.seeding.importBytes(content(MIB));
  gate.give(FETCHER, 64_000);
  const { openMeter } = gate;
  for (const count of [-1, 0.5, NaN, 1000]) {
    gate.openMeter = (request) =>
      Object.assign(openMeter.call(gate, request), { take: () => count });
    const line = await nodes.open();
    await line.send({ t: "want", hash, format: "blob" });
    const { messages, data } = await line.paidAnswer();
    deepEqual(words(messages), ["granted", "failed internal"]);
    equal(data.length, 0);
  }
});

Deno.test("Provider gives up on a meter that says there is more and takes nothing", async () => {
  await using shop = await Shop.start({ provider: { limits: { unpaidMs: 80 } } });
  const { gate, nodes } = shop;
  const { hash } = await nodes.seeding.importBytes(content(MIB));
  gate.give(FETCHER, 64_000);
  const { openMeter } = gate;
  let askedCount = 0;
  gate.openMeter = (request) =>
    Object.assign(openMeter.call(gate, request), {
      take: () => {
        askedCount += 1;
        return 0;
      },
    });
  const line = await nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  deepEqual(words((await line.paidAnswer()).messages).at(-1), "failed unpaid");
  equal(askedCount < 20, true, `${askedCount} times`);
});

Deno.test("Provider sells nothing through a gate that only knows prices", async () => {
  await using shop = await Shop.start();
  const { gate, nodes } = shop;
  const { hash } = await nodes.seeding.importBytes(content(10));
  const decide = () => gate.decide({ viewer: { peerId: FETCHER, fleet: false } });
  await nodes.provider[Symbol.asyncDispose]();
  await using only = await Shop.start({ provider: { gate: { decide } } });
  await only.nodes.seeding.importBytes(content(10));
  const line = await only.nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  equal((await line.paidAnswer()).messages[0]!.t, "payment-required");
  await line.send({ t: "want", hash, format: "blob", payment: payment(1, 64_000) });
  deepEqual(words((await line.paidAnswer()).messages), ["denied unavailable"]);
  await line.send({ t: "top-up", payment: payment(1, 64_000) });
  deepEqual(await line.next(), {
    t: "refused",
    paymentId: payment(1, 0).id,
    code: "unavailable",
  });
});
