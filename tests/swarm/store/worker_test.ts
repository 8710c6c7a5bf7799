import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { hashBytes } from "../../../swarm/bao/mod.ts";
import { encodeBytes, readAll, sampleBytes } from "../../conformance/blob_store.ts";
import { filesBelow, openStore, TemporaryDirectory } from "./fixture.ts";

const MIB = 1024 * 1024;

Deno.test("an ingest asks its source to wait while enough is under way", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path, { workerCount: 1 });
  const bytes = sampleBytes(32 * MIB, 1);
  const encoded = encodeBytes(bytes, RangeSet.ALL);
  await using ingest = await store.ingestEncoded(hashBytes(bytes), RangeSet.ALL, {
    size: bytes.length,
  });
  // Nothing is answered within one turn, so this is all that is taken without waiting.
  let freeBytes = 0;
  let room: Promise<void> | undefined;
  while (room === undefined) {
    room = ingest.push(encoded.subarray(freeBytes, freeBytes + 100_000));
    freeBytes += 100_000;
  }
  assert.ok(freeBytes <= 5 * MIB, `${freeBytes} bytes were taken without asking to wait`);
  await room;
  for (let at = freeBytes; at < encoded.length; at += MIB) {
    await ingest.push(encoded.subarray(at, at + MIB));
  }
  await ingest.finish();
  assert.deepEqual(await readAll(store, hashBytes(bytes)), bytes);
});

Deno.test("an ingest copies what is pushed before it returns", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path, { workerCount: 1 });
  const bytes = sampleBytes(3 * MIB, 2);
  const encoded = encodeBytes(bytes, RangeSet.ALL);
  const reused = new Uint8Array(70_000);
  await using ingest = await store.ingestEncoded(hashBytes(bytes), RangeSet.ALL, {
    size: bytes.length,
  });
  for (let at = 0; at < encoded.length; at += reused.length) {
    const part = encoded.subarray(at, at + reused.length);
    reused.set(part);
    const room = ingest.push(reused.subarray(0, part.length));
    reused.fill(0);
    await room;
  }
  await ingest.finish();
  assert.equal(store.status(hashBytes(bytes))!.state, "complete");
});

Deno.test("a slow source sees the first group verified without sending more", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path, { workerCount: 1 });
  const bytes = sampleBytes(MIB, 3);
  const encoded = encodeBytes(bytes, RangeSet.ALL);
  let verified = Promise.withResolvers<void>();
  await using ingest = await store.ingestEncoded(hashBytes(bytes), RangeSet.ALL, {
    size: bytes.length,
    onVerified: () => verified.resolve(),
  });
  for (const at of [0, 40_000, 80_000]) {
    await ingest.push(encoded.subarray(at, at + 40_000));
    await verified.promise;
    verified = Promise.withResolvers();
  }
});

Deno.test("closing a store stops its ingests and keeps what they brought", async () => {
  using directory = new TemporaryDirectory();
  const bytes = sampleBytes(8 * MIB, 4);
  const hash = hashBytes(bytes);
  {
    const store = await openStore(directory.path, { workerCount: 1 });
    const last = await store.ingestEncoded(hash, RangeSet.of(1000), { size: bytes.length });
    await last.push(encodeBytes(bytes, RangeSet.of(1000)));
    await last.finish();
    const ingest = await store.ingestEncoded(hash, RangeSet.ALL, { size: bytes.length });
    await ingest.push(encodeBytes(bytes, RangeSet.ALL).subarray(0, 4 * MIB));
    await store[Symbol.asyncDispose]();
    assert.throws(
      () => ingest.push(new Uint8Array(1)),
      (error) => isSeedmintError(error, "aborted"),
    );
  }
  await using store = await openStore(directory.path, { workerCount: 1 });
  const { groups } = store.status(hash)!;
  assert.ok(groups.count > 200, groups.toString());
  assert.ok((await store.verify(hash)).bad.isEmpty);
});

Deno.test("many ingests at a time share the workers and the slabs", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path, { workerCount: 2 });
  const blobs = Array.from({ length: 30 }, (_, seed) => sampleBytes(300_000 + seed, seed + 10));
  await Promise.all(blobs.map(async (bytes) => {
    await using ingest = await store.ingestEncoded(hashBytes(bytes), RangeSet.ALL, {
      size: bytes.length,
    });
    const encoded = encodeBytes(bytes, RangeSet.ALL);
    for (let at = 0; at < encoded.length; at += 9999) {
      await ingest.push(encoded.subarray(at, at + 9999));
    }
    await ingest.finish();
  }));
  for (const bytes of blobs) assert.deepEqual(await readAll(store, hashBytes(bytes)), bytes);
  assert.equal(store.figures().ingestingCount, 0);
  assert.equal(store.figures().reservedBytes, 0);
});

Deno.test("an ingest goes on verifying when its blob became complete before its files were open", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path, { workerCount: 1 });
  const bytes = sampleBytes(MIB, 60);
  const hash = hashBytes(bytes);
  const encoded = encodeBytes(bytes, RangeSet.ALL);
  for (const lies of [false, true]) {
    await store.remove(hash);
    const last = await store.ingestEncoded(hash, RangeSet.of(1000), { size: bytes.length });
    await last.push(encodeBytes(bytes, RangeSet.of(1000)));
    await last.finish();
    // The worker gets to open its files only after this turn, in which the lane lost its name.
    const opening = store.ingestEncoded(hash, RangeSet.ALL, { size: bytes.length });
    const importing = store.importBytes(bytes);
    await using ingest = await opening;
    await importing;
    assert.equal(store.status(hash)!.state, "complete");
    const sent = Uint8Array.from(encoded);
    if (lies) sent[sent.length - 1]! ^= 1;
    const received = (async () => {
      await ingest.push(sent);
      await ingest.finish();
    })();
    if (lies) await assert.rejects(received, (error) => isSeedmintError(error, "corrupt"));
    else await received;
    assert.deepEqual(await readAll(store, hash), bytes);
  }
});

Deno.test("an ingest fails, and marks nothing, when somebody removed the store's files", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path, { workerCount: 1 });
  const bytes = sampleBytes(MIB, 61);
  const hash = hashBytes(bytes);
  const opening = store.ingestEncoded(hash, RangeSet.ALL, { size: bytes.length });
  for (const name of filesBelow(`${directory.path}/blobs`)) {
    // deno-lint-ignore no-sync-fn-in-async-fn -- the worker must not get its turn before
    Deno.removeSync(`${directory.path}/blobs/${name}`);
  }
  await using ingest = await opening;
  await assert.rejects(async () => {
    await ingest.push(encodeBytes(bytes, RangeSet.ALL));
    await ingest.finish();
  }, (error) => isSeedmintError(error, "storage"));
  assert.equal(store.status(hash), undefined);
});

Deno.test("a store learns the SHA-256 of a blob from its file, and of no other than a whole one", async () => {
  using directory = new TemporaryDirectory();
  await using store = await openStore(directory.path, { workerCount: 1 });
  const bytes = sampleBytes(3 * MIB, 9);
  const hash = hashBytes(bytes);
  const ingestAll = async (ranges: RangeSet) => {
    await using ingest = await store.ingestEncoded(hash, ranges, { size: bytes.length });
    await ingest.push(encodeBytes(bytes, ranges));
    await ingest.finish();
  };
  assert.equal(await store.learnSha256(hash), undefined);
  await ingestAll(RangeSet.of(100, 192));
  assert.equal(store.status(hash)!.state, "partial");
  assert.equal(await store.learnSha256(hash), undefined);
  await ingestAll(RangeSet.of(0, 100));
  const expected = createHash("sha256").update(bytes).digest("hex");
  const signal = AbortSignal.abort(new Error("not now"));
  await assert.rejects(store.learnSha256(hash, { signal }), /not now/);
  assert.equal(await store.learnSha256(hash), expected);
  assert.equal(store.status(hash)!.sha256, expected);
});
