import assert from "node:assert/strict";
import fc from "fast-check";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf } from "../../../swarm/bao/geometry.ts";
import { hashBytes, HashPool } from "../../../swarm/bao/mod.ts";
import { type BlobStore, type FileBlobStore, MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { encodeBytes, FakeNow, readAll, sampleBytes } from "../../conformance/blob_store.ts";
import { filesBelow, openStore, TemporaryDirectory } from "./fixture.ts";

const BLOBS = [700, 2 * GROUP_BYTES, 9 * GROUP_BYTES + 3, 40 * GROUP_BYTES].map((size, seed) =>
  sampleBytes(size, seed + 200)
);
/** Room for some of them, so that they push each other out. */
const QUOTA_BYTES = 56 * GROUP_BYTES;

/** One thing that somebody does with a blob, while others do theirs. */
interface Deed {
  readonly kind:
    | "encoded"
    | "wrong size"
    | "plain"
    | "import"
    | "remove"
    | "read"
    | "verify"
    | "gc";
  readonly blob: number;
  readonly start: number;
  readonly count: number;
  /** Bytes pushed at once; between two pushes the others get their turn. */
  readonly pieceBytes: number;
  /** Part of the bytes that come before the source gives up, or lies. */
  readonly part: number;
  readonly end: "finish" | "dispose" | "lie";
}

const deed: fc.Arbitrary<Deed> = fc.record({
  kind: fc.constantFrom(
    "encoded",
    "encoded",
    "encoded",
    "wrong size",
    "plain",
    "plain",
    "import",
    "remove",
    "read",
    "verify",
    "gc",
  ),
  blob: fc.nat({ max: BLOBS.length - 1 }),
  start: fc.nat({ max: 40 }),
  count: fc.integer({ min: 1, max: 41 }),
  pieceBytes: fc.integer({ min: 5000, max: 300_000 }),
  part: fc.double({ min: 0, max: 1, noNaN: true }),
  end: fc.constantFrom("finish", "finish", "dispose", "lie"),
});

async function fetchPart(store: BlobStore, deed: Deed): Promise<void> {
  const bytes = BLOBS[deed.blob]!;
  const hash = hashBytes(bytes);
  const isPlain = deed.kind === "plain";
  const ranges = RangeSet.of(deed.start, deed.start + deed.count);
  const sent = isPlain ? Uint8Array.from(bytes) : encodeBytes(bytes, ranges);
  const size = deed.kind === "wrong size" ? bytes.length + 1 : bytes.length;
  await using ingest = isPlain
    ? await store.ingestPlain(hash, 0, { size })
    : await store.ingestEncoded(hash, ranges, { size });
  const length = deed.end === "finish" ? sent.length : Math.floor(sent.length * deed.part);
  if (deed.end === "lie" && length < sent.length) sent[length]! ^= 8;
  const end = deed.end === "lie" ? sent.length : length;
  for (let at = 0; at < end; at += deed.pieceBytes) {
    await ingest.push(sent.subarray(at, Math.min(end, at + deed.pieceBytes)));
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  if (deed.end !== "dispose") await ingest.finish();
}

async function act(store: BlobStore, deed: Deed): Promise<void> {
  const bytes = BLOBS[deed.blob]!;
  const hash = hashBytes(bytes);
  switch (deed.kind) {
    case "encoded":
    case "wrong size":
    case "plain":
      return await fetchPart(store, deed);
    case "import":
      return void await store.importStream(ReadableStream.from([bytes]));
    case "remove":
      return await store.remove(hash);
    case "gc":
      return void await store.collectGarbage();
    case "verify":
      return assert.ok((await store.verify(hash)).bad.isEmpty);
    case "read": {
      await using reader = await store.openReader(hash);
      const expected = encodeBytes(bytes, reader.groups);
      let at = 0;
      for await (const piece of reader.encode(reader.groups)) {
        assert.deepEqual(piece, expected.subarray(at, at + piece.length));
        at += piece.length;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return assert.equal(at, expected.length);
    }
  }
}

/** Errors that belong to such a life; anything else is a mistake of ours. */
function isExpected(error: unknown): boolean {
  return ["not-found", "corrupt", "reset", "aborted", "no-space"].some((code) =>
    isSeedmintError(error, code as "aborted")
  );
}

async function checkSums(store: BlobStore): Promise<void> {
  let bytes = 0;
  for (const record of store.list()) {
    const { good, bad } = await store.verify(record.hash);
    assert.ok(bad.isEmpty && good.equals(record.groups));
    assert.equal(record.state === "complete", good.count === groupCountOf(record.size));
    for (const { start, end } of good) {
      bytes += Math.min(end * GROUP_BYTES, record.size) - start * GROUP_BYTES;
    }
    if (record.state === "complete") {
      const blob = BLOBS.find((blob) => hashBytes(blob) === record.hash)!;
      assert.deepEqual(await readAll(store, record.hash), blob);
    }
  }
  assert.equal(store.usage().bytes, bytes);
  assert.ok(bytes <= QUOTA_BYTES, `${bytes} bytes are held`);
}

async function live(store: BlobStore, deeds: readonly Deed[]): Promise<void> {
  const results = await Promise.allSettled(deeds.map((deed) => act(store, deed)));
  for (const result of results) {
    if (result.status === "rejected" && !isExpected(result.reason)) throw result.reason;
  }
  await checkSums(store);
}

function checkIdle(store: FileBlobStore, directory: string): void {
  const { reservedBytes, ingestingCount, openReaderCount } = store.figures();
  assert.deepEqual([reservedBytes, ingestingCount, openReaderCount], [0, 0, 0]);
  const owned = [...store.list()].filter((record) => record.storage === "owned");
  assert.equal(filesBelow(`${directory}/blobs`).length, owned.length * 2);
}

const deeds = fc.array(deed, { minLength: 2, maxLength: 10 });

for (const [workerCount, numRuns] of [[0, 60], [2, 15]] as const) {
  Deno.test(`FileBlobStore with ${workerCount} workers stays true while many use it`, async () => {
    await using hashPool = new HashPool();
    await fc.assert(
      fc.asyncProperty(deeds, async (deeds) => {
        using directory = new TemporaryDirectory();
        await using store = await openStore(directory.path, {
          hashPool,
          workerCount,
          quotaBytes: QUOTA_BYTES,
        });
        await live(store, deeds);
        checkIdle(store, directory.path);
      }),
      { numRuns },
    );
  });
}

Deno.test("MemoryBlobStore stays true while many use it", async () => {
  await fc.assert(
    fc.asyncProperty(deeds, async (deeds) => {
      await live(new MemoryBlobStore({ clock: new FakeNow(), quotaBytes: QUOTA_BYTES }), deeds);
    }),
    { numRuns: 100 },
  );
});
