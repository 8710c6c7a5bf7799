/** What a blob store keeps, forgets and tells. */
import assert from "node:assert/strict";
import type { Hash } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf } from "../../swarm/bao/geometry.ts";
import { hashBytes } from "../../swarm/bao/mod.ts";
import {
  type Case,
  childrenIn,
  collectionOf,
  encodeBytes,
  FakeNow,
  hasCode,
  ingestBytes,
  INTERESTING_SIZES,
  readAll,
  sampleBytes,
  sha256,
  slices,
  turn,
} from "./blob_store_fixture.ts";

const MIB = 1024 * 1024;
const quotaClock = new FakeNow();
const useClock = new FakeNow();

/** Imports, attributes, eviction, collection, export. */
export const KEEP_CASES: readonly Case[] = [
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
      const all = [pinned, tagged, child, grandchild, read, loose, inner.hash, outer.hash];
      assert.deepEqual(
        all.filter((hash) => store.isListed(hash)).sort(),
        [child, grandchild, inner.hash].sort(),
      );
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
      await store.remove(outer.hash);
      assert.equal(store.isListed(child), false);
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
    assert.equal((await Array.fromAsync(Deno.readDir(directory))).length, 3);
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
  ["stops an import whose stream stalls when it is aborted", {}, async (store) => {
    const controller = new AbortController();
    const stalled = new ReadableStream<Uint8Array>({
      start: (stream) => stream.enqueue(sampleBytes(20_000)),
    });
    const imported = store.importStream(stalled, { signal: controller.signal });
    controller.abort();
    await assert.rejects(imported, { name: "AbortError" });
    assert.equal(store.usage().blobCount, 0);
  }],
  [
    "keeps the children of a collection however it came",
    { childrenOf: childrenIn },
    async (store) => {
      const children = [70, 71, 72].map((seed) => sampleBytes(100, seed));
      for (const child of children) await store.importBytes(child);
      const [first, second, third] = children.map(hashBytes) as [Hash, Hash, Hash];
      const padding = Array.from({ length: 300 }, (_, seed) => hashBytes(sampleBytes(1, seed)));
      const large = collectionOf([first, ...padding]);
      await using ingest = await store.ingestEncoded(hashBytes(large), RangeSet.ALL, {
        size: large.length,
        kind: "collection",
        tag: "fetched",
      });
      await ingest.push(encodeBytes(large, RangeSet.ALL));
      await ingest.finish();
      const small = collectionOf([second]);
      await store.importBytes(small);
      await store.importBytes(small, { kind: "collection", tag: "told later" });
      await store.importBytes(sampleBytes(50, 73), { kind: "collection", tag: "is none" });
      const { removed } = await store.collectGarbage();
      assert.deepEqual(removed.map(({ hash }) => hash), [third]);
    },
  ],
];
