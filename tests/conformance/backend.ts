/**
 * What every {@link Backend} must do, run against real engines and the memory twin. Registers one test
 * a sentence; each makes its own lease and leaves nothing behind.
 */
import assert from "node:assert/strict";
import { isSeedmintError } from "../../src/core/errors.ts";
import { systemClock, systemRandom } from "../../src/host/system.ts";
import type { Backend, Image, InstanceSpec, InstanceState } from "../../provisioning/ports.ts";
import { makeHostKey } from "../../provisioning/ssh/host_key.ts";
import { awaitBanner } from "../../provisioning/ssh/banner.ts";

/** What the suite runs on. */
export interface BackendUnderTest {
  readonly backend: Backend;
  /** Has a shell and the usual small programs, and prints `ready` in its own command. */
  readonly image: Image;
  /** The first of a thousand host ports that may be used. */
  readonly firstPort: number;
  /** A second handle on the same engine, as after a restart of the provider. */
  readonly again: () => Promise<Backend>;
}

/** What can be asked of an engine: cases that need more are ignored, and their names say so. */
export interface EngineTraits {
  /** Whether processes really run: doubles only say so. @default {true} */
  readonly isReal?: boolean;
  /** Whether a full disk is full inside; some engines can only end what took too much. @default {true} */
  readonly hasDiskQuota?: boolean;
}

/** What a case needs of an engine besides its answers. */
type Need = "processes" | "a disk quota";

const OWNER = "ab".repeat(32);
const signal = new AbortController().signal;
let count = 0;

/** Registers the suite under `name`; `open` is called once. */
export function testBackend(
  name: string,
  open: () => Promise<BackendUnderTest>,
  traits: EngineTraits = {},
): void {
  let opened: Promise<BackendUnderTest> | undefined;
  for (const [sentence, run, need] of CASES) {
    const missing = need === undefined ? undefined : lack(need, traits);
    Deno.test({
      name: `${name} ${sentence}${missing === undefined ? "" : ` (skipped: ${missing})`}`,
      ignore: missing !== undefined,
      // The engine is held open over all of them.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => {
        const world = await (opened ??= open());
        const spec = await makeSpec(world);
        try {
          await run(world.backend, spec, world);
        } finally {
          await world.backend.destroy(spec.leaseId);
        }
      },
    });
  }
}

/** Why an engine cannot be asked for `need`; undefined if it can. */
function lack(
  need: Need,
  { isReal = true, hasDiskQuota = true }: EngineTraits,
): string | undefined {
  if (!isReal) return "no processes run there";
  return need === "a disk quota" && !hasDiskQuota ? "it has no disk quota" : undefined;
}

/** A specification with a name and ports of its own. */
export async function makeSpec(
  world: Pick<BackendUnderTest, "image" | "firstPort">,
  more: Partial<InstanceSpec> = {},
): Promise<InstanceSpec> {
  const index = count++;
  const hostKey = await makeHostKey(systemRandom);
  return {
    leaseId: `container-${world.firstPort + index}`,
    owner: OWNER,
    expiresMs: Date.now() + 3_600_000,
    image: world.image,
    resources: { cpuMillicores: 500, memoryMb: 64, diskMb: 64 },
    env: { LEASE_COLOUR: "green" },
    ports: [],
    ssh: {
      hostPort: world.firstPort + index * 4,
      authorizedKeys: [(await makeHostKey(systemRandom)).publicKey],
      user: "root",
      hostKey: hostKey.privateKey,
    },
    ...more,
  };
}

type Case = readonly [
  string,
  (backend: Backend, spec: InstanceSpec, world: BackendUnderTest) => Promise<void>,
  need?: Need,
];

const CASES: readonly Case[] = [
  ["says that it can run, and what it has in all", async (backend) => {
    const probe = await backend.probe();
    assert.equal(probe.ok, true, probe.problem ?? "it says nothing");
    assert.ok(probe.description.length > 0);
    const capacity = await backend.capacity();
    for (const amount of Object.values(capacity)) assert.ok(Number.isInteger(amount) && amount > 0);
  }],
  ["knows nothing of a lease that never was", async (backend, spec) => {
    assert.equal(await backend.state(spec.leaseId), "absent");
    await backend.destroy(spec.leaseId);
    for (
      const work of [
        () => backend.start(spec.leaseId),
        () => backend.restart(spec.leaseId),
        () => backend.pause(spec.leaseId),
        () => backend.resume(spec.leaseId),
        () => backend.stats(spec.leaseId),
        () => backend.logs(spec.leaseId, { lineCount: 1 }),
        () => backend.extend(spec.leaseId, 1),
        () => exec(backend, spec, ["true"]),
      ]
    ) {
      await assert.rejects(work, (error) => isSeedmintError(error, "not-found"));
    }
  }],
  ["takes an instance from created to running to absent", async (backend, spec) => {
    await backend.create(spec, { signal });
    assert.equal(await backend.state(spec.leaseId), "stopped");
    await backend.start(spec.leaseId);
    assert.equal(await backend.state(spec.leaseId), "running");
    await backend.destroy(spec.leaseId);
    assert.equal(await backend.state(spec.leaseId), "absent");
  }],
  ["does each step again without harm", async (backend, spec) => {
    await backend.prepare(spec.image, { signal });
    await backend.prepare(spec.image, { signal });
    await backend.create(spec, { signal });
    await backend.create(spec, { signal });
    await backend.start(spec.leaseId);
    await backend.start(spec.leaseId);
    assert.equal(await backend.state(spec.leaseId), "running");
    await backend.destroy(spec.leaseId);
    await backend.destroy(spec.leaseId);
    assert.equal(await backend.state(spec.leaseId), "absent");
  }],
  ["answers SSH through the published port", async (backend, spec) => {
    await run(backend, spec);
    const banner = await awaitBanner(
      { host: backend.publicHost, port: spec.ssh.hostPort },
      { clock: systemClock, withinMs: 60_000 },
    );
    assert.match(banner, /^SSH-2\.0-/);
  }, "processes"],
  ["lists what runs with its owner and its end, also after an extension", async (backend, spec) => {
    await run(backend, spec);
    const before = (await backend.list()).find(({ leaseId }) => leaseId === spec.leaseId);
    assert.deepEqual(before, {
      leaseId: spec.leaseId,
      owner: OWNER,
      expiresMs: spec.expiresMs,
      state: "running",
    });
    await backend.extend(spec.leaseId, spec.expiresMs + 60_000);
    const after = (await backend.list()).find(({ leaseId }) => leaseId === spec.leaseId);
    assert.equal(after?.expiresMs, spec.expiresMs + 60_000);
    await backend.destroy(spec.leaseId);
    assert.ok(!(await backend.list()).some(({ leaseId }) => leaseId === spec.leaseId));
  }],
  ["runs commands, with their output and exit codes", async (backend, spec) => {
    await run(backend, spec);
    const good = await exec(backend, spec, ["sh", "-c", "echo out; echo err >&2; exit 9"]);
    assert.deepEqual(good, { stdout: "out\n", stderr: "err\n", exitCode: 9, isTruncated: false });
    const env = await exec(backend, spec, ["sh", "-c", "echo $LEASE_COLOUR"]);
    assert.equal(env.stdout, "green\n");
    const none = await exec(backend, spec, ["/no/such/program"]);
    assert.notEqual(none.exitCode, 0);
  }, "processes"],
  ["ends a command that takes too long, and cuts one that says too much", async (backend, spec) => {
    await run(backend, spec);
    await assert.rejects(
      backend.exec(spec.leaseId, ["sleep", "30"], { timeoutMs: 500, signal }),
      (error) => isSeedmintError(error, "timeout"),
    );
    const loud = await exec(backend, spec, ["sh", "-c", "yes | head -n 1000000"]);
    assert.equal(loud.isTruncated, true);
    assert.ok(loud.stdout.length < 2_000_000);
  }, "processes"],
  ["keeps the log of the image's own command", async (backend, spec) => {
    await run(backend, spec);
    await until(async () =>
      (await backend.logs(spec.leaseId, { lineCount: 100 })).includes("ready\n")
    );
    const lines = (await backend.logs(spec.leaseId, { lineCount: 1 })).trimEnd().split("\n");
    assert.equal(lines.length, 1);
  }, "processes"],
  ["keeps what was written over a restart", async (backend, spec) => {
    await run(backend, spec);
    await exec(backend, spec, ["sh", "-c", "echo kept > /root/note; sync"]);
    await backend.restart(spec.leaseId);
    assert.equal(await backend.state(spec.leaseId), "running");
    assert.equal((await exec(backend, spec, ["cat", "/root/note"])).stdout, "kept\n");
  }, "processes"],
  ["pauses and resumes", async (backend, spec) => {
    await run(backend, spec);
    await backend.pause(spec.leaseId);
    await backend.pause(spec.leaseId);
    assert.notEqual(await backend.state(spec.leaseId), "absent");
    await backend.resume(spec.leaseId);
    await backend.resume(spec.leaseId);
    assert.equal(await backend.state(spec.leaseId), "running");
    await backend.pause(spec.leaseId);
    await backend.destroy(spec.leaseId);
    assert.equal(await backend.state(spec.leaseId), "absent");
  }],
  ["measures what an instance uses", async (backend, spec) => {
    await run(backend, spec);
    await exec(backend, spec, ["dd", "if=/dev/zero", "of=/root/four", "bs=1M", "count=4"]);
    await exec(backend, spec, ["sync"]);
    const stats = await backend.stats(spec.leaseId);
    for (const amount of Object.values(stats)) assert.ok(Number.isFinite(amount) && amount >= 0);
    assert.ok(stats.pidCount >= 1);
    assert.ok(stats.cpuMs > 0);
    assert.ok(stats.memoryMb <= spec.resources.memoryMb);
  }, "processes"],
  ["publishes further ports", async (backend, base, world) => {
    const port = { hostPort: base.ssh.hostPort + 1, containerPort: 8000, label: "web" };
    const spec = { ...base, ports: [{ ...port, protocol: "tcp" as const }] };
    await run(backend, spec);
    await exec(backend, spec, ["sh", "-c", "echo hi > /tmp/x; (httpd -p 8000 -h /tmp) &"]);
    const target = `http://${world.backend.publicHost}:${port.hostPort}/x`;
    await until(async () => {
      const answer = await fetch(target).then((it) => it.text(), () => "");
      return answer === "hi\n";
    });
  }, "processes"],
  ["refuses another lease of the same name", async (backend, spec) => {
    await backend.create(spec, { signal });
    await assert.rejects(
      backend.create({ ...spec, owner: "cd".repeat(32) }, { signal }),
      (error) => isSeedmintError(error, "conflict"),
    );
  }],
  ["shows the size of the disk inside, and that it is full", async (backend, spec) => {
    await run(backend, spec);
    const nproc = await exec(backend, spec, ["sh", "-c", "df -m / | tail -1"]);
    const sizeMb = Number(nproc.stdout.trim().split(/\s+/)[1]);
    assert.ok(sizeMb <= spec.resources.diskMb, `the disk shows ${sizeMb} MiB`);
    const fill = await exec(backend, spec, [
      "dd",
      "if=/dev/zero",
      "of=/fill",
      "bs=1M",
      "count=200",
    ]);
    assert.notEqual(fill.exitCode, 0);
    assert.match(fill.stderr, /No space left|quota/i);
  }, "a disk quota"],
  ["ends what takes more memory than there is, not the instance", async (backend, spec) => {
    await run(backend, spec);
    const eat = await exec(backend, spec, [
      "sh",
      "-c",
      "dd if=/dev/zero of=/dev/null bs=200M count=1; echo code $?",
    ]);
    assert.doesNotMatch(eat.stdout, /code 0/);
    assert.equal(await backend.state(spec.leaseId), "running");
  }, "processes"],
  ["finds its instances again through another handle", async (backend, spec, world) => {
    await run(backend, spec);
    await using other = await world.again();
    assert.equal(await other.state(spec.leaseId), "running");
    assert.ok((await other.list()).some(({ leaseId }) => leaseId === spec.leaseId));
    await other.destroy(spec.leaseId);
    assert.equal(await backend.state(spec.leaseId), "absent");
  }],
  ["runs several at once", async (backend, spec, world) => {
    const specs = [spec, ...await Promise.all([1, 2, 3].map(() => makeSpec(world)))];
    try {
      await Promise.all(specs.map((one) => run(backend, one)));
      const states = await Promise.all(specs.map((one) => backend.state(one.leaseId)));
      assert.deepEqual(states, specs.map(() => "running" satisfies InstanceState));
    } finally {
      await Promise.all(specs.map((one) => backend.destroy(one.leaseId)));
    }
  }],
];

async function run(backend: Backend, spec: InstanceSpec): Promise<void> {
  await backend.prepare(spec.image, { signal });
  await backend.create(spec, { signal });
  await backend.start(spec.leaseId);
}

async function exec(backend: Backend, spec: InstanceSpec, command: readonly string[]) {
  return await backend.exec(spec.leaseId, command, { timeoutMs: 30_000, signal });
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 15_000;
  while (!await isTrue()) {
    assert.ok(performance.now() < endMs, "it did not become true within 15 s");
    await systemClock.sleep(50);
  }
}
