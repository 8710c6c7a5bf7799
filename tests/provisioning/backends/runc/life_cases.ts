/** Ends, crashes and logins, on the real runc; started by backend_test.ts in namespaces of its own. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import {
  leaseLink,
  RuncBackend,
  runWatchdog,
  startWatchdog,
  watchdogPid,
} from "../../../../provisioning/backends/runc/mod.ts";
import type { Image, InstanceSpec } from "../../../../provisioning/ports.ts";
import { readHostKey } from "../../../../provisioning/ssh/mod.ts";
import { systemClock } from "../../../../src/host/system.ts";
import { imageOf, layerOf, sha256Of } from "../../../support/provisioning/tar.ts";
import { host, hostSays, LeaseWorld, optionsFor } from "./lease_world.ts";

const signal = new AbortController().signal;
const child = (name: string) =>
  fileURLToPath(import.meta.resolve(`../../../support/provisioning/${name}`));

async function absent(world: LeaseWorld, spec: InstanceSpec): Promise<void> {
  assert.equal(await world.backend.state(spec.leaseId), "absent");
  assert.doesNotMatch(await Deno.readTextFile("/proc/self/mounts"), new RegExp(spec.leaseId));
  const { device, table } = leaseLink(spec.ssh.hostPort);
  assert.doesNotMatch(await host("ip", "link"), new RegExp(device));
  assert.doesNotMatch(await host("nft", "list", "tables"), new RegExp(table));
  const groups = await host(
    "find",
    "/sys/fs/cgroup",
    "-maxdepth",
    "2",
    "-name",
    `seedmint-*-${spec.leaseId}`,
  );
  assert.doesNotMatch(groups, new RegExp(tagOf(world.stateDir)));
}

/** As in the names of the control groups: other suites have leases of the same names. */
function tagOf(stateDir: string): string {
  return sha256Of(new TextEncoder().encode(stateDir)).slice(0, 8);
}

async function until(isTrue: () => Promise<boolean>, withinMs: number): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!await isTrue()) {
    assert.ok(performance.now() < endMs, `it did not become true within ${withinMs} ms`);
    await systemClock.sleep(50);
  }
}

Deno.test("the watchdog ends a lease within five seconds of its end, and no other", async () => {
  await using world = await LeaseWorld.open();
  const pidFile = `${world.stateDir}/watchdog.pid`;
  const program = [Deno.execPath(), "run", "-A", "--cached-only", child("watchdog_child.ts")];
  const argv = [...program, world.stateDir, pidFile];
  const options = { pidFile, clock: systemClock };
  const pid = await startWatchdog(argv, options);
  try {
    await until(async () => await watchdogPid(pidFile) === pid, 20_000);
    assert.equal(await startWatchdog(argv, options), pid);
    const [spec, other, extended] = [await world.lease(), await world.lease(), await world.lease()];
    const endMs = Date.now() + 500;
    await world.backend.extend(spec.leaseId, endMs);
    await world.backend.extend(extended.leaseId, endMs);
    await world.backend.extend(extended.leaseId, endMs + 60_000);
    await until(async () => await world.backend.state(spec.leaseId) === "absent", 20_000);
    const lateMs = Date.now() - endMs;
    assert.ok(lateMs >= 0 && lateMs < 5_000, `${lateMs} ms late`);
    assert.equal(await world.backend.state(other.leaseId), "running");
    assert.equal(await world.backend.state(extended.leaseId), "running");
    await until(() => absent(world, spec).then(() => true, () => false), 5_000);
  } finally {
    Deno.kill(pid, "SIGTERM");
    await until(async () => await watchdogPid(pidFile) === undefined, 10_000);
  }
});

Deno.test("a second watchdog of the same leases is refused", async () => {
  await using world = await LeaseWorld.open();
  const controller = new AbortController();
  const options = {
    backend: world.backend,
    clock: systemClock,
    pidFile: `${world.stateDir}/watchdog.pid`,
    signal: controller.signal,
  };
  const first = runWatchdog(options);
  await until(async () => await watchdogPid(options.pidFile) === Deno.pid, 5_000);
  await assert.rejects(runWatchdog(options), (error) => isSeedmintError(error, "locked"));
  controller.abort();
  await first;
});

Deno.test("a provider killed at any moment leaves nothing that destroy() does not remove", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.spec();
  await world.backend.prepare(spec.image, { signal });
  const specFile = `${world.stateDir}/spec.json`;
  await Deno.writeTextFile(
    specFile,
    JSON.stringify({ ...spec, image: { ...spec.image, layers: [] } }),
  );
  for (let round = 0; round < 8; round++) {
    const provider = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--cached-only", child("lease_child.ts"), world.stateDir, specFile],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = provider.stdout.getReader();
    await reader.read();
    await systemClock.sleep(round * 31);
    provider.kill("SIGKILL");
    await provider.status;
    await reader.cancel();
    await using again = await RuncBackend.open(optionsFor(world.stateDir));
    assert.notEqual(await again.state(spec.leaseId), "unknown");
    if (round % 2 === 0) {
      await again.destroy(spec.leaseId);
      await absent(world, spec);
    } else {
      await world.run(spec);
      assert.equal(await again.state(spec.leaseId), "running");
    }
  }
});

Deno.test("a process that the runtime lost is ended with its lease", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease();
  const [{ pid }] = JSON.parse(
    await host("runc", "--root", `${world.stateDir}/runc`, "list", "--format", "json"),
  );
  await world.backend.pause(spec.leaseId);
  await Deno.remove(`${world.stateDir}/runc/${spec.leaseId}/state.json`);
  await world.backend.destroy(spec.leaseId);
  await absent(world, spec);
  await assert.rejects(Deno.stat(`/proc/${pid}/root`));
});

/** What a reboot does to a lease. @returns Its disk. */
async function turnOff(world: LeaseWorld, { leaseId }: InstanceSpec): Promise<string> {
  const folder = `${world.stateDir}/leases/${leaseId}`;
  await host("runc", "--root", `${world.stateDir}/runc`, "delete", "--force", leaseId);
  await host("umount", `${folder}/rootfs`);
  await host("umount", `${folder}/disk`);
  return `${folder}/disk.img`;
}

Deno.test("a disk that a power cut left torn is repaired before it is used again", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease();
  await world.sh(spec, "echo kept > /root/note; sync");
  const disk = await turnOff(world, spec);
  // Never taken down, and what says whose a block is was not written: the next file would get it, too.
  const found = await host("debugfs", "-R", "blocks /upper/root/note", disk);
  const block = /^(\d+) *$/m.exec(found)?.[1] ?? "";
  await host("debugfs", "-w", "-R", `freeb ${block}`, disk);
  await host("debugfs", "-w", "-R", "ssv state 0", disk);
  await assert.rejects(host("e2fsck", "-f", "-n", disk), /bitmap differences/);
  await world.backend.start(spec.leaseId);
  assert.equal((await world.sh(spec, "cat /root/note")).stdout, "kept\n");
  await turnOff(world, spec);
  await host("e2fsck", "-f", "-n", disk);
});

Deno.test("a disk that is damaged beyond repair is said to be, and nothing starts on it", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease();
  const disk = await turnOff(world, spec);
  {
    using file = await Deno.open(disk, { write: true });
    for (let at = 0; at < 48; at++) await file.write(new Uint8Array(1024 * 1024).fill(0xa5));
  }
  await assert.rejects(
    world.backend.start(spec.leaseId),
    (error) => isSeedmintError(error, "corrupt") && /beyond repair/.test(error.message),
  );
  assert.equal(await world.backend.state(spec.leaseId), "stopped");
  await world.backend.destroy(spec.leaseId);
  await absent(world, spec);
});

Deno.test("a check of a disk that somebody ends says nothing of the disk", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease();
  await turnOff(world, spec);
  const programs = await Deno.makeTempDir();
  await Deno.writeTextFile(`${programs}/e2fsck`, "#!/bin/sh\nkill -TERM $$\n", { mode: 0o755 });
  const path = Deno.env.get("PATH")!;
  Deno.env.set("PATH", `${programs}:${path}`);
  try {
    await assert.rejects(
      world.backend.start(spec.leaseId),
      (error) => isSeedmintError(error, "unavailable") && error.retryable,
    );
  } finally {
    Deno.env.set("PATH", path);
    await Deno.remove(programs, { recursive: true });
  }
  await world.backend.start(spec.leaseId);
  assert.equal(await world.backend.state(spec.leaseId), "running");
});

Deno.test("a lease comes back with its files after the machine was off", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease();
  await world.sh(spec, "echo kept > /root/note; sync");
  await turnOff(world, spec);
  assert.equal(await world.backend.state(spec.leaseId), "stopped");
  assert.equal((await world.backend.list())[0]?.state, "stopped");
  await world.backend.start(spec.leaseId);
  assert.equal((await world.sh(spec, "cat /root/note")).stdout, "kept\n");
});

Deno.test("a runtime that does not answer is unknown, and never absent", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease();
  const path = Deno.env.get("PATH")!;
  Deno.env.set("PATH", "/nowhere");
  try {
    assert.equal(await world.backend.state(spec.leaseId), "unknown");
    assert.equal(await world.backend.state("container-99999"), "unknown");
    await assert.rejects(world.backend.list(), (error) => isSeedmintError(error, "unavailable"));
    await assert.rejects(world.backend.destroy(spec.leaseId));
    const { ok, problem } = await world.backend.probe();
    assert.equal(ok, false);
    assert.match(problem!, /install runc/);
  } finally {
    Deno.env.set("PATH", path);
  }
  assert.equal(await world.backend.state(spec.leaseId), "running");
});

Deno.test("a damaged record is unknown, and its lease is not ended by the watchdog", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease();
  const record = `${world.stateDir}/leases/${spec.leaseId}/lease.json`;
  const text = await Deno.readTextFile(record);
  await Deno.writeTextFile(record, "{");
  assert.equal(await world.backend.state(spec.leaseId), "unknown");
  assert.deepEqual(
    (await world.backend.list()).map(({ leaseId, state, expiresMs }) => [
      leaseId,
      state,
      expiresMs,
    ]),
    [[spec.leaseId, "unknown", 0]],
  );
  await Deno.writeTextFile(record, text);
});

Deno.test("create() that fails leaves nothing", async () => {
  await using world = await LeaseWorld.open();
  for (
    const more of [
      { resources: { cpuMillicores: 100, memoryMb: 64, diskMb: 1_000_000_000 } },
      { ssh: { ...(await world.spec()).ssh, hostPort: 1_023 } },
      {
        image: {
          ...world.image,
          config: { ...world.image.config, cmd: ["true"], user: "none-such" },
        },
      },
    ]
  ) {
    const spec = await world.spec(more);
    await assert.rejects(
      world.backend.create(spec, { signal }),
      (error) => isSeedmintError(error, "no-space") || isSeedmintError(error, "invalid"),
    );
    await absent(world, spec);
  }
});

Deno.test("a lessee logs in by key to the host key that was told, and strangers do not", async () => {
  await using world = await LeaseWorld.open();
  const folder = await Deno.makeTempDir();
  await host("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", `${folder}/mine`);
  await host("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", `${folder}/other`);
  await Deno.writeTextFile(`${folder}/ask`, "#!/bin/sh\necho hunter22\n", { mode: 0o700 });
  const mine = (await Deno.readTextFile(`${folder}/mine.pub`)).trim();
  const base = await world.spec();
  const onlyFile = imageOf([layerOf([{ name: "hello", content: "from scratch" }])]);
  const scratch = { ...base, image: onlyFile, ssh: { ...base.ssh, authorizedKeys: [mine] } };
  await world.run(scratch);
  const next = await world.spec();
  const old = {
    ...next,
    ssh: { ...next.ssh, user: "ann", authorizedKeys: [], password: "hunter22" },
  };
  await world.run(old);
  const login = (spec: InstanceSpec, key: string, ...more: string[]) => {
    const { publicKey } = readHostKey(spec.ssh.hostKey);
    const known = `[127.0.0.1]:${spec.ssh.hostPort} ${publicKey}\n`;
    Deno.writeTextFileSync(`${folder}/known`, known);
    return hostSays(
      "env",
      `SSH_ASKPASS=${folder}/ask`,
      "SSH_ASKPASS_REQUIRE=force",
      "DISPLAY=:0",
      "ssh",
      "-F",
      "none",
      "-p",
      String(spec.ssh.hostPort),
      "-i",
      `${folder}/${key}`,
      "-o",
      "StrictHostKeyChecking=yes",
      "-o",
      `UserKnownHostsFile=${folder}/known`,
      "-o",
      "IdentitiesOnly=yes",
      "-o",
      "NumberOfPasswordPrompts=1",
      "-o",
      "LogLevel=ERROR",
      ...more,
      `${spec.ssh.user}@127.0.0.1`,
      "id -u; cat /hello; echo $LEASE_COLOUR",
    );
  };
  assert.equal(await login(scratch, "mine"), "0\nfrom scratchgreen\n");
  assert.match(await login(scratch, "other"), /Permission denied/);
  assert.match(await login(scratch, "other", "-o", "PubkeyAuthentication=no"), /Permission denied/);
  assert.match(await login(old, "other"), /^1000\n/);
  await Deno.writeTextFile(`${folder}/ask`, "#!/bin/sh\necho wrong\n", { mode: 0o700 });
  assert.match(await login(old, "other"), /Permission denied/);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("prune() removes the images that no lease stands on", async () => {
  await using world = await LeaseWorld.open();
  await world.lease();
  const spare = imageOf([layerOf([{ name: "spare", content: "x" }])]);
  const kept = imageOf([layerOf([{ name: "kept", content: "x" }])]);
  for (const image of [spare, kept]) await world.backend.prepare(image, { signal });
  await world.backend.prune(new Set([kept.digest]));
  const left = (await host("ls", `${world.stateDir}/images`)).trim().split("\n");
  assert.deepEqual(left.sort(), [world.image.digest, kept.digest].sort());
});

Deno.test("an image that needs the room of others has those removed that no lease needs", async () => {
  await using world = await LeaseWorld.open();
  await world.lease();
  const [spare, kept, next] = ["spare", "kept", "next"].map((name) =>
    imageOf([layerOf([{ name, content: "x" }])])
  ) as [Image, Image, Image];
  for (const image of [spare, kept]) await world.backend.prepare(image, { signal });
  let keptCount = 0;
  await using full = await RuncBackend.attach(optionsFor(world.stateDir, {
    keptImages: () => {
      keptCount++;
      return new Set([kept.digest]);
    },
    disk: (path) => {
      const isSpareHere = [...Deno.readDirSync(path)].some(({ name }) => name === spare.digest);
      return Promise.resolve({
        freeBytes: isSpareHere ? 0 : Infinity,
        usedBytes: 1024 ** 4,
        freeFileCount: Infinity,
        fileCountMax: Infinity,
      });
    },
  }));
  await full.prepare(next, { signal });
  assert.equal(keptCount, 1);
  const left = (await host("ls", `${world.stateDir}/images`)).trim().split("\n");
  assert.deepEqual(left.sort(), [world.image.digest, kept.digest, next.digest].sort());
});

Deno.test("create() does not take a port that the host itself listens on", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.spec();
  using _listener = Deno.listen({ hostname: "0.0.0.0", port: spec.ssh.hostPort });
  await assert.rejects(
    world.backend.create(spec, { signal }),
    (error) => isSeedmintError(error, "conflict"),
  );
  await absent(world, spec);
});
