import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import { ed25519PublicKey } from "../../../src/core/ed25519.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { systemClock } from "../../../src/host/system.ts";
import { encodedSize } from "../../../swarm/bao/mod.ts";
import { Fleet, issueCertificate } from "../../../swarm/fleet.ts";
import type { Gate } from "../../../swarm/ports.ts";
import { messageFrame } from "../../../swarm/protocol/mod.ts";
import { content, FETCHER, importCollection, never, TwoNodes } from "./support.ts";

const MIB = 1024 * 1024;
const ABSENT = "ee".repeat(32) as Hash;

Deno.test("Provider answers a want with granted, the encoding and end", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(3 * MIB + 5));
  const line = await nodes.open();
  await line.send({ t: "want", hash, format: "blob", ranges: RangeSet.of(1, 3) });
  const { messages, bytes } = await line.answer();
  deepEqual(messages, [{ t: "granted", size: 3 * MIB + 5 }, { t: "end" }]);
  equal(bytes, encodedSize(3 * MIB + 5, RangeSet.of(1, 3)));
  await systemClock.sleep(0); // the event follows the end
  equal(nodes.events.length, 1);
  equal(nodes.events[0]!.outcome, "served");
  equal(nodes.events[0]!.bytes, bytes);
});

Deno.test("Provider answers requests that were sent ahead, in order", async () => {
  await using nodes = await TwoNodes.start();
  const sizes = [1, 70_000, 0, 20_000];
  const line = await nodes.open();
  for (const size of sizes) {
    const { hash } = await nodes.seeding.importBytes(content(size));
    await line.send({ t: "want", hash, format: "blob" });
  }
  await line.stream.closeWrite();
  for (const size of sizes) {
    const { messages } = await line.answer();
    deepEqual(messages, [{ t: "granted", size }, { t: "end" }]);
  }
  equal(await line.next(), undefined);
});

Deno.test("Provider names the address of a blob asked for by its SHA-256", async () => {
  await using nodes = await TwoNodes.start();
  const record = await nodes.seeding.importBytes(content(5));
  const line = await nodes.open();
  await line.send({ t: "want", sha256: record.sha256!, format: "blob" });
  const { messages } = await line.answer();
  deepEqual(messages[0], { t: "granted", size: 5, hash: record.hash });
});

Deno.test("Provider serves what it holds of a partial blob and says what that is", async () => {
  await using nodes = await TwoNodes.start();
  await using other = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(MIB));
  const held = RangeSet.from([{ start: 2, end: 5 }, { start: 63, end: 64 }]);
  await nodes.source.fetch({ hash, groups: held, signal: never() });
  await copyGroups(nodes, other, hash, held);
  const line = await other.open();
  await line.send({ t: "want", hash, format: "blob", ranges: RangeSet.of(4) });
  const { messages } = await line.answer();
  const ranges = RangeSet.from([{ start: 4, end: 5 }, { start: 63, end: 64 }]);
  deepEqual(messages, [{ t: "granted", size: MIB, ranges }, { t: "end" }]);
  await line.send({ t: "want", hash, format: "blob", ranges: RangeSet.of(10, 20) });
  deepEqual((await line.answer()).messages, [{ t: "not-found" }]);
  await line.send({ t: "have", blobs: [{ hash }] });
  const holdings = { state: "some", size: MIB, groups: held } as const;
  deepEqual((await line.answer()).messages, [{ t: "holdings", blobs: [holdings] }]);
});

Deno.test("Provider hides fleet and private blobs behind the very answer for an absent one", async () => {
  const secret = new Uint8Array(32).fill(5);
  const fleet = new Fleet({ key: await ed25519PublicKey(secret), clock: systemClock });
  await using nodes = await TwoNodes.start({ provider: { fleet } });
  const bytes = content(100);
  const mine = await nodes.seeding.importBytes(bytes, { visibility: "private" });
  const ours = await nodes.seeding.importBytes(content(101), { visibility: "fleet" });
  const line = await nodes.open();
  const certificate = await issueCertificate({
    fleetSecret: secret,
    peerId: FETCHER,
    expiresMs: systemClock.nowMs() + 60_000,
  });
  for (const name of [{ hash: mine.hash }, { sha256: mine.sha256! }, { hash: ABSENT }]) {
    await line.send({ t: "want", ...name, format: "blob", certificate });
    deepEqual((await line.answer()).messages, [{ t: "not-found" }]);
  }
  await line.send({ t: "want", hash: ours.hash, format: "blob" });
  deepEqual((await line.answer()).messages, [{ t: "not-found" }]);
  const blobs = [{ hash: mine.hash }, { hash: ours.hash }, { hash: ABSENT }];
  await line.send({ t: "have", blobs });
  const none = { state: "none" } as const;
  deepEqual((await line.answer()).messages, [{ t: "holdings", blobs: [none, none, none] }]);
  await line.send({ t: "have", blobs, certificate });
  const seen = { state: "all", size: 101 } as const;
  deepEqual((await line.answer()).messages, [{ t: "holdings", blobs: [none, seen, none] }]);
  await line.send({ t: "want", hash: ours.hash, format: "blob", certificate });
  const granted = { t: "granted", size: 101, visibility: "fleet" } as const;
  deepEqual((await line.answer()).messages, [granted, { t: "end" }]);
  await systemClock.sleep(0); // the event follows the end
  equal(nodes.events.filter((event) => event.hash !== undefined).length, 1);
});

Deno.test("Provider asks the gate only about what the viewer may see", async () => {
  const asked: Hash[] = [];
  const gate: Gate = {
    decide: ({ root }) => {
      asked.push(root);
      return Promise.resolve({ decision: "deny", code: "closed" });
    },
  };
  await using nodes = await TwoNodes.start({ provider: { gate } });
  const hidden = await nodes.seeding.importBytes(content(9), { visibility: "private" });
  const shown = await nodes.seeding.importBytes(content(8));
  const line = await nodes.open();
  await line.send({ t: "want", hash: hidden.hash, format: "blob" });
  deepEqual((await line.answer()).messages, [{ t: "not-found" }]);
  await line.send({ t: "want", hash: shown.hash, format: "blob" });
  deepEqual((await line.answer()).messages, [{ t: "denied", code: "closed" }]);
  deepEqual(asked, [shown.hash]);
});

Deno.test("Provider tells the price the gate decides, and serves nothing", async () => {
  const price = {
    priceMsatPerMiB: 1000,
    minTopUpSat: 10,
    mints: ["https://mint.example"],
    p2pk: `02${"55".repeat(32)}`,
    locktimeMin: 60,
  };
  const gate: Gate = { decide: () => Promise.resolve({ decision: "pay", ...price }) };
  await using nodes = await TwoNodes.start({ provider: { gate } });
  const { hash } = await nodes.seeding.importBytes(content(MIB));
  const line = await nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  deepEqual(await line.answer(), { messages: [{ t: "payment-required", ...price }], bytes: 0 });
  await rejects(
    nodes.source.fetch({ hash, groups: RangeSet.ALL, signal: never() }),
    (error) => isSeedmintError(error, "payment-required"),
  );
});

Deno.test("Provider refuses priced content when the gate fails, and still serves what is free", async () => {
  const free = new Set<Hash>();
  const gate: Gate = {
    isFree: (root) => free.has(root),
    decide: () => Promise.reject(new SeedmintError("storage", "the wallet is broken")),
  };
  await using nodes = await TwoNodes.start({ provider: { gate } });
  const priced = await nodes.seeding.importBytes(content(50_000));
  const { hash } = await nodes.seeding.importBytes(content(60_000));
  free.add(hash);
  const line = await nodes.open();
  await line.send({ t: "want", hash: priced.hash, format: "blob" });
  deepEqual(await line.answer(), { messages: [{ t: "denied", code: "internal" }], bytes: 0 });
  await line.send({ t: "want", hash, format: "blob" });
  equal((await line.answer()).messages[0]!.t, "granted");
});

Deno.test("Provider streams a collection in order and names the children that are missing", async () => {
  await using nodes = await TwoNodes.start();
  const { root, hashes } = await importCollection(nodes.seeding, [
    ["0-small", content(4096, 1)],
    ["1-gone", content(5000, 2)],
    ["2-large", content(100_000, 3)],
    ["3-hidden", content(7000, 4), { visibility: "private" }],
    ["4-empty", content(0)],
    ["5-last", content(16_384, 5)],
  ]);
  await nodes.seeding.remove(hashes[1]!);
  const line = await nodes.open();
  await line.send({ t: "want", hash: root, format: "collection" });
  const { messages, bytes } = await line.answer();
  deepEqual(messages.slice(1), [
    { t: "missing", children: RangeSet.of(1, 2) },
    { t: "missing", children: RangeSet.of(3, 4) },
    { t: "end" },
  ]);
  equal(bytes, 4096 + encodedSize(100_000, RangeSet.ALL) + 16_384);
  await line.send({ t: "want", hash: root, format: "collection", children: RangeSet.of(5) });
  equal((await line.answer()).bytes, 16_384);
});

Deno.test("Provider does not take an opaque blob for a collection", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(MIB));
  const line = await nodes.open();
  await line.send({ t: "want", hash, format: "collection" });
  deepEqual((await line.answer()).messages, [{ t: "not-found" }]);
});

Deno.test("Provider tells a peer with too many wants under way that it is busy", async () => {
  await using nodes = await TwoNodes.start({ provider: { limits: { requestsPerPeerMax: 1 } } });
  const { hash } = await nodes.seeding.importBytes(content(4 * MIB));
  const first = await nodes.open();
  await first.send({ t: "want", hash, format: "blob" });
  equal((await first.next() as { t: string }).t, "granted");
  const second = await nodes.open();
  await second.send({ t: "want", hash, format: "blob" });
  deepEqual((await second.answer()).messages, [{ t: "denied", code: "busy", retryMs: 500 }]);
  while (await first.next() instanceof Uint8Array);
  await second.send({ t: "want", hash, format: "blob", ranges: RangeSet.of(0, 1) });
  equal((await second.answer()).messages[0]!.t, "granted");
});

Deno.test("Provider aborts streams above the limit of one peer", async () => {
  await using nodes = await TwoNodes.start({ provider: { limits: { streamsPerPeerMax: 2 } } });
  const lines = [await nodes.open(), await nodes.open(), await nodes.open()];
  await rejects(lines[2]!.next(), (error) => isSeedmintError(error, "reset"));
  lines[0]!.stream.abort(new Error("done"));
  await systemClock.sleep(5);
  const line = await nodes.open();
  await line.send({ t: "have", blobs: [] });
  deepEqual((await line.answer()).messages, [{ t: "holdings", blobs: [] }]);
});

Deno.test("Provider holds one peer to its bytes per second", async () => {
  const limits = { bytesPerSecondPerPeer: 8 * MIB };
  await using nodes = await TwoNodes.start({ provider: { limits } });
  const { hash } = await nodes.seeding.importBytes(content(6 * MIB));
  const startedMs = performance.now();
  await nodes.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  const ms = performance.now() - startedMs;
  // 6 MiB less the burst of 2 MiB at 8 MiB/s are 500 ms.
  ok(ms > 400 && ms < 2000, `${ms} ms`);
});

Deno.test("Provider shares its bytes per second between two requests of one peer", async () => {
  await using nodes = await TwoNodes.start({ provider: { limits: { bytesPerSecond: 8 * MIB } } });
  const { hash } = await nodes.seeding.importBytes(content(6 * MIB));
  const startedMs = performance.now();
  const half = 3 * 64;
  await Promise.all([
    nodes.source.fetch({ hash, groups: RangeSet.of(0, half), size: 6 * MIB, signal: never() }),
    nodes.source.fetch({ hash, groups: RangeSet.of(half), size: 6 * MIB, signal: never() }),
  ]);
  const ms = performance.now() - startedMs;
  ok(ms > 400 && ms < 2000, `${ms} ms`);
  equal(nodes.fetching.status(hash)?.state, "complete");
});

Deno.test("Provider ends an answer with failed when the blob goes away under it", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(4 * MIB));
  const { openReader } = nodes.seeding;
  nodes.seeding.openReader = async (which) => {
    const reader = await openReader.call(nodes.seeding, which);
    return Object.assign(Object.create(reader), {
      size: reader.size,
      groups: reader.groups,
      async *encode() {
        yield await Promise.resolve(new Uint8Array(1000));
        throw new SeedmintError("not-found", "evicted");
      },
      [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    });
  };
  const line = await nodes.open();
  await line.send({ t: "want", hash, format: "blob" });
  const { messages } = await line.answer();
  deepEqual(messages.at(-1), { t: "failed", code: "gone" });
  await line.send({ t: "have", blobs: [] });
  equal((await line.answer()).messages[0]!.t, "holdings");
});

Deno.test("Provider stops at once when it is disposed, in the middle of an answer", async () => {
  const nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(8 * MIB));
  const line = await nodes.open();
  await line.stream.write(messageFrame({ t: "want", hash, format: "blob" }));
  await line.next();
  await nodes.provider[Symbol.asyncDispose]();
  await rejects(async () => {
    while (await line.next() !== undefined);
  }, (error) => isSeedmintError(error, "reset"));
  const late = await nodes.open();
  await rejects(late.next(), (error) => isSeedmintError(error, "reset"));
  await nodes[Symbol.asyncDispose]();
});

/** Gives the seeding node of `to` the same groups that the fetching node of `from` holds. */
async function copyGroups(from: TwoNodes, to: TwoNodes, hash: Hash, groups: RangeSet) {
  const size = from.fetching.status(hash)!.size;
  await using reader = await from.fetching.openReader(hash);
  await using ingest = await to.seeding.ingestEncoded(hash, groups, { size });
  for await (const piece of reader.encode(groups)) await ingest.push(piece);
  await ingest.finish();
}
