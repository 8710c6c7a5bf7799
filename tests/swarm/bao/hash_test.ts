import { strict as assert } from "node:assert";
import fc from "fast-check";
import { GROUP_BYTES, hashBytes, Hasher, OutboardBuilder } from "../../../swarm/bao/mod.ts";
import { INTERESTING_SIZES, noiseBytes, oracleHash, outboardOf, patternBytes } from "./support.ts";

/** From the BLAKE3 project's `test_vectors/test_vectors.json` (CC0-1.0), first 32 bytes. */
const OFFICIAL = [
  { size: 0, hash: "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262" },
  { size: 1, hash: "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213" },
  { size: 1024, hash: "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7" },
  { size: 1025, hash: "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444" },
  { size: 31744, hash: "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47" },
  { size: 102400, hash: "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085" },
];

/** Every input length of the official vectors. */
const OFFICIAL_SIZES = [
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2048, 2049],
  ...[3072, 3073, 4096, 4097, 5120, 5121, 6144, 6145, 7168, 7169, 8192, 8193, 16384, 31744, 102400],
];

Deno.test("hashBytes gives the official BLAKE3 hashes", () => {
  for (const { size, hash } of OFFICIAL) assert.equal(hashBytes(patternBytes(size)), hash);
});

Deno.test("hashBytes agrees with blake3-wasm at every official and every interesting size", () => {
  for (const size of [...OFFICIAL_SIZES, ...INTERESTING_SIZES]) {
    const bytes = patternBytes(size);
    assert.equal(hashBytes(bytes), oracleHash(bytes), `${size} bytes`);
  }
});

Deno.test("hashBytes agrees with blake3-wasm at random sizes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 5 * GROUP_BYTES }), fc.nat(), (size, seed) => {
      const bytes = noiseBytes(size, seed);
      assert.equal(hashBytes(bytes), oracleHash(bytes));
    }),
    { numRuns: 2000 },
  );
});

Deno.test("Hasher gives the same hash however its input is split", () => {
  const pieces = fc.array(fc.integer({ min: 0, max: 3 * GROUP_BYTES }), { maxLength: 12 });
  fc.assert(
    fc.property(pieces, (sizes) => {
      const bytes = noiseBytes(sizes.reduce((sum, size) => sum + size, 0));
      const hasher = new Hasher();
      let at = 0;
      for (const size of sizes) {
        const piece = bytes.slice(at, at + size);
        hasher.update(piece);
        piece.fill(0xff);
        at += size;
      }
      assert.equal(hasher.digest(), oracleHash(bytes));
    }),
    { numRuns: 300 },
  );
});

Deno.test("OutboardBuilder gives 64 bytes a parent and the same outboard however it is fed", () => {
  for (const size of INTERESTING_SIZES) {
    const bytes = noiseBytes(size);
    const whole = outboardOf(bytes);
    assert.equal(whole.hash, oracleHash(bytes));
    assert.equal(whole.size, size);
    assert.equal(whole.parents.length, 64 * Math.max(0, Math.ceil(size / GROUP_BYTES) - 1));
    const builder = new OutboardBuilder();
    for (let at = 0; at < size; at += 10_007) builder.update(bytes.subarray(at, at + 10_007));
    assert.deepEqual(builder.finish(), whole);
  }
});

Deno.test("A finished hasher and builder refuse to go on", () => {
  const hasher = new Hasher();
  hasher.digest();
  assert.throws(() => hasher.digest(), TypeError);
  assert.throws(() => hasher.update(new Uint8Array(1)), TypeError);
  const builder = new OutboardBuilder();
  builder.finish();
  assert.throws(() => builder.finish(), TypeError);
  assert.throws(() => builder.update(new Uint8Array(1)), TypeError);
});
