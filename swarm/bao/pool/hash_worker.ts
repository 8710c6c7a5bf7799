/** The entry of a hashing worker thread. */
import { parentPort } from "node:worker_threads";
import { isSeedmintError, messageOf } from "../../../src/core/errors.ts";
import { PROGRESS_BYTES } from "../limits.ts";
import { runHashTask } from "./hash_task.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

const port = parentPort!;

port.on("message", ({ task, cancelled }: ToWorker) => {
  try {
    const run = runHashTask(task);
    let toldBytes = 0;
    for (let step = run.next();; step = run.next()) {
      if (step.done) {
        const result = step.value;
        say({ kind: "done", result }, [result.cvs.buffer, result.sha256.buffer]);
        return;
      }
      if (Atomics.load(cancelled, 0) !== 0) {
        run.return({ cvs: new Uint8Array(0), sha256: new Uint8Array(0) });
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
