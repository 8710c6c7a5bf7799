/** From verified groups to a record, and from all groups to the final name. */
import { RangeSet } from "../../src/core/range_set.ts";
import type { Attributes } from "./attributes.ts";
import type { CatalogRow } from "./catalog.ts";
import type { LiveBlob } from "./live_blob.ts";
import type { StoreCore } from "./store_core.ts";

/** Gives a draft whose size is proven its record; what was `before` lies in files no longer used. */
export function promote(
  core: StoreCore,
  draft: LiveBlob,
  options: {
    readonly before: CatalogRow | undefined;
    readonly attributes: Attributes;
    readonly heldBytes: number;
  },
): void {
  const { before, attributes, heldBytes } = options;
  const nowMs = core.clock.nowMs();
  const lane = core.layout.lane(draft.hash, draft.lane);
  const oldFiles = before === undefined ? [] : core.filesOf(before);
  core.change(before, {
    hash: draft.hash,
    size: draft.size,
    state: "partial",
    storage: "owned",
    attributes,
    groups: draft.groups,
    syncedGroups: RangeSet.EMPTY,
    synced: false,
    lane: draft.lane,
    path: undefined,
    guard: undefined,
    heldBytes,
    addedMs: before?.addedMs ?? nowMs,
    lastUsedMs: nowMs,
  }, () => {
    core.catalog.removeDebris(...core.toDebris([lane.data, lane.outboard]));
    core.catalog.addDebris(...core.toDebris(oldFiles));
    if (draft.given.tag !== undefined) core.catalog.addTag(draft.hash, draft.given.tag);
  });
  core.sweep(oldFiles);
}

/**
 * Gives a partial blob that has all its groups its final name. The bitfield says "all" before a
 * file is renamed, so that an open after a crash in between does the rest.
 */
export function finishLane(core: StoreCore, row: CatalogRow): void {
  const lane = core.layout.lane(row.hash, row.lane!);
  const complete = core.layout.complete(row.hash);
  renameUnlessDone(core, lane.outboard, complete.outboard);
  renameUnlessDone(core, lane.data, complete.data);
  const whole = core.completeRow(row.hash, row.size, { before: row, described: {} });
  const children = core.childrenIn(whole, () => Deno.readFileSync(complete.data));
  core.change(row, whole, () => core.catalog.setChildren(row.hash, children));
}

function renameUnlessDone(core: StoreCore, from: string, to: string): void {
  try {
    core.files.rename(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    // An earlier attempt renamed it.
    Deno.statSync(to);
  }
}
