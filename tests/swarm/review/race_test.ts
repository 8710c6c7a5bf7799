/** Many requests of one payer at one time, given up at any moment, over whatever path. */
import { equal, ok } from "node:assert/strict";
import fc from "fast-check";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { systemClock } from "../../../src/host/system.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { CREDIT_MS } from "../../../swarm/gateway/limits.ts";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import { encodedItems } from "../../../swarm/bao/mod.ts";
import { DirectClient, encodeDirectRequest } from "../../../swarm/direct/mod.ts";
import type { DirectGrant, Granted } from "../../../swarm/protocol/mod.ts";
import { ask, connectFrom, startWorld, tokenOf } from "../gateway/support.ts";
import { costOf, payment, unitsOfMsat } from "../provider/memory_gate.ts";
import { Shop } from "../provider/shop.ts";
import { content, until } from "../provider/support.ts";

const MIB = 1024 * 1024;
const SIZE = 2 * MIB + 9;

/** Content bytes of which at least one came, by whole groups, among the first `count` bytes. */
function contentIn(ranges: RangeSet, count: number): number {
  let at = 0;
  let bytes = 0;
  for (const item of encodedItems(SIZE, ranges)) {
    if (at >= count) break;
    const size = item.kind === "parent" ? 64 : item.size;
    if (item.kind === "group") bytes += size;
    at += size;
  }
  return bytes;
}

/** Reads a stream's answer, and aborts it after `stopBytes`; what content began to come. */
async function overStream(
  shop: Shop,
  hash: Hash,
  part: { readonly ranges: RangeSet; readonly stopBytes: number },
): Promise<number> {
  const line = await shop.nodes.open();
  await line.send({ t: "want", hash, format: "blob", ranges: part.ranges });
  let bytes = 0;
  try {
    while (bytes < part.stopBytes) {
      const frame = await line.next();
      if (frame instanceof Uint8Array) bytes += frame.length;
      else if (frame === undefined || ["end", "failed", "payment-required"].includes(frame.t)) {
        break;
      }
    }
  } catch {
    // It ended; what came came.
  }
  line.stream.abort(new Error("enough"));
  return contentIn(part.ranges, bytes);
}

async function overDirect(
  shop: Shop,
  hash: Hash,
  part: { readonly ranges: RangeSet; readonly stopBytes: number; readonly grant: DirectGrant },
): Promise<number> {
  using client = new DirectClient({ clock: systemClock });
  const { session, key } = part.grant;
  let bytes = 0;
  try {
    await client.post({
      hostname: "127.0.0.1",
      port: shop.nodes.provider.directPort!,
      answerMs: 5_000,
      body: () => {
        const counter = nextCounter++;
        return encodeDirectRequest({ session, hash, ranges: part.ranges, counter }, key);
      },
      onAnswered: () => {},
      breaks: () => {},
      use: async (response) => {
        for (let got = await response.read(); got; got = await response.read()) {
          bytes += got.length;
          if (bytes >= part.stopBytes) throw new Error("enough");
        }
      },
    });
  } catch {
    // As above.
  }
  return contentIn(part.ranges, bytes);
}

let nextCounter = 0;

Deno.test("Provider gives at most one group beyond the credit to any number of requests, paths and aborts at once", async () => {
  const request = fc.record({
    start: fc.nat(120),
    count: fc.integer({ min: 1, max: 140 }),
    stopBytes: fc.oneof(fc.constant(0), fc.nat(SIZE), fc.constant(Infinity)),
    isDirect: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(request, { minLength: 4, maxLength: 12 }),
      fc.integer({ min: 1, max: 3000 }),
      async (requests, msat) => {
        const direct = { port: 0, hostname: "127.0.0.1" };
        await using shop = await Shop.start({
          provider: { direct, limits: { unpaidMs: 30, unpaidPerPeerMax: 4 } },
        });
        const { hash } = await shop.nodes.seeding.importBytes(content(SIZE));
        const line = await shop.nodes.open();
        await line.send({
          t: "want",
          hash,
          format: "blob",
          direct: true,
          payment: payment(1, msat),
        });
        const { messages } = await line.paidAnswer();
        const grant = (messages[0] as Granted).direct!;
        const got = await Promise.all(requests.map(({ start, count, stopBytes, isDirect }) => {
          const part = { ranges: RangeSet.of(start, start + count), stopBytes };
          return isDirect
            ? overDirect(shop, hash, { ...part, grant })
            : overStream(shop, hash, part);
        }));
        line.stream.abort(new Error("done"));
        await until(() => shop.gate.openCount === 0);
        const gotBytes = got.reduce((sum, bytes) => sum + bytes, 0);
        // No byte of a group comes that is not charged, and no more is charged than was paid.
        ok(costOf(gotBytes) <= unitsOfMsat(msat) - shop.units, `${gotBytes} bytes came`);
        ok(shop.units > -costOf(GROUP_BYTES), `${shop.units} units are left`);
      },
    ),
    { numRuns: 25 },
  );
});

Deno.test("Gateway sends at most twice what was paid for to any number of requests and aborts at once", async () => {
  // What waits for credit waits for a moment here.
  const clock: Clock = {
    ...systemClock,
    timer: (ms, callback) => systemClock.timer(ms === CREDIT_MS ? 50 : ms, callback),
  };
  await using world = await startWorld({ clock, limits: { stallMs: CREDIT_MS - 1 } });
  const bytes = content(40 * GROUP_BYTES);
  const { hash } = await world.store.importBytes(bytes);
  const token = tokenOf(45);
  const path = `/blob/${hash}`;
  const one = async (index: number) => {
    const start = (index * 7 % 40) * GROUP_BYTES;
    const range = `bytes=${start}-${start + (index % 4 + 1) * GROUP_BYTES - 1}`;
    if (index % 6 > 0) return await ask(world, path, { headers: { range, "x-cashu": token } });
    const socket = await connectFrom(world.gateway.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.on("data", () => socket.destroy());
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nX-Cashu: ${token}\r\n\r\n`);
    await closed;
  };
  for (let round = 0; round < 5; round++) {
    await Promise.all(Array.from({ length: 24 }, (_, index) => one(round * 24 + index)));
  }
  await until(() => world.events.length >= 120);
  const sentBytes = world.events.reduce((sum, event) => sum + event.bytes, 0);
  const { paidMsat, usedMsat } = world.seller.books();
  equal(paidMsat, 45_000);
  const groupMsat = 64_000 * GROUP_BYTES / MIB;
  ok(usedMsat < paidMsat + groupMsat, `${usedMsat} msat were charged`);
  ok(sentBytes * 64_000 / MIB <= 2 * usedMsat, `${sentBytes} bytes were sent`);
  ok(sentBytes * 64_000 / MIB > 1.9 * usedMsat, "all was asked for that could be had");
});
