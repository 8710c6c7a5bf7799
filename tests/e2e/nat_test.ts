/**
 * Hosts behind NATs, in network namespaces: what a relay and DCUtR make of them, and mDNS on a local
 * network. Every peer is a process of its own; no packet leaves the namespaces.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { NatPeerTask } from "../support/nat_peer.ts";
import { type LabProgram, NetLab, netnsMissing } from "../support/netns.ts";

const missing = await netnsMissing();
if (missing !== undefined) console.error(`tests/e2e/nat_test.ts is skipped: ${missing}`);
const ignore = missing !== undefined;

const MIB = 1024 * 1024;
const PROGRAM = fileURLToPath(new URL("../support/nat_peer.ts", import.meta.url));
const DEADLINE_MS = 40_000;

/**
 * A made-up Internet 11.0.0.0/24 with a relay at .10, and two hosts behind NATs at .2 and .3. The
 * addresses must look public, because DCUtR dials no private ones.
 */
async function natLab(lab: NetLab) {
  const internet = await lab.lan("inet");
  const relay = await lab.host("relay");
  await lab.plug(relay, internet, "11.0.0.10/24");
  const sides = await Promise.all(["a", "b"].map(async (name, index) => {
    const [router, home, host] = [
      await lab.host(`nat${name}`),
      await lab.lan(`home${name}`),
      await lab.host(`host${name}`),
    ];
    const outside = await lab.plug(router, internet, `11.0.0.${index + 2}/24`);
    await lab.plug(router, home, `10.${index + 1}.0.1/24`);
    await lab.plug(host, home, `10.${index + 1}.0.2/24`);
    await lab.exec(host, `ip route add default via 10.${index + 1}.0.1`);
    await lab.nat(router, outside);
    return { router, outside, host };
  }));
  return { relay, a: sides[0]!, b: sides[1]! };
}

function startPeer(lab: NetLab, host: string, task: NatPeerTask): LabProgram {
  return lab.start(host, [
    "run",
    "--no-prompt",
    "--cached-only",
    "--allow-net",
    "--ignore-env",
    "--allow-sys=networkInterfaces",
    PROGRAM,
    JSON.stringify(task),
  ]);
}

async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Not within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Starts the relay and the seeder behind NAT B; returns how the seeder is reached. */
async function startSeeder(
  lab: NetLab,
  hosts: Awaited<ReturnType<typeof natLab>>,
  bytesMax: number,
) {
  const relay = startPeer(lab, hosts.relay, {
    seed: 1,
    listen: ["/ip4/11.0.0.10/tcp/4001"],
    relayServer: { circuitBytesMax: bytesMax },
  });
  const relayAddress = ((await relay.next("ready"))["addresses"] as string[])[0]!;
  const seeder = startPeer(lab, hosts.b.host, {
    seed: 2,
    listen: ["/ip4/0.0.0.0/tcp/4001"],
    relays: [relayAddress],
  });
  const ready = await seeder.next("ready");
  const addrs = (ready["addresses"] as string[]).filter((address) =>
    address.includes("p2p-circuit")
  );
  return { relayAddress, from: { peerId: ready["peerId"] as string, addrs } };
}

Deno.test({
  name: "a relayed connection becomes direct when one side can be dialled, and loses no byte",
  ignore,
  fn: async () => {
    await using lab = new NetLab();
    await within((async () => {
      const hosts = await natLab(lab);
      const { from } = await startSeeder(lab, hosts, 1024 * MIB);
      await lab.forward(hosts.a.router, hosts.a.outside, 4001, "10.1.0.2");
      const requester = startPeer(lab, hosts.a.host, {
        seed: 3,
        listen: ["/ip4/0.0.0.0/tcp/4001"],
        announceAddrs: ["/ip4/11.0.0.2/tcp/4001"],
        fetch: { from, sizes: [32 * MIB, MIB] },
        waitForDirect: true,
      });
      // Begun through the relay; the upgrade comes before or in the middle of it.
      const first = await requester.next("fetched");
      assert.equal(first["receivedBytes"], 32 * MIB);
      const second = await requester.next("fetched");
      assert.equal(second["relayed"], false);
      assert.equal(second["receivedBytes"], MIB);
      assert.match(String(second["remoteAddr"]), /^\/ip4\/11\.0\.0\.3\/tcp\//);
    })());
  },
});

Deno.test({
  name: "bytes flow through the relay, within its limit, when neither side can be dialled",
  ignore,
  fn: async () => {
    await using lab = new NetLab();
    await within((async () => {
      const hosts = await natLab(lab);
      const { from } = await startSeeder(lab, hosts, 24 * MIB);
      const requester = startPeer(lab, hosts.a.host, {
        seed: 3,
        listen: ["/ip4/0.0.0.0/tcp/4001"],
        fetch: { from, sizes: [16 * MIB, 16 * MIB, 16 * MIB] },
      });
      const first = await requester.next("fetched");
      assert.equal(first["relayed"], true);
      assert.equal(first["receivedBytes"], 16 * MIB);
      // The second crosses the limit of the circuit, the third gets a new circuit.
      await requester.next("failed");
      const third = await requester.next("fetched");
      assert.equal(third["relayed"], true);
      assert.equal(third["receivedBytes"], 16 * MIB);
    })());
  },
});

Deno.test({
  name: "two nodes on one local network find each other by mDNS",
  ignore,
  fn: async () => {
    await using lab = new NetLab();
    await within((async () => {
      const lan = await lab.lan("lan");
      const names = ["one", "two"];
      const hosts = await Promise.all(names.map((name) => lab.host(name)));
      for (const [index, host] of hosts.entries()) {
        const link = await lab.plug(host, lan, `10.3.0.${index + 1}/24`);
        await lab.exec(host, `ip route add default dev ${link}`);
      }
      const listen = ["/ip4/0.0.0.0/tcp/0"];
      const one = startPeer(lab, hosts[0]!, { seed: 4, listen, mdns: true });
      const ready = await one.next("ready");
      const two = startPeer(lab, hosts[1]!, { seed: 5, listen, mdns: true, fetchFromLocal: true });
      const fetched = await two.next("fetched");
      assert.equal(fetched["peer"], ready["peerId"]);
      assert.equal(fetched["relayed"], false);
    })());
  },
});
