/** What a hostile lessee tries, on the real runc; started by backend_test.ts in namespaces of its own. */
import assert from "node:assert/strict";
import { PIDS_MAX } from "../../../../provisioning/backends/host/mod.ts";
import { systemClock } from "../../../../src/host/system.ts";
import { busyboxImage } from "../../../support/provisioning/busybox_image.ts";
import { ATTEMPTS, FORKS_LINE } from "../escape_attempts.ts";
import { asHostRoot, hostRootMissing, startHostProcess } from "../host_root.ts";
import { skippedFor } from "./lab.ts";
import { firstPid, host, LeaseWorld } from "./lease_world.ts";

/** The number that the host knows a process by; it is found by its arguments. */
async function hostPidOf(...argv: readonly string[]): Promise<number> {
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const line = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    if (line === argv.map((word) => `${word}\0`).join("")) return Number(name);
  }
  throw new Error(`Nothing runs ${argv.join(" ")}`);
}

/** Of a lease's control group, in whichever version the kernel has. */
async function readGroup(pid: number, controller: string, file: string): Promise<string> {
  const groups = (await Deno.readTextFile(`/proc/${pid}/cgroup`)).trim().split("\n")
    .map((line) => line.split(":") as [string, string, string]);
  const first = groups.find(([, names]) => names.split(",").includes(controller));
  const path = first === undefined
    ? `/sys/fs/cgroup${groups.find(([, names]) => names === "")![2]}`
    : `/sys/fs/cgroup/${first[1]}${first[2]}`;
  return (await Deno.readTextFile(`${path}/${file}`)).trim();
}

Deno.test("a lease cannot get out, whatever its root tries", async (context) => {
  await using _process = startHostProcess();
  await using world = await LeaseWorld.open();
  const spec = await world.lease();
  for (const { what, line } of ATTEMPTS) {
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

const missing = await hostRootMissing();

Deno.test({
  name: `whatever a lease's root tries, the host's root can do${skippedFor(missing)}`,
  ignore: missing !== undefined,
  async fn(context) {
    await using _process = startHostProcess();
    // There is a lease, so that the kernel counts what it counts for leases.
    await using world = await LeaseWorld.open();
    await world.lease();
    const done = await Promise.all(ATTEMPTS.map(async (attempt) => {
      const { needs, line, onHost = line } = attempt;
      const isThere = needs === undefined || await Deno.stat(needs).then(() => true, () => false);
      return { ...attempt, isThere, result: isThere ? await asHostRoot(onHost) : undefined };
    }));
    for (const { what, needs, isThere, result } of done) {
      await context.step({
        name: `it can ${what}${skippedFor(isThere ? undefined : `this kernel has no ${needs}`)}`,
        ignore: !isThere,
        fn: () => assert.equal(result!.code, 0, result!.said),
      });
    }
  },
});

Deno.test("a lease has as many processes as it may have, and a fork bomb stays in it", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease({ resources: { cpuMillicores: 500, memoryMb: 512, diskMb: 32 } });
  assert.equal(await readGroup(await firstPid(world, spec), "pids", "pids.max"), String(PIDS_MAX));
  const forks = await world.sh(spec, FORKS_LINE);
  assert.match(forks.stderr, /can't fork/);
  assert.doesNotMatch(forks.stdout, /all/);
  const { pidCount } = await world.backend.stats(spec.leaseId);
  assert.ok(pidCount > PIDS_MAX * 0.9 && pidCount <= PIDS_MAX, `${pidCount} processes`);
  // The host has room for more.
  await host("true");
  await world.backend.restart(spec.leaseId);
  await world.sh(spec, "b() { b | b & }; b; sleep 2", 4_000).catch(() => {});
  assert.ok((await world.backend.stats(spec.leaseId)).pidCount <= PIDS_MAX);
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
  const diskMb = 24;
  await using world = await LeaseWorld.open();
  const spec = await world.lease({
    resources: { cpuMillicores: 900, memoryMb: 64, diskMb },
    image: await busyboxImage({ entrypoint: ["/bin/sh", "-c"], cmd: ["yes; sleep 3600"] }),
  });
  const folder = `${world.stateDir}/leases/${spec.leaseId}`;
  const fill = () =>
    world.sh(spec, "dd if=/dev/zero of=/more bs=1M count=2; c=$?; rm /more; exit $c");
  const endMs = performance.now() + 15_000;
  // Its log alone fills it.
  while ((await fill()).exitCode === 0) {
    assert.ok(performance.now() < endMs, "its log never filled its disk");
    await systemClock.sleep(100);
  }
  assert.match((await fill()).stderr, /No space left/);
  assert.ok((await Deno.stat(`${folder}/disk/log`)).size > diskMb * 1024 * 1024 / 2);
  // On the host's own file system there is no more than the image of the disk.
  const [usedKib] = (await host("du", "-xsk", folder)).split("\t");
  assert.ok(Number(usedKib) <= diskMb * 1024 + 512, `${usedKib} KiB`);
});

Deno.test("a lease cannot see, signal or read what is another's", async (context) => {
  await using world = await LeaseWorld.open();
  const [one, two] = [await world.lease(), await world.lease()];
  await world.sh(one, "echo secret > /root/note; sync; sleep 987 >/dev/null 2>&1 &");
  const pid = await hostPidOf("sleep", "987");
  await context.step("it does not see its processes", async () => {
    assert.match((await world.sh(one, "ps")).stdout, /sleep 987/);
    assert.doesNotMatch((await world.sh(two, "ps")).stdout, /sleep 987/);
  });
  await context.step("it cannot signal one that the host's root can", async () => {
    await host("kill", "-0", String(pid));
    assert.notEqual((await world.sh(two, `kill -0 ${pid}`)).exitCode, 0);
    assert.notEqual((await world.sh(two, "kill -9 -1; sleep 1; exit 1")).exitCode, 0);
    await host("kill", "-0", String(pid));
  });
  await context.step("it cannot read files that the host's root can", async () => {
    const note = `${world.stateDir}/leases/${one.leaseId}/rootfs/root/note`;
    for (const path of [note, `/proc/${pid}/root/root/note`]) {
      assert.equal(await host("cat", path), "secret\n");
      assert.notEqual((await world.sh(two, `cat ${path}`)).exitCode, 0, path);
    }
  });
});
