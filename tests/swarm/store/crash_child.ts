/**
 * Works on the store named by the first argument until it is killed: fetches, imports, removals and
 * evictions, several at a time. The second argument is the seed, the third the count of workers.
 */
import { RangeSet } from "../../../src/core/range_set.ts";
import { GROUP_BYTES } from "../../../swarm/bao/geometry.ts";
import { hashBytes } from "../../../swarm/bao/mod.ts";
import type { BlobStore } from "../../../swarm/store/mod.ts";
import { ingestBytes, sampleBytes } from "../../conformance/blob_store.ts";
import { openStore } from "./fixture.ts";

const BLOBS = [100, 3 * GROUP_BYTES, 20 * GROUP_BYTES + 9, 64 * GROUP_BYTES].map((size, index) =>
  sampleBytes(size, index + 1)
);

const [directory, seed, workerCount] = Deno.args;
let state = Number(seed) * 2654435761 >>> 0 || 1;

function random(end: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor(state / 2 ** 32 * end);
}

async function act(store: BlobStore): Promise<void> {
  const bytes = BLOBS[random(BLOBS.length)]!;
  const hash = hashBytes(bytes);
  const count = Math.ceil(bytes.length / GROUP_BYTES);
  switch (random(8)) {
    case 0:
      return void await store.importBytes(bytes, { tag: "t" });
    case 1:
      return await store.remove(hash);
    case 2: {
      await using ingest = await store.ingestPlain(hash, 0, { size: bytes.length });
      await ingest.push(bytes);
      return await ingest.finish();
    }
    case 3:
      return void await store.importStream(ReadableStream.from([bytes]));
    case 4:
      return void await store.collectGarbage();
    default:
      await ingestBytes(store, bytes, RangeSet.of(count - 1), 10_000);
      await ingestBytes(store, bytes, RangeSet.of(random(count)), 1 + random(100_000));
  }
}

async function work(store: BlobStore): Promise<never> {
  for (;;) {
    // Removed while being fetched, or no room: both belong to this life.
    await act(store).catch(() => {});
    // Lets signals in between two operations.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

const store = await openStore(directory!, {
  workerCount: Number(workerCount),
  quotaBytes: 100 * GROUP_BYTES,
});
console.log("open");
await Promise.all([work(store), work(store), work(store)]);
