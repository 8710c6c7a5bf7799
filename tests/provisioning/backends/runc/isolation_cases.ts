/** What a hostile lessee tries, on the real runc; started by backend_test.ts in namespaces of its own. */
import assert from "node:assert/strict";
import { ATTEMPTS } from "../escape_attempts.ts";
import { host, LeaseWorld } from "./lease_world.ts";

Deno.test("a lease cannot get out, whatever its root tries", async (context) => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease();
  for (const [what, line] of ATTEMPTS) {
    await context.step(`it cannot ${what}`, async () => {
      const { exitCode, stdout } = await world.sh(spec, line);
      assert.notEqual(exitCode, 0, stdout);
    });
  }
  await context.step("its root is nobody on the host", async () => {
    assert.equal((await world.sh(spec, "echo mine > /root/file; id -u")).stdout, "0\n");
    const path = `${world.stateDir}/leases/${spec.leaseId}/rootfs/root/file`;
    assert.equal((await Deno.stat(path)).uid, 200_000);
  });
  await context.step("it has no capability over the kernel, and no new privileges", async () => {
    const { stdout } = await world.sh(spec, "cat /proc/self/status");
    assert.match(stdout, /CapBnd:\t00000000000404fb/);
    assert.match(stdout, /NoNewPrivs:\t1/);
    assert.match(stdout, /Seccomp:\t2/);
  });
  assert.equal(await world.backend.state(spec.leaseId), "running");
});

Deno.test("a fork bomb stays in its lease, which can still be destroyed", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease({ resources: { cpuMillicores: 200, memoryMb: 128, diskMb: 32 } });
  await world.sh(spec, "b() { b | b & }; b; sleep 2", 4_000).catch(() => {});
  const { pidCount } = await world.backend.stats(spec.leaseId);
  assert.ok(pidCount <= 1024, `${pidCount} processes`);
  const startMs = performance.now();
  await host("true");
  assert.ok(performance.now() - startMs < 5_000);
  await world.backend.destroy(spec.leaseId);
  assert.equal(await world.backend.state(spec.leaseId), "absent");
});

Deno.test("a lease gets the processor time that it paid for, and no more", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease({ resources: { cpuMillicores: 300, memoryMb: 64, diskMb: 32 } });
  const before = await world.backend.stats(spec.leaseId);
  const startMs = performance.now();
  await world.sh(spec, "(while :; do :; done) & (while :; do :; done) & sleep 3; kill %1 %2", 8_000)
    .catch(() => {});
  const wallMs = performance.now() - startMs;
  const usedMs = (await world.backend.stats(spec.leaseId)).cpuMs - before.cpuMs;
  assert.ok(usedMs < wallMs * 0.3 * 1.4 + 100, `${usedMs} ms of processor in ${wallMs} ms`);
});

Deno.test("a lease that fills its disk or its log fills nothing of the host", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease({ resources: { cpuMillicores: 900, memoryMb: 64, diskMb: 24 } });
  await world.sh(spec, "yes > /fill; yes > /proc/1/fd/1; true", 10_000).catch(() => {});
  const folder = `${world.stateDir}/leases/${spec.leaseId}`;
  const { blocks } = await Deno.stat(`${folder}/disk.img`);
  assert.ok(blocks! * 512 <= 24 * 1024 * 1024 + 65_536);
  assert.equal((await world.sh(spec, "rm -f /fill; echo ok")).stdout, "ok\n");
  await world.backend.destroy(spec.leaseId);
});

Deno.test("a lease cannot see or signal the processes of another", async () => {
  await using world = await LeaseWorld.open();
  const [one, two] = [await world.lease(), await world.lease()];
  await world.sh(one, "sleep 987 >/dev/null 2>&1 & true");
  const { stdout } = await world.sh(two, "ps");
  assert.doesNotMatch(stdout, /987/);
  assert.notEqual((await world.sh(two, "ls /proc/1/root/../../leases")).exitCode, 0);
});
