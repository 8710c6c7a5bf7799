import { deepEqual, rejects } from "node:assert/strict";
import { Turns } from "../../../swarm/requester/turns.ts";

Deno.test("Turns gives one at a time, in the order of coming", async () => {
  const turns = new Turns();
  const log: string[] = [];
  await Promise.all(["a", "b", "c"].map(async (name) => {
    using _turn = await turns.take();
    log.push(`${name} in`);
    await Promise.resolve();
    log.push(`${name} out`);
  }));
  deepEqual(log, ["a in", "a out", "b in", "b out", "c in", "c out"]);
});

Deno.test("Turns lets the next one in when somebody gives up waiting", async () => {
  const turns = new Turns();
  const first = await turns.take();
  const gone = turns.take(() => Promise.reject(new Error("gone")));
  const last = turns.take();
  await rejects(gone, /gone/);
  let isIn = false;
  void last.then(() => isIn = true);
  await Promise.resolve();
  deepEqual(isIn, false);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  (await last)[Symbol.dispose]();
});
