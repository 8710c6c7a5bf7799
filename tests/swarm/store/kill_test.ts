import assert from "node:assert/strict";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import { HashPool } from "../../../swarm/bao/mod.ts";
import { filesBelow, openStore, TemporaryDirectory } from "./fixture.ts";

const CHILD = new URL("./crash_child.ts", import.meta.url).pathname;
const LANE_COUNT = 4;
const KILLS_PER_LANE = 52;

/** Starts a process that works on the store and kills it with SIGKILL a moment after it opened. */
async function killOne(directory: string, seed: number): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      CHILD,
      directory,
      String(seed),
      String(seed % 4 === 0 ? 1 : 0),
    ],
    stdout: "piped",
  }).spawn();
  const output = child.stdout.getReader();
  const { value } = await output.read();
  assert.ok(value !== undefined, `the child with seed ${seed} could not open the store`);
  await new Promise((resolve) => setTimeout(resolve, (seed * 37) % 50));
  child.kill("SIGKILL");
  const { signal } = await child.status;
  assert.equal(signal, "SIGKILL", "the child must not end by itself");
  await output.cancel();
}

/** Every blob is whole, truly partial, or absent, and no file belongs to none. */
async function check(
  directory: string,
  hashPool: HashPool,
): Promise<{ complete: number; partial: number }> {
  await using store = await openStore(directory, { hashPool });
  assert.equal(store.recovery.damagedCount, 0);
  const counts = { complete: 0, partial: 0 };
  let fileCount = 0;
  let bytes = 0;
  for (const record of store.list()) {
    const { good, bad } = await store.verify(record.hash);
    assert.ok(
      bad.isEmpty,
      `${record.state} ${record.hash}: groups ${bad} are not what they should be`,
    );
    assert.ok(good.equals(record.groups));
    counts[record.state]++;
    if (record.storage === "owned") fileCount += 2;
    for (const { start, end } of good) {
      bytes += Math.min(end * GROUP_BYTES, record.size) - start * GROUP_BYTES;
    }
  }
  assert.equal(store.usage().bytes, bytes);
  assert.equal(filesBelow(`${directory}/blobs`).length, fileCount, "a file belongs to no blob");
  return counts;
}

Deno.test(`FileBlobStore survives ${LANE_COUNT * KILLS_PER_LANE} kills at any moment`, async () => {
  await using hashPool = new HashPool();
  const seen = { complete: 0, partial: 0 };
  await Promise.all(Array.from({ length: LANE_COUNT }, async (_, lane) => {
    using directory = new TemporaryDirectory();
    for (let kill = 0; kill < KILLS_PER_LANE; kill++) {
      await killOne(directory.path, lane * KILLS_PER_LANE + kill + 1);
      const counts = await check(directory.path, hashPool);
      assert.deepEqual(filesBelow(`${directory.path}/tmp`), []);
      seen.complete += counts.complete;
      seen.partial += counts.partial;
    }
  }));
  // Otherwise the children were killed before they did anything. A fast machine is seldom met halfway.
  assert.ok(seen.complete > 50 && seen.partial > 2, JSON.stringify(seen));
});
