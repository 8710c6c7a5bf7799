import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { type Range, RangeSet } from "../../../src/core/range_set.ts";
import { systemClock } from "../../../src/host/system.ts";
import { encodedSize } from "../../../swarm/bao/mod.ts";
import {
  bytesOf,
  content,
  importCollection,
  never,
  SEEDER,
  TwoNodes,
} from "../provider/support.ts";

const MIB = 1024 * 1024;
const ABSENT = "ee".repeat(32) as Hash;
/** Where the tree changes its shape, and where a blob is one group, none full, or many. */
const SIZES = [0, 1, 1023, 1024, 16_383, 16_384, 16_385, 32_768, 32_769, 81_920, MIB - 1, MIB + 1];

for (const size of SIZES) {
  Deno.test(`PeerSource fetches a blob of ${size} bytes whose size it does not know`, async () => {
    await using nodes = await TwoNodes.start();
    const bytes = content(size);
    const { hash } = await nodes.seeding.importBytes(bytes);
    const verified: Range[] = [];
    let received = 0;
    let claimed = -1;
    const { receivedBytes } = await nodes.source.fetch({
      hash,
      groups: RangeSet.ALL,
      signal: never(),
      onGranted: (granted) => claimed = granted,
      onVerified: (groups) => verified.push(groups),
      onReceived: (count) => received += count,
    });
    equal(receivedBytes, encodedSize(size, RangeSet.ALL));
    equal(received, receivedBytes);
    equal(claimed, size);
    ok(RangeSet.from(verified).equals(RangeSet.of(0, Math.max(1, Math.ceil(size / 16_384)))));
    equal(nodes.fetching.status(hash)?.state, "complete");
    deepEqual(await bytesOf(nodes.fetching, hash), bytes);
  });
}

Deno.test("PeerSource asks for the last group too while the size is not proven", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(MIB));
  await nodes.source.fetch({ hash, groups: RangeSet.of(3, 5), signal: never() });
  const { groups } = nodes.fetching.status(hash)!;
  deepEqual(groups.boundaries, [3, 5, 63, 64]);
  const { receivedBytes } = await nodes.source.fetch({
    hash,
    size: MIB,
    groups: RangeSet.of(7, 8),
    signal: never(),
  });
  equal(receivedBytes, encodedSize(MIB, RangeSet.of(7, 8)));
});

Deno.test("PeerSource uses one stream for requests after one another, and two at one time", async () => {
  await using nodes = await TwoNodes.start();
  let openCount = 0;
  const { openStream } = nodes.fetcher;
  nodes.fetcher.openStream = (...args) => {
    openCount += 1;
    return openStream.apply(nodes.fetcher, args);
  };
  const { hash } = await nodes.seeding.importBytes(content(MIB));
  for (let index = 0; index < 5; index++) {
    await nodes.source.fetch({
      hash,
      size: MIB,
      groups: RangeSet.of(index, index + 1),
      signal: never(),
    });
  }
  await nodes.source.holdings(hash, { signal: never() });
  equal(openCount, 1);
  await Promise.all(
    [8, 9, 10].map((index) =>
      nodes.source.fetch({
        hash,
        size: MIB,
        groups: RangeSet.of(index, index + 1),
        signal: never(),
      })
    ),
  );
  equal(openCount, 3);
});

Deno.test("PeerSource opens a new stream when the kept one was closed meanwhile", async () => {
  await using nodes = await TwoNodes.start({ provider: { limits: { idleMs: 20 } } });
  const { hash } = await nodes.seeding.importBytes(content(100));
  await nodes.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  await systemClock.sleep(60);
  equal((await nodes.source.holdings(hash, { signal: never() })).state, "all");
});

Deno.test("PeerSource tells holdings: all, some, none", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(5));
  deepEqual(await nodes.source.holdings(hash, { signal: never() }), { state: "all", size: 5 });
  deepEqual(await nodes.source.holdings(ABSENT, { signal: never() }), { state: "none" });
});

Deno.test("PeerSource.ask takes more names than one message may have", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(5));
  const names = Array.from(
    { length: 3000 },
    (_, index) => ({ hash: index === 2999 ? hash : ABSENT }),
  );
  const answers = await nodes.source.ask(names, { signal: never() });
  equal(answers.length, 3000);
  deepEqual(answers.at(-1), { state: "all", size: 5 });
});

Deno.test("PeerSource.find tells the address of a blob known by its SHA-256", async () => {
  await using nodes = await TwoNodes.start();
  const record = await nodes.seeding.importBytes(content(5));
  const found = await nodes.source.find(record.sha256!, { signal: never() });
  equal(found?.hash, record.hash);
  equal(await nodes.source.find("ab".repeat(32) as never, { signal: never() }), undefined);
});

Deno.test("PeerSource names the peer and the blob when nothing is there", async () => {
  await using nodes = await TwoNodes.start();
  await rejects(
    nodes.source.fetch({ hash: ABSENT, groups: RangeSet.ALL, signal: never() }),
    (error) =>
      isSeedmintError(error, "not-found") && error.message.includes(SEEDER) &&
      error.message.includes("eeeeeeee…"),
  );
});

Deno.test("PeerSource says reset when the peer cannot be reached or the connection breaks", async () => {
  await using nodes = await TwoNodes.start({ latencyMs: () => 2 });
  const { hash } = await nodes.seeding.importBytes(content(8 * MIB));
  const fetching = nodes.source.fetch({ hash, groups: RangeSet.ALL, signal: never() });
  await systemClock.sleep(15);
  nodes.hub.cut(nodes.seeder.peerId, nodes.fetcher.peerId);
  await rejects(fetching, (error) => isSeedmintError(error, "reset"));
  await rejects(
    nodes.source.fetch({ hash, groups: RangeSet.ALL, signal: never() }),
    (error) => isSeedmintError(error, "reset"),
  );
});

Deno.test("PeerSource keeps what was verified when a transfer breaks, and fetches only the rest", async () => {
  await using nodes = await TwoNodes.start();
  const { hash } = await nodes.seeding.importBytes(content(4 * MIB));
  await nodes.source.fetch({ hash, groups: RangeSet.of(0, 1), signal: never() });
  const stop = new AbortController();
  await rejects(
    nodes.source.fetch({
      hash,
      groups: RangeSet.ALL,
      signal: stop.signal,
      onVerified: (groups) => groups.end > 100 && stop.abort(new Error("enough")),
    }),
    /enough/,
  );
  const held = nodes.fetching.status(hash)?.groups ?? RangeSet.EMPTY;
  ok(held.count > 100 && held.count < 256, `${held.count} groups`);
  const rest = RangeSet.of(0, 256).subtract(held);
  const size = 4 * MIB;
  const { receivedBytes } = await nodes.source.fetch({ hash, size, groups: rest, signal: never() });
  equal(receivedBytes, encodedSize(size, rest));
  equal(nodes.fetching.status(hash)?.state, "complete");
});

Deno.test("PeerSource asks in several wants for more runs than one may have", async () => {
  await using nodes = await TwoNodes.start();
  const size = 5000 * 16_384;
  const { hash } = await nodes.seeding.importBytes(content(size));
  const boundaries = Array.from({ length: 4999 }, (_, index) => index + 1);
  const groups = RangeSet.fromBoundaries(boundaries);
  await nodes.source.fetch({ hash, groups, signal: never() });
  const held = nodes.fetching.status(hash)?.groups;
  equal(held?.equals(groups.below(5000)), true);
  equal(nodes.events.length, 3);
});

Deno.test("PeerSource keeps a blob of the fleet among the fleet", async () => {
  const fleet = { viewerOf: (peerId: string) => Promise.resolve({ peerId, fleet: true }) };
  await using nodes = await TwoNodes.start({ provider: { fleet } });
  const ours = await nodes.seeding.importBytes(content(100_000), { visibility: "fleet" });
  await nodes.source.fetch({ hash: ours.hash, groups: RangeSet.ALL, signal: never() });
  equal(nodes.fetching.status(ours.hash)?.visibility, "fleet");
  const mine = await nodes.seeding.importBytes(content(100_001));
  const attributes = { visibility: "private", mediaType: "x/y" } as const;
  await nodes.source.fetch({ hash: mine.hash, groups: RangeSet.ALL, attributes, signal: never() });
  equal(nodes.fetching.status(mine.hash)?.visibility, "private");
  equal(nodes.fetching.status(mine.hash)?.mediaType, "x/y");
});

Deno.test("PeerSource fetches the children of a collection in order with one request", async () => {
  await using nodes = await TwoNodes.start();
  const children = Array.from({ length: 700 }, (_, index) => {
    const size = [0, 1, 4096, 16_384, 16_385, 70_000][index % 6]!;
    return [`child-${String(index).padStart(4, "0")}`, content(size, index + 1)] as const;
  });
  const { root, hashes } = await importCollection(nodes.seeding, children);
  const attributes = { kind: "collection", visibility: "fleet" } as const;
  await nodes.source.fetch({ hash: root, groups: RangeSet.ALL, attributes, signal: never() });
  const done: number[] = [];
  nodes.events.length = 0;
  await nodes.source.fetchChildren({
    root,
    children: RangeSet.ALL,
    onChild: (index) => done.push(index),
    signal: never(),
  });
  deepEqual(done, children.map((_, index) => index));
  equal(nodes.events.length, 1);
  for (const [index, hash] of hashes.entries()) {
    deepEqual(await bytesOf(nodes.fetching, hash), children[index]![1]);
    equal(nodes.fetching.status(hash)?.visibility, "fleet");
  }
});

Deno.test("PeerSource fetches what there is of a collection and says how much is missing", async () => {
  await using nodes = await TwoNodes.start();
  const children = [0, 1, 2, 3, 4].map((index) =>
    [`child-${index}`, content(1000 * index, index + 1)] as const
  );
  const { root, hashes } = await importCollection(nodes.seeding, children);
  await nodes.source.fetch({ hash: root, groups: RangeSet.ALL, signal: never() });
  await nodes.seeding.remove(hashes[0]!);
  await nodes.seeding.remove(hashes[3]!);
  const done: number[] = [];
  await rejects(
    nodes.source.fetchChildren({
      root,
      children: RangeSet.fromBoundaries([0, 2, 3, 5]),
      onChild: (index) => done.push(index),
      signal: never(),
    }),
    (error) => isSeedmintError(error, "not-found") && error.message.includes("2 of the children"),
  );
  deepEqual(done, [1, 4]);
  equal(nodes.fetching.status(hashes[2]!), undefined);
});
