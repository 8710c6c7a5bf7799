/** Writing a blob to a file of the user's: under a temporary name first, then renamed. */
import { basename, dirname, join } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";
import type { BlobReader, ExportOptions } from "./blob_store.ts";
import type { CatalogRow } from "./catalog.ts";
import {
  compareFingerprints,
  type Fingerprint,
  fingerprintOf,
  settledFingerprint,
} from "./guard.ts";
import { PIECE_BYTES } from "./limits.ts";
import type { StoreCore } from "./store_core.ts";
import { storageError } from "./store_error.ts";

/** How many characters of a file's name, of up to four bytes each, its temporary name shows. */
const NAME_CHARS_KEPT = 40;

/** Makes temporary names unique within this process. */
let exportCount = 0;

/** Exports a complete blob of the store on disk, the quickest way that its storage allows. */
export async function exportBlob(
  core: StoreCore,
  blob: { readonly row: CatalogRow; readonly reader: BlobReader; readonly path: string },
  options: ExportOptions,
): Promise<void> {
  const { row, reader, path } = blob;
  if (row.storage !== "owned" || row.guard !== undefined) {
    return await writeExport(reader, path, options);
  }
  const { data } = core.layout.complete(row.hash);
  if (options.mode === "link" && await linkExport(core, { row, data, path }, options)) return;
  await exportThrough(path, options, async (temporary) => {
    await Deno.copyFile(data, temporary);
    await giveUserMode(temporary);
  });
}

/** Writes all of `reader`, a complete blob, to `path`. */
export async function writeExport(
  reader: BlobReader,
  path: string,
  options: ExportOptions = {},
): Promise<void> {
  await exportThrough(path, options, async (temporary) => {
    using file = await Deno.open(temporary, { write: true, createNew: true });
    const buffer = new Uint8Array(Math.min(PIECE_BYTES, Math.max(1, reader.size)));
    for (let offset = 0; offset < reader.size;) {
      options.signal?.throwIfAborted();
      const count = await reader.read(offset, buffer);
      for (let done = 0; done < count;) done += await file.write(buffer.subarray(done, count));
      offset += count;
    }
  });
}

/**
 * Gives the store's own file a second name. From then on its user may change it, so it is watched
 * like one that was linked in. Returns false where the file system cannot link.
 */
async function linkExport(
  core: StoreCore,
  blob: { readonly row: CatalogRow; readonly data: string; readonly path: string },
  options: ExportOptions,
): Promise<boolean> {
  const { row, data, path } = blob;
  try {
    let before: Fingerprint | undefined;
    await exportThrough(path, options, async (temporary) => {
      await Deno.link(data, temporary);
      // Watched before the user's name exists, so that no change can slip in between.
      await giveUserMode(temporary);
      before = await settledFingerprint(data, { ...options, clock: core.clock });
      setGuard(core, row, before);
    });
    // Naming the file moved its change time, which alone means nothing.
    const now = fingerprintOf(await Deno.stat(data));
    if (compareFingerprints(before!, now).result === "unsure") setGuard(core, row, now);
    return true;
  } catch (error) {
    if (
      error instanceof SeedmintError && /os error 18|os error 95|os error 1\)/.test(error.message)
    ) {
      return false;
    }
    throw error;
  }
}

/** Permissions as of a new file. Reading the mask itself would need a permission of its own. */
async function giveUserMode(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  const sample = `${path}.mode`;
  const { mode } = await Deno.open(sample, { write: true, createNew: true }).then(async (file) => {
    using _ = file;
    return await file.stat();
  });
  await Deno.remove(sample);
  await Deno.chmod(path, mode! & 0o777);
}

function setGuard(core: StoreCore, row: CatalogRow, fingerprint: Fingerprint): void {
  const guard = JSON.stringify(fingerprint);
  core.catalog.database.transaction(() => core.catalog.setGuard(row.hash, guard));
}

/**
 * Lets `write` make a file under a temporary name beside `path`, then gives it its name. Whatever
 * fails, neither a half-written file nor a changed old one is left.
 *
 * @throws {SeedmintError} `storage` if `path` exists and may not be replaced.
 */
export async function exportThrough(
  path: string,
  options: ExportOptions,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  // A name may be as long as the file system takes, and the temporary one is longer.
  const shown = [...basename(path)].slice(0, NAME_CHARS_KEPT).join("");
  const temporary = join(dirname(path), `.${shown}.${Deno.pid}-${++exportCount}.tmp`);
  try {
    options.signal?.throwIfAborted();
    await write(temporary);
    options.signal?.throwIfAborted();
    if (options.overwrite === true) await Deno.rename(temporary, path);
    else {
      // A link fails where a rename would replace, without a moment between check and effect.
      await linkNew(temporary, path);
      await Deno.remove(temporary);
    }
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    options.signal?.throwIfAborted();
    throw storageError(`write ${path}`, error);
  }
}

async function linkNew(temporary: string, path: string): Promise<void> {
  try {
    await Deno.link(temporary, path);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      // File systems without links: the check comes a moment before the rename.
      if (await exists(path)) throw existsError(path);
      await Deno.rename(temporary, path);
      await Deno.writeFile(temporary, new Uint8Array(0));
      return;
    }
    throw existsError(path);
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch {
    return false;
  }
}

function existsError(path: string): SeedmintError {
  return new SeedmintError(
    "storage",
    `Cannot write ${path}: it exists; choose another path or allow overwriting`,
  );
}
