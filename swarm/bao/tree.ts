/** From the chaining values of all chunk groups of a blob to its hash and outboard. */
import type { Bytes } from "../../src/core/bytes.ts";
import { type Hash, hashFromBytes } from "../../src/core/hash.ts";
import { leftCountOf, outboardSizeOf, PARENT_BYTES } from "./geometry.ts";
import { CV_BYTES, kernel } from "./kernel/mod.ts";
import { childrenOf, rootOf, type Subtree } from "./ranges.ts";

/** What proves every chunk group of a blob. */
export interface Outboard {
  readonly hash: Hash;
  /** Size of the blob in bytes. */
  readonly size: number;
  /** The parents in pre-order, 64 bytes each, without a size prefix: iroh's `.obao4` file. */
  readonly parents: Bytes;
}

/** A subtree that has been hashed. */
export interface HashedSubtree {
  /** 32 bytes: its chaining value, or the hash of the blob if it is the whole tree. */
  readonly cv: Bytes;
  /** Its own parents in pre-order. */
  readonly parents: Bytes;
}

/**
 * Builds the tree above consecutive groups.
 *
 * @param cvs 32 bytes a group, in order; of a single group that is the blob, the root hash.
 * @param isRoot Whether they are all groups of the blob.
 */
export function subtreeOfCvs(cvs: Uint8Array, isRoot: boolean): HashedSubtree {
  if (cvs.length === CV_BYTES) return { cv: cvs.slice(), parents: new Uint8Array(0) };
  const levels = [cvs];
  let level = cvs;
  while (level.length > PARENT_BYTES) {
    level = nextLevel(level);
    levels.push(level);
  }
  const groupCount = cvs.length / CV_BYTES;
  const parents = new Uint8Array((groupCount - 1) * PARENT_BYTES);
  placePairs(levels, groupCount, parents);
  const cv = new Uint8Array(CV_BYTES);
  kernel.parentCv(level, isRoot, cv, 0);
  return { cv, parents };
}

/**
 * Joins the subtrees of a blob into its outboard.
 *
 * @param segments Subtrees of `segmentGroups` groups each, a power of two; the last may have fewer.
 * A single one is the whole tree.
 */
export function outboardOfSegments(
  segments: readonly HashedSubtree[],
  segmentGroups: number,
  size: number,
): Outboard {
  const root = rootOf(size);
  const parents = new Uint8Array(outboardSizeOf(size));
  const place = (node: Subtree): Uint8Array => {
    if (node.count <= segmentGroups) {
      const segment = segments[node.start / segmentGroups]!;
      parents.set(segment.parents, node.offset);
      return segment.cv;
    }
    const [left, right] = childrenOf(node);
    const pair = parents.subarray(node.offset, node.offset + PARENT_BYTES);
    pair.set(place(left));
    pair.set(place(right), CV_BYTES);
    const cv = new Uint8Array(CV_BYTES);
    kernel.parentCv(pair, node.count === root.count, cv, 0);
    return cv;
  };
  return { hash: hashFromBytes(place(root)), size, parents };
}

/** Pairs neighbours; a last one without a partner moves up as it is, which keeps the tree left-full. */
function nextLevel(level: Uint8Array): Uint8Array {
  const pairCount = Math.floor(level.length / PARENT_BYTES);
  const paired = pairCount * PARENT_BYTES;
  const next = new Uint8Array(pairCount * CV_BYTES + (level.length - paired));
  kernel.parentCvs(level.subarray(0, paired), next, 0);
  next.set(level.subarray(paired), pairCount * CV_BYTES);
  return next;
}

/** Copies every pair of every level to its place in pre-order. */
function placePairs(levels: readonly Uint8Array[], groupCount: number, parents: Uint8Array): void {
  const stack = [{ start: 0, count: groupCount }];
  let offset = 0;
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (node.count === 1) continue;
    const leftCount = leftCountOf(node.count);
    const level = levels[Math.log2(leftCount)]!;
    const from = (node.start / leftCount) * CV_BYTES;
    parents.set(level.subarray(from, from + PARENT_BYTES), offset);
    offset += PARENT_BYTES;
    stack.push(
      { start: node.start + leftCount, count: node.count - leftCount },
      { start: node.start, count: leftCount },
    );
  }
}
