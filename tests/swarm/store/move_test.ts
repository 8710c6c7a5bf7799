/** Files that are given up to the store. */
import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Sha256 } from "../../../src/core/hash.ts";
import { systemClock } from "../../../src/host/system.ts";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import { type BlobStore, MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { readAll, sampleBytes } from "../../conformance/blob_store.ts";
import { openStore, TemporaryDirectory } from "./fixture.ts";

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Removal happens beside the import. */
async function isGone(path: string): Promise<boolean> {
  for (let wait = 0; wait < 100 && await exists(path); wait++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return !await exists(path);
}

for (const kind of ["FileBlobStore", "MemoryBlobStore"]) {
  Deno.test(`${kind} takes a file that is moved into it, and it is gone from where it was`, async () => {
    using directory = new TemporaryDirectory();
    await using store: BlobStore = kind === "FileBlobStore"
      ? await openStore(`${directory.path}/store`)
      : new MemoryBlobStore({ clock: systemClock });
    const path = `${directory.path}/layer`;
    for (const size of [0, 10, GROUP_BYTES, 5 * GROUP_BYTES + 1]) {
      const bytes = sampleBytes(size, size + 1);
      await Deno.writeFile(path, bytes);
      const { hash, state } = await store.importFile(path, { mode: "move" });
      assert.equal(state, "complete");
      assert.deepEqual(await readAll(store, hash), bytes);
      assert.ok(await isGone(path), `${size} bytes`);
    }
    const held = [...store.list()].length;
    await Deno.writeFile(path, sampleBytes(5 * GROUP_BYTES, 9));
    await assert.rejects(
      store.importFile(path, { mode: "move", expected: { sha256: "00".repeat(32) as Sha256 } }),
      (error) => isSeedmintError(error, "corrupt"),
    );
    assert.ok(await isGone(path), "also when it is not taken");
    assert.equal([...store.list()].length, held);
  });
}

Deno.test("FileBlobStore copies no byte of a file that is moved into it", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(`${directory.path}/store`);
  const path = `${directory.path}/layer`;
  await Deno.writeFile(path, sampleBytes(9 * GROUP_BYTES, 3));
  const { ino } = await Deno.stat(path);
  const { hash } = await store.importFile(path, { mode: "move" });
  const data = `${directory.path}/store/blobs/${hash.slice(0, 2)}/${hash}.data`;
  assert.equal((await Deno.stat(data)).ino, ino);
});
