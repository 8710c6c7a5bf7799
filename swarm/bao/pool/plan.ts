/** How the hashing of one file is divided, and how far it is. */
import { GROUP_BYTES, groupCountOf } from "../geometry.ts";
import { ONE_PASS_BYTES_MAX, SEGMENT_GROUPS } from "../limits.ts";
import type { FileState, HashTask } from "./messages.ts";

/** How a file is divided: in one pass if it is small or there is no second thread. */
export function tasksFor(path: string, file: FileState, workerCountMax: number): HashTask[] {
  const groupCount = groupCountOf(file.size);
  const whole = { path, file, startGroup: 0, endGroup: groupCount };
  if (file.size <= ONE_PASS_BYTES_MAX || workerCountMax < 2) {
    return [{ ...whole, blake3: true, sha256: true }];
  }
  const tasks: HashTask[] = [{ ...whole, blake3: false, sha256: true }];
  for (let startGroup = 0; startGroup < groupCount; startGroup += SEGMENT_GROUPS) {
    const endGroup = Math.min(startGroup + SEGMENT_GROUPS, groupCount);
    tasks.push({ path, file, startGroup, endGroup, blake3: true, sha256: false });
  }
  return tasks;
}

/** Bytes that `task` reads. */
export function bytesOfTask(task: HashTask): number {
  return Math.min(task.file.size, task.endGroup * GROUP_BYTES) - task.startGroup * GROUP_BYTES;
}

/** Bytes hashed both ways, from what the tasks of one file tell. */
export class Progress {
  readonly #onProgress: ((bytes: number) => void) | undefined;
  /** What each task told last. */
  readonly #bytes = new Map<HashTask, number>();
  #blake3Bytes = 0;
  #sha256Bytes = 0;

  constructor(onProgress: ((bytes: number) => void) | undefined) {
    this.#onProgress = onProgress;
  }

  tell(task: HashTask, bytes: number): void {
    const more = bytes - (this.#bytes.get(task) ?? 0);
    if (more === 0) return;
    this.#bytes.set(task, bytes);
    if (task.blake3) this.#blake3Bytes += more;
    if (task.sha256) this.#sha256Bytes += more;
    this.#onProgress?.(Math.min(this.#blake3Bytes, this.#sha256Bytes));
  }
}
