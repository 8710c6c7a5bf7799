/** A node that lends and rents has one key: its two inboxes leave each other's messages alone. */
import assert from "node:assert/strict";
import { buildAnswer } from "../../../provisioning/wire/mod.ts";
import { CAROL_SECRET, PostWorld } from "../../support/provisioning/post_world.ts";

Deno.test("a provider answers no answers, not even those that look like requests", async () => {
  await using world = new PostWorld();
  await using one = await world.start();
  const expiresMs = world.leases.clock.nowMs() + 1000;
  const status = {
    type: "status",
    lease: "container-1000",
    status: "Running",
    expiresMs,
    remainingS: 1,
    cpuMillicores: 1,
    memoryMb: 1,
    sshHost: "203.0.113.9",
    sshPort: 31000,
    sshUsername: "root",
  } as const;
  const answers = [
    status,
    { type: "error", error: "not_found", message: "No such lease" },
    { type: "topup", lease: "container-1000", extendedS: 1, expiresMs, message: "ok" },
    { type: "stop", lease: "container-1000", endedMs: expiresMs },
  ] as const;
  for (const kind of ["nip04", "nip17"] as const) {
    for (const answer of answers) await world.send(buildAnswer(answer), CAROL_SECRET, kind);
  }
  await world.pass(2_000);
  assert.equal(one.post.status().handledCount, 2 * answers.length);
  assert.deepEqual(await world.received(CAROL_SECRET), []);
  await world.send(`{"pod_id":"1000"}`, CAROL_SECRET, "nip17");
  await world.pass(2_000);
  assert.equal((await world.received(CAROL_SECRET))[0]?.answer?.type, "error");
});
