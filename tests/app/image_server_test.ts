import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { systemClock as clock } from "../../src/host/system.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import { imageFinder, openImagesOf } from "../../src/app/lifecycle/image_server.ts";
import { MemoryBlobStore } from "../../swarm/store/mod.ts";
import type { ProviderHint } from "../../swarm/ports.ts";
import { LOCAL_REGISTRY, RegistryIndex } from "../../swarm/registry/index/mod.ts";
import { digestOf } from "../../swarm/registry/names.ts";
import type { SwarmFetch } from "../../swarm/registry/ports.ts";
import { testBytes } from "../e2e/support.ts";

const signal = new AbortController().signal;
const sha256Of = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex") as Sha256;

const isOpenImage = (_: Sha256, { visibility }: { readonly visibility: string }) =>
  visibility === "fleet";

/** A swarm in which each peer claims that one of some texts has the digest that is asked for. */
async function swarmOf(store: MemoryBlobStore, claims: Record<string, Uint8Array<ArrayBuffer>>) {
  const there = new MemoryBlobStore({ clock });
  const hashes = new Map<string, Hash>();
  for (const [peerId, bytes] of Object.entries(claims)) {
    hashes.set(peerId, (await there.importBytes(bytes)).hash);
  }
  const banned: string[] = [];
  const fetched: Hash[] = [];
  const hintOf = (peerId: string): ProviderHint => ({
    peerId,
    addrs: [],
    via: "peer",
    bound: false,
  });
  const swarm = {
    async *find() {
      await Promise.resolve();
      for (const peerId of Object.keys(claims)) yield hintOf(peerId);
    },
    isTrusted: () => false,
    ask: ({ peerId }: ProviderHint, [sha256]: readonly Sha256[]) => {
      const size = claims[peerId]!.length;
      return Promise.resolve([{ sha256: sha256!, hash: hashes.get(peerId)!, size }]);
    },
    ban: ({ peerId }: ProviderHint) => void banned.push(peerId),
    fetch: async ({ hash }: { hash: Hash }) => {
      fetched.push(hash);
      const peerId = [...hashes].find(([, one]) => one === hash)![0];
      await store.importBytes(claims[peerId]!);
      return {} as never;
    },
  } satisfies SwarmFetch;
  return { swarm, banned, fetched, hashes };
}

Deno.test("an image is found by its SHA-256, whoever lies about it, and liars are banned", async () => {
  await using store = new MemoryBlobStore({ clock });
  const image = testBytes(40_000, 1);
  const { swarm, banned, fetched, hashes } = await swarmOf(store, {
    liar: testBytes(40_000, 2),
    honest: image,
  });
  const find = imageFinder({ store, swarm, isOpenImage, log: () => {} });
  const wanted = sha256Of(image);
  const [one, two] = await Promise.all([
    find(wanted, { signal, isHead: true }),
    find(wanted, { signal, isHead: false }),
  ]);
  await using _one = one!;
  await using delivery = two!;
  const bytes: number[] = [];
  for await (const piece of delivery.read({ start: 0, end: delivery.size }, signal)) {
    bytes.push(...piece);
  }
  assert.deepEqual(Uint8Array.from(bytes), image);
  assert.deepEqual([banned, fetched.length], [["liar"], 2]);
  assert.equal(store.status(hashes.get("liar")!), undefined);
});

Deno.test("what is kept to this node is not given out for its SHA-256, nor removed for a lie", async () => {
  await using store = new MemoryBlobStore({ clock });
  const own = testBytes(20_000, 3);
  const { hash } = await store.importBytes(own, { visibility: "private" });
  const { swarm, fetched } = await swarmOf(store, { liar: own });
  const find = imageFinder({ store, swarm, isOpenImage, log: () => {} });
  for (const wanted of [sha256Of(own), sha256Of(testBytes(5, 5))]) {
    assert.equal(await find(wanted, { signal, isHead: false }), undefined);
  }
  assert.equal(store.status(hash)?.visibility, "private");
  const shown = testBytes(30_000, 4);
  const open = await store.importBytes(shown);
  const other = await swarmOf(store, { liar: shown });
  const findOther = imageFinder({ store, swarm: other.swarm, isOpenImage, log: () => {} });
  assert.equal(await findOther(sha256Of(testBytes(6, 6)), { signal, isHead: false }), undefined);
  assert.deepEqual([other.banned, fetched], [["liar"], []]);
  assert.equal(store.status(open.hash)?.state, "complete");
});

Deno.test("who goes away while an image is looked for is told so at once", async () => {
  await using store = new MemoryBlobStore({ clock });
  const { swarm } = await swarmOf(store, {});
  const hanging: SwarmFetch = {
    ...swarm,
    find: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) }),
  };
  const find = imageFinder({ store, swarm: hanging, isOpenImage, log: () => {} });
  const gone = new AbortController();
  const asking = find(sha256Of(testBytes(9, 9)), { signal: gone.signal, isHead: false });
  gone.abort(new Error("gone"));
  await assert.rejects(asking, /gone/);
});

Deno.test("what the fleet may have is an image for all, unless container images are made of it or it may need a login", async () => {
  using index = RegistryIndex.open({ path: ":memory:", clock });
  await using store = new MemoryBlobStore({ clock });
  const record = async (seed: number, visibility: "fleet" | "private" | "public") => {
    const bytes = testBytes(1000, seed);
    return [sha256Of(bytes), await store.importBytes(bytes, { visibility })] as const;
  };
  const isOpen = openImagesOf({ config: { mirrorPrivate: "private" }, index });
  const shared = await record(1, "fleet");
  assert.ok(isOpen(...shared));
  assert.ok(!isOpen(...await record(2, "private")));
  assert.ok(!openImagesOf({ config: { mirrorPrivate: "fleet" }, index })(...shared));
  index.members.add(
    { registry: LOCAL_REGISTRY, repository: "app" },
    digestOf(shared[0]),
    { kind: "blob" },
  );
  assert.ok(!isOpen(...shared));
});

Deno.test("what a container image is made of is not found as an image either", async () => {
  await using store = new MemoryBlobStore({ clock });
  const layer = testBytes(20_000, 3);
  await store.importBytes(layer, { visibility: "fleet" });
  const { swarm, fetched } = await swarmOf(store, { peer: layer });
  const find = imageFinder({ store, swarm, isOpenImage: () => false, log: () => {} });
  assert.equal(await find(sha256Of(layer), { signal, isHead: false }), undefined);
  assert.deepEqual(fetched, []);
});

Deno.test("no more images are looked for at once than a node can", async () => {
  await using store = new MemoryBlobStore({ clock });
  const { swarm } = await swarmOf(store, {});
  const end = Promise.withResolvers<IteratorResult<ProviderHint>>();
  const hanging: SwarmFetch = {
    ...swarm,
    find: () => ({ [Symbol.asyncIterator]: () => ({ next: () => end.promise }) }),
  };
  const find = imageFinder({ store, swarm: hanging, isOpenImage, log: () => {} });
  const ask = (seed: number) => find(sha256Of(testBytes(9, seed)), { signal, isHead: false });
  const asked = Array.from({ length: 16 }, (_, seed) => ask(seed));
  await assert.rejects(ask(99), /16 are looked for now/);
  end.resolve({ done: true, value: undefined });
  assert.deepEqual(await Promise.all(asked), asked.map(() => undefined));
});

Deno.test("who tells the right blob with a wrong size does not keep others from giving it", async () => {
  await using store = new MemoryBlobStore({ clock });
  const image = testBytes(40_000, 1);
  const { swarm, banned } = await swarmOf(store, { liar: image, honest: image });
  const lying: SwarmFetch = {
    ...swarm,
    ask: async (hint, sha256s) => {
      const [said] = await swarm.ask(hint, sha256s);
      return [{ ...said!, size: hint.peerId === "liar" ? 10 : said!.size }];
    },
    fetch: async (request) => {
      if (request.size !== image.length) throw new SeedmintError("protocol", "another size");
      return await swarm.fetch(request);
    },
  };
  const find = imageFinder({ store, swarm: lying, isOpenImage, log: () => {} });
  await using delivery = await find(sha256Of(image), { signal, isHead: true });
  assert.equal(delivery?.size, image.length);
  assert.deepEqual(banned, []);
});
