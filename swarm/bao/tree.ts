/** From the chaining values of all chunk groups of a blob to its hash and outboard. */
import type { Bytes } from "../../src/core/bytes.ts";
import { type Hash, hashFromBytes } from "../../src/core/hash.ts";
import { leftCountOf, PARENT_BYTES } from "./geometry.ts";
import { CV_BYTES, kernel } from "./kernel/mod.ts";

/** What proves every chunk group of a blob. */
export interface Outboard {
  readonly hash: Hash;
  /** Size of the blob in bytes. */
  readonly size: number;
  /** The parents in pre-order, 64 bytes each, without a size prefix: iroh's `.obao4` file. */
  readonly parents: Bytes;
}

/**
 * Builds the tree above all groups of a blob that has at least two.
 *
 * @param cvs 32 bytes a group, in order.
 */
export function outboardOfCvs(cvs: Uint8Array, size: number): Outboard {
  const { cv, parents } = subtreeOfCvs(cvs, true);
  return { hash: hashFromBytes(cv), size, parents };
}

/**
 * Builds the tree above at least two consecutive groups.
 *
 * @param cvs 32 bytes a group, in order.
 * @param isRoot Whether they are all groups of the blob.
 * @returns The chaining value of the top and all parents in pre-order.
 */
export function subtreeOfCvs(
  cvs: Uint8Array,
  isRoot: boolean,
): { readonly cv: Uint8Array; readonly parents: Bytes } {
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
