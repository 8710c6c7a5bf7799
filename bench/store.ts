/**
 * The store on disk: taking a Bao response in (verify and write), giving one out (read and encode),
 * and small blobs, beside what the disk and the decoder alone do in the same run. The contenders
 * take turns and the best of each counts.
 *
 *     deno run -A bench/store.ts [--mib 512] [--rounds 3] [--directory DIR] [--json]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "../src/host/system.ts";
import type { Hash } from "../src/core/hash.ts";
import { RangeSet } from "../src/core/range_set.ts";
import { BaoDecoder, hashBytes } from "../swarm/bao/mod.ts";
import { type BlobStore, FileBlobStore } from "../swarm/store/mod.ts";

const MIB = 2 ** 20;
const SMALL_COUNT = 10_000;
const SMALL_BYTES = 4096;
/** About what a network stream hands over at once. */
const PUSH_BYTES = 128 * 1024;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    "mib": { type: "string", default: "512" },
    "rounds": { type: "string", default: "3" },
    "directory": { type: "string" },
    "json": { type: "boolean", default: false },
  },
});
const size = Number(values.mib) * MIB + 12_345;
const roundCount = Number(values.rounds);
const directory = await Deno.makeTempDir(
  values.directory === undefined ? {} : { dir: values.directory },
);

function randomBytes(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  }
  return bytes;
}

async function openStore(name: string): Promise<FileBlobStore> {
  return await FileBlobStore.open({ directory: join(directory, name), clock: systemClock });
}

/** A blob in the page cache, and its whole encoding in memory. */
async function prepare(store: BlobStore): Promise<{ hash: Hash; encoded: Uint8Array[] }> {
  const { hash } = await store.importBytes(randomBytes(size));
  await using reader = await store.openReader(hash);
  const encoded = await Array.fromAsync(reader.encode(RangeSet.ALL));
  return { hash, encoded };
}

async function ingest(
  store: BlobStore,
  source: { readonly hash: Hash; readonly encoded: readonly Uint8Array[] },
): Promise<void> {
  await using taken = await store.ingestEncoded(source.hash, RangeSet.ALL, { size });
  for (const piece of source.encoded) {
    for (let at = 0; at < piece.length; at += PUSH_BYTES) {
      await taken.push(piece.subarray(at, at + PUSH_BYTES));
    }
  }
  await taken.finish();
}

async function encode(store: BlobStore, hash: Hash): Promise<void> {
  await using reader = await store.openReader(hash);
  for await (const _piece of reader.encode(RangeSet.ALL)) { /* only read */ }
}

function writeAlone(encoded: readonly Uint8Array[]): void {
  const path = join(directory, "raw");
  {
    using file = Deno.openSync(path, { write: true, create: true, truncate: true });
    for (const piece of encoded) {
      for (let done = 0; done < piece.length;) done += file.writeSync(piece.subarray(done));
    }
  }
  Deno.removeSync(path);
}

function decodeAlone(source: { hash: Hash; encoded: readonly Uint8Array[] }): void {
  const sink = { parent: () => {}, group: () => {} };
  const decoder = new BaoDecoder({ hash: source.hash, size, ranges: RangeSet.ALL, sink });
  for (const piece of source.encoded) decoder.push(piece);
}

const best: Record<string, number> = {};

async function time(name: string, units: number, action: () => unknown): Promise<void> {
  const startMs = performance.now();
  await action();
  const rate = units / (performance.now() - startMs) * 1000;
  best[name] = Math.max(best[name] ?? 0, rate);
}

{
  await using from = await openStore("from");
  await using to = await openStore("to");
  const source = await prepare(from);
  to.prepareWorkers();
  const small = Array.from({ length: SMALL_COUNT }, () => {
    const bytes = randomBytes(SMALL_BYTES);
    return { hash: hashBytes(bytes), bytes };
  });
  let rssBytes = 0;
  for (let round = 0; round < roundCount; round++) {
    await time("write to disk alone, MB/s", size / 1e6, () => writeAlone(source.encoded));
    await time("decode alone, MB/s", size / 1e6, () => decodeAlone(source));
    const beforeBytes = Deno.memoryUsage().rss;
    await time("ingest: verify and write, MB/s", size / 1e6, () => ingest(to, source));
    rssBytes = Math.max(rssBytes, Deno.memoryUsage().rss - beforeBytes);
    await to.remove(source.hash);
    await time("encode: read and lay out, MB/s", size / 1e6, () => encode(from, source.hash));
    await time("import small, blobs/s", SMALL_COUNT, () => to.importSmall(small));
    for (const { hash } of small) await to.remove(hash);
    await time("ingest small one by one, blobs/s", SMALL_COUNT, async () => {
      for (const { hash, bytes } of small) {
        const taken = await to.ingestEncoded(hash, RangeSet.ALL, { size: bytes.length });
        taken.push(bytes);
        await taken.finish();
      }
    });
    for (const { hash } of small) await to.remove(hash);
  }
  best["memory gained by an ingest, MiB"] = rssBytes / MIB;
}
await Deno.remove(directory, { recursive: true });
if (values.json) console.log(JSON.stringify(best));
else {for (const [name, value] of Object.entries(best)) {
    console.log(name.padEnd(40), Math.round(value));
  }}
