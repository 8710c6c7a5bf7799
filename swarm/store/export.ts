/** Writing a blob to a file of the user's: under a temporary name first, then renamed. */
import { basename, dirname, join } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";
import type { BlobReader } from "./blob_store.ts";
import { PIECE_BYTES } from "./limits.ts";
import { storageError } from "./store_error.ts";

/** Options of an export. */
export interface ExportOptions {
  readonly signal?: AbortSignal;
  /** Replace a file that exists. @default {false} */
  readonly overwrite?: boolean;
}

/** Makes temporary names unique within this process. */
let exportCount = 0;

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
  const temporary = join(dirname(path), `.${basename(path)}.${Deno.pid}-${++exportCount}.tmp`);
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
