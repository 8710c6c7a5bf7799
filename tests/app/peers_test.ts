import assert from "node:assert/strict";
import type { Clock } from "../../src/core/ports.ts";
import type { Hash } from "../../src/core/hash.ts";
import { hintsOf, KnownPeers } from "../../src/app/lifecycle/peers.ts";
import { peerIdOfPublicKey } from "../../swarm/net/peer_id.ts";
import type { Network, PeerAddress } from "../../swarm/ports.ts";

const [ann, ben, cy] = [1, 2, 3].map((fill) =>
  peerIdOfPublicKey(new Uint8Array(32).fill(fill))
) as [
  string,
  string,
  string,
];
const query = { hash: "0".repeat(64) as Hash };

/** A clock that moves when it is told to. */
function manualClock() {
  let nowMs = 0;
  const timers = new Map<() => void, number>();
  const clock: Clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: () => Promise.reject(new Error("not used")),
    timer: (ms, callback) => {
      timers.set(callback, nowMs + ms);
      return () => timers.delete(callback);
    },
  };
  const advance = (ms: number) => {
    nowMs += ms;
    for (const [callback, dueMs] of timers) if (dueMs <= nowMs) callback();
  };
  return { clock, advance, timers };
}

function fakeNetwork(connected: readonly string[] = []) {
  const listeners = new Set<(peer: PeerAddress & { via: "mdns" | "connection" }) => void>();
  const network = {
    connections: () => connected.map((peerId) => ({ peerId })),
    onPeer: (listener: (peer: PeerAddress & { via: "mdns" | "connection" }) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  } as unknown as Network;
  const meet = (peerId: string) => {
    for (const listener of listeners) {
      listener({ peerId, addrs: ["/ip4/10.0.0.1/tcp/1"], via: "mdns" });
    }
  };
  return { network, meet, listeners };
}

Deno.test("hintsOf() puts addresses of one peer together and leaves out what is no peer", () => {
  const addresses = [
    `/ip4/192.0.2.1/tcp/1/p2p/${ann}`,
    `/ip4/192.0.2.1/tcp/1/p2p/${ben}/p2p-circuit/p2p/${ann}`,
    `/ip4/192.0.2.2/tcp/1`,
    `/ip4/192.0.2.2/tcp/1/p2p/nobody`,
  ];
  assert.deepEqual(hintsOf(addresses, "peer"), [
    { peerId: ann, addrs: addresses.slice(0, 2), via: "peer", bound: false },
  ]);
});

Deno.test("KnownPeers yields configured, connected and local peers, each once, and ends", async () => {
  const { network, meet } = fakeNetwork([ann, ben]);
  const { clock } = manualClock();
  using peers = new KnownPeers({
    network,
    configured: hintsOf([`/ip4/192.0.2.1/tcp/1/p2p/${ann}`], "peer"),
    mdns: false,
    clock,
  });
  meet(cy);
  const found = await Array.fromAsync(peers.find(query));
  assert.deepEqual(found.map(({ peerId, via }) => [peerId, via]), [
    [ann, "peer"],
    [ben, "peer"],
    [cy, "mdns"],
  ]);
});

Deno.test("KnownPeers of a node that just started waits a moment for its neighbours", async () => {
  const { network, meet, listeners } = fakeNetwork();
  const { clock, advance, timers } = manualClock();
  const peers = new KnownPeers({ network, configured: [], mdns: true, clock });
  const found = peers.find(query)[Symbol.asyncIterator]();
  const first = found.next();
  advance(300);
  meet(ann);
  assert.equal((await first).value?.peerId, ann);
  const second = found.next();
  await Promise.resolve();
  advance(800);
  assert.equal((await second).done, true);
  assert.deepEqual(await Array.fromAsync(peers.find(query), ({ peerId }) => peerId), [ann]);
  assert.equal(timers.size, 0);
  peers[Symbol.dispose]();
  assert.equal(listeners.size, 0);
});

Deno.test("KnownPeers ends at once when it is aborted", async () => {
  const { network } = fakeNetwork();
  const { clock, timers } = manualClock();
  using peers = new KnownPeers({ network, configured: [], mdns: true, clock });
  const abort = new AbortController();
  const found = Array.fromAsync(peers.find(query, { signal: abort.signal }));
  abort.abort();
  assert.deepEqual(await found, []);
  assert.equal(timers.size, 0);
});
