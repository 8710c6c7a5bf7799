/** How the hashing of one file is divided, and how far it is. */
import { groupCountOf } from "../geometry.ts";
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

/** Bytes hashed both ways, from what the tasks of one file tell. */
export class Progress {
  readonly #tasks: readonly HashTask[];
  readonly #bytes: number[];
  readonly #onProgress: ((bytes: number) => void) | undefined;

  constructor(tasks: readonly HashTask[], onProgress: ((bytes: number) => void) | undefined) {
    this.#tasks = tasks;
    this.#bytes = tasks.map(() => 0);
    this.#onProgress = onProgress;
  }

  tell(index: number, bytes: number): void {
    this.#bytes[index] = bytes;
    if (this.#onProgress === undefined) return;
    let blake3 = 0;
    let sha256 = 0;
    for (const [place, task] of this.#tasks.entries()) {
      if (task.blake3) blake3 += this.#bytes[place]!;
      if (task.sha256) sha256 += this.#bytes[place]!;
    }
    this.#onProgress(Math.min(blake3, sha256));
  }
}
