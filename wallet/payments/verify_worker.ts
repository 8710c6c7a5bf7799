/** The entry of a verifying worker thread. */
import { parentPort } from "node:worker_threads";
import { type FromVerifier, isProven, type ToVerifier } from "./verify_task.ts";

const port = parentPort!;

port.on("message", ({ claims }: ToVerifier) => {
  let isValid = false;
  try {
    // The first that does not prove itself ends it: forgers must not make us work.
    isValid = claims.every(isProven);
  } catch {
    // What cannot be looked at is not valid.
  }
  say({ kind: "done", isValid });
});

say({ kind: "ready" });

function say(message: FromVerifier): void {
  port.postMessage(message);
}
