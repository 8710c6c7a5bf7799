import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { systemClock } from "../../../src/host/system.ts";
import { equalBytes } from "../../../src/core/bytes.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { GROUP_BYTES, groupSizeAt } from "../../../swarm/bao/geometry.ts";
import { truncateRanges } from "../../../swarm/bao/mod.ts";
import type { Message } from "../../../swarm/protocol/mod.ts";
import { costOf, payment, TERMS, unitsOfMsat } from "./memory_gate.ts";
import { kinds, Shop } from "./shop.ts";
import { content, encodingOf, FETCHER, importCollection, until } from "./support.ts";

const MIB = 1024 * 1024;
/** What a whole group costs, in msat/2^20. */
const GROUP_COST = costOf(GROUP_BYTES);

/** Content bytes of `ranges`. */
function contentOf(size: number, ranges: RangeSet): number {
  let bytes = 0;
  for (const { start, end } of truncateRanges(ranges, size)) {
    for (let index = start; index < end; index++) bytes += groupSizeAt(index, size);
  }
  return bytes;
}

Deno.test("Provider serves at once when the first want carries the payment", async () => {
  await using shop = await Shop.start();
  const bytes = content(3 * MIB + 5);
  const { hash } = await shop.nodes.seeding.importBytes(bytes);
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob", payment: payment(1, 64_000) });
  const { messages, data } = await line.paidAnswer();
  const granted = { t: "granted", size: bytes.length, priceMsatPerMiB: 1000, creditMsat: 64_000 };
  deepEqual(messages, [granted, { t: "end" }]);
  ok(equalBytes(data, await encodingOf(shop.nodes.seeding, hash, RangeSet.ALL)));
  equal(shop.units, unitsOfMsat(64_000) - costOf(bytes.length));
  await until(() => shop.nodes.events.length === 1);
  const { outcome, paidBytes, priceMsatPerMiB } = shop.nodes.events[0]!;
  deepEqual([outcome, paidBytes, priceMsatPerMiB], ["served", bytes.length, 1000]);
});

Deno.test("Provider asks the price of who has no credit, and serves whoever has some", async () => {
  await using shop = await Shop.start();
  const { hash } = await shop.nodes.seeding.importBytes(content(100_000));
  const line = await shop.nodes.open();
  const want = { t: "want", hash, format: "blob" } as const;
  await line.send(want);
  deepEqual((await line.paidAnswer()).messages, [{ t: "payment-required", ...TERMS }]);
  await line.send({ t: "top-up", payment: payment(1, 64_000) });
  deepEqual(await line.next(), {
    t: "credited",
    paymentId: payment(1, 0).id,
    creditMsat: 64_000,
  });
  await line.send(want);
  equal((await line.paidAnswer()).messages.at(-1)!.t, "end");
  equal(shop.units, unitsOfMsat(64_000) - costOf(100_000));
});

Deno.test("Provider charges exactly the content of what it sends, whatever sizes and ranges", async () => {
  await using shop = await Shop.start();
  const line = await shop.nodes.open();
  const size = fc.oneof(
    fc.nat(40_000),
    fc.integer({ min: 0, max: 3 * MIB }),
    fc.constantFrom(0, 1, GROUP_BYTES, GROUP_BYTES + 1, 2 * GROUP_BYTES - 1, MIB),
  );
  const ranges = fc.array(fc.nat(220), { minLength: 1, maxLength: 7 }).map((numbers) =>
    RangeSet.fromBoundaries([...new Set(numbers)].toSorted((a, b) => a - b))
  );
  const price = fc.oneof(fc.integer({ min: 1, max: 3 }), fc.nat(10_000_000), fc.constant(1000));
  await fc.assert(
    fc.asyncProperty(size, ranges, price, async (size, ranges, priceMsatPerMiB) => {
      const { gate, nodes } = shop;
      gate.terms = { ...TERMS, priceMsatPerMiB };
      const { hash } = await nodes.seeding.importBytes(content(size, size + 1));
      const bytes = contentOf(size, ranges);
      gate.give(FETCHER, 2 ** 40);
      const before = shop.units;
      await line.send({ t: "want", hash, format: "blob", ranges });
      const { messages, data } = await line.paidAnswer();
      deepEqual(kinds(messages), ["granted", "end"]);
      ok(equalBytes(data, await encodingOf(nodes.seeding, hash, ranges)));
      equal(before - shop.units, costOf(bytes, priceMsatPerMiB));
    }),
    { numRuns: 120 },
  );
});

Deno.test("Provider sends no more than one group beyond the credit, and says why it ends", async () => {
  const limits = { unpaidMs: 30 };
  await using shop = await Shop.start({ provider: { limits } });
  const { hash } = await shop.nodes.seeding.importBytes(content(MIB));
  for (let groups = 0; groups < 63; groups += 7) {
    // The credit for so many groups and a little: exactly one more is owed.
    const account = shop.gate.accountOf(FETCHER);
    account.credit = GROUP_COST * BigInt(groups) + 1n;
    const line = await shop.nodes.open();
    await line.send({ t: "want", hash, format: "blob" });
    const { messages, data } = await line.paidAnswer();
    const isEmptyAtOnce = groups === 0;
    const lows = isEmptyAtOnce ? ["low"] : ["low", "low"];
    deepEqual(kinds(messages), ["granted", ...lows, "failed"]);
    deepEqual(messages.at(-1), { t: "failed", code: "unpaid" });
    const whole = await encodingOf(shop.nodes.seeding, hash, RangeSet.ALL);
    ok(equalBytes(data, whole.subarray(0, data.length)));
    ok(data.length >= (groups + 1) * GROUP_BYTES && data.length < (groups + 2) * GROUP_BYTES);
    equal(shop.units, 1n - GROUP_COST);
    await line.send({ t: "want", hash, format: "blob" });
    equal((await line.paidAnswer()).messages[0]!.t, "payment-required");
    line.stream.abort(new Error("done"));
  }
  equal(shop.nodes.events.filter(({ outcome }) => outcome === "unpaid").length, 9);
});

for (const where of ["the same stream", "another stream"] as const) {
  Deno.test(`Provider goes on after a top-up on ${where}, and tells low once for each`, async () => {
    await using shop = await Shop.start();
    const bytes = content(4 * MIB);
    const { hash } = await shop.nodes.seeding.importBytes(bytes);
    shop.gate.terms = { ...TERMS, minTopUpSat: 1 };
    const line = await shop.nodes.open();
    const other = where === "the same stream" ? line : await shop.nodes.open();
    const answers: Message[] = [];
    let index = 1;
    await line.send({ t: "want", hash, format: "blob", payment: payment(index++, 1000) });
    const { messages, data } = await line.paidAnswer(async (message) => {
      if (message.t !== "low") return;
      await other.send({ t: "top-up", payment: payment(index++, 1000) });
      if (other !== line) answers.push(await other.next() as Message);
    });
    ok(equalBytes(data, await encodingOf(shop.nodes.seeding, hash, RangeSet.ALL)));
    const told = messages.filter(({ t }) => t === "low").length;
    ok(told >= 3 && told <= 4, `${told} times low`);
    const credited = [...messages, ...answers].filter(({ t }) => t === "credited").length;
    equal(credited, index - 2);
    equal(messages.at(-1)!.t, "end");
    equal(shop.units, unitsOfMsat(1000 * (index - 1)) - costOf(bytes.length));
  });
}

Deno.test("Provider shares one credit among the answers of a peer, and owes no more than a group", async () => {
  const limits = { unpaidMs: 40 };
  await using shop = await Shop.start({ provider: { limits } });
  const { hash } = await shop.nodes.seeding.importBytes(content(2 * MIB));
  shop.gate.give(FETCHER, 2500);
  const lines = await Promise.all([0, 1, 2].map(() => shop.nodes.open()));
  const answers = await Promise.all(lines.map(async (line) => {
    await line.send({ t: "want", hash, format: "blob" });
    return await line.paidAnswer();
  }));
  const groups = answers.reduce((sum, { data }) => sum + Math.floor(data.length / GROUP_BYTES), 0);
  equal(groups, 160); // 2.5 MiB
  ok(shop.units <= 0n && shop.units > -GROUP_COST);
  ok(answers.some(({ messages }) => messages.at(-1)!.t === "failed"));
});

Deno.test("Provider tells pending, and serves when it is asked again with the id alone", async () => {
  await using shop = await Shop.start();
  shop.gate.pendingCount = 1;
  const { hash } = await shop.nodes.seeding.importBytes(content(50_000));
  const line = await shop.nodes.open();
  const paid = payment(7, 64_000);
  await line.send({ t: "want", hash, format: "blob", payment: paid });
  deepEqual(await line.next(), { t: "pending", paymentId: paid.id, retryMs: 5 });
  await line.send({ t: "want", hash, format: "blob", payment: { id: paid.id } });
  deepEqual(kinds((await line.paidAnswer()).messages), ["granted", "end"]);
  // And once more: it is credited once.
  await line.send({ t: "want", hash, format: "blob", payment: paid });
  deepEqual(kinds((await line.paidAnswer()).messages), ["granted", "end"]);
  equal(shop.units, unitsOfMsat(64_000) - costOf(100_000));
});

Deno.test("Provider denies a want whose payment is refused, with its code, also when there is credit", async () => {
  await using shop = await Shop.start();
  const { hash } = await shop.nodes.seeding.importBytes(content(50_000));
  shop.gate.give(FETCHER, 64_000);
  const line = await shop.nodes.open();
  const bad = { id: new Uint8Array(16), token: "cashuB…" };
  await line.send({ t: "want", hash, format: "blob", payment: bad });
  deepEqual((await line.paidAnswer()).messages, [{ t: "denied", code: "malformed" }]);
  equal(shop.units, unitsOfMsat(64_000));
});

Deno.test("Provider takes no payment for what is free, hidden, denied or not here", async () => {
  await using shop = await Shop.start();
  const { gate, nodes } = shop;
  const free = await nodes.seeding.importBytes(content(10));
  const hidden = await nodes.seeding.importBytes(content(11), { visibility: "private" });
  const denied = await nodes.seeding.importBytes(content(12));
  gate.free.add(free.hash);
  const { decide } = gate;
  gate.decide = (request) =>
    "root" in request && request.root === denied.hash
      ? Promise.resolve({ decision: "deny", code: "closed" })
      : decide.call(gate, request);
  const line = await nodes.open();
  const first: Message[] = [];
  for (const { hash } of [free, hidden, denied]) {
    await line.send({ t: "want", hash, format: "blob", payment: payment(1, 64_000) });
    first.push((await line.paidAnswer()).messages[0]!);
  }
  deepEqual(first, [
    { t: "granted", size: 10 },
    { t: "not-found" },
    { t: "denied", code: "closed" },
  ]);
  equal(gate.asked.length, 0);
  equal(shop.units, 0n);
  equal(gate.opened.length, 0);
});

Deno.test("Provider asks for payment again when the terms have changed since", async () => {
  await using shop = await Shop.start();
  const { hash } = await shop.nodes.seeding.importBytes(content(10));
  shop.gate.pay = () => Promise.resolve({ answer: "refused", code: "price" });
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob", payment: payment(1, 64_000) });
  deepEqual((await line.paidAnswer()).messages, [{ t: "payment-required", ...TERMS }]);
});

Deno.test("Provider never charges the fleet, and opens no meter for what is free", async () => {
  const fleet = { viewerOf: (peerId: string) => Promise.resolve({ peerId, fleet: true }) };
  await using shop = await Shop.start({ provider: { fleet } });
  const { hash } = await shop.nodes.seeding.importBytes(content(MIB));
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  deepEqual((await line.paidAnswer()).messages, [{ t: "granted", size: MIB }, { t: "end" }]);
  equal(shop.gate.opened.length, 0);
});

Deno.test("Provider meters a collection child by child, under the collection's name", async () => {
  await using shop = await Shop.start();
  const sizes = [4096, 100_000, 0, GROUP_BYTES, 7, 3 * GROUP_BYTES + 1];
  const { root } = await importCollection(
    shop.nodes.seeding,
    sizes.map((size, index) => [`${index}`, content(size, index + 1)] as const),
  );
  shop.gate.give(FETCHER, 64_000);
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash: root, format: "collection" });
  deepEqual(kinds((await line.paidAnswer()).messages), ["granted", "end"]);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  equal(shop.units, unitsOfMsat(64_000) - costOf(bytes));
  deepEqual(shop.gate.opened, [root]);
  await line.send({ t: "want", hash: root, format: "collection", children: RangeSet.of(1, 2) });
  await line.paidAnswer();
  equal(shop.units, unitsOfMsat(64_000) - costOf(bytes + 100_000));
});

Deno.test("Provider stops between small children when the credit ends, and goes on after a top-up", async () => {
  await using shop = await Shop.start();
  const children = Array.from(
    { length: 300 },
    (_, index) => [`${1000 + index}`, content(5000, index + 1)] as const,
  );
  const { root } = await importCollection(shop.nodes.seeding, children);
  const account = shop.gate.accountOf(FETCHER);
  account.credit = costOf(5000) * 100n;
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash: root, format: "collection" });
  let beforeBytes = 0;
  const parts: Uint8Array[] = [];
  while (beforeBytes < 500_000) {
    const frame = await line.next();
    if (frame instanceof Uint8Array) {
      beforeBytes += frame.length;
      parts.push(frame);
    }
  }
  await systemClock.sleep(20);
  equal(beforeBytes, 500_000);
  equal(account.credit, 0n);
  await line.send({ t: "top-up", payment: payment(1, 64_000) });
  const { messages, data } = await line.paidAnswer();
  equal(messages.at(-1)!.t, "end");
  equal(data.length, 1_000_000);
  equal(account.credit, unitsOfMsat(64_000) - costOf(1_000_000));
});

Deno.test("Provider gives back what was charged and not sent when the requester goes", async () => {
  await using shop = await Shop.start({ provider: { limits: { stallMs: 60 } } });
  const { hash } = await shop.nodes.seeding.importBytes(content(16 * MIB));
  shop.gate.give(FETCHER, 64_000);
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  await until(() => shop.nodes.events.length === 1);
  const { bytes, paidBytes, outcome } = shop.nodes.events[0]!;
  equal(outcome, "reset");
  equal(shop.units, unitsOfMsat(64_000) - costOf(paidBytes!));
  // Every group of which a byte was handed over is charged, and none besides.
  ok(paidBytes! <= bytes && paidBytes! > bytes * 0.99 - GROUP_BYTES, `${paidBytes} of ${bytes}`);
});

Deno.test("Provider ends an answer that waits for money as soon as the requester goes", async () => {
  await using shop = await Shop.start({ provider: { limits: { requestsPerPeerMax: 1 } } });
  const { hash } = await shop.nodes.seeding.importBytes(content(4 * MIB));
  shop.gate.give(FETCHER, 100);
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  while (true) {
    const frame = await line.next();
    if (!(frame instanceof Uint8Array) && frame?.t === "low") break;
  }
  line.stream.abort(new Error("gone"));
  await until(() => shop.nodes.events.length === 1);
  equal(shop.nodes.events[0]!.outcome, "reset");
  equal(shop.gate.openCount, 0);
});

Deno.test("Provider lets no more answers of one peer wait for money than its limit", async () => {
  const limits = { unpaidPerPeerMax: 2, unpaidMs: 1000 };
  await using shop = await Shop.start({ provider: { limits } });
  const { hash } = await shop.nodes.seeding.importBytes(content(4 * MIB));
  shop.gate.give(FETCHER, 100);
  const startedMs = performance.now();
  const endings = await Promise.all([0, 1, 2, 3, 4].map(async () => {
    const line = await shop.nodes.open();
    await line.send({ t: "want", hash, format: "blob" });
    const last = (await line.paidAnswer()).messages.at(-1)!;
    return { t: last.t, ms: performance.now() - startedMs };
  }));
  equal(endings.filter(({ t, ms }) => t === "failed" && ms >= 990).length, 2);
  ok(endings.filter(({ ms }) => ms < 990).length === 3, JSON.stringify(endings));
});

Deno.test("Provider touches no payment and no credit at a price that the requester did not agree to", async () => {
  await using shop = await Shop.start();
  const { hash } = await shop.nodes.seeding.importBytes(content(10));
  shop.gate.give(FETCHER, 64_000);
  const line = await shop.nodes.open();
  const want = { t: "want", hash, format: "blob" } as const;
  for (const priceMsatPerMiB of [0, 999]) {
    for (const paid of [undefined, payment(1, 1000)]) {
      await line.send({ ...want, priceMsatPerMiB, ...(paid && { payment: paid }) });
      deepEqual((await line.paidAnswer()).messages, [{ t: "payment-required", ...TERMS }]);
    }
  }
  equal(shop.gate.asked.length, 0);
  equal(shop.units, unitsOfMsat(64_000));
  await line.send({ ...want, priceMsatPerMiB: 1000 });
  equal((await line.paidAnswer()).messages.at(-1)!.t, "end");
});
