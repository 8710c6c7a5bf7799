/** What a viewer may see of the store. What it may not see does not exist for it. */
import type { Hash } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import type { Viewer } from "../ports.ts";
import type { BlobHoldings, BlobName } from "../protocol/mod.ts";
import type { BlobRecord, BlobStore, Visibility } from "../store/blob_store.ts";

/** Whether `viewer` may see a blob of this visibility. */
export function isVisible(visibility: Visibility, viewer: Viewer): boolean {
  return visibility === "public" || (visibility === "fleet" && viewer.fleet);
}

/** The blob that `name` names, if it is here, in part at least, and `viewer` may see it. */
export function lookUp(
  store: Pick<BlobStore, "status" | "findBySha256">,
  name: BlobName,
  viewer: Viewer,
): BlobRecord | undefined {
  const record = name.hash === undefined
    ? store.findBySha256(name.sha256!)
    : store.status(name.hash);
  return record !== undefined && isVisible(record.visibility, viewer) ? record : undefined;
}

/** What `holdings` says of `record`, with at most `boundariesMax` boundaries. */
export function holdingsOf(
  record: BlobRecord | undefined,
  name: BlobName,
  boundariesMax: number,
): BlobHoldings {
  if (record === undefined) return { state: "none" };
  const hash: { readonly hash?: Hash } = name.hash === undefined ? { hash: record.hash } : {};
  if (record.state === "complete") return { state: "all", size: record.size, ...hash };
  const groups = longestRuns(record.groups, Math.floor(boundariesMax / 2));
  if (groups.isEmpty) return { state: "none" };
  return { state: "some", size: record.size, groups, ...hash };
}

/** The `count` longest runs of `groups`: what is left out can be found by asking for it. */
export function longestRuns(groups: RangeSet, count: number): RangeSet {
  if (groups.runCount <= count) return groups;
  const runs = [...groups].sort((a, b) => (b.end - b.start) - (a.end - a.start));
  return RangeSet.from(runs.slice(0, count));
}

/** The first runs of `groups` that `boundariesMax` boundaries can say. */
export function firstRuns(groups: RangeSet, boundariesMax: number): RangeSet {
  if (groups.boundaries.length <= boundariesMax) return groups;
  return RangeSet.fromBoundaries(groups.boundaries.slice(0, boundariesMax & ~1));
}
