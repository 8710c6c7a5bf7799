import { deepEqual, equal } from "node:assert/strict";
import { concatBytes } from "../../../src/core/bytes.ts";
import { type ByteStream, WRITE_ROOM_BYTES } from "../../../swarm/ports.ts";
import { testNetwork } from "../../conformance/network.ts";
import { startNetwork, STOCK_STACK } from "../../support/libp2p.ts";

// libp2p keeps a BroadcastChannel and timers of its queues: these files opt out of the sanitizers.
Deno.test.sanitizer({ ops: false, resources: false });

testNetwork("Libp2pNetwork", async () => {
  const [alice, bob] = await Promise.all([startNetwork(1), startNetwork(2)]);
  return { alice, bob };
});

testNetwork("Libp2pNetwork on the stock stack", async () => {
  const [alice, bob] = await Promise.all([
    startNetwork(1, STOCK_STACK),
    startNetwork(2, STOCK_STACK),
  ]);
  return { alice, bob };
});

testNetwork("Libp2pNetwork from our stack to the stock one", async () => {
  const [alice, bob] = await Promise.all([startNetwork(1), startNetwork(2, STOCK_STACK)]);
  return { alice, bob };
});

for (const isOurs of [true, false]) {
  const stack = isOurs ? "our stack" : "the stock stack";
  Deno.test(`Libp2pNetwork on ${stack} writes over memory only before what it sends`, async () => {
    const options = isOurs ? [] : [STOCK_STACK];
    await using alice = await startNetwork(1, ...options);
    await using bob = await startNetwork(2, ...options);
    const received = Promise.withResolvers<Uint8Array>();
    await bob.handle("/over/1", async (stream: ByteStream) => {
      const parts: Uint8Array[] = [];
      for (let part = await stream.read(); part !== undefined; part = await stream.read()) {
        parts.push(part.slice());
      }
      received.resolve(concatBytes(...parts));
    });
    const peer = { peerId: bob.peerId, addrs: [...bob.addresses()] };
    const stream = await alice.openStream(peer, "/over/1");
    equal(stream.copiesWrites === true, isOurs);
    const sent: Uint8Array[] = [];
    for (const [index, size] of [1, 100, 40_000, 65_507, 65_508, 1_000_003, 3_000_000].entries()) {
      const memory = new Uint8Array(WRITE_ROOM_BYTES + size);
      for (let at = 0; at < memory.length; at++) memory[at] = at * 31 + (at >> 8) + index;
      const bytes = memory.subarray(WRITE_ROOM_BYTES);
      sent.push(bytes.slice());
      const room = stream.writeOver!(bytes);
      if (room !== undefined) await room;
      if (isOurs) memory.fill(0);
      sent.push(Uint8Array.of(index));
      await stream.write(Uint8Array.of(index));
    }
    await stream.closeWrite();
    deepEqual(await received.promise, concatBytes(...sent));
  });
}
