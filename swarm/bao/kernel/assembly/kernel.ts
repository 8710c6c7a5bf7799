/**
 * BLAKE3 in AssemblyScript, four lanes at a time: lane k of every vector belongs to the k-th of four
 * chunks, or of four parents. This is not TypeScript for Deno; `../build.ts` compiles it.
 *
 * Memory is fixed and laid out by the constants below. The caller writes its input at INPUT, calls
 * one of the exports, and reads chaining values at OUTPUT.
 *
 * Rotations by 16 and 8 are byte permutations. Their masks are loaded from memory and not written as
 * constants, because V8 builds a constant mask anew at every use; `relaxed_swizzle` with indices
 * below 16 is one instruction on every machine and gives the same result on all.
 */

const MASK_16: usize = 0;
const MASK_8: usize = 16;
/** Chaining values of the chunks of up to four groups, reduced in place. */
const SCRATCH: usize = 1024;
/** Chaining values for the caller. */
const OUTPUT: usize = 32768;
/** Up to 64 chunk groups of data, or as many parents. A few bytes after them are read as well. */
const INPUT: usize = 65536;

const CHUNK_BYTES: usize = 1024;
const GROUP_BYTES: usize = 16384;
const BLOCK_BYTES: usize = 64;
const CV_BYTES: usize = 32;

const CHUNK_START: i32 = 1;
const CHUNK_END: i32 = 2;
const PARENT: i32 = 4;
const ROOT: i32 = 8;

const IV0: i32 = 0x6a09e667;
const IV1: i32 = 0xbb67ae85;
const IV2: i32 = 0x3c6ef372;
const IV3: i32 = 0xa54ff53a;
const IV4: i32 = 0x510e527f;
const IV5: i32 = 0x9b05688c;
const IV6: i32 = 0x1f83d9ab;
const IV7: i32 = 0x5be0cd19;

v128.store(MASK_16, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
v128.store(MASK_8, i8x16(1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12));

@inline function rotate16(x: v128): v128 { return i8x16.relaxed_swizzle(x, v128.load(MASK_16)); }
@inline function rotate12(x: v128): v128 { return v128.or(i32x4.shr_u(x, 12), i32x4.shl(x, 20)); }
@inline function rotate8(x: v128): v128 { return i8x16.relaxed_swizzle(x, v128.load(MASK_8)); }
@inline function rotate7(x: v128): v128 { return v128.or(i32x4.shr_u(x, 7), i32x4.shl(x, 25)); }

// The four steps of transposing 4 x 4 words.
@inline function low32(a: v128, b: v128): v128 { return v128.shuffle<u32>(a, b, 0, 4, 1, 5); }
@inline function high32(a: v128, b: v128): v128 { return v128.shuffle<u32>(a, b, 2, 6, 3, 7); }
@inline function low64(a: v128, b: v128): v128 { return v128.shuffle<u64>(a, b, 0, 2); }
@inline function high64(a: v128, b: v128): v128 { return v128.shuffle<u64>(a, b, 1, 3); }

/**
 * Compresses `blockCount` blocks in each of four lanes.
 *
 * @param input First block of lane 0; lane k begins `k * stride` bytes later.
 * @param counter Chunk counter of lane 0; lane k has `counter + k * counterStep`.
 * @param flags In every block; `firstFlags` and `lastFlags` besides in the first and the last.
 * @param lastBytes Length of the last block.
 * @param output Gets four chaining values.
 */
function compress4(
  input: usize, stride: usize, blockCount: i32, counter: u64, counterStep: u64,
  flags: i32, firstFlags: i32, lastFlags: i32, lastBytes: i32, output: usize,
): void {
  const counter1 = counter + counterStep;
  const counter2 = counter1 + counterStep;
  const counter3 = counter2 + counterStep;
  const counterLow = i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(
    i32x4.splat(<i32>counter), 1, <i32>counter1), 2, <i32>counter2), 3, <i32>counter3);
  const counterHigh = i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(
    i32x4.splat(<i32>(counter >> 32)), 1, <i32>(counter1 >> 32)), 2, <i32>(counter2 >> 32)),
    3, <i32>(counter3 >> 32));
  let p0 = input;
  let p1 = p0 + stride;
  let p2 = p1 + stride;
  let p3 = p2 + stride;
  let h0 = i32x4.splat(IV0), h1 = i32x4.splat(IV1), h2 = i32x4.splat(IV2), h3 = i32x4.splat(IV3);
  let h4 = i32x4.splat(IV4), h5 = i32x4.splat(IV5), h6 = i32x4.splat(IV6), h7 = i32x4.splat(IV7);
  let a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128;
  for (let block = 0; block < blockCount; block++) {
    a = v128.load(p0), b = v128.load(p1), c = v128.load(p2), d = v128.load(p3);
    e = low32(a, b), f = high32(a, b), g = low32(c, d), h = high32(c, d);
    const m0 = low64(e, g), m1 = high64(e, g), m2 = low64(f, h), m3 = high64(f, h);
    a = v128.load(p0, 16), b = v128.load(p1, 16), c = v128.load(p2, 16), d = v128.load(p3, 16);
    e = low32(a, b), f = high32(a, b), g = low32(c, d), h = high32(c, d);
    const m4 = low64(e, g), m5 = high64(e, g), m6 = low64(f, h), m7 = high64(f, h);
    a = v128.load(p0, 32), b = v128.load(p1, 32), c = v128.load(p2, 32), d = v128.load(p3, 32);
    e = low32(a, b), f = high32(a, b), g = low32(c, d), h = high32(c, d);
    const m8 = low64(e, g), m9 = high64(e, g), m10 = low64(f, h), m11 = high64(f, h);
    a = v128.load(p0, 48), b = v128.load(p1, 48), c = v128.load(p2, 48), d = v128.load(p3, 48);
    e = low32(a, b), f = high32(a, b), g = low32(c, d), h = high32(c, d);
    const m12 = low64(e, g), m13 = high64(e, g), m14 = low64(f, h), m15 = high64(f, h);
    let blockFlags = flags;
    let blockBytes: i32 = BLOCK_BYTES;
    if (block == 0) blockFlags |= firstFlags;
    if (block == blockCount - 1) {
      blockFlags |= lastFlags;
      blockBytes = lastBytes;
    }
    let v0 = h0, v1 = h1, v2 = h2, v3 = h3, v4 = h4, v5 = h5, v6 = h6, v7 = h7;
    let v8 = i32x4.splat(IV0), v9 = i32x4.splat(IV1), v10 = i32x4.splat(IV2);
    let v11 = i32x4.splat(IV3), v12 = counterLow, v13 = counterHigh;
    let v14 = i32x4.splat(blockBytes), v15 = i32x4.splat(blockFlags);
    // ROUNDS: seven rounds on v0 to v15 and m0 to m15, unrolled by the build.
    h0 = v128.xor(v0, v8), h1 = v128.xor(v1, v9), h2 = v128.xor(v2, v10), h3 = v128.xor(v3, v11);
    h4 = v128.xor(v4, v12), h5 = v128.xor(v5, v13), h6 = v128.xor(v6, v14);
    h7 = v128.xor(v7, v15);
    p0 += BLOCK_BYTES, p1 += BLOCK_BYTES, p2 += BLOCK_BYTES, p3 += BLOCK_BYTES;
  }
  a = low32(h0, h1), b = high32(h0, h1), c = low32(h2, h3), d = high32(h2, h3);
  e = low32(h4, h5), f = high32(h4, h5), g = low32(h6, h7), h = high32(h6, h7);
  v128.store(output, low64(a, c)), v128.store(output, low64(e, g), 16);
  v128.store(output, high64(a, c), 32), v128.store(output, high64(e, g), 48);
  v128.store(output, low64(b, d), 64), v128.store(output, low64(f, h), 80);
  v128.store(output, high64(b, d), 96), v128.store(output, high64(f, h), 112);
}

/** Chaining values of full chunks; up to three more than `count` are computed and meaningless. */
function hashChunks(input: usize, count: usize, counter: u64, output: usize): void {
  for (let chunk: usize = 0; chunk < count; chunk += 4) {
    compress4(
      input + chunk * CHUNK_BYTES, CHUNK_BYTES, 16, counter + chunk, 1,
      0, CHUNK_START, CHUNK_END, BLOCK_BYTES, output + chunk * CV_BYTES,
    );
  }
}

/**
 * Chaining values of `count` parents; `output` may be `input`. Up to three more are computed and
 * meaningless.
 */
function hashParents(input: usize, count: usize, rootFlag: i32, output: usize): void {
  for (let parent: usize = 0; parent < count; parent += 4) {
    compress4(
      input + parent * BLOCK_BYTES, BLOCK_BYTES, 1, 0, 0,
      PARENT | rootFlag, 0, 0, BLOCK_BYTES, output + parent * CV_BYTES,
    );
  }
}

/** Reduces `count` chaining values at `at` to one, in place; the last without a partner moves up. */
function reduce(at: usize, count: usize, rootFlag: i32): void {
  while (count > 1) {
    const pairCount = count >> 1;
    // Meaningless lanes overwrite what follows, so the one that moves up is taken out first.
    const last = at + (count - 1) * CV_BYTES;
    const low = v128.load(last);
    const high = v128.load(last, 16);
    hashParents(at, pairCount, count == 2 ? rootFlag : 0, at);
    if (count & 1) {
      v128.store(at + pairCount * CV_BYTES, low);
      v128.store(at + pairCount * CV_BYTES, high, 16);
    }
    count = pairCount + (count & 1);
  }
}

/**
 * Chaining values of `count` full groups at `input`, written to OUTPUT.
 *
 * @param input An address from INPUT on.
 * @param firstGroup Index of the first in its blob, an integer.
 */
export function hashGroups(input: usize, count: usize, firstGroup: f64): void {
  const counter = <u64>firstGroup * 16;
  let group: usize = 0;
  for (; group + 4 <= count; group += 4) {
    hashChunks(input + group * GROUP_BYTES, 64, counter + group * 16, SCRATCH);
    hashParents(SCRATCH, 32, 0, SCRATCH);
    hashParents(SCRATCH, 16, 0, SCRATCH);
    hashParents(SCRATCH, 8, 0, SCRATCH);
    hashParents(SCRATCH, 4, 0, OUTPUT + group * CV_BYTES);
  }
  for (; group < count; group++) {
    hashChunks(input + group * GROUP_BYTES, 16, counter + group * 16, SCRATCH);
    reduce(SCRATCH, 16, 0);
    memory.copy(OUTPUT + group * CV_BYTES, SCRATCH, CV_BYTES);
  }
}

/**
 * Chaining value of one group of any size up to 16 KiB, written to OUTPUT. The bytes after it, to
 * the end of its last block, are overwritten.
 *
 * @param input An address from INPUT on.
 * @param group Index in its blob, an integer.
 * @param isRoot 1 if the group is the whole blob, else 0.
 */
export function hashGroup(input: usize, bytes: usize, group: f64, isRoot: i32): void {
  const counter = <u64>group * 16;
  const rootFlag = isRoot ? ROOT : 0;
  const fullCount = bytes > CHUNK_BYTES ? (bytes - 1) / CHUNK_BYTES : 0;
  const tail = input + fullCount * CHUNK_BYTES;
  const tailBytes = bytes - fullCount * CHUNK_BYTES;
  const blockCount = tailBytes > BLOCK_BYTES ? (tailBytes + BLOCK_BYTES - 1) / BLOCK_BYTES : 1;
  const lastBytes = tailBytes - (blockCount - 1) * BLOCK_BYTES;
  memory.fill(tail + tailBytes, 0, BLOCK_BYTES - lastBytes);
  if (fullCount > 0) hashChunks(input, fullCount, counter, SCRATCH);
  compress4(
    tail, CHUNK_BYTES, <i32>blockCount, counter + fullCount, 0,
    0, CHUNK_START, CHUNK_END | (fullCount > 0 ? 0 : rootFlag), <i32>lastBytes,
    SCRATCH + fullCount * CV_BYTES,
  );
  reduce(SCRATCH, fullCount + 1, rootFlag);
  memory.copy(OUTPUT, SCRATCH, CV_BYTES);
}

/**
 * Chaining values of `count` parents at INPUT, written to OUTPUT.
 *
 * @param isRoot 1 if it is the root, then `count` is 1; else 0.
 */
export function hashPairs(count: usize, isRoot: i32): void {
  hashParents(INPUT, count, isRoot ? ROOT : 0, OUTPUT);
}
