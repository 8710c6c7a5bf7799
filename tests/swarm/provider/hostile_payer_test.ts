import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import fc from "fast-check";
import { systemClock } from "../../../src/host/system.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { peerIdOfSecret } from "../../../swarm/net/peer_id.ts";
import { BLOBS_PROTOCOL, messageFrame } from "../../../swarm/protocol/mod.ts";
import { REFUSALS_BURST, REQUESTS_AHEAD_MAX } from "../../../swarm/provider/limits.ts";
import { PROVIDER_LIMITS } from "../../../swarm/provider/mod.ts";
import { payment } from "./memory_gate.ts";
import { kinds, Shop } from "./shop.ts";
import { content, FETCHER, RawLine, SEEDER, until } from "./support.ts";

const MIB = 1024 * 1024;
const ABSENT = "ee".repeat(32) as Hash;

/** That an honest requester is still served for money. */
async function isWell(shop: Shop): Promise<void> {
  const { hash } = await shop.nodes.seeding.importBytes(content(20_000, 77));
  shop.gate.give(FETCHER, 1000);
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  deepEqual(kinds((await line.paidAnswer()).messages).at(-1), "end");
  line.stream.abort(new Error("done"));
}

/** Writes until the other side stops reading; how many bytes it took. */
async function floodUntilStuck(line: RawLine, frames: () => Uint8Array): Promise<number> {
  let bytes = 0;
  while (bytes < 64 * MIB) {
    const frame = frames();
    const room = line.stream.write(frame);
    bytes += frame.length;
    const isStuck = room !== undefined &&
      await Promise.race([room.then(() => false), systemClock.sleep(60).then(() => true)]);
    if (isStuck) return bytes;
  }
  return bytes;
}

Deno.test("Provider reads no further when a payer sends top-ups and reads no answers", async () => {
  await using shop = await Shop.start({ provider: { limits: { stallMs: 150 } } });
  const line = await shop.nodes.open();
  let index = 0;
  const bytes = await floodUntilStuck(
    line,
    () => messageFrame({ t: "top-up", payment: payment(index++, 1) }),
  );
  // A window each way, and what is read of it: the answers are smaller than the questions.
  ok(bytes < 16 * MIB, `${bytes} bytes`);
  await rejects(async () => {
    while (true) {
      await systemClock.sleep(20);
      await line.stream.write(new Uint8Array(1));
    }
  }, (error) => isSeedmintError(error, "reset"));
  await isWell(shop);
});

Deno.test("Provider checks no more payments of a stream, or of a peer, at one time than its limits", async () => {
  await using shop = await Shop.start();
  const { gate, nodes } = shop;
  const checked = Promise.withResolvers<void>();
  let checkingMax = 0;
  let checking = 0;
  gate.beforePay = async () => {
    checking += 1;
    checkingMax = Math.max(checkingMax, checking);
    await checked.promise;
    checking -= 1;
  };
  const one = await nodes.open();
  for (let index = 0; index < 50; index++) {
    await one.send({ t: "top-up", payment: payment(index, 1000) });
  }
  await until(() => checkingMax === 4);
  await systemClock.sleep(20);
  equal(checkingMax, 4);
  const others = await Promise.all([1, 2, 3].map(() => nodes.open()));
  const answers = Promise.all(others.map(async (line, at) => {
    for (let index = 0; index < 4; index++) {
      await line.send({ t: "top-up", payment: payment(100 + at * 4 + index, 1000) });
    }
    const told = [];
    for (let index = 0; index < 4; index++) told.push(await line.next());
    return told;
  }));
  await until(() => checkingMax === 8);
  await systemClock.sleep(20);
  equal(checkingMax, 8);
  checked.resolve();
  const told = (await answers).flat() as { t: string; code?: string; retryMs?: number }[];
  equal(told.filter(({ t }) => t === "credited").length, 4);
  equal(told.filter(({ code, retryMs }) => code === "busy" && retryMs! > 0).length, 8);
  for (let index = 0; index < 50; index++) {
    equal((await one.next() as { t: string }).t, "credited");
  }
  equal(checking, 0);
  await isWell(shop);
});

Deno.test("Provider slows a payer whose payments are refused before the gate sees more of them", async () => {
  await using shop = await Shop.start();
  const { gate, nodes } = shop;
  const lines = await Promise.all([0, 1, 2, 3].map(() => nodes.open()));
  const startedMs = performance.now();
  for (const line of lines) {
    for (let index = 0; index < 10; index++) {
      await line.send({ t: "top-up", payment: { id: new Uint8Array(16), token: "garbage" } });
    }
  }
  for (let index = 0; index < 2; index++) {
    const refused = await lines[0]!.next();
    deepEqual(refused, { t: "refused", paymentId: new Uint8Array(16), code: "malformed" });
  }
  await systemClock.sleep(300);
  // Those that were looked at before the first was refused, and one a second.
  const countMax = REFUSALS_BURST + 8 + Math.ceil((performance.now() - startedMs) / 1000);
  ok(gate.asked.length <= countMax, `${gate.asked.length} payments were checked`);
  for (const line of lines) line.stream.abort(new Error("enough"));
  // Content with credit is as good as before.
  await isWell(shop);
});

Deno.test("Provider queues a few wants behind an answer and reads no more, whatever they are", async () => {
  await using shop = await Shop.start({ provider: { limits: { unpaidMs: 10_000 } } });
  const { hash } = await shop.nodes.seeding.importBytes(content(4 * MIB));
  shop.gate.give(FETCHER, 100);
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  while (true) {
    const frame = await line.next();
    if (!(frame instanceof Uint8Array) && frame?.t === "low") break;
  }
  const ranges = RangeSet.fromBoundaries(Array.from({ length: 4096 }, (_, at) => 2 ** 50 + at));
  const frame = messageFrame({ t: "want", hash: ABSENT, format: "blob", ranges });
  const bytes = await floodUntilStuck(line, () => frame);
  // One is taken off the stream, besides its window.
  ok(bytes <= shop.nodes.hub.windowBytes + 3 * frame.length, `${bytes} bytes`);
  line.stream.abort(new Error("enough"));
  await isWell(shop);
});

Deno.test("Provider takes a top-up that stands behind a few wants while an answer is under way", async () => {
  await using shop = await Shop.start();
  const { hash } = await shop.nodes.seeding.importBytes(content(MIB));
  shop.gate.give(FETCHER, 10);
  const line = await shop.nodes.open();
  for (let count = 0; count < REQUESTS_AHEAD_MAX; count++) {
    await line.send({ t: "want", hash, format: "blob", ranges: RangeSet.of(count) });
  }
  await line.send({ t: "top-up", payment: payment(1, 64_000) });
  for (let count = 0; count < REQUESTS_AHEAD_MAX; count++) {
    equal((await line.paidAnswer()).messages.at(-1)!.t, "end");
  }
});

Deno.test("Provider drops a stream on which nothing but silence follows a top-up", async () => {
  await using shop = await Shop.start({ provider: { limits: { idleMs: 400 } } });
  const line = await shop.nodes.open();
  for (let index = 0; index < 5; index++) {
    await systemClock.sleep(120);
    await line.send({ t: "top-up", payment: payment(index, 1000) });
    equal((await line.next() as { t: string }).t, "credited");
  }
  const startedMs = performance.now();
  await rejects(line.next(), (error) => isSeedmintError(error, "reset"));
  const ms = performance.now() - startedMs;
  ok(ms > 380 && ms < 5000, `${ms} ms`);
});

Deno.test("Provider answers a top-up to its end when the requester closes after it", async () => {
  await using shop = await Shop.start();
  shop.gate.beforePay = () => systemClock.sleep(30);
  const line = await shop.nodes.open();
  await line.send({ t: "top-up", payment: payment(1, 1000) });
  await line.stream.closeWrite();
  equal((await line.next() as { t: string }).t, "credited");
  equal(await line.next(), undefined);
});

Deno.test("Provider credits a payment whose stream broke while it was checked", async () => {
  await using shop = await Shop.start();
  const checking = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  shop.gate.beforePay = () => {
    checking.resolve();
    return go.promise;
  };
  const line = await shop.nodes.open();
  await line.send({ t: "top-up", payment: payment(1, 1000) });
  await checking.promise;
  line.stream.abort(new Error("gone"));
  go.resolve();
  await until(() => shop.units > 0n);
  const again = await shop.nodes.open();
  await again.send({ t: "top-up", payment: { id: payment(1, 0).id } });
  equal((await again.next() as { creditMsat: number }).creditMsat, 1000);
});

Deno.test("Provider serves what is free while a thousand peers pay with garbage at once", async () => {
  await using shop = await Shop.start();
  const { gate, nodes } = shop;
  const free = await nodes.seeding.importBytes(content(MIB, 5));
  gate.free.add(free.hash);
  let checking = 0;
  let checkingMax = 0;
  gate.beforePay = async () => {
    checkingMax = Math.max(checkingMax, ++checking);
    await systemClock.sleep(1);
    checking -= 1;
  };
  const seeder = { peerId: SEEDER, addrs: nodes.seeder.addresses() };
  const told = new Map<string, number>();
  const payers = Array.from({ length: 1000 }, async (_, index) => {
    const secret = Uint8Array.from(payment(index, 0).id);
    const peerId = await peerIdOfSecret(new Uint8Array([...secret, ...secret]));
    const network = nodes.hub.join(peerId, { mdns: false });
    const line = new RawLine(await network.openStream(seeder, BLOBS_PROTOCOL));
    await line.send({ t: "top-up", payment: { ...payment(index, 1), token: "garbage" } });
    const { code } = await line.next() as { code: string };
    told.set(code, (told.get(code) ?? 0) + 1);
    line.stream.abort(new Error("done"));
    await network[Symbol.asyncDispose]();
  });
  const line = await nodes.open();
  await line.send({ t: "want", hash: free.hash, format: "blob" });
  deepEqual(kinds((await line.paidAnswer()).messages), ["granted", "end"]);
  await Promise.all(payers);
  ok(checkingMax <= PROVIDER_LIMITS.paymentsMax, `${checkingMax} at one time`);
  deepEqual([...told.keys()].toSorted(), ["busy", "malformed"]);
  ok(told.get("malformed")! >= PROVIDER_LIMITS.paymentsMax);
  await isWell(shop);
});

Deno.test("Provider stops at once while payments are checked and answers wait for money", async () => {
  const shop = await Shop.start();
  const { hash } = await shop.nodes.seeding.importBytes(content(MIB));
  shop.gate.beforePay = () => new Promise(() => {});
  const lines = await Promise.all([0, 1, 2].map(() => shop.nodes.open()));
  shop.gate.give(FETCHER, 1);
  await lines[0]!.send({ t: "want", hash, format: "blob" });
  await lines[1]!.send({ t: "want", hash, format: "blob", payment: payment(1, 1) });
  await lines[2]!.send({ t: "top-up", payment: payment(2, 1) });
  await lines[2]!.stream.closeWrite();
  await until(() => shop.gate.asked.length === 2 && shop.units < 0n);
  const startedMs = performance.now();
  await shop[Symbol.asyncDispose]();
  ok(performance.now() - startedMs < 5000);
});

Deno.test("Provider survives any mix of wants, payments and closes, and charges what it sends", async () => {
  await using shop = await Shop.start({ provider: { limits: { unpaidMs: 20 } } });
  const { gate, nodes } = shop;
  const { hash } = await nodes.seeding.importBytes(content(300_000));
  let index = 0;
  const parts = fc.oneof(
    fc.constant("want"),
    fc.constant("have"),
    fc.constant("pay"),
    fc.constant("bad"),
    fc.constant("ask"),
    fc.uint8Array({ maxLength: 12 }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(parts, { maxLength: 12 }),
      fc.constantFrom("close", "abort"),
      async (parts, end) => {
        const line = await nodes.open();
        const reading = (async () => {
          while (await line.next() !== undefined);
        })().catch((error) => equal(isSeedmintError(error), true, String(error)));
        try {
          for (const part of parts) {
            if (part instanceof Uint8Array) await line.stream.write(part);
            else if (part === "want") await line.send({ t: "want", hash, format: "blob" });
            else if (part === "have") await line.send({ t: "have", blobs: [{ hash }] });
            else if (part === "pay") {
              await line.send({ t: "top-up", payment: payment(index++, 50) });
            } else if (part === "ask") {
              await line.send({ t: "top-up", payment: { id: payment(0, 0).id } });
            } else await line.send({ t: "receipt", receipt: "{}" });
          }
          if (end === "close") await line.stream.closeWrite();
          else line.stream.abort(new Error("gone"));
        } catch (error) {
          equal(isSeedmintError(error), true, String(error));
        }
        await reading;
      },
    ),
    { numRuns: 60 },
  );
  await until(() => gate.openCount === 0);
  await isWell(shop);
});
