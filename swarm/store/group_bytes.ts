/** How many bytes chunk groups stand for. */
import type { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf, groupSizeAt } from "../bao/geometry.ts";

/** Bytes in `groups` of a blob of `size` bytes. */
export function bytesInGroups(size: number, groups: RangeSet): number {
  const last = groupCountOf(size) - 1;
  const inside = groups.below(last + 1);
  const shortBytes = inside.has(last) ? GROUP_BYTES - groupSizeAt(last, size) : 0;
  return inside.count * GROUP_BYTES - shortBytes;
}
