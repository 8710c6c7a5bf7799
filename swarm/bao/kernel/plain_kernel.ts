/**
 * BLAKE3 without SIMD, in plain TypeScript: what runs where WebAssembly has no 128-bit vectors, and
 * what the tests compare the fast kernel with. Follows the BLAKE3 paper, sections 2.1 to 2.5.
 */
import { CHUNK_BYTES, GROUP_BYTES, GROUP_CHUNKS } from "../geometry.ts";
import { CV_BYTES, type Kernel, WINDOW_BYTES } from "./kernel.ts";

const BLOCK_BYTES = 64;
const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;
const ROOT = 8;

const IV = Uint32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
);

/** Which message word each round reads at each place: the paper's permutation, applied 0 to 6 times. */
const SCHEDULE = scheduleOf([2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]);

const state = new Uint32Array(16);
const message = new Uint32Array(16);

/** The kernel in plain TypeScript. */
export const plainKernel: Kernel = {
  name: "plain",
  window: new Uint8Array(WINDOW_BYTES),
  groupCv(bytes, index, isRoot, target, offset) {
    writeWords(subtreeCv(bytes, index * GROUP_CHUNKS, isRoot), target, offset);
  },
  groupCvs(bytes, firstIndex, target, offset) {
    const count = bytes.length / GROUP_BYTES;
    for (let index = 0; index < count; index++) {
      const group = bytes.subarray(index * GROUP_BYTES, (index + 1) * GROUP_BYTES);
      plainKernel.groupCv(group, firstIndex + index, false, target, offset + index * CV_BYTES);
    }
  },
  parentCv(pair, isRoot, target, offset) {
    const left = readWords(pair, 0);
    const right = readWords(pair, CV_BYTES);
    writeWords(mergeCvs(left, right, isRoot), target, offset);
  },
  parentCvs(pairs, target, offset) {
    const count = pairs.length / (2 * CV_BYTES);
    for (let index = 0; index < count; index++) {
      const pair = pairs.subarray(index * 2 * CV_BYTES, (index + 1) * 2 * CV_BYTES);
      plainKernel.parentCv(pair, false, target, offset + index * CV_BYTES);
    }
  },
};

function subtreeCv(bytes: Uint8Array, startChunk: number, isRoot: boolean): Uint32Array {
  if (bytes.length <= CHUNK_BYTES) return chunkCv(bytes, startChunk, isRoot);
  const chunkCount = Math.ceil(bytes.length / CHUNK_BYTES);
  const leftCount = 2 ** Math.floor(Math.log2(chunkCount - 1));
  const leftBytes = leftCount * CHUNK_BYTES;
  const left = subtreeCv(bytes.subarray(0, leftBytes), startChunk, false);
  const right = subtreeCv(bytes.subarray(leftBytes), startChunk + leftCount, false);
  return mergeCvs(left, right, isRoot);
}

function chunkCv(bytes: Uint8Array, chunk: number, isRoot: boolean): Uint32Array {
  const cv = IV.slice();
  const blockCount = Math.max(1, Math.ceil(bytes.length / BLOCK_BYTES));
  for (let block = 0; block < blockCount; block++) {
    const from = block * BLOCK_BYTES;
    const length = Math.min(BLOCK_BYTES, bytes.length - from);
    loadMessage(bytes, from, length);
    let flags = 0;
    if (block === 0) flags |= CHUNK_START;
    if (block === blockCount - 1) flags |= isRoot ? CHUNK_END | ROOT : CHUNK_END;
    compress(cv, chunk, length, flags);
  }
  return cv;
}

function mergeCvs(left: Uint32Array, right: Uint32Array, isRoot: boolean): Uint32Array {
  message.set(left);
  message.set(right, 8);
  const cv = IV.slice();
  compress(cv, 0, BLOCK_BYTES, isRoot ? PARENT | ROOT : PARENT);
  return cv;
}

/** Replaces `cv` by the compression of it and `message`. */
function compress(cv: Uint32Array, counter: number, blockBytes: number, flags: number): void {
  state.set(cv);
  state.set(IV.subarray(0, 4), 8);
  state[12] = counter;
  state[13] = counter / 2 ** 32;
  state[14] = blockBytes;
  state[15] = flags;
  for (let round = 0; round < 7 * 16; round += 16) {
    mix(0, 4, 8, 12, round);
    mix(1, 5, 9, 13, round + 2);
    mix(2, 6, 10, 14, round + 4);
    mix(3, 7, 11, 15, round + 6);
    mix(0, 5, 10, 15, round + 8);
    mix(1, 6, 11, 12, round + 10);
    mix(2, 7, 8, 13, round + 12);
    mix(3, 4, 9, 14, round + 14);
  }
  for (let index = 0; index < 8; index++) cv[index] = state[index]! ^ state[index + 8]!;
}

function mix(a: number, b: number, c: number, d: number, place: number): void {
  let va = state[a]!;
  let vb = state[b]!;
  let vc = state[c]!;
  let vd = state[d]!;
  va = (va + vb + message[SCHEDULE[place]!]!) | 0;
  vd = rotateRight(vd ^ va, 16);
  vc = (vc + vd) | 0;
  vb = rotateRight(vb ^ vc, 12);
  va = (va + vb + message[SCHEDULE[place + 1]!]!) | 0;
  vd = rotateRight(vd ^ va, 8);
  vc = (vc + vd) | 0;
  vb = rotateRight(vb ^ vc, 7);
  state[a] = va;
  state[b] = vb;
  state[c] = vc;
  state[d] = vd;
}

function rotateRight(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}

function loadMessage(bytes: Uint8Array, from: number, length: number): void {
  message.fill(0);
  for (let index = 0; index < length; index++) {
    message[index >> 2]! |= bytes[from + index]! << (8 * (index & 3));
  }
}

function readWords(bytes: Uint8Array, from: number): Uint32Array {
  const words = new Uint32Array(8);
  for (let index = 0; index < CV_BYTES; index++) {
    words[index >> 2]! |= bytes[from + index]! << (8 * (index & 3));
  }
  return words;
}

function writeWords(words: Uint32Array, target: Uint8Array, offset: number): void {
  for (let index = 0; index < CV_BYTES; index++) {
    target[offset + index] = words[index >> 2]! >>> (8 * (index & 3));
  }
}

function scheduleOf(permutation: readonly number[]): Uint8Array {
  const schedule = new Uint8Array(7 * 16);
  let row = [...permutation.keys()];
  for (let round = 0; round < 7; round++) {
    schedule.set(row, round * 16);
    row = permutation.map((place) => row[place]!);
  }
  return schedule;
}
