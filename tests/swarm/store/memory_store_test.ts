import assert from "node:assert/strict";
import { hashBytes } from "../../../swarm/bao/mod.ts";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { FakeNow, readAll, sampleBytes, testBlobStore } from "../../conformance/blob_store.ts";

testBlobStore(
  "MemoryBlobStore",
  ({ clock = new FakeNow(), ...options }) =>
    Promise.resolve(new MemoryBlobStore({ ...options, clock })),
);

Deno.test("MemoryBlobStore verify demotes a damaged blob to what is good", async () => {
  await using store = new MemoryBlobStore({ clock: new FakeNow() });
  const bytes = sampleBytes(4 * GROUP_BYTES);
  const { hash } = await store.importBytes(bytes);
  store.corruptForTest(hash, GROUP_BYTES + 3);
  const report = await store.verify(hash);
  assert.equal(report.bad.toString(), "1..2");
  assert.equal(store.status(hash)!.groups.toString(), "0..1,2..4");
  assert.equal(store.usage().bytes, 3 * GROUP_BYTES);
  const small = await store.importBytes(sampleBytes(10));
  store.corruptForTest(small.hash, 0);
  assert.equal((await store.verify(small.hash)).good.count, 0);
  assert.equal(store.status(hashBytes(sampleBytes(10))), undefined);
  await store.importBytes(bytes);
  assert.deepEqual(await readAll(store, hash), bytes);
});
