/**
 * One peer of the NAT and mDNS tests, a process in a network namespace. Takes one JSON argument,
 * prints one JSON object a line.
 */
import { systemClock } from "../../src/host/system.ts";
import { Libp2pNetwork } from "../../swarm/net/libp2p_network.ts";
import type { ByteStream, PeerAddress } from "../../swarm/ports.ts";

/** What the process is to do. */
export interface NatPeerTask {
  readonly seed: number;
  readonly listen: readonly string[];
  readonly announceAddrs?: readonly string[];
  readonly relays?: readonly string[];
  readonly relayServer?: { readonly circuitBytesMax: number };
  readonly mdns?: boolean;
  /** Where to fetch from once ready. */
  readonly fetch?: { readonly from: PeerAddress; readonly sizes: readonly number[] };
  /** Fetch from the first peer found on the local network. */
  readonly fetchFromLocal?: boolean;
  /** Wait for a direct connection after the first fetch. */
  readonly waitForDirect?: boolean;
}

const PROTOCOL = "/seedmint/test/1";

if (import.meta.main) await main(JSON.parse(Deno.args[0]!) as NatPeerTask);

async function main(task: NatPeerTask): Promise<void> {
  const network = await Libp2pNetwork.start({
    secretKey: new Uint8Array(32).fill(task.seed),
    listen: task.listen,
    mdns: task.mdns ?? false,
    clock: systemClock,
    ...(task.announceAddrs === undefined ? {} : { announceAddrs: task.announceAddrs }),
    ...(task.relays === undefined ? {} : { relays: task.relays }),
    ...(task.relayServer === undefined ? {} : { relayServer: task.relayServer }),
  });
  await network.handle(PROTOCOL, serve);
  const local = Promise.withResolvers<PeerAddress>();
  network.onPeer((peer) => {
    if (peer.via === "mdns") local.resolve(peer);
  });
  if (task.relays !== undefined) {
    await until(() => network.addresses().some((address) => address.includes("/p2p-circuit")));
  }
  tell({ event: "ready", peerId: network.peerId, addresses: network.addresses() });
  if (task.fetchFromLocal === true) {
    const peer = await local.promise;
    tell({ event: "fetched", via: "mdns", peer: peer.peerId, ...await fetch(network, peer, 1) });
  }
  if (task.fetch !== undefined) {
    const { from, sizes } = task.fetch;
    for (const size of sizes) {
      try {
        tell({ event: "fetched", ...await fetch(network, from, size) });
      } catch (error) {
        tell({ event: "failed", message: (error as Error).message });
      }
      if (task.waitForDirect === true) {
        await until(() =>
          network.connections().some((open) => open.peerId === from.peerId && !open.relayed)
        );
      }
    }
    tell({ event: "done", connections: network.connections() });
  }
}

async function fetch(network: Libp2pNetwork, from: PeerAddress, size: number) {
  const beganMs = performance.now();
  const stream = await network.openStream(from, PROTOCOL);
  const request = new Uint8Array(4);
  new DataView(request.buffer).setUint32(0, size);
  await stream.write(request);
  await stream.closeWrite();
  let receivedBytes = 0;
  for (let part = await stream.read(); part; part = await stream.read()) {
    receivedBytes += part.length;
  }
  return {
    receivedBytes,
    relayed: stream.relayed,
    remoteAddr: stream.remoteAddr,
    ms: Math.round(performance.now() - beganMs),
  };
}

async function serve(stream: ByteStream): Promise<void> {
  const request = await stream.read();
  let rest = new DataView(Uint8Array.from(request!).buffer).getUint32(0);
  for (; rest > 0; rest -= 65536) await stream.write(new Uint8Array(Math.min(rest, 65536)));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await systemClock.sleep(50);
}

function tell(object: unknown): void {
  console.log(JSON.stringify(object));
}
