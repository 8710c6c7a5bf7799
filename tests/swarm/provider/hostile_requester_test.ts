import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import fc from "fast-check";
import { systemClock } from "../../../src/host/system.ts";
import { concatBytes } from "../../../src/core/bytes.ts";
import { encodeCbor } from "../../../src/core/cbor.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { encodeVarint } from "../../../src/core/varint.ts";
import { messageFrame } from "../../../swarm/protocol/mod.ts";
import { content, type RawLine, TwoNodes } from "./support.ts";

const MIB = 1024 * 1024;
const ABSENT = "ee".repeat(32) as Hash;
const reset = (error: unknown) => isSeedmintError(error, "reset");

/** That an honest requester is still served, and that nothing of the hostile one is left. */
async function isWell(nodes: TwoNodes): Promise<void> {
  const { hash } = await nodes.seeding.importBytes(content(20_000, 77));
  const line = await nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  deepEqual((await line.answer()).messages.at(-1), { t: "end" });
  line.stream.abort(new Error("done"));
}

async function untilReset(line: RawLine): Promise<void> {
  await rejects(async () => {
    while (await line.next() !== undefined);
  }, reset);
}

/** A length, then bytes. */
function frame(bytes: Uint8Array, length = bytes.length): Uint8Array {
  return concatBytes(encodeVarint(length), bytes);
}

const BREACHES: Readonly<Record<string, Uint8Array>> = {
  "a message of 4 GiB": frame(Uint8Array.of(0xa1), 2 ** 32 - 1),
  "data": Uint8Array.of(2, 0, 1),
  "an empty frame": Uint8Array.of(0),
  "a length that is no varint": Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  "a message that only providers send": messageFrame({ t: "end" }),
  "an answer to a payment": messageFrame({
    t: "credited",
    paymentId: new Uint8Array(16),
    creditMsat: 2 ** 40,
  }),
  "a token longer than any": frame(encodeCbor({
    t: "top-up",
    payment: { id: new Uint8Array(16), token: "x".repeat(32 * 1024 + 1) },
  })),
  "text in place of CBOR": frame(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")),
  "an array as deep as a message can be": frame(new Uint8Array(120_000).fill(0x81)),
  "5,000 ranges": frame(encodeCbor({
    t: "want",
    hash: new Uint8Array(32),
    format: "blob",
    ranges: Array.from({ length: 5000 }, (_, index) => index),
  })),
  "3,000 hashes in one have": frame(encodeCbor({
    t: "have",
    blobs: Array.from({ length: 3000 }, () => ({ hash: new Uint8Array(32) })),
  })),
};

for (const [name, bytes] of Object.entries(BREACHES)) {
  Deno.test(`Provider drops the stream of a requester that sends ${name}`, async () => {
    await using nodes = await TwoNodes.start();
    const line = await nodes.open();
    line.stream.write(bytes);
    await untilReset(line);
    await isWell(nodes);
  });
}

Deno.test("Provider reads a have of 10^6 hashes no further than its limit", async () => {
  await using nodes = await TwoNodes.start();
  const line = await nodes.open();
  const entry = encodeCbor({ hash: new Uint8Array(32) });
  const head = Uint8Array.fromHex("a26174" + "6468617665" + "65626c6f6273" + "9a000f4240");
  const bytes = new Uint8Array(head.length + 1_000_000 * entry.length);
  bytes.set(head);
  for (let at = head.length; at < bytes.length; at += entry.length) bytes.set(entry, at);
  await rejects(async () => {
    await line.stream.write(frame(bytes));
    await line.next();
  }, reset);
  await isWell(nodes);
});

Deno.test("Provider drops a requester that says nothing, or one byte at a time", async () => {
  await using nodes = await TwoNodes.start({ provider: { limits: { firstMessageMs: 60 } } });
  const silent = await nodes.open();
  const slow = await nodes.open();
  const bytes = messageFrame({ t: "want", hash: ABSENT, format: "blob" });
  const dripping = (async () => {
    for (const byte of bytes) {
      await slow.stream.write(Uint8Array.of(byte));
      await systemClock.sleep(5);
    }
  })();
  await untilReset(silent);
  await untilReset(slow);
  await rejects(dripping, reset);
  await isWell(nodes);
});

Deno.test("Provider drops a requester that does not read, and holds no more than a window for it", async () => {
  await using nodes = await TwoNodes.start({ provider: { limits: { stallMs: 60 } } });
  const { hash } = await nodes.seeding.importBytes(content(32 * MIB));
  const line = await nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  while (nodes.events.length === 0) await systemClock.sleep(5);
  equal(nodes.events[0]!.outcome, "reset");
  // What the stream's window takes, and one frame above it.
  ok(nodes.events[0]!.bytes <= 3 * MIB, `${nodes.events[0]!.bytes} bytes were sent`);
  await untilReset(line);
  await isWell(nodes);
});

Deno.test("Provider frees what a want held when the requester goes, wherever that is", async () => {
  await using nodes = await TwoNodes.start({ provider: { limits: { requestsPerPeerMax: 1 } } });
  const { hash } = await nodes.seeding.importBytes(content(4 * MIB));
  for (let frames = 0; frames < 20; frames++) {
    const line = await nodes.open();
    await line.send({ t: "want", hash, format: "blob" });
    for (let index = 0; index < frames; index++) {
      const frame = await line.next();
      if (!(frame instanceof Uint8Array) && frame?.t === "end") break;
    }
    line.stream.abort(new Error("gone"));
    await systemClock.sleep(0);
  }
  await systemClock.sleep(10);
  await isWell(nodes);
});

Deno.test("Provider answers a flood of wants for ranges no faster than its lookups allow", async () => {
  const limits = { lookupsPerSecondPerPeer: 200 };
  await using nodes = await TwoNodes.start({ provider: { limits } });
  const boundaries = Array.from({ length: 4096 }, (_, index) => index);
  const want = { t: "want", hash: ABSENT, format: "blob" } as const;
  const line = await nodes.open();
  const startedMs = performance.now();
  for (let index = 0; index < 280; index++) {
    await line.send({ ...want, ranges: RangeSet.fromBoundaries(boundaries) });
    equal((await line.answer()).messages[0]!.t, "not-found");
  }
  const ms = performance.now() - startedMs;
  ok(ms > 350, `${ms} ms for 280 wants at 200 a second after a burst of 200`);
});

Deno.test("Provider charges each blob of a have as one lookup", async () => {
  const limits = { lookupsPerSecondPerPeer: 2000 };
  await using nodes = await TwoNodes.start({ provider: { limits } });
  const line = await nodes.open();
  const blobs = Array.from({ length: 1000 }, () => ({ hash: ABSENT }));
  const startedMs = performance.now();
  for (let index = 0; index < 3; index++) {
    await line.send({ t: "have", blobs });
    await line.answer();
  }
  ok(performance.now() - startedMs > 350);
});

Deno.test("Provider survives any bytes and any close", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(300_000));
  const want = messageFrame({ t: "want", hash, format: "blob", ranges: RangeSet.of(2) });
  const have = messageFrame({ t: "have", blobs: [{ hash }] });
  const part = fc.oneof(
    fc.uint8Array({ maxLength: 50 }),
    fc.constantFrom(want, have),
    fc.tuple(fc.constantFrom(want, have), fc.nat(60), fc.nat(255)).map(([bytes, at, value]) => {
      const changed = Uint8Array.from(bytes);
      changed[at % changed.length] = value;
      return changed;
    }),
  );
  const ends = fc.constantFrom("close", "abort");
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 6 }), ends, async (parts, end) => {
      const line = await nodes.open();
      try {
        for (const bytes of parts) await line.stream.write(bytes);
        if (end === "close") await line.stream.closeWrite();
        else line.stream.abort(new Error("gone"));
        while (await line.next() !== undefined);
      } catch (error) {
        equal(isSeedmintError(error), true, String(error));
      }
    }),
    { numRuns: 300 },
  );
  await isWell(nodes);
});
