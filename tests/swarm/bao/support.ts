/** What the tests of `swarm/bao` share: oracles and blobs. */
import { createHash } from "blake3-wasm";
import { concatBytes } from "../../../src/core/bytes.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import {
  encodedItems,
  GROUP_BYTES,
  type Outboard,
  OutboardBuilder,
  PARENT_BYTES,
} from "../../../swarm/bao/mod.ts";

/** Sizes at which something changes: blocks, chunks, groups, one and several levels of parents. */
export const INTERESTING_SIZES = [
  0,
  1,
  63,
  64,
  65,
  1023,
  1024,
  1025,
  2048,
  2049,
  GROUP_BYTES - 1025,
  GROUP_BYTES - 1,
  GROUP_BYTES,
  GROUP_BYTES + 1,
  2 * GROUP_BYTES - 1,
  2 * GROUP_BYTES,
  2 * GROUP_BYTES + 1,
  3 * GROUP_BYTES,
  5 * GROUP_BYTES + 1024,
  16 * GROUP_BYTES + 7,
  2 ** 20 - 1,
  2 ** 20,
  2 ** 20 + 1,
];

/** The pattern of the official BLAKE3 vectors: 0, 1, … 250 repeated. */
export function patternBytes(size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = index % 251;
  return bytes;
}

/** Bytes that look random and depend on `seed` alone. */
export function noiseBytes(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  let word = seed | 1;
  for (let index = 0; index < words.length; index++) {
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    words[index] = word;
  }
  return new Uint8Array(words.buffer, 0, size);
}

/** BLAKE3 by the npm package blake3-wasm, as hex. */
export function oracleHash(bytes: Uint8Array): string {
  return createHash().update(bytes).digest("hex");
}

/** Hash and outboard of `bytes`. */
export function outboardOf(bytes: Uint8Array): Outboard {
  const builder = new OutboardBuilder();
  builder.update(bytes);
  return builder.finish();
}

/** The response for `ranges`, put together from the items. */
export function encode(
  bytes: Uint8Array,
  outboard: Outboard,
  ranges: RangeSet = RangeSet.ALL,
): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  for (const item of encodedItems(bytes.length, ranges)) {
    if (item.kind === "parent") {
      parts.push(outboard.parents.subarray(item.offset, item.offset + PARENT_BYTES));
    } else {
      const start = item.index * GROUP_BYTES;
      parts.push(bytes.subarray(start, start + item.size));
    }
  }
  return concatBytes(...parts);
}
