/**
 * What leases and their host are to each other when somebody else has rules for packets, takes ours away,
 * or has a lease's port; started by firewall_test.ts in namespaces of its own.
 */
import assert from "node:assert/strict";
import { isSeedmintError } from "../../../../src/core/errors.ts";
import { leaseLink } from "../../../../provisioning/backends/runc/mod.ts";
import type { InstanceSpec } from "../../../../provisioning/ports.ts";
import { readBanner } from "../../../../provisioning/ssh/mod.ts";
import { systemClock } from "../../../../src/host/system.ts";
import { busyboxImage } from "../../../support/provisioning/busybox_image.ts";
import { host, LeaseWorld } from "../runc/lease_world.ts";

const PROVIDER = "93.184.216.1";
const WORLD = "93.184.216.34";
/** Names of such namespaces are the whole machine's. */
const OUTSIDE = `firewall-${Deno.pid}`;
const INSTANCES = "/proc/sys/fs/inotify/max_user_instances";

/** A host outside that listens on port 80; this one has rules, and is clean at the end. */
async function outside(rules: string): Promise<AsyncDisposable> {
  for (
    const line of [
      `netns add ${OUTSIDE}`,
      `link add up0 type veth peer name eth0 netns ${OUTSIDE}`,
      `address add ${PROVIDER}/24 dev up0`,
      "link set up0 up",
      `-n ${OUTSIDE} address add ${WORLD}/24 dev eth0`,
      `-n ${OUTSIDE} link set eth0 up`,
    ]
  ) await host("ip", ...line.split(" "));
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/x`, "world\n");
  await Deno.writeTextFile(`${folder}/rules`, rules);
  await host("nft", "-f", `${folder}/rules`);
  const server = new Deno.Command("nsenter", {
    args: [`--net=/run/netns/${OUTSIDE}`, ..."busybox httpd -f -p 80 -h".split(" "), folder],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      server.kill("SIGKILL");
      await server.status;
      await host("ip", "link", "del", "up0");
      await host("ip", "netns", "del", OUTSIDE);
      await host("nft", "flush", "ruleset");
      await Deno.writeTextFile("/proc/sys/net/ipv4/ip_forward", "0");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** What a lessee outside reads at the lease's port. */
async function bannerFromOutside({ ssh }: InstanceSpec, withinS = 5): Promise<string> {
  const line = `busybox nc -w ${withinS} ${PROVIDER} ${ssh.hostPort}`;
  const { stdout } = await new Deno.Command("nsenter", {
    args: [`--net=/run/netns/${OUTSIDE}`, ...line.split(" ")],
    stdin: "null",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

/** As docker and ufw leave it. */
const DROPPING = `table ip filter {
  chain DOCKER-USER { return; }
  chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }
}`;

Deno.test("a lease is reached and reaches out where the host's firewall drops what it does not know", async () => {
  await using _outside = await outside(DROPPING);
  {
    await using world = await LeaseWorld.open({ publicHost: PROVIDER });
    const { ok, problem } = await world.backend.probe();
    assert.deepEqual([ok, problem], [true, undefined]);
    const spec = await world.lease();
    assert.match(await bannerFromOutside(spec), /^SSH-2\.0-/);
    assert.equal((await world.sh(spec, `wget -q -O - http://${WORLD}/x`)).stdout, "world\n");
    await host("nft", "flush", "chain", "ip", "filter", "FORWARD");
    assert.doesNotMatch(await bannerFromOutside(spec, 1), /SSH/);
    assert.deepEqual(await world.backend.repair(), [
      "The firewall lets packets of leases through now: ip filter FORWARD",
    ]);
    assert.deepEqual(await world.backend.repair(), []);
    assert.match(await bannerFromOutside(spec), /^SSH-2\.0-/);
  }
  assert.doesNotMatch(await host("nft", "list", "chain", "ip", "filter", "FORWARD"), /smv/);
});

Deno.test("probe() says what to do where a firewall rejects what leases send", async () => {
  await using _outside = await outside(
    `table inet mine { chain mine { type filter hook forward priority filter; policy accept;
      ct status dnat accept; reject; }; }`,
  );
  await using world = await LeaseWorld.open({ publicHost: PROVIDER });
  const { ok, problem } = await world.backend.probe();
  assert.equal(ok, false);
  assert.match(problem ?? "", /drops what goes from leases: let it forward .* smv\*/);
  assert.doesNotMatch(await host("nft", "list", "ruleset"), /smv|probe/);
  assert.doesNotMatch(await Deno.readTextFile("/proc/net/dev"), /smv0|seedmint0/);
});

Deno.test("rules and links that are taken away from a lease are put back", async () => {
  await using _outside = await outside("");
  await using world = await LeaseWorld.open({ publicHost: PROVIDER });
  const spec = await world.lease();
  const { device, gateway } = leaseLink(spec.ssh.hostPort);
  await using server = Deno.serve({ port: 9_998, onListen: () => {} }, () => new Response("host"));
  const askHost = () => world.sh(spec, `nc -w 1 ${gateway} 9998 </dev/null`);
  assert.notEqual((await askHost()).exitCode, 0);
  assert.deepEqual(await world.backend.repair(), []);
  await host("nft", "flush", "ruleset");
  assert.equal((await askHost()).exitCode, 0);
  assert.equal((await world.backend.repair()).length, 2);
  assert.match(await host("nft", "list", "table", "inet", "seedmint_guard"), /drop/);
  assert.notEqual((await askHost()).exitCode, 0);
  assert.match(await bannerFromOutside(spec), /^SSH-2\.0-/);
  await host("ip", "link", "del", device);
  assert.equal((await world.backend.repair()).length, 1);
  assert.match(await bannerFromOutside(spec), /^SSH-2\.0-/);
  assert.notEqual((await askHost()).exitCode, 0);
  await server.shutdown();
});

Deno.test("a port that another provider of the host lends is refused, and stays the other's", async () => {
  await using one = await LeaseWorld.open();
  await using other = await LeaseWorld.open();
  const spec = await one.lease();
  const taken = await other.spec({ ssh: spec.ssh });
  await assert.rejects(
    other.backend.create(taken, { signal: new AbortController().signal }),
    (error) => isSeedmintError(error, "conflict") && /another range of ports/.test(error.message),
  );
  await other.backend.destroy(taken.leaseId);
  const target = { host: "127.0.0.1", port: spec.ssh.hostPort };
  assert.match(await readBanner(target, { clock: systemClock }), /^SSH-2\.0-/);
  assert.deepEqual(await one.backend.repair(), []);
  // Of a lease whose folder was lost, and whose container with it: it holds its port no longer.
  const lost = taken.ssh.hostPort + 1;
  await host("nft", "add", "table", "inet", `seedmint_${lost}`);
  await host("nft", "add", "chain", "inet", `seedmint_${lost}`, "input");
  for (const _ of ["seen", "swept"]) assert.deepEqual(await other.backend.repair(), []);
  const tables = await host("nft", "list", "tables");
  assert.match(tables, new RegExp(`seedmint_${spec.ssh.hostPort}$`, "m"));
  assert.doesNotMatch(tables, new RegExp(`seedmint_${lost}$`, "m"));
});

/** A program without libraries, in the machine's own words. */
const WATCH_ALL = Uint8Array.fromHex(
  [
    // ELF, 64 bit, x86_64, one segment that holds the file and begins after the headers.
    "7f454c46020101000000000000000000" + "02003e0001000000" + "7800400000000000",
    "4000000000000000" + "0000000000000000" + "00000000" + "4000" + "3800" + "0100" +
    "400000000000",
    "0100000005000000" + "0000000000000000" + "0000400000000000" + "0000400000000000",
    "9f00000000000000" + "9f00000000000000" + "0010000000000000",
    // A thousand times inotify_init(), then pause(); exit(1) as soon as one is refused.
    "bbe8030000" + "b8fd000000" + "0f05" + "85c0" + "780b" + "ffcb" + "75f1",
    "b822000000" + "0f05" + "bf01000000" + "b83c000000" + "0f05",
  ].join(""),
);

Deno.test({
  name: "a lease that watches all it can leaves its host something to watch with",
  ignore: Deno.build.arch !== "x86_64",
  async fn() {
    // Of the whole machine, and enough for whatever else runs here.
    const before = Number(await Deno.readTextFile(INSTANCES));
    if (before > 65_536) await Deno.writeTextFile(INSTANCES, "65536");
    await using world = await LeaseWorld.open();
    const image = await busyboxImage({}, [{ name: "bin/watch", content: WATCH_ALL, mode: 0o755 }]);
    const spec = await world.lease({ image });
    assert.equal(Number(await Deno.readTextFile(INSTANCES)), 2 ** 31 - 1);
    const line = "/bin/watch & sleep 0.2; kill $! && echo all";
    assert.equal((await world.sh(spec, line)).stdout, "all\n");
    assert.match((await world.sh(spec, "cat /proc/mounts")).stdout, /devpts .*max=256/);
    const running = world.sh(spec, "/bin/watch", 700).catch(() => {});
    await systemClock.sleep(300);
    using _watcher = Deno.watchFs(world.stateDir);
    await running;
  },
});
