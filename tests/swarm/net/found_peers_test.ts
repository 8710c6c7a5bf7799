import assert from "node:assert/strict";
import { type Multiaddr, multiaddr, type PeerId, peerIdFromString } from "../../../swarm/libp2p.ts";
import { type FoundPeer, FoundPeers } from "../../../swarm/net/found_peers.ts";
import { DIAL_ADDRESSES_MAX, MDNS_PEERS_MAX } from "../../../swarm/net/limits.ts";
import { peerIdOfPublicKey } from "../../../swarm/net/peer_id.ts";
import { boundPeerStore } from "../../../swarm/net/peer_store_bound.ts";

// The door to libp2p opens a BroadcastChannel that stays.
Deno.test.sanitizer({ ops: false, resources: false });

function idOf(index: number): string {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(0, index);
  return peerIdOfPublicKey(key);
}

function setUp() {
  const told: FoundPeer[] = [];
  const found = new FoundPeers({ ownPeerId: idOf(0), policy: {} });
  found.listen((peer) => told.push(peer));
  const answer = (index: number, addrs: readonly (string | Multiaddr)[]) =>
    found.onLocalPeer({
      id: peerIdFromString(idOf(index)),
      multiaddrs: addrs.map((text) => typeof text === "string" ? multiaddr(text) : text),
    });
  return { told, found, answer };
}

Deno.test("FoundPeers passes on usable addresses of local peers, and nothing about the node itself", () => {
  const { told, answer } = setUp();
  answer(0, ["/ip4/10.0.0.1/tcp/1"]);
  answer(1, ["/ip4/224.0.0.1/tcp/1", "/ip4/0.0.0.0/tcp/1", "/ip4/10.0.0.2/udp/1"]);
  answer(2, ["/ip4/10.0.0.3/tcp/1", "/ip4/224.0.0.1/tcp/1"]);
  const unreadable = { toString: () => assert.fail("no text") } as unknown as Multiaddr;
  answer(3, [unreadable, "/ip4/10.0.0.4/tcp/1"]);
  answer(4, Array.from({ length: 100 }, (_, port) => `/ip4/10.0.0.5/tcp/${port + 1}`));
  assert.deepEqual(told.slice(0, 2), [
    { peerId: idOf(2), addrs: ["/ip4/10.0.0.3/tcp/1"], via: "mdns" },
    { peerId: idOf(3), addrs: ["/ip4/10.0.0.4/tcp/1"], via: "mdns" },
  ]);
  assert.equal(told[2]!.addrs.length, DIAL_ADDRESSES_MAX);
});

Deno.test("FoundPeers remembers the last local peers only", () => {
  const { found, answer } = setUp();
  for (let index = 1; index <= MDNS_PEERS_MAX + 10; index++) answer(index, ["/ip4/10.0.0.1/tcp/1"]);
  assert.deepEqual(found.localAddresses(idOf(10)), []);
  assert.deepEqual(found.localAddresses(idOf(11)), ["/ip4/10.0.0.1/tcp/1"]);
});

Deno.test("boundPeerStore forgets strangers above the limit, never who is needed, and outlives errors", async () => {
  const stop = new AbortController();
  let ids: string[] = Array.from({ length: 30 }, (_, index) => idOf(index));
  const errors: unknown[] = [];
  let sleepCount = 0;
  await boundPeerStore({
    peerStore: {
      all: () => {
        if (sleepCount === 1) return Promise.reject(new Error("busy"));
        return Promise.resolve(ids.map((id) => ({ id: peerIdFromString(id) as PeerId })));
      },
      delete: (id) => {
        ids = ids.filter((other) => other !== id.toString());
        return Promise.resolve();
      },
    },
    clock: {
      sleep: () => {
        if (++sleepCount === 4) stop.abort(new Error("done"));
        return stop.signal.aborted ? Promise.reject(stop.signal.reason) : Promise.resolve();
      },
    },
    isNeeded: (id) => id.toString() === idOf(0) || id.toString() === idOf(1),
    onError: (error) => errors.push(error),
    signal: stop.signal,
    peersMax: 10,
  });
  assert.equal(errors.length, 1);
  assert.equal(ids.length, 10);
  assert.ok(ids.includes(idOf(0)) && ids.includes(idOf(1)));
});
