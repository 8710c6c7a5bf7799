import assert from "node:assert/strict";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { encodeCollection } from "../../../swarm/collection.ts";
import { fetchBlob, fetchCollection } from "../../../swarm/fetch/mod.ts";
import type { CollectionFetch, ProviderHint, Source } from "../../../swarm/ports.ts";
import type { ProviderLesson } from "../../../swarm/score.ts";
import { MemoryBlobStore } from "../../../swarm/store/memory_store.ts";
import { type FakeBehaviour, FakeOrigin, FakePeer, storeWith, testBytes } from "./fakes.ts";

const MIB = 1024 * 1024;
const UNPAID = new SeedmintError("payment-required", "it asks 5000 msat per MiB, at most 2000");

async function scene(size: number) {
  const bytes = testBytes(size);
  const { store: from, hashes } = await storeWith(bytes);
  const to = new MemoryBlobStore({ clock: systemClock });
  const hash = hashes[0]!;
  const options = { hash, store: to, clock: systemClock, random: systemRandom } as const;
  const peer = (id: string, behaviour: FakeBehaviour = {}) =>
    new FakePeer(id, { from, to, ...behaviour });
  return { bytes, options, peer };
}

Deno.test("fetchBlob tells the scheduler what its sources ask, and what is worth it", async () => {
  const run = async (thrift: "balanced" | "fastest") => {
    const { options, peer } = await scene(8 * MIB);
    const free = peer("free", { throughput: 6 * MIB });
    const paid = peer("paid", { throughput: 40 * MIB, priceMsatPerMiB: 1000 });
    await fetchBlob({ ...options, thrift, sources: [free, paid] });
    return paid.sentBytes;
  };
  assert.equal(await run("balanced"), 0);
  assert.ok(await run("fastest") > 4 * MIB);
});

Deno.test("fetchBlob tells the scheduler a price that is learned on the way", async () => {
  const { options, peer } = await scene(24 * MIB);
  const free = peer("free", { throughput: 12 * MIB, latencyMs: 150 });
  const paid = peer("paid", { throughput: 12 * MIB, priceMsatPerMiB: 1000, hidesPrice: true });
  await fetchBlob({ ...options, sources: [paid, free] });
  assert.ok(paid.sentBytes < 8 * MIB, `${paid.sentBytes} bytes bought after the price was known`);
});

Deno.test("fetchBlob goes on at the origin when no price is agreed, says so, and blames nobody", async () => {
  const { options, peer, bytes } = await scene(MIB);
  const lessons: [string, ProviderLesson][] = [];
  const report = await fetchBlob({
    ...options,
    origin: new FakeOrigin(bytes),
    sources: [peer("dear", { refusesWith: UNPAID, priceMsatPerMiB: 5000 })],
    scores: {
      priorOf: () => undefined,
      record: (id, lesson) => lessons.push([id, lesson]),
    },
  });
  assert.match(report.originReason!, /^no peer serves for what the policy pays: it asks 5000/);
  assert.deepEqual(report.failures, [{
    id: "dear",
    code: "payment-required",
    message: UNPAID.message,
  }]);
  assert.deepEqual(lessons, []);
});

Deno.test("fetchBlob without anybody to pay fails with payment-required and says what to do", async () => {
  const { options, peer } = await scene(MIB);
  await assert.rejects(
    fetchBlob({ ...options, sources: [peer("dear", { refusesWith: UNPAID })] }),
    {
      code: "payment-required",
      message: /the only provider was not paid \(dear: it asks 5000.*allow it to cost more$/,
    },
  );
});

Deno.test("fetchBlob shows no terms of a member of the fleet to whoever would pay them", async () => {
  const { options, peer } = await scene(MIB);
  const hint = (peerId: string): ProviderHint => ({
    peerId,
    addrs: [],
    via: "advert",
    bound: true,
    priceMsatPerMiB: 1000,
    mints: ["https://mint.example"],
    p2pk: `02${"a".repeat(64)}`,
    minTopUpSat: 64,
    locktimeMin: 90,
  });
  const seen: ProviderHint[] = [];
  await fetchBlob({
    ...options,
    peers: [hint("ours"), hint("theirs")],
    sourceOf: (one) => {
      seen.push(one);
      return peer(one.peerId);
    },
    herd: { isMember: (id) => id === "ours", comesBeforeUs: () => false },
  });
  assert.deepEqual(seen, [
    { peerId: "ours", addrs: [], via: "advert", bound: true },
    hint("theirs"),
  ]);
});

/** A provider of small children, from a store into a store. */
class ChildSeller implements Source {
  readonly kind = "peer";
  readonly id: string;
  readonly priceMsatPerMiB: number;
  given = 0;
  readonly #blobs: ReadonlyMap<Hash, Uint8Array<ArrayBuffer>>;
  readonly #order: readonly Hash[];
  readonly #to: MemoryBlobStore;
  readonly #lacks: (index: number) => boolean;
  readonly #own: FakePeer;

  constructor(
    id: string,
    init: {
      readonly price: number;
      readonly blobs: ReadonlyMap<Hash, Uint8Array<ArrayBuffer>>;
      readonly order: readonly Hash[];
      readonly to: MemoryBlobStore;
      readonly own: FakePeer;
      readonly lacks?: (index: number) => boolean;
    },
  ) {
    this.id = id;
    this.priceMsatPerMiB = init.price;
    this.#blobs = init.blobs;
    this.#order = init.order;
    this.#to = init.to;
    this.#own = init.own;
    this.#lacks = init.lacks ?? (() => false);
  }

  fetch(request: Parameters<Source["fetch"]>[0]) {
    return this.#own.fetch(request);
  }

  async fetchChildren({ children, onChild, onReceived }: CollectionFetch) {
    let receivedBytes = 0;
    for (const { start, end } of children) {
      for (let index = start; index < end; index++) {
        if (this.#lacks(index)) continue;
        const bytes = this.#blobs.get(this.#order[index]!)!;
        await this.#to.importBytes(bytes);
        receivedBytes += bytes.length;
        onReceived?.(bytes.length);
        this.given++;
        onChild?.(index);
        await systemClock.sleep(1);
      }
    }
    return { receivedBytes };
  }
}

/** A collection of small blobs and those who sell it; `prices` by provider, and what each lacks. */
async function market(
  sellers: Record<string, { readonly price: number; readonly lacks?: (index: number) => boolean }>,
) {
  const all = Array.from({ length: 150 }, (_, index) => testBytes(2000, index + 1));
  const { store: from, hashes } = await storeWith(...all);
  const children = hashes.map((hash, index) => ({
    name: `file ${1000 + index}`,
    hash,
    size: 2000,
  }));
  const { hash: root } = await from.importBytes(encodeCollection(children), { kind: "collection" });
  const to = new MemoryBlobStore({ clock: systemClock });
  const blobs = new Map(hashes.map((hash, index) => [hash, all[index]!]));
  const sources = Object.entries(sellers).map(([id, { price, lacks }]) =>
    new ChildSeller(id, {
      price,
      blobs,
      order: hashes,
      to,
      own: new FakePeer(id, { from, to }),
      ...(lacks === undefined ? {} : { lacks }),
    })
  );
  const options = { hash: root, store: to, clock: systemClock, random: systemRandom, sources };
  const given = () => Object.fromEntries(sources.map((source) => [source.id, source.given]));
  return { options, given };
}

Deno.test("fetchCollection buys no child that a free provider has", async () => {
  const isOdd = (index: number) => index % 2 === 1;
  for (const thrift of ["cheapest", "balanced"] as const) {
    const { options, given } = await market({
      dear: { price: 2000 },
      cheap: { price: 1000, lacks: (index) => index > 100 },
      free: { price: 0, lacks: isOdd },
    });
    await fetchCollection({ ...options, thrift });
    assert.deepEqual(given(), { free: 75, cheap: 50, dear: 25 }, thrift);
  }
});

Deno.test("fetchCollection shares children between all who have them when only time counts", async () => {
  const { options, given } = await market({ dear: { price: 2000 }, free: { price: 0 } });
  await fetchCollection({ ...options, thrift: "fastest" });
  const { dear, free } = given() as { dear: number; free: number };
  assert.ok(dear > 0 && free > 0 && dear + free === 150, JSON.stringify(given()));
});

Deno.test("fetchCollection takes from its origin what is cheapest there", async () => {
  const { options, given } = await market({ paid: { price: 1000 } });
  const origin = (index: number) => new FakeOrigin(testBytes(2000, index + 1));
  const report = await fetchCollection({
    ...options,
    thrift: "cheapest",
    originOf: (_child, index) => index < 140 ? origin(index) : undefined,
  });
  assert.deepEqual(given(), { paid: 10 });
  assert.equal(report.sources.find(({ kind }) => kind === "origin")?.bytes, 140 * 2000);
});
