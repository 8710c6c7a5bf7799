/**
 * Hashing: our kernel against other BLAKE3s on one core, verifying a Bao response, and a file
 * (BLAKE3, outboard and SHA-256 at once) against `openssl dgst -sha256`. Every ratio is of one run:
 * the contenders take turns and the best of each counts.
 *
 *     deno run -A bench/hash.ts [--file-mib 1024] [--rounds 6] [--json]
 */
import { parseArgs } from "node:util";
import { hash as jitHash } from "blake3-jit";
import { createHash as wasmHash } from "blake3-wasm";
import { concatBytes } from "../src/core/bytes.ts";
import { RangeSet } from "../src/core/range_set.ts";
import {
  BaoDecoder,
  encodedItems,
  GROUP_BYTES,
  hashBytes,
  HashPool,
  OutboardBuilder,
  PARENT_BYTES,
} from "../swarm/bao/mod.ts";

const MIB = 2 ** 20;
const BUFFER_BYTES = 64 * MIB;
const PIECE_BYTES = 64 * 1024;

const { values } = parseArgs({
  args: Deno.args,
  options: {
    "file-mib": { type: "string", default: "1024" },
    "rounds": { type: "string", default: "6" },
    "json": { type: "boolean", default: false },
  },
});
const roundCount = Number(values.rounds);

type Contender = () => unknown;

/** The best rate of each contender in bytes a second, taking turns. */
async function race(
  contenders: Readonly<Record<string, Contender>>,
  bytes: number,
): Promise<Record<string, number>> {
  const best: Record<string, number> = {};
  for (let round = 0; round < roundCount; round++) {
    for (const [name, contender] of Object.entries(contenders)) {
      const startMs = performance.now();
      await contender();
      const rate = bytes / (performance.now() - startMs) * 1000;
      best[name] = Math.max(best[name] ?? 0, rate);
    }
  }
  return best;
}

function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

function inPieces(bytes: Uint8Array, take: (piece: Uint8Array) => void): void {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    take(bytes.subarray(at, at + PIECE_BYTES));
  }
}

async function raceBuffers(): Promise<Record<string, number>> {
  const bytes = randomBytes(BUFFER_BYTES);
  const whole = new OutboardBuilder();
  whole.update(bytes);
  const { hash, parents } = whole.finish();
  const parts = [...encodedItems(bytes.length, RangeSet.ALL)].map((item) =>
    item.kind === "parent"
      ? parents.subarray(item.offset, item.offset + PARENT_BYTES)
      : bytes.subarray(item.index * GROUP_BYTES, item.index * GROUP_BYTES + item.size)
  );
  const encoded = concatBytes(...parts);
  const sink = { parent() {}, group() {} };
  return await race({
    "hashBytes": () => hashBytes(bytes),
    "outboard, 64 KiB pieces": () => {
      const builder = new OutboardBuilder();
      inPieces(bytes, (piece) => builder.update(piece));
      builder.finish();
    },
    "verify response, 64 KiB pieces": () => {
      const options = { hash, size: bytes.length, ranges: RangeSet.ALL, sink };
      const decoder = new BaoDecoder(options);
      inPieces(encoded, (piece) => decoder.push(piece));
      decoder.finish();
    },
    "blake3-jit": () => jitHash(bytes),
    "blake3-wasm": () => wasmHash().update(bytes).digest("hex"),
  }, BUFFER_BYTES);
}

async function raceFile(path: string, bytes: number): Promise<Record<string, number>> {
  const file = await Deno.open(path, { write: true, create: true });
  const block = randomBytes(16 * MIB);
  for (let at = 0; at < bytes; at += block.length) {
    await file.write(block.subarray(0, Math.min(block.length, bytes - at)));
  }
  file.close();
  await using pool = new HashPool();
  return await race({
    "hashFile (BLAKE3, outboard, SHA-256)": () => pool.hashFile(path),
    "openssl dgst -sha256": () =>
      new Deno.Command("openssl", { args: ["dgst", "-sha256", path] }).output(),
  }, bytes);
}

const buffers = await raceBuffers();
const directory = await Deno.makeTempDir({ prefix: "seedmint-bench-" });
const files = await raceFile(`${directory}/file`, Number(values["file-mib"]) * MIB)
  .finally(() => Deno.remove(directory, { recursive: true }));

const ratios = {
  "hashBytes / blake3-jit (wanted 1.3)": buffers["hashBytes"]! / buffers["blake3-jit"]!,
  "hashBytes / blake3-wasm (wanted 2)": buffers["hashBytes"]! / buffers["blake3-wasm"]!,
  "hashFile / openssl dgst -sha256 (wanted 0.6)": files["hashFile (BLAKE3, outboard, SHA-256)"]! /
    files["openssl dgst -sha256"]!,
};
if (values.json) console.log(JSON.stringify({ bytesPerS: { ...buffers, ...files }, ratios }));
else {
  for (const [name, rate] of Object.entries({ ...buffers, ...files })) {
    console.log(`${name.padEnd(48)} ${(rate / 1e6).toFixed(0).padStart(6)} MB/s`);
  }
  for (const [name, ratio] of Object.entries(ratios)) {
    console.log(`${name.padEnd(48)} ${ratio.toFixed(2).padStart(6)}`);
  }
}
