/** A provider over the real runc; started by runc_test.ts in namespaces of its own. */
import assert from "node:assert/strict";
import type { SpawnRequest } from "../../../provisioning/wire/mod.ts";
import { busyboxImage } from "../../support/provisioning/busybox_image.ts";
import { ALICE } from "../../support/provisioning/lease_world.ts";
import { bareToken, MemoryTill, safeToken } from "../../support/provisioning/memory_till.ts";
import { startRuncProvider } from "../../support/provisioning/runc_provider.ts";
import { stateFolder } from "../backends/runc/lab.ts";

const stateDir = await stateFolder();
globalThis.addEventListener("unload", () => Deno.removeSync(stateDir, { recursive: true }));
const image = await busyboxImage({
  entrypoint: ["/bin/sh", "-c"],
  cmd: ["echo ready; sleep 3600"],
});
const till = new MemoryTill();

const start = () => startRuncProvider(stateDir, { image, till });

function spawn(token: string): SpawnRequest {
  return {
    type: "spawn",
    token,
    image: "busybox",
    sshUsername: "user",
    sshPassword: "W9ZG2GIUOWiPkYID",
  };
}

Deno.test("a real lease outlives its provider, is topped up, and paid back when it is stopped", async () => {
  let lease: string;
  {
    await using one = await start();
    const access = await one.provider.ask(ALICE, spawn(safeToken("s1", 600)));
    assert.equal(access.type, "access", JSON.stringify(access));
    if (access.type !== "access") return;
    lease = access.lease;
    const exec = { type: "exec", lease, command: ["/bin/echo", "hello"], timeoutMs: 5000 } as const;
    const run = await one.provider.ask(ALICE, exec);
    assert.equal(run.type === "exec" && run.stdout, "hello\n", JSON.stringify(run));
  }
  await using two = await start();
  assert.equal(two.provider.leases()[0]?.state, "ready");
  assert.equal(await two.backend.state(lease), "running");
  const topUp = { type: "topup", lease, token: bareToken("t1", 60) } as const;
  const more = await two.provider.ask(ALICE, topUp);
  assert.equal(more.type === "topup" && more.extendedS, 60, JSON.stringify(more));
  const [instance] = await two.backend.list();
  assert.equal(instance?.expiresMs, more.type === "topup" && more.expiresMs);
  const stop = await two.provider.ask(ALICE, { type: "stop", lease });
  assert.equal(stop.type, "stop", JSON.stringify(stop));
  const refund = stop.type === "stop" ? stop.refund?.amountSat ?? 0 : 0;
  assert.ok(refund > 600 && refund < 660, String(refund));
  assert.equal(await two.backend.state(lease), "absent");
});

Deno.test("a real lease ends within five seconds of its time", async () => {
  await using one = await start();
  const access = await one.provider.ask(ALICE, spawn(bareToken("b1", 3)));
  assert.equal(access.type, "access", JSON.stringify(access));
  if (access.type !== "access") return;
  const number = one.provider.leases()[0]!.number;
  const lease = await one.provider.ended(number, { signal: AbortSignal.timeout(20_000) });
  const lateMs = Date.now() - access.expiresMs;
  assert.ok(lateMs >= 0 && lateMs < 5000, `${lateMs} ms late`);
  assert.equal(lease.ending?.reason, "expired");
  assert.equal(await one.backend.state(access.lease), "absent");
});
