/** Checking what lies on disk: which groups of a blob match its root. */
import { equalBytes } from "../../src/core/bytes.ts";
import { type Hash, hashToBytes } from "../../src/core/hash.ts";
import { type Range, RangeSet } from "../../src/core/range_set.ts";
import { groupSizeAt, PARENT_BYTES } from "./geometry.ts";
import { CV_BYTES, kernel } from "./kernel/mod.ts";
import { childrenOf, intersects, rootOf, truncateRanges } from "./ranges.ts";

/** What {@link validateGroups} reads. A reader that finds nothing, or too little, says undefined. */
export interface ValidateOptions {
  readonly hash: Hash;
  /** Size of the blob in bytes. */
  readonly size: number;
  /** The groups to check. */
  readonly groups: RangeSet;
  /** All bytes of group `index`; the array is used only until the next call. */
  readonly readGroup: (
    index: number,
  ) => Promise<Uint8Array | undefined> | Uint8Array | undefined;
  /** The 64 bytes at `offset` of the pre-order outboard; used only until the next call. */
  readonly readParent: (
    offset: number,
  ) => Promise<Uint8Array | undefined> | Uint8Array | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Finds which of `groups` match the root. Groups are read in ascending order, each at most once,
 * and a group is good only when it and every parent above it match.
 *
 * @throws The reason of `signal`, and whatever the readers throw.
 */
export async function validateGroups(options: ValidateOptions): Promise<RangeSet> {
  const { boundaries } = truncateRanges(options.groups, options.size);
  const root = rootOf(options.size);
  const cv = new Uint8Array(CV_BYTES);
  const good: Range[] = [];
  const stack = [{ ...root, cv: hashToBytes(options.hash) }];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (!intersects(boundaries, node)) continue;
    options.signal?.throwIfAborted();
    const isRoot = node.count === root.count;
    if (node.count === 1) {
      const bytes = await options.readGroup(node.start);
      if (bytes?.length !== groupSizeAt(node.start, options.size)) continue;
      kernel.groupCv(bytes, node.start, isRoot, cv, 0);
      if (equalBytes(cv, node.cv)) good.push({ start: node.start, end: node.start + 1 });
      continue;
    }
    const pair = await options.readParent(node.offset);
    if (pair?.length !== PARENT_BYTES) continue;
    kernel.parentCv(pair, isRoot, cv, 0);
    if (!equalBytes(cv, node.cv)) continue;
    const [left, right] = childrenOf(node);
    stack.push({ ...right, cv: pair.slice(CV_BYTES) }, { ...left, cv: pair.slice(0, CV_BYTES) });
  }
  return RangeSet.from(good);
}
