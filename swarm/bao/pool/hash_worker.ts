/** The entry of a hashing worker thread. */
import { parentPort } from "node:worker_threads";
import { isSeedmintError, messageOf } from "../../../src/core/errors.ts";
import { PROGRESS_BYTES } from "../limits.ts";
import { runHashTask } from "./hash_task.ts";
import type { FromWorker, HashTaskResult, ToWorker } from "./messages.ts";

const port = parentPort!;

port.on("message", ({ task, cancelled }: ToWorker) => {
  try {
    const run = runHashTask(task);
    let toldBytes = 0;
    for (let step = run.next();; step = run.next()) {
      if (step.done) {
        const result = step.value;
        say({ kind: "done", result }, buffersOf(result));
        return;
      }
      if (Atomics.load(cancelled, 0) !== 0) {
        run.return({});
        say({ kind: "cancelled" });
        return;
      }
      if (step.value - toldBytes >= PROGRESS_BYTES) {
        toldBytes = step.value;
        say({ kind: "progress", bytes: toldBytes });
      }
    }
  } catch (error) {
    const code = isSeedmintError(error) ? error.code : "storage";
    const message = isSeedmintError(error)
      ? error.message
      : `Cannot hash ${task.path}: ${messageOf(error)}`;
    say({ kind: "failed", code, message });
  }
});

function say(message: FromWorker, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}

/** What can be handed over instead of copied. */
function buffersOf({ subtree, sha256 }: HashTaskResult): ArrayBuffer[] {
  const parts = [subtree?.cv, subtree?.parents, sha256];
  return parts.flatMap((part) => part === undefined ? [] : [part.buffer]);
}
