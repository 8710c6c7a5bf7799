import assert from "node:assert/strict";
import { utf8 } from "../../src/core/bytes.ts";
import { type Hash, parseHash } from "../../src/core/hash.ts";
import { CollectionIndex } from "../../src/app/lifecycle/collection_index.ts";
import { PriceList, readPriceList, writePriceList } from "../../src/app/lifecycle/price_list.ts";
import { systemClock } from "../../src/host/system.ts";
import { encodeCollection } from "../../swarm/collection.ts";
import { MemoryBlobStore } from "../../swarm/store/memory_store.ts";

const hashOf = (digits: string) => parseHash(digits.repeat(32)) as Hash;
const [FILM, SHOW, SERIES] = [hashOf("aa"), hashOf("bb"), hashOf("cc")];
const service = (id: string, priceMsatPerMiB: number, enabled = true) => ({
  ...{ id, priceMsatPerMiB, enabled },
});
const facts = { visibility: "public", collections: [] };

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "seedmint-prices-" });
  try {
    await use(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("PriceList takes the price of the hash, then the lowest of its collections, then by visibility, then the default", () => {
  const all = [
    service(`content:${FILM}`, 500),
    service(`content:${SHOW}`, 300),
    service(`content:${SERIES}`, 200),
    service("visibility:public", 100),
    service("default", 50),
  ];
  const priceOf = (hash: Hash, changes = {}) =>
    new PriceList(all).priceOf(hash, { ...facts, ...changes });
  assert.equal(priceOf(FILM, { collections: [SERIES] }), 500);
  assert.equal(priceOf(hashOf("11"), { collections: [SHOW, SERIES, hashOf("22")] }), 200);
  assert.equal(priceOf(hashOf("11")), 100);
  assert.equal(priceOf(hashOf("11"), { visibility: "fleet" }), 50);
  assert.equal(priceOf(hashOf("11"), { visibility: undefined }), 50);
});

Deno.test("PriceList leaves out what is not enabled, and what nothing prices is free", () => {
  const list = new PriceList([service(`content:${FILM}`, 500, false), service("default", 0)]);
  assert.equal(list.priceOf(FILM, facts), 0);
  assert.equal(new PriceList([]).priceOf(FILM, facts), 0);
});

Deno.test("prices are found again after a restart, closed to others, and a damaged copy frees nothing", async () => {
  await inFolder(async (folder) => {
    assert.equal((await readPriceList(folder)).list.priceOf(FILM, facts), 0);
    writePriceList(folder, [service(`content:${FILM}`, 700), service("default", 1, false)]);
    const { list, services } = await readPriceList(folder);
    assert.equal(list.priceOf(FILM, facts), 700);
    assert.equal(services.length, 2);
    assert.equal(((await Deno.stat(`${folder}/prices.json`)).mode ?? 0) & 0o777, 0o600);
    for (const text of ["", "{", '{"version":1}', '{"version":2,"services":[]}']) {
      await Deno.writeTextFile(`${folder}/prices.json`, text);
      const damaged = (await readPriceList(folder)).list;
      assert.equal(damaged.priceOf(FILM, facts), undefined, text);
      assert.match(damaged.problem!, /prices\.json cannot be read/);
    }
  });
});

Deno.test("CollectionIndex knows the children of watched collections, also of one that comes later", async () => {
  const store = new MemoryBlobStore({ clock: systemClock });
  const child = (await store.importBytes(utf8("child"))).hash;
  const bytes = encodeCollection([{ name: "a", hash: child, size: 5 }]);
  const index = new CollectionIndex(store);
  const { hash: root } = await store.importBytes(bytes, { kind: "collection" });
  assert.deepEqual([...index.parentsOf(child)], []);
  await index.watch([root, FILM]);
  assert.deepEqual([...index.parentsOf(child)], [root]);
  // What it lists is not free because the list itself went.
  await store.remove(root);
  await index.changed(root);
  assert.deepEqual([...index.parentsOf(child)], [root]);
  await store.importBytes(bytes, { kind: "collection" });
  await index.changed(root);
  assert.deepEqual([...index.parentsOf(child)], [root]);
  await index.watch([FILM]);
  assert.deepEqual([...index.parentsOf(child)], []);
});
