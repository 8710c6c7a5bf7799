/** The backend of Proxmox against a server of ours, see fake_pve.ts: never against Proxmox itself. */
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import type { Clock } from "../../../../src/core/ports.ts";
import { systemClock, systemRandom } from "../../../../src/host/system.ts";
import {
  addressOf,
  firewallRules,
  ProxmoxBackend,
  type ProxmoxOptions,
  readKey,
  readPlace,
} from "../../../../provisioning/backends/proxmox/mod.ts";
import { Forwarder } from "../../../../provisioning/backends/proxmox/forwarder.ts";
import { skippedFor } from "../runc/lab.ts";
import { makeSpec, testBackend } from "../../../conformance/backend.ts";
import { busyboxImage } from "../../../support/provisioning/busybox_image.ts";
import { imageOf, layerOf } from "../../../support/provisioning/tar.ts";
import { FakePve, TOKEN } from "./fake_pve.ts";

const signal = new AbortController().signal;
const image = imageOf([
  layerOf([{ name: "etc/", type: "5" }, { name: "etc/motd", content: "hello\n" }]),
  layerOf([{ name: ".seedmint/start", content: "evil" }]),
], { entrypoint: ["/bin/serve"] });
/** Waits a fiftieth of the time; what ends calls stays as it is, for machines that are busy. */
const clock: Clock = {
  ...systemClock,
  monotonicMs: () => systemClock.monotonicMs() * 50,
  sleep: (ms, options) => systemClock.sleep(ms / 50, options),
};
/** Gives calls up soon. */
const impatient: Clock = { ...clock, timer: (ms, end) => systemClock.timer(ms / 60, end) };

interface World extends AsyncDisposable {
  readonly pve: FakePve;
  readonly backend: ProxmoxBackend;
  readonly options: ProxmoxOptions;
}

async function makeWorld(): Promise<World> {
  const pve = new FakePve();
  const stateDir = await Deno.makeTempDir();
  const options: ProxmoxOptions = {
    ...{ url: pve.url, token: TOKEN, node: "pve", storage: "disks", templateStorage: "local" },
    ...{ stateDir, publicHost: "127.0.0.1", listenHost: "127.0.0.1", clock, random: systemRandom },
  };
  const backend = await ProxmoxBackend.open(options);
  return {
    ...{ pve, backend, options },
    [Symbol.asyncDispose]: async () => {
      await backend[Symbol.asyncDispose]();
      await pve[Symbol.asyncDispose]();
      await Deno.remove(stateDir, { recursive: true });
    },
  };
}

/** Why images cannot be unpacked or our server not be had here. */
async function missing(): Promise<string | undefined> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return "root on Linux is needed";
  for (const program of ["dropbear", "busybox", "tar", "gzip"]) {
    const { success } = await new Deno.Command("sh", {
      args: ["-c", 'command -v "$0"', program],
      ...{ stdout: "null", stderr: "null" },
    }).output();
    if (!success) return `${program} is not installed`;
  }
  return undefined;
}

const why = await missing();

function test(name: string, run: (world: World) => Promise<void>): void {
  Deno.test({
    name: name + skippedFor(why),
    ignore: why !== undefined,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using world = await makeWorld();
      await run(world);
    },
  });
}

if (why === undefined) {
  const shared = makeWorld();
  testBackend("ProxmoxBackend on a server of ours", async () => {
    const { backend, options } = await shared;
    return {
      ...{ backend, image, firstPort: 21_000 },
      again: () => ProxmoxBackend.attach(options),
    };
  }, { isReal: false });
  globalThis.addEventListener("unload", () => void shared.then((it) => it[Symbol.asyncDispose]()));
} else {
  Deno.test({ name: `leases on Proxmox are not tested: ${why}`, ignore: true, fn: () => {} });
}

const specOf = () => makeSpec({ image, firstPort: 22_000 });

test("create() asks for a container that is shut in", async ({ pve, backend }) => {
  const port = { hostPort: 23_999, containerPort: 80, protocol: "tcp", label: "web" } as const;
  const spec = { ...await specOf(), ports: [port], env: { A: "b c", LINES: "one\ntwo" } };
  await backend.create(spec, { signal });
  const [{ config, rules, firewall }] = [...pve.containers.values()] as [
    ReturnType<FakePve["containers"]["get"]> & object,
  ];
  const { unprivileged, cpulimit, cores, memory, swap, rootfs, net0, env } = config;
  assert.deepEqual({ unprivileged, cpulimit, cores, memory, swap, rootfs }, {
    ...{ unprivileged: "1", cpulimit: "0.5", cores: "1", memory: "64", swap: "0" },
    rootfs: "disks:0.0625",
  });
  assert.match(net0!, /bridge=vmbr0,ip=10\.213\.\d+\.\d+\/16,gw=10\.213\.0\.1,firewall=1/);
  assert.equal(config.features, undefined);
  assert.ok(env!.split("\0").includes("A=b c"));
  assert.ok(!env!.includes("LINES"), "a line's end cannot be told to Proxmox");
  assert.equal(firewall.policy_in, "DROP");
  assert.equal(firewall.ipfilter, "1");
  assert.deepEqual(
    rules.filter(({ type }) => type === "in").map(({ dport }) => dport),
    ["10022", "80"],
  );
  assert.ok(rules.some(({ type, dest }) => type === "out" && dest === "169.254.0.0/16"));
  await assert.rejects(
    backend.create({ ...await specOf(), ports: [{ ...port, protocol: "udp" }] }, { signal }),
    (error) => isSeedmintError(error, "invalid"),
  );
});

test("prepare() makes a template once, with our server and nothing of the image's in its place", async (world) => {
  const { pve, backend } = world;
  await backend.prepare(image, { signal });
  await backend.prepare(image, { signal });
  assert.equal(pve.calls.filter((call) => call.endsWith("/upload")).length, 1);
  const [[name, bytes]] = [...pve.templates] as [[string, Uint8Array]];
  const place = `${world.options.stateDir}/${name}`;
  await Deno.writeFile(place, bytes);
  const tar = async (...args: string[]) =>
    new TextDecoder().decode((await new Deno.Command("tar", { args }).output()).stdout);
  const list = (await tar("-tzf", place)).split("\n");
  for (const file of ["./etc/motd", "./.seedmint/server/dropbear", "./.seedmint/server/busybox"]) {
    assert.ok(list.includes(file), file);
  }
  assert.equal(list.filter((it) => it === "./.seedmint/start").length, 1);
  assert.match(await tar("-xzOf", place, "./.seedmint/start"), /SEEDMINT_FIRST/);
  for await (const { name } of Deno.readDir(`${world.options.stateDir}/templates`)) {
    assert.fail(`${name} was left`);
  }
});

test("prune() removes templates of ours that nobody keeps", async ({ pve, backend }) => {
  pve.templates.set("debian-12.tar.zst", new Uint8Array());
  await backend.prepare(image, { signal });
  await backend.prune(new Set([image.digest]));
  assert.equal(pve.templates.size, 2);
  await backend.prune(new Set());
  assert.deepEqual([...pve.templates.keys()], ["debian-12.tar.zst"]);
});

test("what a container is told makes a template answer by SSH", async (world) => {
  const { pve, backend, options } = world;
  const spec = await specOf();
  const box = await busyboxImage({ entrypoint: ["/bin/sh", "-c"], cmd: ["echo $A; sleep 9"] });
  await backend.create({ ...spec, image: box, env: { A: "it's b c" } }, { signal });
  const { config } = [...pve.containers.values()][0]!;
  const root = `${options.stateDir}/root`;
  await Deno.mkdir(root);
  await Deno.writeFile(`${root}.tar.gz`, [...pve.templates.values()][0]!);
  await new Deno.Command("tar", { args: ["-xzf", `${root}.tar.gz`, "-C", root] }).output();
  // As its keeper would: a root, processes and a network of its own, and nothing else of ours.
  const look = "busybox nc 127.0.0.1 10022 -w 1 </dev/null | head -n 1 >/banner";
  const script = `ip link set lo up && mkdir -p "$0/dev" && mount --bind /dev "$0/dev" || exit
    env -i "\${@:2}" /usr/sbin/chroot "$0" $1 &
    for i in {1..100}; do
      env -i /usr/sbin/chroot "$0" /.seedmint/server/busybox sh -c '${look}'
      [ -s "$0/banner" ] && exit
      sleep 0.2
    done`;
  const { stdout, stderr } = await new Deno.Command("unshare", {
    args: [
      ...["--net", "--pid", "--mount", "--fork", "--kill-child", "bash", "-c", script, root],
      ...[config.entrypoint!, ...config.env!.split("\0")],
    ],
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.match(said, /^it's b c$/m);
  const banner = await Deno.readTextFile(`${root}/banner`).catch(() => said);
  assert.match(banner, /^SSH-2\.0-dropbear/);
  assert.match(await Deno.readTextFile(`${root}/root/.ssh/authorized_keys`), /^ssh-ed25519 /);
});

test("state() is unknown, never absent, while Proxmox fails", async (world) => {
  const { pve, backend, options } = world;
  const spec = await specOf();
  await backend.create(spec, { signal });
  for (const status of [401, 403, 500, 595, 596]) {
    pve.fault = () => status;
    assert.equal(await backend.state(spec.leaseId), "unknown", `at ${status}`);
    await assert.rejects(backend.list());
  }
  pve.fault = () => "never";
  await using hasty = await ProxmoxBackend.attach({ ...options, clock: impatient });
  assert.equal(await hasty.state(spec.leaseId), "unknown");
  pve.fault = (_, path) => path.endsWith("/config") ? 500 : undefined;
  assert.equal(await backend.state(spec.leaseId), "unknown");
  await pve[Symbol.asyncDispose]();
  assert.equal(await backend.state(spec.leaseId), "unknown");
});

test("destroyExpired() spares a lease that was extended meanwhile", async ({ pve, backend }) => {
  const spec = { ...await specOf(), expiresMs: Date.now() - 10_000 };
  await backend.create(spec, { signal });
  assert.equal(await backend.destroyExpired(spec.leaseId, 60_000), false);
  pve.beforeWrite = (vmid) => {
    pve.beforeWrite = () => {};
    const { config } = pve.containers.get(vmid)!;
    config.description = config.description!.replace(String(spec.expiresMs), "9000000000000");
  };
  assert.equal(await backend.destroyExpired(spec.leaseId, 0), false);
  assert.equal(await backend.state(spec.leaseId), "stopped");
  await backend.extend(spec.leaseId, Date.now() - 1);
  assert.equal(await backend.destroyExpired(spec.leaseId, 0), true);
  assert.equal(await backend.state(spec.leaseId), "absent");
});

test("create() takes another number, and makes anew what a crash left", async ({ pve, backend }) => {
  const first = await specOf();
  await backend.create(first, { signal });
  const spec = await specOf();
  pve.isNumberTaken = true;
  pve.fault = (method, path) =>
    path.endsWith("/firewall/options") || method === "DELETE" ? 500 : undefined;
  await assert.rejects(backend.create(spec, { signal }));
  pve.fault = () => undefined;
  assert.equal((await backend.list()).length, 2);
  await assert.rejects(backend.start(spec.leaseId), (error) => isSeedmintError(error, "not-found"));
  await backend.create(spec, { signal });
  assert.equal(pve.containers.size, 2);
});

test("containers of others are never touched", async ({ pve, backend }) => {
  const spec = await specOf();
  const config = { hostname: spec.leaseId, tags: "seedmint-other", description: "mine" };
  pve.containers.set(500, { config, status: "running", rules: [], firewall: {} });
  assert.equal(await backend.state(spec.leaseId), "absent");
  await backend.destroy(spec.leaseId);
  assert.deepEqual(await backend.list(), []);
  assert.equal(pve.containers.size, 1);
  assert.equal((await backend.capacity()).cpuMillicores, 6000);
});

test("a task that failed is a failure, and tells no secret", async ({ pve, backend }) => {
  pve.exitStatus = "unable to create CT 100 - no space left on device";
  await assert.rejects(backend.create(await specOf(), { signal }), (error) => {
    assert.ok(!inspect(error, { depth: 20 }).includes("444444444444"));
    return isSeedmintError(error, "no-space");
  });
});

test("probe() wants a version that takes commands of ours", async ({ pve, backend }) => {
  assert.equal((await backend.probe()).ok, true);
  for (const version of ["8.4.1", "9.0.11", "nonsense"]) {
    pve.version = version;
    assert.match((await backend.probe()).problem ?? "", /9\.1/);
  }
});

test("exec() and logs() say that Proxmox has no way to", async ({ backend }) => {
  const spec = await specOf();
  await backend.create(spec, { signal });
  for (const work of [() => backend.exec(spec.leaseId), () => backend.logs(spec.leaseId)]) {
    await assert.rejects(work, /log in by SSH/);
  }
});

Deno.test("addressOf() gives each port an address of its own", () => {
  assert.equal(addressOf("10.213", 31_000), "10.213.121.24");
  const all = new Set(Array.from({ length: 64_512 }, (_, index) => addressOf("1.2", 1024 + index)));
  assert.equal(all.size, 64_512);
  assert.ok(!all.has("1.2.0.1"));
  assert.equal(firewallRules({ ports: [] })[0]!.dport, 10_022);
});

Deno.test("readPlace() and readKey() read what settings say, and nothing else", () => {
  assert.deepEqual(readPlace("https://pve.lan:8006/node/pve1/storage/local-lvm/bridge/vmbr1"), {
    ...{ url: "https://pve.lan:8006", node: "pve1", storage: "local-lvm" },
    ...{ templateStorage: "local", bridge: "vmbr1", network: "10.213" },
  });
  for (
    const address of [
      "https://pve.lan:8006",
      "https://pve.lan:8006/node/pve",
      "ftp://pve/node/pve/storage/a",
      "https://pve/node/pve/storage/a:b",
      "https://pve/node/pve/storage/a/more/b",
      "https://pve/node/pve/storage/a/network/10",
      "https://pve/node/pve/storage/a?x=y",
    ]
  ) assert.throws(() => readPlace(address), (error) => isSeedmintError(error, "usage"), address);
  assert.deepEqual(readKey(` ${TOKEN}\n`), { token: TOKEN });
  assert.deepEqual(readKey(`${TOKEN}\n-----BEGIN\nx\n`).authority, "-----BEGIN\nx");
});

Deno.test("Forwarder passes connections on, and stops when it is told to", async () => {
  using target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    using connection = await target.accept();
    const buffer = new Uint8Array(16);
    for (;;) {
      const count = await connection.read(buffer);
      if (count === null) return;
      await connection.write(buffer.subarray(0, count));
    }
  })();
  using forwarder = new Forwarder("127.0.0.1", systemClock);
  const port = (target.addr as Deno.NetAddr).port;
  using probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const hostPort = (probe.addr as Deno.NetAddr).port;
  assert.throws(
    () => forwarder.add({ hostPort, address: "127.0.0.1", port }),
    (error) => isSeedmintError(error, "conflict"),
  );
  probe.close();
  forwarder.add({ hostPort, address: "127.0.0.1", port });
  forwarder.add({ hostPort, address: "127.0.0.1", port });
  {
    const client = await Deno.connect({ hostname: "127.0.0.1", port: hostPort });
    await client.write(new TextEncoder().encode("ping"));
    await client.closeWrite();
    assert.equal(await new Response(client.readable).text(), "ping");
  }
  await serving;
  forwarder.remove(hostPort);
  await assert.rejects(Deno.connect({ hostname: "127.0.0.1", port: hostPort }));
});
