/**
 * What happens at open, so that every blob is whole, truly partial, or absent, whatever happened to
 * the process or the machine before. See docs/adr/0002-crash-safety.md.
 */
import { join } from "node:path";
import { isHash } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { groupCountOf, outboardSizeOf } from "../bao/geometry.ts";
import type { CatalogRow } from "./catalog.ts";
import { checkFiles } from "./check.ts";
import { finishLane } from "./completion.ts";
import { demote, moveToLane } from "./demotion.ts";
import { fileSizeOf } from "./files.ts";
import { compareFingerprints, fingerprintOf, parseGuard } from "./guard.ts";
import type { BlobFiles } from "./layout.ts";
import { fromDebris, type StoreCore } from "./store_core.ts";

/** Name of the fact that tells which boot of the machine wrote last. */
const BOOT_FACT = "boot_id";

/** What {@link recover} did. */
export interface RecoveryReport {
  /** Blobs read again because the machine stopped before they were on stable storage. */
  readonly checkedCount: number;
  /** Blobs that lost groups or went away. */
  readonly damagedCount: number;
}

/** Brings files and records in line. `bootId` is undefined where the system tells none. */
export async function recover(
  core: StoreCore,
  bootId: string | undefined,
): Promise<RecoveryReport> {
  core.layout.emptyTemporary();
  const debris = core.catalog.debris();
  core.sweep(debris.map((path) => fromDebris(core.layout, path)));
  const isSameBoot = bootId !== undefined && core.catalog.fact(BOOT_FACT) === bootId;
  let damagedCount = dropChanged(core);
  for (const row of core.catalog.partials()) {
    if (!settlePartial(core, row)) damagedCount++;
  }
  let checkedCount = 0;
  if (!isSameBoot) {
    damagedCount += dropMissing(core);
    removeOrphans(core);
    for (const row of core.catalog.notSynced()) {
      checkedCount++;
      if (!await recheck(core, row)) damagedCount++;
    }
    core.catalog.database.transaction(() => core.catalog.setFact(BOOT_FACT, bootId ?? ""));
  }
  return { checkedCount, damagedCount };
}

/** The id of this boot of the machine, where the kernel tells it and reading is allowed. */
export function readBootId(): string | undefined {
  const path = "/proc/sys/kernel/random/boot_id";
  try {
    // Never worth a question to the user.
    if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return undefined;
    return Deno.readTextFileSync(path).trim();
  } catch {
    return undefined;
  }
}

/** In-place and linked files that changed while no process watched. */
function dropChanged(core: StoreCore): number {
  let count = 0;
  for (const row of core.catalog.guarded()) {
    if (isUnchanged(row, row.path ?? core.layout.complete(row.hash).data)) continue;
    core.drop(row);
    count++;
  }
  return count;
}

function isUnchanged(row: CatalogRow, path: string): boolean {
  try {
    const now = fingerprintOf(Deno.statSync(path));
    return compareFingerprints(parseGuard(row.guard!), now).result !== "changed";
  } catch {
    // Gone, or not to be read by us: either way it cannot be served.
    return false;
  }
}

/** Finishes or undoes what a dead process was renaming. Returns whether the blob is as recorded. */
function settlePartial(core: StoreCore, row: CatalogRow): boolean {
  const isFull = row.groups.count === groupCountOf(row.size);
  if (!isFull) moveToLane(core, row);
  const lane = core.layout.lane(row.hash, row.lane!);
  const complete = core.layout.complete(row.hash);
  const isThere = isFull
    ? hasEither(lane.data, complete.data) && hasEither(lane.outboard, complete.outboard)
    : hasAll(lane);
  if (!isThere) {
    core.drop(row);
    return false;
  }
  if (isFull) finishLane(core, row);
  return true;
}

/** After a power loss names may be gone that the database knows. */
function dropMissing(core: StoreCore): number {
  let count = 0;
  for (const row of core.catalog.withFiles()) {
    if (row.state === "partial") continue;
    const files = core.layout.complete(row.hash);
    const isThere = fileSizeOf(row.path ?? files.data) === row.size &&
      fileSizeOf(files.outboard) === outboardSizeOf(row.size);
    if (isThere) continue;
    core.drop(row);
    count++;
  }
  return count;
}

/** Reads again what may not have reached the disk. Returns whether all of it is good. */
async function recheck(core: StoreCore, row: CatalogRow): Promise<boolean> {
  const own = row.lane === undefined
    ? core.layout.complete(row.hash)
    : core.layout.lane(row.hash, row.lane);
  const files = { ...own, data: row.path ?? own.data };
  const doubtful = row.groups.subtract(row.syncedGroups);
  const good = row.syncedGroups.union(await checkFiles({ ...row, groups: doubtful }, files));
  // What was read after a boot came from the disk.
  if (good.equals(row.groups)) {
    core.change(row, {
      ...row,
      synced: row.state === "complete",
      syncedGroups: row.state === "complete" ? RangeSet.EMPTY : good,
    });
    return true;
  }
  await demote(core, row, good);
  return false;
}

/** After a power loss files may be there that the database does not know. */
function removeOrphans(core: StoreCore): void {
  for (const folder of Deno.readDirSync(core.layout.blobsDirectory)) {
    if (!folder.isDirectory) continue;
    const directory = join(core.layout.blobsDirectory, folder.name);
    for (const { name } of Deno.readDirSync(directory)) {
      const hash = name.slice(0, 64);
      const row = isHash(hash) ? core.catalog.get(hash) : undefined;
      const path = join(directory, name);
      if (row !== undefined && core.filesOf(row).includes(path)) continue;
      core.files.remove(path);
    }
  }
}

function hasAll(files: BlobFiles): boolean {
  return fileSizeOf(files.data) !== undefined && fileSizeOf(files.outboard) !== undefined;
}

function hasEither(a: string, b: string): boolean {
  return fileSizeOf(a) !== undefined || fileSizeOf(b) !== undefined;
}
