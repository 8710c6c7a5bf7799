/** What every {@link BlobStore} must do, run against the store on disk and its memory twin. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { isSeedmintError } from "../../src/core/errors.ts";
import { type Hash, type Sha256, sha256FromBytes } from "../../src/core/hash.ts";
import { type Range, RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf, PARENT_BYTES } from "../../swarm/bao/geometry.ts";
import { encodedItems, hashBytes, OutboardBuilder } from "../../swarm/bao/mod.ts";
import type { BlobStore } from "../../swarm/store/mod.ts";

/** How a suite opens a store. */
export interface StoreOptions {
  readonly quotaBytes?: number;
  readonly childrenOf?: (bytes: Uint8Array) => Iterable<Hash>;
  readonly clock?: FakeNow;
}

/** A wall clock that a test moves. */
export class FakeNow {
  ms = 1_700_000_000_000;
  readonly nowMs = (): number => this.ms;
}

/** Opens an empty store, closed by the suite. */
export type OpenStore = (options: StoreOptions) => Promise<BlobStore>;

/** Sizes where something changes: none, a byte, a group and its neighbours, several levels. */
export const INTERESTING_SIZES = [
  0,
  1,
  1024,
  GROUP_BYTES - 1,
  GROUP_BYTES,
  GROUP_BYTES + 1,
  2 * GROUP_BYTES,
  3 * GROUP_BYTES + 5,
  1024 * 1024 + 1,
] as const;

/** Bytes that differ from group to group and from seed to seed. */
export function sampleBytes(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let index = 0; index < size; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[index] = state;
  }
  return bytes;
}

/** The Bao response for `ranges` of `bytes`, made without any store. */
export function encodeBytes(bytes: Uint8Array, ranges: RangeSet): Uint8Array<ArrayBuffer> {
  const builder = new OutboardBuilder();
  builder.update(bytes);
  const { parents } = builder.finish();
  const parts: Uint8Array[] = [];
  for (const item of encodedItems(bytes.length, ranges)) {
    parts.push(
      item.kind === "parent"
        ? parents.subarray(item.offset, item.offset + PARENT_BYTES)
        : bytes.subarray(item.index * GROUP_BYTES, item.index * GROUP_BYTES + item.size),
    );
  }
  return joined(parts);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

/** Ingests the response for `ranges` of `bytes`, pushed in pieces. */
export async function ingestBytes(
  store: BlobStore,
  bytes: Uint8Array,
  ranges: RangeSet = RangeSet.ALL,
  pieceBytes = 50_000,
): Promise<Range[]> {
  const verified: Range[] = [];
  await using ingest = await store.ingestEncoded(hashBytes(bytes), ranges, {
    size: bytes.length,
    onVerified: (range) => verified.push(range),
  });
  const encoded = encodeBytes(bytes, ranges);
  for (let at = 0; at < encoded.length; at += pieceBytes) {
    await ingest.push(encoded.subarray(at, at + pieceBytes));
  }
  await ingest.finish();
  return verified;
}

/** All that `store` holds of `hash`, read in one go. */
export async function readAll(store: BlobStore, hash: Hash): Promise<Uint8Array> {
  await using reader = await store.openReader(hash);
  const target = new Uint8Array(reader.size + 10);
  return target.subarray(0, await reader.read(0, target));
}

const sha256 = (bytes: Uint8Array): Sha256 =>
  sha256FromBytes(createHash("sha256").update(bytes).digest());

const hasCode = (code: Parameters<typeof isSeedmintError>[1]) => (error: unknown) =>
  isSeedmintError(error, code);

/** Registers the suite under `name`. */
export function testBlobStore(name: string, open: OpenStore): void {
  for (const [sentence, options, run] of CASES) {
    Deno.test(`${name} ${sentence}`, async () => {
      await using store = await open(options);
      await run(store, options.clock ?? new FakeNow());
      const { bytes } = store.usage();
      const held = [...store.list()].filter((record) => record.storage !== "in-place")
        .reduce((sum, { groups, size }) => sum + heldBytes(groups, size), 0);
      assert.equal(bytes, held, "usage() must be the sum over list()");
    });
  }
}

function heldBytes(groups: RangeSet, size: number): number {
  let bytes = 0;
  for (const { start, end } of groups) {
    bytes += Math.min(end * GROUP_BYTES, size) - start * GROUP_BYTES;
  }
  return bytes;
}

type Case = readonly [string, StoreOptions, (store: BlobStore, clock: FakeNow) => Promise<void>];

const MIB = 1024 * 1024;
const quotaClock = new FakeNow();
const useClock = new FakeNow();

const CASES: readonly Case[] = [
  ["imports bytes of every interesting size and gives them back", {}, async (store) => {
    for (const size of INTERESTING_SIZES) {
      const bytes = sampleBytes(size);
      const record = await store.importBytes(bytes, { name: "n", mediaType: "text/plain" });
      assert.equal(record.hash, hashBytes(bytes));
      assert.equal(record.state, "complete");
      assert.equal(record.size, size);
      assert.equal(record.groups.toString(), `0..${groupCountOf(size)}`);
      assert.equal(record.sha256, sha256(bytes));
      assert.equal(record.storage, size <= GROUP_BYTES ? "inline" : "owned");
      assert.deepEqual(await readAll(store, record.hash), bytes);
    }
    assert.equal(store.usage().blobCount, INTERESTING_SIZES.length);
  }],
  ["imports a stream", {}, async (store) => {
    for (const size of [0, 5000, MIB + 1]) {
      const bytes = sampleBytes(size, 3);
      const record = await store.importStream(ReadableStream.from(slices(bytes, 70_000)), {
        tag: "t",
      });
      assert.equal(record.hash, hashBytes(bytes));
      assert.deepEqual(record.tags, ["t"]);
      assert.deepEqual(await readAll(store, record.hash), bytes);
    }
  }],
  ["imports a file and names it after the file", {}, async (store) => {
    const path = await Deno.makeTempFile({ suffix: ".bin" });
    const bytes = sampleBytes(100_000);
    await Deno.writeFile(path, bytes);
    const record = await store.importFile(path);
    await Deno.remove(path);
    assert.equal(record.hash, hashBytes(bytes));
    assert.ok(path.endsWith(record.name!));
    assert.deepEqual(await readAll(store, record.hash), bytes);
  }],
  ["keeps nothing of an import that is not what was expected", {}, async (store) => {
    const bytes = sampleBytes(50_000);
    const other = hashBytes(sampleBytes(1));
    await assert.rejects(
      store.importBytes(bytes, { expected: { hash: other } }),
      hasCode("corrupt"),
    );
    await assert.rejects(
      store.importStream(ReadableStream.from([bytes]), {
        expected: { sha256: sha256(sampleBytes(2)) },
      }),
      hasCode("corrupt"),
    );
    assert.equal(store.usage().blobCount, 0);
  }],
  ["imports twice to the same effect and adds what is said", {}, async (store) => {
    const bytes = sampleBytes(60_000);
    const { hash } = await store.importBytes(bytes, { visibility: "private", name: "first" });
    const record = await store.importBytes(bytes, { tag: "later", pinned: true });
    assert.equal(record.visibility, "private");
    assert.equal(record.name, "first");
    assert.equal(record.pinned, true);
    assert.deepEqual(record.tags, ["later"]);
    assert.equal(store.usage().blobCount, 1);
    assert.equal(store.usage().bytes, 60_000);
    assert.equal((await store.importBytes(bytes, { visibility: "fleet" })).visibility, "fleet");
    assert.equal(store.status(hash)!.visibility, "fleet");
  }],
  ["imports many small blobs, all or none", {}, async (store) => {
    const items = Array.from({ length: 50 }, (_, seed) => {
      const bytes = sampleBytes(4096, seed + 1);
      return { hash: hashBytes(bytes), bytes };
    });
    const broken = { hash: items[0]!.hash, bytes: sampleBytes(10) };
    assert.throws(() => store.importSmall([...items, broken]), hasCode("corrupt"));
    assert.equal(store.usage().blobCount, 0);
    store.importSmall([...items, items[3]!], { tag: "set" });
    assert.equal(store.usage().blobCount, 50);
    assert.equal(store.usage().bytes, 50 * 4096);
    assert.deepEqual(await readAll(store, items[7]!.hash), items[7]!.bytes);
    assert.deepEqual(store.status(items[7]!.hash)!.tags, ["set"]);
    assert.throws(
      () => store.importSmall([{ hash: items[0]!.hash, bytes: sampleBytes(GROUP_BYTES + 1) }]),
      RangeError,
    );
  }],
  ["ingests an encoded response of every interesting size", {}, async (store) => {
    for (const size of INTERESTING_SIZES) {
      const bytes = sampleBytes(size, 9);
      const verified = await ingestBytes(store, bytes);
      const hash = hashBytes(bytes);
      assert.equal(RangeSet.from(verified).toString(), `0..${groupCountOf(size)}`);
      assert.equal(store.status(hash)?.state, "complete");
      assert.deepEqual(await readAll(store, hash), bytes);
      const report = await store.verify(hash);
      assert.ok(report.bad.isEmpty);
      assert.equal(report.good.count, groupCountOf(size));
    }
  }],
  ["encodes what an encoder without a store makes", {}, async (store) => {
    const bytes = sampleBytes(1_500_000, 4);
    const { hash } = await store.importBytes(bytes);
    await using reader = await store.openReader(hash);
    for (
      const ranges of [
        RangeSet.ALL,
        RangeSet.EMPTY,
        RangeSet.of(0, 1),
        RangeSet.of(91),
        RangeSet.of(10_000),
        RangeSet.from([{ start: 3, end: 40 }, { start: 77, end: 78 }, { start: 90, end: 92 }]),
      ]
    ) {
      const pieces = await Array.fromAsync(reader.encode(ranges));
      assert.deepEqual(joined(pieces), encodeBytes(bytes, ranges), ranges.toString());
    }
  }],
  ["holds ranges of a blob as partial and completes it later", {}, async (store) => {
    const bytes = sampleBytes(10 * GROUP_BYTES + 100, 2);
    const hash = hashBytes(bytes);
    await ingestBytes(store, bytes, RangeSet.from([{ start: 2, end: 4 }, { start: 10, end: 11 }]));
    const record = store.status(hash)!;
    assert.equal(record.state, "partial");
    assert.equal(record.size, bytes.length);
    assert.equal(record.groups.toString(), "2..4,10..11");
    assert.equal(store.usage().partialCount, 1);
    assert.equal(store.usage().bytes, 2 * GROUP_BYTES + 100);
    await using reader = await store.openReader(hash);
    const target = new Uint8Array(3 * GROUP_BYTES);
    assert.equal(await reader.read(2 * GROUP_BYTES + 7, target), 2 * GROUP_BYTES - 7);
    assert.deepEqual(
      target.subarray(0, 2 * GROUP_BYTES - 7),
      bytes.subarray(2 * GROUP_BYTES + 7, 4 * GROUP_BYTES),
    );
    assert.equal(await reader.read(0, target), 0);
    await assert.rejects(
      async () => await Array.fromAsync(reader.encode(RangeSet.of(0, 3))),
      hasCode("not-found"),
    );
    const part = RangeSet.from([{ start: 3, end: 4 }, { start: 10, end: 11 }]);
    assert.deepEqual(
      joined(await Array.fromAsync(reader.encode(part))),
      encodeBytes(bytes, part),
    );
    await ingestBytes(store, bytes, RangeSet.ALL.subtract(record.groups));
    assert.equal(store.status(hash)!.state, "complete");
    assert.equal(store.usage().partialCount, 0);
    assert.equal(reader.groups.toString(), "2..4,10..11");
    assert.deepEqual(await readAll(store, hash), bytes);
  }],
  ["shows no record before the last group is verified", {}, async (store) => {
    const bytes = sampleBytes(8 * GROUP_BYTES, 5);
    const hash = hashBytes(bytes);
    await ingestBytes(store, bytes, RangeSet.of(0, 3));
    assert.equal(store.status(hash), undefined);
    assert.equal(store.usage().bytes, 0);
    await ingestBytes(store, bytes, RangeSet.of(7, 8));
    assert.equal(store.status(hash)!.groups.toString(), "7..8");
    await ingestBytes(store, bytes, RangeSet.of(0, 3));
    assert.equal(store.status(hash)!.groups.toString(), "0..3,7..8");
  }],
  ["keeps what was verified before a lie, and names it corrupt", {}, async (store) => {
    const bytes = sampleBytes(40 * GROUP_BYTES, 6);
    const hash = hashBytes(bytes);
    await ingestBytes(store, bytes, RangeSet.of(39, 40));
    const encoded = encodeBytes(bytes, RangeSet.ALL);
    encoded[encoded.length >> 1]! ^= 1;
    const ingest = await store.ingestEncoded(hash, RangeSet.ALL, { size: bytes.length });
    await assert.rejects(async () => {
      await ingest.push(encoded);
      await ingest.finish();
    }, hasCode("corrupt"));
    await ingest[Symbol.asyncDispose]();
    const { groups, state } = store.status(hash)!;
    assert.equal(state, "partial");
    assert.ok(groups.count > 5 && groups.count < 40, groups.toString());
    assert.ok((await store.verify(hash)).bad.isEmpty);
  }],
  ["refuses a size other than the proven one", {}, async (store) => {
    const bytes = sampleBytes(5 * GROUP_BYTES, 7);
    const hash = hashBytes(bytes);
    await ingestBytes(store, bytes, RangeSet.of(4, 5));
    for (const size of [0, 1, 5 * GROUP_BYTES - 1, 6 * GROUP_BYTES]) {
      await assert.rejects(store.ingestEncoded(hash, RangeSet.ALL, { size }), hasCode("corrupt"));
    }
    await assert.rejects(
      store.ingestEncoded(hashBytes(sampleBytes(3)), RangeSet.ALL, { size: -1 }),
      hasCode("corrupt"),
    );
  }],
  ["keeps nothing of a claimed size that is wrong", {}, async (store) => {
    const bytes = sampleBytes(5 * GROUP_BYTES, 8);
    const hash = hashBytes(bytes);
    for (const size of [bytes.length + 1, bytes.length - 1, 9 * GROUP_BYTES, 100]) {
      const ingest = await store.ingestEncoded(hash, RangeSet.ALL, { size });
      await assert.rejects(async () => {
        await ingest.push(encodeBytes(bytes, RangeSet.ALL));
        await ingest.finish();
      }, hasCode("corrupt"));
      await ingest[Symbol.asyncDispose]();
    }
    assert.equal(store.status(hash), undefined);
    assert.equal(store.usage().bytes, 0);
  }],
  ["stops whoever claims another size once one is proven", {}, async (store) => {
    const bytes = sampleBytes(6 * GROUP_BYTES, 9);
    const hash = hashBytes(bytes);
    await using liar = await store.ingestEncoded(hash, RangeSet.ALL, { size: bytes.length + 9 });
    await ingestBytes(store, bytes, RangeSet.of(5, 6));
    await assert.rejects(async () => {
      await liar.push(new Uint8Array(64));
      await liar.finish();
    }, hasCode("corrupt"));
    assert.equal(store.status(hash)!.groups.toString(), "5..6");
  }],
  ["takes overlapping responses of one blob at a time", {}, async (store) => {
    const bytes = sampleBytes(64 * GROUP_BYTES + 1, 10);
    const hash = hashBytes(bytes);
    await Promise.all([
      ingestBytes(store, bytes, RangeSet.of(0, 40), 30_000),
      ingestBytes(store, bytes, RangeSet.of(20), 20_000),
      ingestBytes(store, bytes, RangeSet.of(64), 1000),
      ingestBytes(store, bytes, RangeSet.ALL, 100_000),
    ]);
    assert.equal(store.status(hash)!.state, "complete");
    assert.deepEqual(await readAll(store, hash), bytes);
    assert.ok((await store.verify(hash)).bad.isEmpty);
  }],
  ["verifies a response for a blob that is complete already", {}, async (store) => {
    const bytes = sampleBytes(3 * GROUP_BYTES, 11);
    const { hash } = await store.importBytes(bytes);
    assert.equal((await ingestBytes(store, bytes)).length > 0, true);
    const encoded = encodeBytes(bytes, RangeSet.ALL);
    encoded[200]! ^= 1;
    await using ingest = await store.ingestEncoded(hash, RangeSet.ALL, { size: bytes.length });
    await assert.rejects(async () => {
      await ingest.push(encoded);
      await ingest.finish();
    }, hasCode("corrupt"));
    assert.deepEqual(await readAll(store, hash), bytes);
  }],
  ["says reset when a response ends early", {}, async (store) => {
    for (const size of [100, 9 * GROUP_BYTES]) {
      const bytes = sampleBytes(size, 12);
      await using ingest = await store.ingestEncoded(hashBytes(bytes), RangeSet.ALL, { size });
      const encoded = encodeBytes(bytes, RangeSet.ALL);
      await ingest.push(encoded.subarray(0, encoded.length - 1));
      await assert.rejects(ingest.finish(), hasCode("reset"));
    }
  }],
  ["refuses bytes past the end of a response", {}, async (store) => {
    for (const size of [100, 2 * GROUP_BYTES]) {
      const bytes = sampleBytes(size, 13);
      await using ingest = await store.ingestEncoded(hashBytes(bytes), RangeSet.ALL, { size });
      await assert.rejects(async () => {
        await ingest.push(encodeBytes(bytes, RangeSet.ALL));
        await ingest.push(Uint8Array.of(1));
        await ingest.finish();
      }, hasCode("corrupt"));
    }
  }],
  ["stops an ingest whose signal is aborted and keeps what was verified", {}, async (store) => {
    const bytes = sampleBytes(20 * GROUP_BYTES, 14);
    const hash = hashBytes(bytes);
    await ingestBytes(store, bytes, RangeSet.of(19, 20));
    const controller = new AbortController();
    const half = Promise.withResolvers<void>();
    await using ingest = await store.ingestEncoded(hash, RangeSet.ALL, {
      size: bytes.length,
      signal: controller.signal,
      onVerified: () => half.resolve(),
    });
    const encoded = encodeBytes(bytes, RangeSet.ALL);
    await ingest.push(encoded.subarray(0, encoded.length >> 1));
    await half.promise;
    controller.abort();
    await assert.rejects(async () => {
      await ingest.push(encoded.subarray(encoded.length >> 1));
      await ingest.finish();
    }, hasCode("aborted"));
    await ingest[Symbol.asyncDispose]();
    assert.equal(store.status(hash)!.state, "partial");
    assert.ok(store.status(hash)!.groups.count > 1);
    await assert.rejects(
      store.ingestEncoded(hash, RangeSet.ALL, {
        size: bytes.length,
        signal: AbortSignal.abort(),
      }),
      hasCode("aborted"),
    );
  }],
  ["ingests plain bytes of every interesting size", {}, async (store) => {
    for (const size of INTERESTING_SIZES) {
      const bytes = sampleBytes(size, 15);
      const hash = hashBytes(bytes);
      await using ingest = await store.ingestPlain(hash, 0, { size });
      for (const piece of slices(bytes, 33_333)) await ingest.push(piece);
      await ingest.finish();
      assert.equal(store.status(hash)?.state, "complete");
      assert.deepEqual(await readAll(store, hash), bytes);
      assert.ok((await store.verify(hash)).bad.isEmpty);
    }
  }],
  ["never shows staged plain bytes, and drops them when they lie", {}, async (store) => {
    const bytes = sampleBytes(9 * GROUP_BYTES, 16);
    const hash = hashBytes(bytes);
    await using ingest = await store.ingestPlain(hash, 0, { size: bytes.length });
    await ingest.push(bytes.subarray(0, 8 * GROUP_BYTES));
    assert.equal(store.status(hash), undefined);
    await assert.rejects(store.openReader(hash), hasCode("not-found"));
    await assert.rejects(async () => {
      await ingest.push(sampleBytes(GROUP_BYTES, 99));
      await ingest.finish();
    }, hasCode("corrupt"));
    await ingest[Symbol.asyncDispose]();
    assert.equal(store.status(hash), undefined);
    assert.equal(store.usage().bytes, 0);
  }],
  ["verifies plain bytes subtree by subtree where parents are known", {}, async (store) => {
    const bytes = sampleBytes(16 * GROUP_BYTES, 17);
    const hash = hashBytes(bytes);
    await ingestBytes(store, bytes, RangeSet.from([{ start: 0, end: 4 }, { start: 15, end: 16 }]));
    const verified: Range[] = [];
    await using ingest = await store.ingestPlain(hash, 4, {
      size: bytes.length,
      onVerified: (range) => verified.push(range),
    });
    await ingest.push(bytes.subarray(4 * GROUP_BYTES, 13 * GROUP_BYTES));
    await assert.rejects(ingest.finish(), hasCode("reset"));
    await ingest[Symbol.asyncDispose]();
    assert.equal(store.status(hash)!.groups.toString(), "0..12,15..16");
    assert.equal(RangeSet.from(verified).toString(), "4..12");
    assert.ok((await store.verify(hash)).bad.isEmpty);
    await assert.rejects(
      async () => {
        await using early = await store.ingestPlain(hash, 13, { size: bytes.length });
        await early.push(bytes.subarray(13 * GROUP_BYTES));
        await early.finish();
      },
      RangeError,
    );
  }],
  ["takes plain bytes and encoded ones of one blob at a time", {}, async (store) => {
    const bytes = sampleBytes(50 * GROUP_BYTES + 3, 18);
    const hash = hashBytes(bytes);
    const plain = async () => {
      await using ingest = await store.ingestPlain(hash, 0, { size: bytes.length });
      for (const piece of slices(bytes, 40_000)) await ingest.push(piece);
      await ingest.finish();
    };
    const liar = async () => {
      await using ingest = await store.ingestPlain(hash, 0, { size: bytes.length });
      const lie = sampleBytes(bytes.length, 77);
      for (const piece of slices(lie, 40_000)) await ingest.push(piece);
      await ingest.finish();
    };
    await Promise.all([
      plain(),
      assert.rejects(liar(), hasCode("corrupt")),
      ingestBytes(store, bytes, RangeSet.of(30), 10_000),
      plain(),
      ingestBytes(store, bytes, RangeSet.of(0, 35), 10_000),
    ]);
    assert.equal(store.status(hash)!.state, "complete");
    assert.deepEqual(await readAll(store, hash), bytes);
    assert.ok((await store.verify(hash)).bad.isEmpty);
  }],
  ["completes a partial blob by importing it", {}, async (store) => {
    const bytes = sampleBytes(7 * GROUP_BYTES, 19);
    const hash = hashBytes(bytes);
    await ingestBytes(store, bytes, RangeSet.of(3), 1000);
    await using ingest = await store.ingestEncoded(hash, RangeSet.of(0, 3), {
      size: bytes.length,
    });
    const encoded = encodeBytes(bytes, RangeSet.of(0, 3));
    await ingest.push(encoded.subarray(0, 30_000));
    await store.importBytes(bytes, { tag: "whole" });
    assert.equal(store.status(hash)!.state, "complete");
    await ingest.push(encoded.subarray(30_000));
    await ingest.finish();
    assert.deepEqual(await readAll(store, hash), bytes);
    assert.deepEqual(store.status(hash)!.tags, ["whole"]);
  }],
  ["finds blobs by SHA-256 and lists them by hash", {}, async (store) => {
    const blobs = [10, 20_000, 300].map((size) => sampleBytes(size, 20));
    for (const bytes of blobs) await store.importBytes(bytes);
    assert.equal(store.findBySha256(sha256(blobs[1]!))!.hash, hashBytes(blobs[1]!));
    assert.equal(store.findBySha256(sha256(sampleBytes(4))), undefined);
    assert.deepEqual([...store.list()].map(({ hash }) => hash), blobs.map(hashBytes).sort());
    store.setAttributes(hashBytes(blobs[0]!), { sha256: sha256(sampleBytes(4)), name: "x" });
    assert.equal(store.findBySha256(sha256(sampleBytes(4)))!.name, "x");
  }],
  ["keeps tags, pins and attributes", {}, async (store) => {
    const { hash } = await store.importBytes(sampleBytes(10));
    store.tag(hash, "b");
    store.tag(hash, "a");
    store.tag(hash, "a");
    store.pin(hash);
    store.setAttributes(hash, { visibility: "private", mediaType: "a/b", name: "n" });
    let record = store.status(hash)!;
    assert.deepEqual(record.tags, ["a", "b"]);
    assert.deepEqual(
      [record.pinned, record.visibility, record.mediaType, record.name],
      [true, "private", "a/b", "n"],
    );
    store.untag(hash, "a");
    store.untag(hash, "never");
    store.unpin(hash);
    record = store.status(hash)!;
    assert.deepEqual(record.tags, ["b"]);
    assert.equal(record.pinned, false);
    const absent = hashBytes(sampleBytes(11));
    for (
      const action of [
        () => store.tag(absent, "x"),
        () => store.untag(absent, "x"),
        () => store.pin(absent),
        () => store.unpin(absent),
        () => store.setAttributes(absent, {}),
      ]
    ) assert.throws(action, hasCode("not-found"));
    assert.throws(() => store.tag(hash, ""), RangeError);
    store.touch(absent);
  }],
  ["gives the attributes of an ingest to the blob once it has a record", {}, async (store) => {
    const bytes = sampleBytes(3 * GROUP_BYTES, 21);
    await using ingest = await store.ingestEncoded(hashBytes(bytes), RangeSet.ALL, {
      size: bytes.length,
      visibility: "fleet",
      kind: "collection",
      mediaType: "x/y",
      name: "file",
      tag: "t",
      pinned: true,
    });
    await ingest.push(encodeBytes(bytes, RangeSet.ALL));
    await ingest.finish();
    const record = store.status(hashBytes(bytes))!;
    assert.deepEqual(
      [record.visibility, record.kind, record.mediaType, record.name, record.pinned, record.tags],
      ["fleet", "collection", "x/y", "file", true, ["t"]],
    );
  }],
  ["is exact to a minute about the last use", { clock: useClock }, async (store, clock) => {
    const { hash, lastUsedMs } = await store.importBytes(sampleBytes(10));
    assert.equal(lastUsedMs, clock.ms);
    clock.ms += 59_000;
    store.touch(hash);
    assert.equal(store.status(hash)!.lastUsedMs, lastUsedMs);
    clock.ms += 2000;
    store.touch(hash);
    assert.equal(store.status(hash)!.lastUsedMs, clock.ms);
    assert.equal(store.status(hash)!.addedMs, lastUsedMs);
  }],
  ["forgets a removed blob at once, though a reader goes on", {}, async (store) => {
    for (const size of [100, 5 * GROUP_BYTES]) {
      const bytes = sampleBytes(size, 22);
      const { hash } = await store.importBytes(bytes);
      await using reader = await store.openReader(hash);
      await store.remove(hash);
      assert.equal(store.status(hash), undefined);
      await assert.rejects(store.openReader(hash), hasCode("not-found"));
      const target = new Uint8Array(size);
      assert.equal(await reader.read(0, target), size);
      assert.deepEqual(target, bytes);
      await store.importBytes(bytes);
      assert.deepEqual(await readAll(store, hash), bytes);
      await store.remove(hash);
      await store.remove(hash);
    }
    assert.equal(store.usage().blobCount, 0);
  }],
  ["stops the ingests of a removed blob", {}, async (store) => {
    const bytes = sampleBytes(5 * GROUP_BYTES, 23);
    const hash = hashBytes(bytes);
    await ingestBytes(store, bytes, RangeSet.of(4));
    await using ingest = await store.ingestEncoded(hash, RangeSet.ALL, { size: bytes.length });
    await store.remove(hash);
    await assert.rejects(async () => {
      await ingest.push(encodeBytes(bytes, RangeSet.ALL));
      await ingest.finish();
    }, hasCode("aborted"));
    assert.equal(store.status(hash), undefined);
  }],
  [
    "evicts the least recently used that is not pinned, tagged or not",
    { quotaBytes: 10 * MIB, clock: quotaClock },
    async (store, clock) => {
      const hashes: Hash[] = [];
      for (let seed = 30; seed < 35; seed++) {
        clock.ms += 120_000;
        hashes.push((await store.importBytes(sampleBytes(2 * MIB - 100, seed))).hash);
      }
      const [first, second, third, fourth, fifth] = hashes as [Hash, Hash, Hash, Hash, Hash];
      store.pin(first);
      store.tag(third, "kept from collection, not from eviction");
      clock.ms += 120_000;
      await using reader = await store.openReader(second);
      clock.ms += 120_000;
      const { hash } = await store.importBytes(sampleBytes(1.4 * MIB, 36));
      const left = (hash: Hash) => store.status(hash) !== undefined;
      assert.deepEqual(
        [first, second, third, fourth, fifth, hash].map(left),
        [true, true, false, true, true, true],
      );
      await assert.rejects(store.importBytes(sampleBytes(9 * MIB, 37)), hasCode("no-space"));
      assert.deepEqual([first, second, fourth, fifth, hash].map(left), Array(5).fill(true));
      await reader[Symbol.asyncDispose]();
      assert.ok(store.usage().bytes <= store.usage().quotaBytes);
    },
  ],
  ["refuses a fetch that cannot fit and says so", { quotaBytes: MIB }, async (store) => {
    const bytes = sampleBytes(2 * MIB, 38);
    const hash = hashBytes(bytes);
    await assert.rejects(ingestBytes(store, bytes, RangeSet.of(127)), hasCode("no-space"));
    await assert.rejects(async () => {
      await using ingest = await store.ingestPlain(hash, 0, { size: bytes.length });
      for (const piece of slices(bytes, 100_000)) await ingest.push(piece);
      await ingest.finish();
    }, hasCode("no-space"));
    await assert.rejects(
      store.importStream(ReadableStream.from(slices(bytes, 100_000))),
      hasCode("no-space"),
    );
    assert.equal(store.usage().bytes, 0);
    const fits = sampleBytes(MIB / 2, 39);
    await ingestBytes(store, fits);
    assert.equal(store.status(hashBytes(fits))!.state, "complete");
  }],
  [
    "does not evict children of a pinned collection",
    { quotaBytes: 4 * MIB, childrenOf: childrenIn },
    async (store) => {
      const child = await store.importBytes(sampleBytes(MIB, 40));
      const loose = await store.importBytes(sampleBytes(MIB, 41));
      await store.importBytes(collectionOf([child.hash]), { kind: "collection", pinned: true });
      await store.importBytes(sampleBytes(2.5 * MIB, 42));
      assert.notEqual(store.status(child.hash), undefined);
      assert.equal(store.status(loose.hash), undefined);
    },
  ],
  [
    "collects what is neither pinned, tagged, in use nor a child of what is kept",
    { childrenOf: childrenIn },
    async (store) => {
      const add = async (seed: number, options = {}) =>
        (await store.importBytes(sampleBytes(20_000, seed), options)).hash;
      const pinned = await add(50, { pinned: true });
      const tagged = await add(51, { tag: "t" });
      const child = await add(52);
      const grandchild = await add(53);
      const read = await add(54);
      const loose = await add(55);
      const inner = await store.importBytes(collectionOf([grandchild]), { kind: "collection" });
      const outer = await store.importBytes(collectionOf([child, inner.hash]), {
        kind: "collection",
        tag: "image",
      });
      const partial = sampleBytes(50_000, 56);
      await ingestBytes(store, partial, RangeSet.of(3));
      await using _reader = await store.openReader(read);
      const dry = await store.collectGarbage({ dryRun: true });
      const doomed = [loose, hashBytes(partial)].sort();
      assert.deepEqual(dry.removed.map(({ hash }) => hash), doomed);
      assert.notEqual(store.status(loose), undefined);
      const report = await store.collectGarbage();
      assert.deepEqual(report, dry);
      assert.equal(report.bytes, 20_000 + 50_000 - 3 * GROUP_BYTES);
      assert.equal(store.status(loose), undefined);
      for (const hash of [pinned, tagged, child, grandchild, read, inner.hash, outer.hash]) {
        assert.notEqual(store.status(hash), undefined);
      }
    },
  ],
  ["exports a blob and replaces a file only when told", {}, async (store) => {
    const directory = await Deno.makeTempDir();
    for (const size of [0, 100, 3 * GROUP_BYTES + 1]) {
      const bytes = sampleBytes(size, 60);
      const { hash } = await store.importBytes(bytes);
      const path = `${directory}/out-${size}`;
      await store.exportFile(hash, path);
      assert.deepEqual(await Deno.readFile(path), bytes);
      await Deno.writeTextFile(path, "mine");
      await assert.rejects(store.exportFile(hash, path), hasCode("storage"));
      assert.equal(await Deno.readTextFile(path), "mine");
      await store.exportFile(hash, path, { overwrite: true });
      assert.deepEqual(await Deno.readFile(path), bytes);
    }
    assert.equal([...Deno.readDirSync(directory)].length, 3);
    const absent = hashBytes(sampleBytes(5));
    await assert.rejects(store.exportFile(absent, `${directory}/x`), hasCode("not-found"));
    await Deno.remove(directory, { recursive: true });
  }],
  ["tells listeners of changes, once per blob and turn", {}, async (store) => {
    const heard: Hash[] = [];
    const stop = store.onChange((hash) => heard.push(hash));
    const { hash } = await store.importBytes(sampleBytes(10));
    store.tag(hash, "a");
    store.tag(hash, "b");
    await turn();
    assert.ok(heard.length > 0 && heard.length <= 2);
    heard.length = 0;
    const bytes = sampleBytes(4 * GROUP_BYTES, 61);
    await ingestBytes(store, bytes);
    await store.remove(hash);
    await turn();
    assert.ok(heard.includes(hashBytes(bytes)));
    assert.ok(heard.includes(hash));
    stop();
    heard.length = 0;
    store.pin(hashBytes(bytes));
    await turn();
    assert.deepEqual(heard, []);
  }],
  ["reads at any offset as far as the blob goes", {}, async (store) => {
    for (const size of [500, 2 * GROUP_BYTES + 50]) {
      const bytes = sampleBytes(size, 62);
      const { hash } = await store.importBytes(bytes);
      await using reader = await store.openReader(hash);
      const target = new Uint8Array(100);
      assert.equal(await reader.read(size - 30, target), 30);
      assert.deepEqual(target.subarray(0, 30), bytes.subarray(size - 30));
      assert.equal(await reader.read(size, target), 0);
      assert.equal(await reader.read(size + 1_000_000, target), 0);
      await assert.rejects(reader.read(-1, target), RangeError);
      const [a, b] = [new Uint8Array(20), new Uint8Array(20)];
      await Promise.all([reader.read(0, a), reader.read(400, b)]);
      assert.deepEqual(
        [a, b],
        [bytes.subarray(0, 20), bytes.subarray(400, 420)].map((part) => Uint8Array.from(part)),
      );
    }
  }],
];

function* slices(bytes: Uint8Array, pieceBytes: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

/** A stand-in for the format of collections: the hashes, one a line, after a first line. */
function collectionOf(children: readonly Hash[]): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(["children", ...children].join("\n"));
}

function childrenIn(bytes: Uint8Array): Hash[] {
  const [head, ...children] = new TextDecoder().decode(bytes).split("\n");
  if (head !== "children") throw new SyntaxError("not a collection");
  return children as Hash[];
}

/** Lets pending microtasks run. */
async function turn(): Promise<void> {
  for (let count = 0; count < 5; count++) await Promise.resolve();
}
