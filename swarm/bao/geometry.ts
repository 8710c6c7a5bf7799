/**
 * The shape of a Bao tree whose leaves are chunk groups of 16 KiB (bao-tree's `BlockSize` with
 * chunk_log 4). A blob of `n` groups has `n - 1` parents; the left child of a parent covers the
 * largest power of two of groups that is smaller than what the parent covers.
 */

/** Bytes in a BLAKE3 chunk. */
export const CHUNK_BYTES = 1024;

/** Chunks in a chunk group. */
export const GROUP_CHUNKS = 16;

/** Bytes in a chunk group: the unit of verification, of ranges and of metering. */
export const GROUP_BYTES = CHUNK_BYTES * GROUP_CHUNKS;

/** Bytes of a parent in an outboard and on the wire: the chaining values of both children. */
export const PARENT_BYTES = 64;

/** The largest blob: 2^48 bytes, so that offsets in data and outboard stay exact numbers. */
export const BLOB_BYTES_MAX = 2 ** 48;

/** How many chunk groups a blob of `size` bytes has; an empty blob has one empty group. */
export function groupCountOf(size: number): number {
  return Math.max(1, Math.ceil(size / GROUP_BYTES));
}

/** Bytes of the pre-order outboard of a blob of `size` bytes, without any size prefix. */
export function outboardSizeOf(size: number): number {
  return (groupCountOf(size) - 1) * PARENT_BYTES;
}

/** Bytes in group `index` of a blob of `size` bytes. */
export function groupSizeAt(index: number, size: number): number {
  return Math.min(GROUP_BYTES, size - index * GROUP_BYTES);
}

/** How many of `count` groups the left child covers. `count` is at least 2. */
export function leftCountOf(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1));
}
