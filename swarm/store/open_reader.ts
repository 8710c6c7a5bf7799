/** Opening a blob for reading, and noticing that it is not what it was. */
import type { Hash } from "../../src/core/hash.ts";
import type { BlobReader } from "./blob_store.ts";
import type { CatalogRow } from "./catalog.ts";
import { checkFiles } from "./check.ts";
import { FileBytes, InlineBytes, type OpenBytes, StoreReader } from "./file_reader.ts";
import type { PositionalFile } from "./files.ts";
import { compareFingerprints, fingerprintOf, parseGuard } from "./guard.ts";
import type { BlobFiles } from "./layout.ts";
import { type MaintenanceParts, verifyBlob } from "./maintenance.ts";
import type { StoreCore } from "./store_core.ts";
import { absentError, storageError } from "./store_error.ts";

/** See `BlobStore.openReader`. */
export async function openBlobReader(parts: MaintenanceParts, hash: Hash): Promise<BlobReader> {
  const { core, ingests } = parts;
  let row = core.catalog.get(hash);
  if (row === undefined) throw absentError(hash, "read");
  const release = core.hold(hash);
  try {
    core.touch(row);
    if (row.guard !== undefined) await trustGuarded(core, row);
    if (row.state === "complete" && isResized(core, row)) {
      await verifyBlob(parts, hash, {});
      row = core.catalog.get(hash);
      if (row === undefined) throw absentError(hash, "read", "its file was damaged");
    }
    const groups = ingests.groupsOf(hash) ?? row.groups;
    return new StoreReader({ hash, size: row.size, groups }, openBytes(core, row), {
      onRead: (count) => void (core.counters.readBytes += count),
      onClose: release,
    });
  } catch (error) {
    release();
    if (error instanceof Deno.errors.NotFound) {
      dropIfSame(core, row);
      throw absentError(hash, "read", "its file is gone");
    }
    throw storageError(`read blob ${hash}`, error);
  }
}

function filesFor(core: StoreCore, row: CatalogRow): BlobFiles {
  if (row.lane !== undefined) return core.layout.lane(row.hash, row.lane);
  const complete = core.layout.complete(row.hash);
  return { ...complete, data: row.path ?? complete.data };
}

function openBytes(core: StoreCore, row: CatalogRow): OpenBytes {
  if (row.storage === "inline") {
    const bytes = core.catalog.inlineBytes(row.hash);
    if (bytes === undefined) throw new Deno.errors.NotFound("the bytes are not in the database");
    return new InlineBytes(bytes);
  }
  const files = filesFor(core, row);
  const data = core.files.openReadOnly(files.data, core.clock);
  let outboard: PositionalFile;
  try {
    outboard = core.files.openReadOnly(files.outboard, core.clock);
  } catch (error) {
    data[Symbol.dispose]();
    throw error;
  }
  const guard = row.guard === undefined
    ? undefined
    : parseGuard(core.catalog.get(row.hash)!.guard!);
  return new FileBytes({
    hash: row.hash,
    size: row.size,
    data,
    outboard,
    ...(guard === undefined ? {} : { guard }),
    onChanged: () => dropIfSame(core, row),
  });
}

/**
 * Makes sure that a file which somebody else may write is still what was hashed.
 *
 * @throws {SeedmintError} `not-found` with the reason if it is not; the blob is absent then.
 */
async function trustGuarded(core: StoreCore, row: CatalogRow): Promise<void> {
  const files = filesFor(core, row);
  const now = fingerprintOf(await Deno.stat(files.data));
  const comparison = compareFingerprints(parseGuard(row.guard!), now);
  if (comparison.result === "same") return;
  let reason = comparison.result === "changed" ? comparison.reason : "its content changed";
  if (comparison.result === "unsure") {
    const good = await checkFiles(row, files);
    const isStill = compareFingerprints(now, fingerprintOf(await Deno.stat(files.data)));
    if (good.equals(row.groups) && isStill.result === "same") {
      const guard = JSON.stringify(now);
      core.catalog.database.transaction(() => core.catalog.setGuard(row.hash, guard));
      return;
    }
    if (isStill.result === "changed") reason = isStill.reason;
  }
  dropIfSame(core, row);
  const name = row.path ?? "the file that was linked";
  throw absentError(
    row.hash,
    "read",
    `${name} changed since it was added: ${reason}; add it again`,
  );
}

function isResized(core: StoreCore, row: CatalogRow): boolean {
  if (row.storage === "inline") return false;
  return Deno.statSync(filesFor(core, row).data).size !== row.size;
}

/** Makes a blob absent unless it was replaced meanwhile. */
function dropIfSame(core: StoreCore, row: CatalogRow | undefined): void {
  const now = row === undefined ? undefined : core.catalog.get(row.hash);
  if (now === undefined || now.addedMs !== row!.addedMs || now.path !== row!.path) return;
  if (now.lane !== row!.lane || core.ingesting.has(now.hash)) return;
  core.drop(now);
}
