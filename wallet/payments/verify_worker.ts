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

warmUp();
say({ kind: "ready" });

/** The first proof takes many times as long as those after it: this is none that anybody waits for. */
function warmUp(): void {
  const point = `02${"79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"}`;
  const one = "1".padStart(64, "0");
  const proof = {
    keysetId: "",
    amount: 1n,
    secret: "",
    C: point,
    dleq: { e: one, s: one, r: one },
  };
  for (let count = 0; count < 3; count++) isProven({ proof, key: point });
}

function say(message: FromVerifier): void {
  port.postMessage(message);
}
