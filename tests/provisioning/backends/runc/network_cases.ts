/** What goes out of and into a lease, on the real runc; started by backend_test.ts in namespaces of its own. */
import assert from "node:assert/strict";
import {
  NEW_CONNECTIONS_BURST,
  NEW_CONNECTIONS_PER_S,
} from "../../../../provisioning/backends/host/limits.ts";
import { leaseLink } from "../../../../provisioning/backends/runc/mod.ts";
import { readBanner } from "../../../../provisioning/ssh/mod.ts";
import { systemClock } from "../../../../src/host/system.ts";
import { firstPid, host, hostSays, LeaseWorld } from "./lease_world.ts";

/** A public address of the provider, and one of the world outside. */
const PROVIDER = "93.184.216.1";
const WORLD = "93.184.216.34";
const CLOSED = ["10.9.9.9", "192.168.9.9", "172.20.1.1", "169.254.169.254", "100.64.0.9"];
const MAIL_PORTS = [25, 465, 587, 2525];

/** A host outside with web servers at good and at forbidden addresses. */
async function outside(): Promise<AsyncDisposable> {
  await host("ip", "netns", "add", "world");
  await host("ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", "world");
  await host("ip", "address", "add", `${PROVIDER}/24`, "dev", "up0");
  await host("ip", "link", "set", "up0", "up");
  const inside = (...args: string[]) => host("ip", "-n", "world", ...args);
  await inside("link", "set", "lo", "up");
  await inside("address", "add", `${WORLD}/24`, "dev", "eth0");
  for (const address of CLOSED) {
    await inside("address", "add", `${address}/32`, "dev", "lo");
    await host("ip", "route", "add", `${address}/32`, "via", WORLD);
  }
  await inside("link", "set", "eth0", "up");
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/x`, "outside\n");
  await Deno.writeFile(`${folder}/big`, new Uint8Array(6 * 1024 * 1024));
  const servers = [80, ...MAIL_PORTS].map((port) =>
    new Deno.Command("nsenter", {
      args: ["--net=/run/netns/world", "busybox", "httpd", "-f", "-p", String(port), "-h", folder],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn()
  );
  return {
    async [Symbol.asyncDispose]() {
      for (const server of servers) {
        server.kill("SIGKILL");
        await server.status;
      }
      // With its namespace the link would go some time later, and take the name of the next with it.
      await host("ip", "link", "del", "up0");
      await host("ip", "netns", "del", "world");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

Deno.test("a lease reaches the public internet, and nothing that is private or for mail", async (context) => {
  await using _outside = await outside();
  await using world = await LeaseWorld.open({ publicHost: PROVIDER });
  const [spec, other] = [await world.lease(), await world.lease()];
  const get = async (target: string) => await world.sh(spec, wget(target));
  await context.step("it reaches a web server", async () => {
    assert.equal((await get(WORLD)).stdout, "outside\n");
  });
  for (const targets of [CLOSED, MAIL_PORTS.map((port) => `${WORLD}:${port}`)]) {
    await context.step(`it does not reach ${targets.join(", ")}, and its host does`, async () => {
      const answers = await Promise.all(targets.map(get));
      assert.deepEqual(answers.filter(({ exitCode }) => exitCode === 0), []);
      for (const target of targets) {
        assert.equal(
          await host("busybox", "wget", "-q", "-O", "-", `http://${target}/x`),
          "outside\n",
        );
      }
    });
  }
  await context.step(
    "it does not reach services of its host, also not those of its loopback",
    async () => {
      const own = leaseLink(spec.ssh.hostPort);
      for (
        const [hostname, targets] of [
          ["0.0.0.0", [PROVIDER, own.gateway]],
          ["127.0.0.1", ["127.0.0.1", PROVIDER, own.gateway]],
        ] as const
      ) {
        await using server = Deno.serve(
          { hostname, port: 9_999, onListen: () => {} },
          () => new Response("host"),
        );
        for (const address of targets) {
          assert.notEqual((await get(`${address}:9999`)).exitCode, 0, address);
        }
        assert.equal(await fetch(`http://${targets[0]}:9999/`).then((it) => it.text()), "host");
        await server.shutdown();
      }
    },
  );
  await context.step("it does not reach another lease", async () => {
    const link = leaseLink(other.ssh.hostPort);
    for (const target of [`${link.address} 10022`, `${PROVIDER} ${other.ssh.hostPort}`]) {
      const { stdout } = await world.sh(spec, `nc -w 2 ${target} < /dev/null`);
      assert.doesNotMatch(stdout, /SSH/);
    }
    const direct = await hostSays("busybox", "nc", "-w", "2", link.address, "10022");
    assert.match(direct, /^SSH-2\.0-/, "it does answer its host");
  });
  await context.step("it is reached from outside by its published port only", async () => {
    const from = (...args: string[]) =>
      hostSays("nsenter", "--net=/run/netns/world", "busybox", "nc", "-w", "2", ...args);
    assert.match(await from(PROVIDER, String(spec.ssh.hostPort)), /^SSH-2\.0-/);
    const { address } = leaseLink(spec.ssh.hostPort);
    await host("ip", "-n", "world", "route", "add", `${address}/32`, "via", PROVIDER);
    assert.doesNotMatch(await from(address, "10022"), /SSH/);
  });
});

Deno.test("a host that forwarded nothing forwards for leases only", async () => {
  await using world = await LeaseWorld.open();
  await world.lease();
  assert.equal((await Deno.readTextFile("/proc/sys/net/ipv4/ip_forward")).trim(), "1");
  assert.match(await host("nft", "list", "table", "inet", "seedmint_guard"), /drop/);
});

/** Counts beginnings of connections to the world's web server, in the network that `within` enters. */
async function countConnections(
  hook: "prerouting" | "input",
  ...within: readonly string[]
): Promise<() => Promise<number>> {
  const nft = (...args: string[]) => host("env", ...within, "nft", ...args);
  await nft(
    `table inet count { chain every { type filter hook ${hook} priority -200; ` +
      "tcp dport 80 tcp flags & (syn | ack) == syn counter; }; }",
  );
  return async () => Number(/packets (\d+)/.exec(await nft("list", "table", "inet", "count"))![1]);
}

/** As many as one process has files for, begun at once and waited for; prints how long that took, in ms. */
const FLOOD = `const startMs = performance.now();
  for (let i = 0; i < 800; i++) {
    Deno.connect({ hostname: "${WORLD}", port: 80 }).catch(() => {});
  }
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  console.log(performance.now() - startMs);
  Deno.exit(0);`;

Deno.test("a lease that floods connections is slowed down, and its neighbour is not", async () => {
  await using _outside = await outside();
  await using world = await LeaseWorld.open({ publicHost: PROVIDER });
  const [spec, other] = [await world.lease(), await world.lease()];
  const sent = await countConnections("prerouting");
  const arrived = await countConnections("input", "nsenter", "--net=/run/netns/world");
  // A program of the host's on the lease's network: many programs inside would be slow by themselves.
  const enter = ["nsenter", `--net=/proc/${await firstPid(world, spec)}/ns/net`] as const;
  const flood = host(...enter, Deno.execPath(), "eval", FLOOD);
  await systemClock.sleep(500);
  const answer = await world.sh(other, wget(WORLD));
  assert.equal(answer.stdout, "outside\n");
  const seconds = Number(await flood) / 1000;
  const most = NEW_CONNECTIONS_BURST + NEW_CONNECTIONS_PER_S * seconds;
  const [sentCount, arrivedCount] = [await sent(), await arrived()];
  assert.ok(sentCount > most, `no flood: ${sentCount} were begun in ${seconds} s`);
  // The neighbour had one, too.
  assert.ok(arrivedCount <= most + 1, `${arrivedCount} arrived in ${seconds} s`);
  assert.ok(arrivedCount >= NEW_CONNECTIONS_BURST, `only ${arrivedCount} arrived`);
});

Deno.test("a lease gets the bandwidth that it may have", async () => {
  await using _outside = await outside();
  await using world = await LeaseWorld.open({
    publicHost: PROVIDER,
    bandwidthBytesPerS: 1024 * 1024,
  });
  const spec = await world.lease();
  const startMs = performance.now();
  const { exitCode } = await world.sh(spec, `wget -q -O /dev/null http://${WORLD}/big`, 30_000);
  assert.equal(exitCode, 0);
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs > 3_000, `6 MiB at 1 MiB/s took ${tookMs} ms`);
  const { rxBytes } = await world.backend.stats(spec.leaseId);
  assert.ok(rxBytes >= 6 * 1024 * 1024);
});

Deno.test("what a lease had on the network is gone with it", async () => {
  await using world = await LeaseWorld.open();
  const spec = await world.lease();
  const { device, table } = leaseLink(spec.ssh.hostPort);
  assert.match(await host("ip", "link", "show", device), /UP/);
  await world.backend.destroy(spec.leaseId);
  assert.doesNotMatch(await host("ip", "link"), new RegExp(device));
  assert.doesNotMatch(await host("nft", "list", "tables"), new RegExp(table));
  await assert.rejects(
    readBanner({ host: "127.0.0.1", port: spec.ssh.hostPort }, { clock: systemClock }),
  );
});

/** A line of shell that prints a small file of a web server, or fails within three seconds. */
function wget(target: string): string {
  return `wget -q -O - http://${target}/x & p=$!; (sleep 3; kill -9 $p) >/dev/null 2>&1 & wait $p`;
}
