/**
 * What a lease must be kept from on every engine, and what its owner must be able to do; its arguments
 * are the engine, its socket and a directory.
 */
import assert from "node:assert/strict";
import { isSeedmintError } from "../../../src/core/errors.ts";
import {
  containerName,
  type EngineBackend,
  providerTag,
} from "../../../provisioning/backends/engine/mod.ts";
import { leaseLink, PIDS_MAX } from "../../../provisioning/backends/host/mod.ts";
import type { ExecResult, InstanceSpec } from "../../../provisioning/ports.ts";
import { awaitBanner, readHostKey } from "../../../provisioning/ssh/mod.ts";
import { systemClock, systemRandom } from "../../../src/host/system.ts";
import { makeSpec } from "../../conformance/backend.ts";
import { ATTEMPTS, FORKS_LINE } from "../../provisioning/backends/escape_attempts.ts";
import { startHostProcess } from "../../provisioning/backends/host_root.ts";
import { host, hostSays } from "../../provisioning/backends/runc/lease_world.ts";
import { busyboxImage } from "../../support/provisioning/busybox_image.ts";
import { imageOf, layerOf } from "../../support/provisioning/tar.ts";
import { type EngineName, FIRST_PORT, openBackend } from "./backends.ts";

const [engine, socketPath, stateDir] = Deno.args as [EngineName, string, string];
const { signal } = new AbortController();
const image = await busyboxImage();
const backend: EngineBackend = await openBackend(engine, {
  socketPath,
  stateDir,
  publicHost: "127.0.0.1",
  clock: systemClock,
  random: systemRandom,
});

/** A lease that runs, gone at the end. */
async function lease(
  more: Partial<InstanceSpec> = {},
): Promise<{ readonly spec: InstanceSpec } & AsyncDisposable> {
  const spec = await makeSpec({ image, firstPort: FIRST_PORT[engine] + 400 }, more);
  await backend.create(spec, { signal });
  await backend.start(spec.leaseId);
  const target = { host: "127.0.0.1", port: spec.ssh.hostPort };
  await awaitBanner(target, { clock: systemClock, withinMs: 30_000 });
  return { spec, [Symbol.asyncDispose]: () => backend.destroy(spec.leaseId) };
}

async function sh(spec: InstanceSpec, line: string, timeoutMs = 20_000): Promise<ExecResult> {
  return await backend.exec(spec.leaseId, ["sh", "-c", line], { timeoutMs, signal });
}

function test(name: string, fn: (context: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name: `${engine}: ${name}`, sanitizeOps: false, sanitizeResources: false, fn });
}

test("a lease cannot get out, whatever its root tries", async (context) => {
  await using held = await lease();
  await using _process = startHostProcess();
  const { spec } = held;
  await context.step("nothing of the list succeeds", async () => {
    const codes = await Promise.all(
      ATTEMPTS.filter(({ allowedOn = [] }) => !allowedOn.includes(engine)).map(async (
        { what, line },
      ) => [what, (await sh(spec, line)).exitCode] as const),
    );
    assert.deepEqual(codes.filter(([, code]) => code === 0), []);
  });
  await context.step("its root is nobody on the host", async () => {
    assert.equal((await sh(spec, "echo mine > /root/file; id -u")).stdout, "0\n");
    const { uid } = await Deno.stat(`${stateDir}/leases/${spec.leaseId}/rootfs/root/file`);
    assert.ok(uid !== null && uid >= 100_000, `user ${uid}`);
  });
  await context.step("what it runs has no capability over the kernel", async () => {
    const { stdout } = await sh(spec, "cat /proc/self/status");
    assert.match(stdout, /CapBnd:\t00000000000404fb/);
    assert.match(stdout, /NoNewPrivs:\t1/);
    assert.match(stdout, /Seccomp:\t2/);
  });
  assert.equal(await backend.state(spec.leaseId), "running");
});

test("a lease reaches nothing that is private, of its host, for mail or for metadata", async () => {
  await using held = await lease();
  const port = FIRST_PORT[engine] + 999;
  await using _server = Deno.serve(
    { port, onListen: () => {} },
    () => new Response("host"),
  );
  const closed = ["10.9.9.9", "169.254.169.254"];
  // Another engine's cases may have done so.
  for (const address of closed) {
    await host("ip", "address", "replace", `${address}/32`, "dev", "lo");
  }
  const own = leaseLink(held.spec.ssh.hostPort);
  const targets = [...closed, "127.0.0.1", own.gateway];
  for (const address of targets) {
    const line = `wget -q -T 2 -O - http://${address}:${port}/`;
    assert.notEqual((await sh(held.spec, line)).exitCode, 0, address);
  }
  for (const address of targets) {
    assert.equal(await fetch(`http://${address}:${port}/`).then((it) => it.text()), "host");
  }
  const rules = await host("nft", "list", "table", "inet", own.table);
  for (const rule of [/dport \{ 25, 465, 587, 2525 \}/, /limit rate over/, /ct count over/]) {
    assert.match(rules, rule);
  }
  assert.doesNotMatch((await sh(held.spec, "ip address")).stdout, /inet6/);
});

test("a lease has as many processes as it may have, and a fork bomb stays in it", async () => {
  await using held = await lease({
    resources: { cpuMillicores: 500, memoryMb: 512, diskMb: 32 },
  });
  const { leaseId } = held.spec;
  const forks = await sh(held.spec, FORKS_LINE);
  assert.match(forks.stderr, /can't fork/);
  assert.doesNotMatch(forks.stdout, /all/);
  const { pidCount } = await backend.stats(leaseId);
  assert.ok(pidCount > PIDS_MAX * 0.9 && pidCount <= PIDS_MAX, `${pidCount} processes`);
  await backend.restart(leaseId);
  await sh(held.spec, "b() { b | b & }; b; sleep 2", 4_000).catch(() => {});
  await backend.destroy(leaseId);
  assert.equal(await backend.state(leaseId), "absent");
});

test("a lease gets the processor time that it paid for, and no more", async () => {
  await using held = await lease({ resources: { cpuMillicores: 300, memoryMb: 64, diskMb: 32 } });
  const { spec } = held;
  const before = await backend.stats(spec.leaseId);
  const startMs = performance.now();
  const line = "(while :; do :; done) & (while :; do :; done) & sleep 2; kill %1 %2";
  await sh(spec, line, 8_000).catch(() => {});
  const wallMs = performance.now() - startMs;
  const usedMs = (await backend.stats(spec.leaseId)).cpuMs - before.cpuMs;
  assert.ok(usedMs < wallMs * 0.3 * 1.4 + 150, `${usedMs} ms of processor in ${wallMs} ms`);
});

test("a command whose time is over is gone from its lease", async () => {
  await using held = await lease();
  const run = backend.exec(held.spec.leaseId, ["sleep", "31337"], { timeoutMs: 500, signal });
  await assert.rejects(run, (error) => isSeedmintError(error, "timeout"));
  assert.doesNotMatch((await sh(held.spec, "ps")).stdout, /sleep 31337/);
});

test("a container that somebody removed is made again, with its files", async () => {
  await using held = await lease();
  const { leaseId } = held.spec;
  await sh(held.spec, "echo kept > /root/note; sync");
  await removeContainer(leaseId);
  assert.equal(await backend.state(leaseId), "stopped");
  await backend.start(leaseId);
  assert.equal((await sh(held.spec, "cat /root/note")).stdout, "kept\n");
});

test("a container whose record is lost is listed with its owner, and can be destroyed", async () => {
  await using held = await lease();
  const { leaseId, owner, expiresMs } = held.spec;
  await Deno.remove(`${stateDir}/leases/${leaseId}/lease.json`);
  const found = (await backend.list()).find((each) => each.leaseId === leaseId);
  assert.deepEqual(found, { leaseId, owner, expiresMs, state: "running" });
  await backend.destroy(leaseId);
  assert.equal(await backend.state(leaseId), "absent");
  assert.doesNotMatch(await Deno.readTextFile("/proc/self/mounts"), new RegExp(leaseId));
  const { table } = leaseLink(held.spec.ssh.hostPort);
  assert.doesNotMatch(await host("nft", "list", "tables"), new RegExp(table));
});

test("a lessee logs in by key to the host key that was told, into an image without a shell", async () => {
  const folder = await Deno.makeTempDir();
  await host("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", `${folder}/mine`);
  await host("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", `${folder}/other`);
  const base = await makeSpec({ image, firstPort: FIRST_PORT[engine] + 800 });
  const authorizedKeys = [(await Deno.readTextFile(`${folder}/mine.pub`)).trim()];
  await using held = await lease({
    image: imageOf([layerOf([{ name: "hello", content: "from scratch" }])]),
    ssh: { ...base.ssh, authorizedKeys },
  });
  const { ssh } = held.spec;
  const known = `[127.0.0.1]:${ssh.hostPort} ${readHostKey(ssh.hostKey).publicKey}\n`;
  await Deno.writeTextFile(`${folder}/known`, known);
  const login = (key: string) => {
    const options = [
      "StrictHostKeyChecking=yes",
      `UserKnownHostsFile=${folder}/known`,
      "IdentitiesOnly=yes",
      "BatchMode=yes",
      "LogLevel=ERROR",
    ].flatMap((option) => ["-o", option]);
    const place = ["-F", "none", "-p", String(ssh.hostPort), "-i", `${folder}/${key}`];
    return hostSays(
      "ssh",
      ...place,
      ...options,
      "root@127.0.0.1",
      "id -u; cat /hello; echo $LEASE_COLOUR",
    );
  };
  assert.equal(await login("mine"), "0\nfrom scratchgreen\n");
  assert.match(await login("other"), /Permission denied/);
  await Deno.remove(folder, { recursive: true });
});

test("an image's own user runs its command, and its log is bounded by the lease's disk", async () => {
  const own = await busyboxImage({
    user: "web",
    entrypoint: ["/bin/sh", "-c"],
    cmd: ["id -u; yes"],
  });
  await using held = await lease({
    image: own,
    resources: { cpuMillicores: 900, memoryMb: 64, diskMb: 24 },
  });
  const { leaseId } = held.spec;
  await systemClock.sleep(2_000);
  const disk = `${stateDir}/leases/${leaseId}/disk`;
  const log = await Deno.open(`${disk}/log`, { read: true });
  const first = new Uint8Array(3);
  await log.read(first);
  log.close();
  assert.equal(new TextDecoder().decode(first), "33\n");
  // On the host's own file system there is no more than the image of the disk.
  const [usedKib] = (await host("du", "-xsk", `${stateDir}/leases/${leaseId}`)).split("\t");
  assert.ok(Number(usedKib) <= 24 * 1024 + 512, `${usedKib} KiB`);
});

test("commands have what our SSH server is kept from", async () => {
  const own = await busyboxImage({ cmd: ["sh", "-c", "echo $GLIBC_TUNABLES; exec sleep 60"] });
  await using held = await lease({ image: own, env: { GLIBC_TUNABLES: "a=b", COLOUR: "red" } });
  const { spec } = held;
  assert.equal((await sh(spec, "echo $GLIBC_TUNABLES $COLOUR")).stdout, "a=b red\n");
  const said = () => backend.logs(spec.leaseId, { lineCount: 9 });
  for (let tries = 0; tries < 100 && await said() === ""; tries++) await systemClock.sleep(50);
  assert.equal(await said(), "a=b\n");
});

/** As an operator would who cleans up. */
async function removeContainer(leaseId: string): Promise<void> {
  const name = containerName(providerTag(stateDir), leaseId);
  const curl = (method: string, path: string, body = "") =>
    host(
      "curl",
      "-s",
      "--unix-socket",
      socketPath,
      "-X",
      method,
      `http://engine${path}`,
      "-d",
      body,
    );
  if (engine === "docker" || engine === "podman") {
    await curl("DELETE", `/containers/${name}?force=true`);
    return;
  }
  const stop = await curl(
    "PUT",
    `/1.0/instances/${name}/state`,
    '{"action":"stop","force":true}',
  );
  await curl("GET", `${JSON.parse(stop).operation}/wait?timeout=30`);
  const gone = await curl("DELETE", `/1.0/instances/${name}`);
  await curl("GET", `${JSON.parse(gone).operation}/wait?timeout=30`);
}
