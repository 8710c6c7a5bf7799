import assert from "node:assert/strict";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { encodeCollection } from "../../../swarm/collection.ts";
import { fetchBlob, fetchCollection } from "../../../swarm/fetch/mod.ts";
import { MemoryHub } from "../../../swarm/net/memory_network.ts";
import type { Discovery, Network, ProviderHint } from "../../../swarm/ports.ts";
import { Provider, type ProviderLimits } from "../../../swarm/provider/mod.ts";
import { PeerSource } from "../../../swarm/requester/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/memory_store.ts";
import { peerIdOfSecret } from "../../../swarm/net/peer_id.ts";
import { FakeOrigin, readWhole, testBytes } from "./fakes.ts";

const MIB = 1024 * 1024;

async function peerId(index: number): Promise<string> {
  return await peerIdOfSecret(new Uint8Array(32).fill(index));
}

/** Providers and a fetcher on one hub, with the real requester, provider and protocol. */
class Swarm implements AsyncDisposable {
  readonly store = new MemoryBlobStore({ clock: systemClock });
  readonly seeders: { readonly store: MemoryBlobStore; readonly network: Network }[] = [];
  readonly #stack = new AsyncDisposableStack();
  readonly #hub = new MemoryHub({ clock: systemClock });
  #network: Network | undefined;

  async seeder(limits: Partial<ProviderLimits> = {}): Promise<MemoryBlobStore> {
    const network = this.#stack.use(this.#hub.join(await peerId(this.seeders.length + 1)));
    const store = new MemoryBlobStore({ clock: systemClock });
    this.#stack.use(
      await Provider.start({ network, store, clock: systemClock, random: systemRandom, limits }),
    );
    this.seeders.push({ store, network });
    return store;
  }

  async options() {
    const network = this.#network ??= this.#stack.use(this.#hub.join(await peerId(99)));
    const hints: ProviderHint[] = this.seeders.map((seeder) => ({
      peerId: seeder.network.peerId,
      addrs: seeder.network.addresses(),
      via: "advert",
      bound: true,
    }));
    const discovery: Discovery = {
      async *find() {
        await Promise.resolve();
        yield* hints;
      },
    };
    const sources = new Map<string, PeerSource>();
    const { store } = this;
    return {
      store,
      discovery,
      clock: systemClock,
      random: systemRandom,
      sourceOf: (peer: ProviderHint) =>
        sources.getOrInsertComputed(
          peer.peerId,
          () => this.#stack.use(new PeerSource({ network, peer, store, clock: systemClock })),
        ),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

async function collectionOf(
  store: MemoryBlobStore,
  parts: readonly Uint8Array[],
): Promise<{ readonly root: Hash; readonly hashes: Hash[] }> {
  const children = [];
  for (const [index, bytes] of parts.entries()) {
    const { hash, size } = await store.importBytes(bytes);
    children.push({ name: `part/${String(index).padStart(6, "0")}`, hash, size });
  }
  const list = encodeCollection(children);
  const { hash: root } = await store.importBytes(list, { kind: "collection" });
  return { root, hashes: children.map((child) => child.hash) };
}

Deno.test("fetchBlob brings a blob from three real providers, each giving a part", async () => {
  await using swarm = new Swarm();
  const bytes = testBytes(48 * MIB);
  let hash: Hash | undefined;
  for (let index = 0; index < 3; index++) {
    const store = await swarm.seeder({ bytesPerSecond: 12 * MIB });
    hash = (await store.importBytes(bytes)).hash;
  }
  const report = await fetchBlob({ ...await swarm.options(), hash: hash! });
  assert.deepEqual(await readWhole(swarm.store, hash!), bytes);
  assert.equal(report.sources.length, 3, JSON.stringify(report));
  assert.ok(report.wastedBytes <= 0.2 * bytes.length, `${report.wastedBytes} wasted`);
  assert.deepEqual(report.failures, []);
});

Deno.test("fetchBlob puts a blob together from real providers that each hold a part", async () => {
  await using swarm = new Swarm();
  const bytes = testBytes(24 * MIB);
  const whole = new MemoryBlobStore({ clock: systemClock });
  const { hash } = await whole.importBytes(bytes);
  const groups = bytes.length / 16384;
  // Each has a half and the last group; the halves overlap a little.
  for (const [start, end] of [[0, groups / 2 + 40], [groups / 2 - 40, groups]] as const) {
    const store = await swarm.seeder();
    await copyPart(whole, store, { hash, start, end });
  }
  const report = await fetchBlob({ ...await swarm.options(), hash });
  assert.deepEqual(await readWhole(swarm.store, hash), bytes);
  assert.equal(report.sources.length, 2, JSON.stringify(report));
});

async function copyPart(
  from: MemoryBlobStore,
  to: MemoryBlobStore,
  part: { readonly hash: Hash; readonly start: number; readonly end: number },
): Promise<void> {
  const { RangeSet } = await import("../../../src/core/range_set.ts");
  await using reader = await from.openReader(part.hash);
  const last = reader.groups.count - 1;
  const groups = RangeSet.from([{ start: part.start, end: part.end }, {
    start: last,
    end: last + 1,
  }]);
  await using ingest = await to.ingestEncoded(part.hash, groups, { size: reader.size });
  for await (const piece of reader.encode(groups)) await ingest.push(piece);
  await ingest.finish();
}

Deno.test("fetchCollection brings small children in runs and large ones in parts", async () => {
  await using swarm = new Swarm();
  const parts = [
    ...Array.from({ length: 3000 }, (_, index) => testBytes(1 + (index % 5000), index + 1)),
    testBytes(6 * MIB, 71),
    testBytes(3 * MIB + 5, 72),
    testBytes(500_000, 73),
    new Uint8Array(0),
    testBytes(6 * MIB, 71),
  ];
  const one = await swarm.seeder();
  const two = await swarm.seeder();
  const { root, hashes } = await collectionOf(one, parts);
  await collectionOf(two, parts);
  const progress: number[] = [];
  const report = await fetchCollection({
    ...await swarm.options(),
    hash: root,
    onProgress: (now) => progress.push(now.childrenDone),
  });
  for (const [index, hash] of hashes.entries()) {
    assert.equal(swarm.store.status(hash)?.size, parts[index]!.length);
    assert.equal(swarm.store.status(hash)?.state, "complete");
  }
  assert.equal(swarm.store.status(root)?.kind, "collection");
  assert.equal(report.children.length, parts.length);
  assert.equal(report.size, parts.reduce((sum, part) => sum + part.length, 0));
  assert.equal(report.sources.length, 2, JSON.stringify(report.sources));
  assert.equal(progress.at(-1), parts.length);
  assert.deepEqual(report.failures, []);
  // Nothing is asked for a second time.
  const again = await fetchCollection({ ...await swarm.options(), hash: root });
  assert.deepEqual(again.sources.map((from) => from.kind), ["store"]);
});

Deno.test("fetchCollection takes from origins what no provider has", async () => {
  await using swarm = new Swarm();
  const parts = [testBytes(1000, 1), testBytes(2000, 2), testBytes(2 * MIB, 3)];
  const seeder = await swarm.seeder();
  const { root, hashes } = await collectionOf(seeder, parts);
  await seeder.remove(hashes[1]!);
  await seeder.remove(hashes[2]!);
  const report = await fetchCollection({
    ...await swarm.options(),
    hash: root,
    originOf: (_child, index) => new FakeOrigin(parts[index]!),
  });
  for (const hash of hashes) assert.equal(swarm.store.status(hash)?.state, "complete");
  const kinds = new Set(report.sources.map((from) => from.kind));
  assert.deepEqual([...kinds].sort(), ["origin", "peer"]);
});

Deno.test("fetchCollection keeps what an origin gives for a fleet's collection in the fleet", async () => {
  await using swarm = new Swarm();
  const parts = [testBytes(1000, 1), testBytes(2 * MIB, 3)];
  const seeder = await swarm.seeder();
  const { root, hashes } = await collectionOf(seeder, parts);
  for (const hash of hashes) await seeder.remove(hash);
  await using reader = await seeder.openReader(root);
  const list = new Uint8Array(reader.size);
  await reader.read(0, list);
  await swarm.store.importBytes(list, { kind: "collection", visibility: "fleet" });
  await fetchCollection({
    ...await swarm.options(),
    hash: root,
    originOf: (_child, index) => new FakeOrigin(parts[index]!),
  });
  for (const hash of hashes) assert.equal(swarm.store.status(hash)?.visibility, "fleet");
});

Deno.test("fetchCollection says how many children failed after it fetched the others", async () => {
  await using swarm = new Swarm();
  const parts = [testBytes(1000, 1), testBytes(2000, 2), testBytes(3000, 3)];
  const seeder = await swarm.seeder();
  const { root, hashes } = await collectionOf(seeder, parts);
  await seeder.remove(hashes[1]!);
  await assert.rejects(fetchCollection({ ...await swarm.options(), hash: root }), {
    message: /1 of 3 children failed, the others are here/,
  });
  assert.equal(swarm.store.status(hashes[2]!)?.state, "complete");
});
