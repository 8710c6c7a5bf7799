import assert from "node:assert/strict";
import { runVerb } from "../../devnet/processes.ts";
import { Bench, ok, testBytes } from "./support.ts";

Deno.test("start comes up while status is asked again and again, and then answers it", async () => {
  await using bench = await Bench.open();
  const data = ["--data", bench.path("data")];
  // Two loops, so that one of them nearly always has the store when the node wants it.
  let isUp = false;
  const codes = new Set<number>();
  let askedCount = 0;
  const ask = async () => {
    while (!isUp) {
      codes.add((await runVerb("status", ...data)).code);
      askedCount++;
    }
  };
  const asking = [ask(), ask()];
  try {
    const { ready } = await bench.node("data");
    const status = await ok("status", ...data);
    assert.deepEqual([status.running, status.peerId], [true, ready.peerId]);
  } finally {
    isUp = true;
    await Promise.all(asking);
  }
  assert.deepEqual([...codes], [0]);
  assert.ok(askedCount >= 2);
});

Deno.test("verbs that work alone at the same time all succeed", async () => {
  await using bench = await Bench.open();
  const data = ["--data", bench.path("data")];
  const names = ["one", "two", "three"];
  for (const [seed, name] of names.entries()) {
    await Deno.writeFile(bench.path(name), testBytes(3 << 20, seed + 1));
  }
  const added = await Promise.all(names.map((name) => ok("add", bench.path(name), ...data)));
  const listed = (await runVerb("ls", ...data)).lines.map((line) => line.hash);
  assert.deepEqual(listed.sort(), added.map((line) => line.hash).sort());
});

Deno.test("a node and a verb that wait for the same lock both get on", async () => {
  await using bench = await Bench.open();
  const data = ["--data", bench.path("data")];
  await Deno.mkdir(bench.path("data/store"), { recursive: true, mode: 0o700 });
  await Deno.chmod(bench.path("data"), 0o700);
  const lock = await Deno.open(bench.path("data/store/lock"), { create: true, write: true });
  assert.equal(await lock.tryLock(true), true);
  const waiting = [bench.node("data"), ok("status", ...data)] as const;
  setTimeout(() => lock.close(), 1000);
  const [{ ready }, status] = await Promise.all(waiting);
  assert.equal(status.peerId, ready.peerId);
});
