import assert from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { MemoryHub } from "../../../swarm/net/memory_network.ts";
import { peerIdOfPublicKey } from "../../../swarm/net/peer_id.ts";
import { addressOf, echo, readAll, testNetwork } from "../../conformance/network.ts";

const [aliceId, bobId] = [1, 2].map((byte) => peerIdOfPublicKey(new Uint8Array(32).fill(byte)));
const PROTOCOL = "/seedmint/test/1";

testNetwork("MemoryNetwork", () => {
  const hub = new MemoryHub({ clock: systemClock });
  return Promise.resolve({ alice: hub.join(aliceId!), bob: hub.join(bobId!) });
});

testNetwork("MemoryNetwork with latency", () => {
  const hub = new MemoryHub({ clock: systemClock, latencyMs: () => 1 });
  return Promise.resolve({ alice: hub.join(aliceId!), bob: hub.join(bobId!) });
});

Deno.test("MemoryHub.cut resets streams and refuses dials until heal", async () => {
  const hub = new MemoryHub({ clock: systemClock });
  await using alice = hub.join(aliceId!);
  await using bob = hub.join(bobId!);
  await bob.handle(PROTOCOL, echo);
  const stream = await alice.openStream(addressOf(bob), PROTOCOL);
  hub.cut(aliceId!, bobId!);
  await assert.rejects(stream.read(), (error) => isSeedmintError(error, "reset"));
  assert.deepEqual(alice.connections(), []);
  await assert.rejects(
    alice.openStream(addressOf(bob), PROTOCOL),
    (error) => isSeedmintError(error, "unavailable"),
  );
  hub.heal(aliceId!, bobId!);
  const again = await alice.openStream(addressOf(bob), PROTOCOL);
  await again.closeWrite();
  assert.equal((await readAll(again)).length, 0);
});

Deno.test("MemoryHub lets members with mdns find each other without a dial", async () => {
  const hub = new MemoryHub({ clock: systemClock });
  await using alice = hub.join(aliceId!, { mdns: true });
  const found = Promise.withResolvers<string>();
  alice.onPeer((peer) => found.resolve(`${peer.via} ${peer.peerId}`));
  await using bob = hub.join(bobId!, { mdns: true });
  assert.equal(await found.promise, `mdns ${bobId}`);
  await bob.handle(PROTOCOL, echo);
  const stream = await alice.openStream({ peerId: bobId!, addrs: [] }, PROTOCOL);
  await stream.closeWrite();
  await readAll(stream);
});

Deno.test("MemoryHub.join refuses what is no peer id, and a second member of one id", () => {
  const hub = new MemoryHub({ clock: systemClock });
  assert.throws(() => hub.join("bob"), TypeError);
  hub.join(bobId!);
  assert.throws(() => hub.join(bobId!), TypeError);
});

Deno.test("MemoryNetwork aborts what a handler left half open once it lingers too long", async () => {
  let fire = () => {};
  const clock = {
    ...systemClock,
    timer: (_ms: number, callback: () => void) => {
      fire = callback;
      return () => {};
    },
  };
  const hub = new MemoryHub({ clock });
  await using alice = hub.join(aliceId!);
  await using bob = hub.join(bobId!);
  await bob.handle(PROTOCOL, () => Promise.resolve());
  const stream = await alice.openStream(addressOf(bob), PROTOCOL);
  assert.equal(await stream.read(), undefined);
  await stream.write(Uint8Array.of(1));
  fire();
  assert.throws(
    () => void stream.write(Uint8Array.of(1)),
    (error) => isSeedmintError(error, "reset"),
  );
});
