/** One piece of hashing a file: what a worker does, and what a pool without workers does itself. */
import { createHash } from "node:crypto";
import { SeedmintError } from "../../../src/core/errors.ts";
import { GROUP_BYTES, groupCountOf } from "../geometry.ts";
import { CV_BYTES, kernel } from "../kernel/mod.ts";
import { subtreeOfCvs } from "../tree.ts";
import { fileStateOf, type HashTask, type HashTaskResult } from "./messages.ts";

/**
 * Does `task`, one window of up to 1 MiB at a time, and yields the bytes done after each.
 *
 * @throws {SeedmintError} `storage` if the file changed since, or while it is read.
 * @throws {Deno.errors.NotFound} and its like, if the file cannot be read.
 */
export function* runHashTask(task: HashTask): Generator<number, HashTaskResult> {
  using file = Deno.openSync(task.path, { read: true });
  checkUnchanged(task, file);
  const start = task.startGroup * GROUP_BYTES;
  const end = Math.min(task.file.size, task.endGroup * GROUP_BYTES);
  if (start > 0) file.seekSync(start, Deno.SeekMode.Start);
  const cvs = new Uint8Array(task.blake3 ? (task.endGroup - task.startGroup) * CV_BYTES : 0);
  const sha256 = task.sha256 ? createHash("sha256") : undefined;
  for (let at = start; at < end || end === 0;) {
    const window = kernel.window.subarray(0, Math.min(kernel.window.length, end - at));
    fill(window, file, task);
    sha256?.update(window);
    if (task.blake3) hashWindow(window, at / GROUP_BYTES, task, cvs);
    at += window.length;
    yield at - start;
    if (end === 0) break;
  }
  checkUnchanged(task, file);
  const isRoot = cvs.length === groupCountOf(task.file.size) * CV_BYTES;
  return {
    ...(task.blake3 ? { subtree: subtreeOfCvs(cvs, isRoot) } : {}),
    ...(sha256 === undefined ? {} : { sha256: new Uint8Array(sha256.digest()) }),
  };
}

/** Puts the chaining values of the groups in `window`, the first of which is `index`, in `cvs`. */
function hashWindow(window: Uint8Array, index: number, task: HashTask, cvs: Uint8Array): void {
  const offset = (index - task.startGroup) * CV_BYTES;
  if (groupCountOf(task.file.size) === 1) {
    kernel.groupCv(window, 0, true, cvs, offset);
    return;
  }
  const fullCount = Math.floor(window.length / GROUP_BYTES);
  const fullBytes = fullCount * GROUP_BYTES;
  if (fullCount > 0) kernel.groupCvs(window.subarray(0, fullBytes), index, cvs, offset);
  if (fullBytes === window.length) return;
  const last = window.subarray(fullBytes);
  kernel.groupCv(last, index + fullCount, false, cvs, offset + fullCount * CV_BYTES);
}

function fill(window: Uint8Array, file: Deno.FsFile, task: HashTask): void {
  for (let filled = 0; filled < window.length;) {
    const count = file.readSync(window.subarray(filled));
    if (count === null) throw changed(task);
    filled += count;
  }
}

function checkUnchanged(task: HashTask, file: Deno.FsFile): void {
  const now = fileStateOf(file.statSync());
  const then = task.file;
  if (
    now.size !== then.size || now.modifiedMs !== then.modifiedMs || now.inode !== then.inode
  ) throw changed(task);
}

function changed(task: HashTask): SeedmintError {
  return new SeedmintError(
    "storage",
    `Cannot hash ${task.path}: it changed while being read; try again when nothing writes to it`,
    { retryable: true },
  );
}
