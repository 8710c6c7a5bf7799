import assert from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { hashBytes } from "../../../swarm/bao/mod.ts";
import type { Ingest } from "../../../swarm/store/blob_store.ts";
import { encodeBytes, readAll, sampleBytes } from "../../conformance/blob_store.ts";
import { seededRandom } from "../../support/seeded_random.ts";
import { openStore, TemporaryDirectory } from "./fixture.ts";

const MIB = 1024 * 1024;

/** Writes the next bytes of `encoded` to the room that an ingest lends. */
async function fill(ingest: Ingest, encoded: Uint8Array, at: number, count: number) {
  const room = ingest.room!()!;
  const part = encoded.subarray(at, at + Math.min(count, room.length));
  room.set(part);
  await ingest.filled!(part.length);
  return at + part.length;
}

for (const seed of [1, 2, 3]) {
  Deno.test(`an ingest takes what is written into its room, in pieces of any size (${seed})`, async () => {
    using directory = new TemporaryDirectory();
    await using store = await openStore(directory.path, { workerCount: 1 });
    const random = seededRandom(seed);
    const bytes = sampleBytes(9 * MIB + 77, seed);
    const encoded = encodeBytes(bytes, RangeSet.ALL);
    const size = bytes.length;
    await using ingest = await store.ingestEncoded(hashBytes(bytes), RangeSet.ALL, { size });
    for (let at = 0; at < encoded.length;) {
      const count = 1 + Math.floor(random.float() ** 3 * 1.5 * MIB);
      if (random.float() < 0.2) {
        // Both ways may take turns.
        await ingest.push(encoded.subarray(at, at + count));
        at = Math.min(encoded.length, at + count);
      } else at = await fill(ingest, encoded, at, count);
      if (random.float() < 0.05) await systemClock.sleep(5);
    }
    await ingest.finish();
    assert.deepEqual(await readAll(store, hashBytes(bytes)), bytes);
  });
}

Deno.test("what came is verified while its source writes nothing more into the room", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path, { workerCount: 1 });
  const bytes = sampleBytes(3 * MIB, 4);
  const encoded = encodeBytes(bytes, RangeSet.ALL);
  let verifiedCount = 0;
  const ingest = await store.ingestEncoded(hashBytes(bytes), RangeSet.ALL, {
    size: bytes.length,
    onVerified: ({ end }) => verifiedCount = end,
  });
  await using _ingest = ingest;
  const untilVerified = async (count: number) => {
    for (let turn = 0; turn < 2000 && verifiedCount < count; turn++) await systemClock.sleep(1);
    assert.ok(verifiedCount >= count, `${verifiedCount} of ${count} groups`);
  };
  let at = await fill(ingest, encoded, 0, 20_000);
  at = await fill(ingest, encoded, at, 100_000);
  const room = ingest.room!()!;
  await untilVerified(7);
  // The room is still the source's, and what it writes there follows what was verified already.
  const rest = encoded.subarray(at, at + room.length);
  room.set(rest);
  await ingest.filled!(rest.length);
  at += rest.length;
  while (at < encoded.length) at = await fill(ingest, encoded, at, MIB);
  await ingest.finish();
  assert.deepEqual(await readAll(store, hashBytes(bytes)), bytes);
});

Deno.test("an ingest that is ended while its room is lent keeps what came, and nothing written later", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path, { workerCount: 1 });
  const bytes = sampleBytes(3 * MIB, 5);
  const hash = hashBytes(bytes);
  const groups = RangeSet.of(100, 192);
  const encoded = encodeBytes(bytes, groups);
  const ingest = await store.ingestEncoded(hash, groups, { size: bytes.length });
  for (let at = 0; at < encoded.length;) at = await fill(ingest, encoded, at, 50_000);
  await ingest.finish();
  const more = RangeSet.of(0, 50);
  const second = await store.ingestEncoded(hash, more, { size: bytes.length });
  const first = encodeBytes(bytes, more);
  await fill(second, first, 0, 200_000);
  const room = second.room!()!;
  const closing = second[Symbol.asyncDispose]();
  room.fill(1);
  await closing;
  assert.throws(() => second.room!(), /closed/);
  const held = store.status(hash)!.groups;
  assert.ok(held.includes(groups.union(RangeSet.of(0, 11))), "what came is kept");
  assert.equal(held.has(20), false);
  const { good, bad } = await store.verify(hash);
  assert.ok(bad.isEmpty && good.equals(held));
});
