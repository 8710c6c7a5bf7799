/** What users and timers ask of the store as a whole: verification and garbage collection. */
import { equalBytes } from "../../src/core/bytes.ts";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { groupCountOf } from "../bao/geometry.ts";
import { hashBytes, type HashPool } from "../bao/mod.ts";
import type { GarbageReport, VerifyReport } from "./blob_store.ts";
import type { CatalogRow } from "./catalog.ts";
import { checkFiles } from "./check.ts";
import { demote } from "./demotion.ts";
import type { Ingests } from "./ingests.ts";
import type { BlobFiles } from "./layout.ts";
import type { StoreCore } from "./store_core.ts";
import { absentError } from "./store_error.ts";

/** Blobs dropped between two pauses of a collection. */
const DROP_BATCH = 128;

/** Options of a verification. */
export interface VerifyOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (bytes: number) => void;
}

/** What maintenance needs of the rest of the store. */
export interface MaintenanceParts {
  readonly core: StoreCore;
  readonly ingests: Ingests;
  readonly hashPool: () => HashPool;
}

/** Reads every held byte of a blob again. See `BlobStore.verify`. */
export async function verifyBlob(
  parts: MaintenanceParts,
  hash: Hash,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { core } = parts;
  const row = core.catalog.get(hash);
  if (row === undefined) throw absentError(hash, "verify");
  const release = core.hold(hash);
  try {
    return await verifyHeld(parts, row, options);
  } finally {
    release();
  }
}

async function verifyHeld(
  parts: MaintenanceParts,
  row: CatalogRow,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { core, ingests } = parts;
  const { hash } = row;
  const held = ingests.groupsOf(hash) ?? row.groups;
  const good = await goodGroups(parts, { ...row, groups: held }, options);
  const bad = held.subtract(good);
  const now = core.catalog.get(hash);
  const isUntouched = now?.lane === row.lane && now?.path === row.path &&
    now?.addedMs === row.addedMs;
  if (!bad.isEmpty && isUntouched) {
    if (!ingests.forget(hash, bad)) await demote(core, now!, now!.groups.subtract(bad));
  }
  return { hash, size: row.size, good, bad };
}

/** See `BlobStore.learnSha256`. Files that somebody else may write are read with their guard instead. */
export async function learnSha256(
  { core, hashPool }: MaintenanceParts,
  hash: Hash,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Sha256 | undefined> {
  const row = core.catalog.get(hash);
  if (row === undefined) return undefined;
  if (row.attributes.sha256 !== undefined) return row.attributes.sha256;
  const isOurs = row.storage === "owned" && row.guard === undefined && row.path === undefined;
  if (row.state !== "complete" || !isOurs || row.lane !== undefined) return undefined;
  const release = core.hold(hash);
  try {
    const sha256 = await hashPool().sha256OfFile(core.layout.complete(hash).data, options);
    const now = core.catalog.get(hash);
    if (now?.state !== "complete" || now.addedMs !== row.addedMs) return undefined;
    core.describe(now, { sha256 });
    return sha256;
  } finally {
    release();
  }
}

/** Removes what nothing keeps. See `BlobStore.collectGarbage`. */
export async function collectGarbage(
  core: StoreCore,
  options: { readonly dryRun?: boolean },
): Promise<GarbageReport> {
  const garbage = core.catalog.garbage([...core.readers.keys(), ...core.ingesting]);
  if (options.dryRun === true) return reportOf(garbage);
  const removed: typeof garbage = [];
  for (let first = 0; first < garbage.length; first += DROP_BATCH) {
    const batch = garbage.slice(first, first + DROP_BATCH).flatMap((entry) => {
      const row = core.catalog.get(entry.hash);
      // It may have become wanted while an earlier batch was being removed.
      const isWanted = row === undefined || row.attributes.pinned || row.tags.length > 0 ||
        core.isBusy(row.hash);
      return isWanted ? [] : [{ entry, row }];
    });
    core.drop(...batch.map(({ row }) => row));
    removed.push(...batch.map(({ entry }) => entry));
    await core.removalsDone();
    // Lets the rest of the node have its turn.
    await core.clock.sleep(0);
  }
  return reportOf(removed);
}

function reportOf(
  entries: readonly { readonly hash: Hash; readonly size: number; readonly heldBytes: number }[],
): GarbageReport {
  return {
    removed: entries.map(({ hash, size }) => ({ hash, size })),
    bytes: entries.reduce((sum, { heldBytes }) => sum + heldBytes, 0),
  };
}

async function goodGroups(
  parts: MaintenanceParts,
  row: CatalogRow,
  options: VerifyOptions,
): Promise<RangeSet> {
  const { core } = parts;
  if (row.storage === "inline") {
    const bytes = core.catalog.inlineBytes(row.hash);
    const isGood = bytes !== undefined && hashBytes(bytes) === row.hash;
    return isGood ? row.groups : RangeSet.EMPTY;
  }
  if (row.state === "partial") {
    return await checkFiles(row, core.layout.lane(row.hash, row.lane!), options);
  }
  const complete = core.layout.complete(row.hash);
  const files = { ...complete, data: row.path ?? complete.data };
  if (await isWhole(parts, row, { files, options })) {
    return RangeSet.of(0, groupCountOf(row.size));
  }
  return await checkFiles(row, files, options);
}

/** Hashes the whole file, which is faster than group by group, and mends a damaged outboard. */
async function isWhole(
  parts: MaintenanceParts,
  row: CatalogRow,
  { files, options }: { readonly files: BlobFiles; readonly options: VerifyOptions },
): Promise<boolean> {
  const { core } = parts;
  let hashed;
  try {
    hashed = await parts.hashPool().hashFile(files.data, options);
  } catch {
    options.signal?.throwIfAborted();
    return false;
  }
  if (hashed.hash !== row.hash) return false;
  if (!equalBytes(readOrNothing(files.outboard), hashed.parents)) {
    const temporary = core.layout.temporary();
    core.files.write(temporary, hashed.parents);
    core.files.rename(temporary, files.outboard);
  }
  if (row.attributes.sha256 === undefined) core.describe(row, { sha256: hashed.sha256 });
  return true;
}

function readOrNothing(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch {
    return new Uint8Array(0);
  }
}
