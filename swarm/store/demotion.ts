/** From complete, or more, to what is still good. */
import type { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES } from "../bao/geometry.ts";
import type { CatalogRow } from "./catalog.ts";
import { fileSizeOf, PositionalFile } from "./files.ts";
import { bytesInGroups } from "./group_bytes.ts";
import type { BlobFiles } from "./layout.ts";
import { PIECE_BYTES } from "./limits.ts";
import type { StoreCore } from "./store_core.ts";

/**
 * Makes a blob partial with `good` alone, or absent if nothing is good. A file that somebody else
 * may write is left alone: what is good of it is copied into the store, if there is room.
 */
export async function demote(core: StoreCore, row: CatalogRow, good: RangeSet): Promise<void> {
  if (good.isEmpty || row.storage === "inline") return core.drop(row);
  if (row.guard !== undefined) return await copyGood(core, row, good);
  const lane = row.lane ?? `${row.size}-${core.clock.nowMs()}`;
  // The record first: a crash between the two leaves a partial blob whose files have final names,
  // which the next open moves.
  core.change(row, { ...partialRow(row, good), lane });
  if (row.lane === undefined) moveToLane(core, { ...row, lane });
}

/** Gives files that have final names those of the lane that the record says. */
export function moveToLane(core: StoreCore, row: CatalogRow): void {
  const lane = core.layout.lane(row.hash, row.lane!);
  const complete = core.layout.complete(row.hash);
  for (const kind of ["data", "outboard"] as const) {
    if (fileSizeOf(lane[kind]) === undefined && fileSizeOf(complete[kind]) !== undefined) {
      core.files.rename(complete[kind], lane[kind]);
    }
  }
}

function partialRow(row: CatalogRow, good: RangeSet): CatalogRow {
  return {
    ...row,
    state: "partial",
    groups: good,
    syncedGroups: row.synced ? good : row.syncedGroups.intersect(good),
    synced: false,
    heldBytes: bytesInGroups(row.size, good),
  };
}

async function copyGood(core: StoreCore, row: CatalogRow, good: RangeSet): Promise<void> {
  const heldBytes = bytesInGroups(row.size, good);
  const source = core.layout.complete(row.hash);
  try {
    core.reserve(heldBytes);
  } catch {
    return core.drop(row);
  }
  try {
    const lane = core.newLane(row.hash, row.size);
    const target = core.layout.lane(row.hash, lane);
    await copyGroups(core, { from: { ...source, data: row.path ?? source.data }, to: target }, {
      size: row.size,
      groups: good,
    });
    const oldFiles = core.filesOf(row);
    const { path: _path, guard: _guard, ...rest } = partialRow(row, good);
    core.change(
      row,
      { ...rest, storage: "owned", lane, path: undefined, guard: undefined },
      () => {
        core.catalog.removeDebris(...core.toDebris([target.data, target.outboard]));
        core.catalog.addDebris(...core.toDebris(oldFiles));
      },
    );
    core.sweep(oldFiles);
  } finally {
    core.release(heldBytes);
  }
}

async function copyGroups(
  core: StoreCore,
  files: { readonly from: BlobFiles; readonly to: BlobFiles },
  blob: { readonly size: number; readonly groups: RangeSet },
): Promise<void> {
  core.files.write(files.to.outboard, await Deno.readFile(files.from.outboard));
  using from = new PositionalFile(files.from.data, { read: true });
  using to = core.files.openExisting(files.to.data);
  const piece = new Uint8Array(PIECE_BYTES);
  for (const range of blob.groups) {
    const end = Math.min(range.end * GROUP_BYTES, blob.size);
    for (let offset = range.start * GROUP_BYTES; offset < end;) {
      const count = await from.readAt(
        offset,
        piece.subarray(0, Math.min(piece.length, end - offset)),
      );
      if (count === 0) throw new Error(`the file lost bytes at ${offset}`);
      to.writeAt(offset, piece.subarray(0, count));
      offset += count;
    }
  }
}
