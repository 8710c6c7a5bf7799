/** Small files that must be whole or absent, and the room below a path. */
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { SeedmintError } from "../../src/core/errors.ts";
import { mustRun } from "./command.ts";
import { SYNC_MS_MAX } from "./limits.ts";

/** Writes a file that is there in full or not at all, also after a crash of the machine. */
export async function writeWhole(path: string, text: string, mode = 0o600): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}.new`;
  {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  }
  await Deno.rename(temporary, path);
  using folder = await Deno.open(dirname(path), { read: true });
  await folder.sync();
}

/** The text of a file, or undefined if there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new SeedmintError("storage", `Cannot read ${path}`, { cause: error, retryable: true });
  }
}

/** Whether something is at `path`; a symbolic link counts as itself. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Removes a file or a tree; fine when it is gone. */
export async function removeTree(path: string): Promise<void> {
  try {
    await Deno.remove(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Writes out all that waits in memory for the file system that `path` is on: for a tree of many files at
 * once what `sync()` is for one.
 */
export async function syncDisk(
  path: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  await mustRun(["sync", "-f", path], { ...options, timeoutMs: SYNC_MS_MAX });
}

/** What a file system has. */
export interface DiskFacts {
  /** For us. */
  readonly freeBytes: number;
  readonly usedBytes: number;
  /** How many more files and directories it can hold; without end where it does not count them. */
  readonly freeFileCount: number;
  /** How many it can hold in all; without end alike. */
  readonly fileCountMax: number;
}

/** The room of the file system that `path` is on. */
export async function diskOf(path: string): Promise<DiskFacts> {
  const facts = await statfs(path);
  return {
    freeBytes: facts.bavail * facts.bsize,
    usedBytes: (facts.blocks - facts.bfree) * facts.bsize,
    freeFileCount: facts.files === 0 ? Infinity : facts.ffree,
    fileCountMax: facts.files === 0 ? Infinity : facts.files,
  };
}
