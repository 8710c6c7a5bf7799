/** How bytes come in and go out of a blob store verified. */
import assert from "node:assert/strict";
import { type Range, RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf } from "../../swarm/bao/geometry.ts";
import { hashBytes } from "../../swarm/bao/mod.ts";
import {
  type Case,
  encodeBytes,
  hasCode,
  ingestBytes,
  INTERESTING_SIZES,
  joined,
  readAll,
  sampleBytes,
  slices,
} from "./blob_store_fixture.ts";

/** Fetching and serving. */
export const INGEST_CASES: readonly Case[] = [
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
  [
    "completes a blob by plain bytes that came before a peer proved its size",
    { quotaBytes: 12 * GROUP_BYTES },
    async (store) => {
      const bytes = sampleBytes(10 * GROUP_BYTES, 80);
      const hash = hashBytes(bytes);
      await using plain = await store.ingestPlain(hash, 0, { size: bytes.length });
      await plain.push(bytes.subarray(0, 8 * GROUP_BYTES));
      await ingestBytes(store, bytes, RangeSet.of(9));
      await ingestBytes(store, bytes, RangeSet.of(0, 2));
      assert.equal(store.status(hash)!.groups.toString(), "0..2,9..10");
      await plain.push(bytes.subarray(8 * GROUP_BYTES));
      await plain.finish();
      assert.equal(store.status(hash)!.state, "complete");
      assert.deepEqual(await readAll(store, hash), bytes);
      assert.equal(store.usage().bytes, bytes.length);
    },
  ],
];
