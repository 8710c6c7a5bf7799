/**
 * Which parents and groups a response to a range request has, in which order, and how long it is:
 * bit for bit what iroh's bao-tree sends for whole groups at block size 4.
 */
import { RangeSet } from "../../src/core/range_set.ts";
import {
  BLOB_BYTES_MAX,
  GROUP_BYTES,
  groupCountOf,
  groupSizeAt,
  leftCountOf,
  PARENT_BYTES,
} from "./geometry.ts";

/** One piece of an encoded response. */
export type EncodedItem =
  /** 64 bytes that lie at `offset` in the pre-order outboard. */
  | { readonly kind: "parent"; readonly offset: number }
  /** Group `index`, `size` bytes. */
  | { readonly kind: "group"; readonly index: number; readonly size: number };

/** A subtree: `count` groups from `start` on, whose own parent lies at `offset` in the outboard. */
export interface Subtree {
  readonly start: number;
  readonly count: number;
  readonly offset: number;
}

/** The tree of a blob of `size` bytes. @throws {RangeError} If no blob can have that size. */
export function rootOf(size: number): Subtree {
  if (!Number.isSafeInteger(size) || size < 0 || size > BLOB_BYTES_MAX) {
    throw new RangeError(
      `Cannot lay out a blob of ${size} bytes: an integer from 0 to ${BLOB_BYTES_MAX} wanted`,
    );
  }
  return { start: 0, count: groupCountOf(size), offset: 0 };
}

/** Left and right child of `node`, which has at least two groups. */
export function childrenOf(node: Subtree): readonly [Subtree, Subtree] {
  const leftCount = leftCountOf(node.count);
  return [
    { start: node.start, count: leftCount, offset: node.offset + PARENT_BYTES },
    {
      start: node.start + leftCount,
      count: node.count - leftCount,
      offset: node.offset + leftCount * PARENT_BYTES,
    },
  ];
}

/**
 * Cuts `ranges`, in groups, to a blob of `size` bytes. Asking for anything past the end means the
 * last group, so that a requester who does not know the size gets the group that proves it. (For a
 * run that begins past the end bao-tree itself, which counts in chunks, sends the last chunk alone.)
 */
export function truncateRanges(ranges: RangeSet, size: number): RangeSet {
  const count = rootOf(size).count;
  const inside = ranges.below(count);
  const pastEnd = !ranges.subtract(RangeSet.of(0, count)).isEmpty;
  return pastEnd ? inside.union(RangeSet.of(count - 1, count)) : inside;
}

/** The pieces of the response for `ranges` of a blob of `size` bytes, in order. */
export function* encodedItems(size: number, ranges: RangeSet): Generator<EncodedItem> {
  const { boundaries } = truncateRanges(ranges, size);
  const stack = [rootOf(size)];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (!intersects(boundaries, node)) continue;
    if (node.count === 1) {
      yield { kind: "group", index: node.start, size: groupSizeAt(node.start, size) };
      continue;
    }
    yield { kind: "parent", offset: node.offset };
    const [left, right] = childrenOf(node);
    stack.push(right, left);
  }
}

/** Bytes of the response for `ranges` of a blob of `size` bytes. Costs little for any size. */
export function encodedSize(size: number, ranges: RangeSet): number {
  const truncated = truncateRanges(ranges, size);
  const root = rootOf(size);
  let bytes = truncated.count * GROUP_BYTES;
  if (truncated.has(root.count - 1)) {
    bytes -= GROUP_BYTES - groupSizeAt(root.count - 1, size);
  }
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.count === 1 || !intersects(truncated.boundaries, node)) continue;
    if (contains(truncated.boundaries, node)) {
      bytes += (node.count - 1) * PARENT_BYTES;
      continue;
    }
    bytes += PARENT_BYTES;
    stack.push(...childrenOf(node));
  }
  return bytes;
}

/** Whether any group of `node` is inside `boundaries`. */
export function intersects(boundaries: readonly number[], node: Subtree): boolean {
  const below = countAtOrBelow(boundaries, node.start);
  if ((below & 1) === 1) return true;
  const next = boundaries[below];
  return next !== undefined && next < node.start + node.count;
}

function contains(boundaries: readonly number[], node: Subtree): boolean {
  const below = countAtOrBelow(boundaries, node.start);
  if ((below & 1) === 0) return false;
  const next = boundaries[below];
  return next === undefined || next >= node.start + node.count;
}

function countAtOrBelow(boundaries: readonly number[], value: number): number {
  let low = 0;
  let high = boundaries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (boundaries[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}
