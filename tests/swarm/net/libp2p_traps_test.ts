/** Each known trap of js-libp2p 3.3, sprung on purpose, and what happens instead. */
import assert from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { createLibp2p, noise, tcp, yamux } from "../../../swarm/libp2p.ts";
import type { Libp2pNetwork } from "../../../swarm/net/libp2p_network.ts";
import type { Libp2pByteStream } from "../../../swarm/net/libp2p_stream.ts";
import { READ_QUEUE_HIGH_BYTES, STREAM_WINDOW_BYTES_MAX } from "../../../swarm/net/limits.ts";
import type { Libp2pNetworkOptions } from "../../../swarm/net/options.ts";
import type { ByteStream } from "../../../swarm/ports.ts";
import { addressOf, echo, readAll } from "../../conformance/network.ts";
import { startNetwork as start, STOCK_STACK } from "../../support/libp2p.ts";
import { TcpProxy } from "../../support/tcp_proxy.ts";

// libp2p keeps a BroadcastChannel and timers of its queues: these files opt out of the sanitizers.
Deno.test.sanitizer({ ops: false, resources: false });

const PROTOCOL = "/seedmint/test/1";
const MIB = 1024 * 1024;

/** The parts of js-libp2p whose traps these are, and ours that took their place. */
const STACKS: readonly (readonly [string, Partial<Libp2pNetworkOptions>])[] = [
  ["our stack", {}],
  ["the stock stack", STOCK_STACK],
];

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadlineMs = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) assert.fail(`Not within 30 s: ${what}`);
    await systemClock.sleep(20);
  }
}

function portOf(network: Libp2pNetwork): number {
  return Number(/\/tcp\/([0-9]+)/.exec(network.addresses()[0]!)![1]);
}

for (const [stack, parts] of STACKS) {
  Deno.test(`a slow reader bounds what is queued at the sender, for all of 64 MiB (${stack})`, async () => {
    await using alice = await start(1, parts);
    await using bob = await start(2, parts);
    let sentBytes = 0;
    let unsentBytesMax = 0;
    await bob.handle(PROTOCOL, async (stream) => {
      for (; sentBytes < 64 * MIB; sentBytes += 64 * 1024) {
        const room = stream.write(new Uint8Array(64 * 1024));
        unsentBytesMax = Math.max(unsentBytesMax, (stream as Libp2pByteStream).unsentBytes);
        await room;
      }
    });
    const stream = await alice.openStream(addressOf(bob), PROTOCOL) as Libp2pByteStream;
    let receivedBytes = 0;
    let underWayBytesMax = 0;
    let unreadBytesMax = 0;
    let nextPauseBytes = 0;
    for (let part = await stream.read(); part; part = await stream.read()) {
      receivedBytes += part.length;
      underWayBytesMax = Math.max(underWayBytesMax, sentBytes - receivedBytes);
      unreadBytesMax = Math.max(unreadBytesMax, stream.unreadBytes);
      if (receivedBytes > nextPauseBytes) {
        nextPauseBytes += MIB;
        await systemClock.sleep(5);
      }
    }
    assert.equal(receivedBytes, 64 * MIB);
    assert.ok(unsentBytesMax <= 128 * 1024, `${unsentBytesMax} bytes in the sender's stream`);
    const unreadBytesLimit = 2 * STREAM_WINDOW_BYTES_MAX + READ_QUEUE_HIGH_BYTES + MIB;
    assert.ok(unreadBytesMax <= unreadBytesLimit, `${unreadBytesMax} bytes unread`);
    assert.ok(underWayBytesMax <= 12 * MIB, `${underWayBytesMax} bytes between writer and reader`);
  });
}

for (const [stack, parts] of STACKS) {
  Deno.test(`what is read is plain memory: slicing copies, and it fits its buffer's view (${stack})`, async () => {
    await using alice = await start(1, parts);
    await using bob = await start(2, parts);
    await bob.handle(PROTOCOL, async (stream) => {
      for (let index = 0; index < 64; index++) {
        await stream.write(new Uint8Array(100 + index * 997));
      }
    });
    const stream = await alice.openStream(addressOf(bob), PROTOCOL);
    for (let part = await stream.read(); part; part = await stream.read()) {
      assert.equal(part.constructor, Uint8Array);
      const copy = part.slice();
      assert.notEqual(copy.buffer, part.buffer);
      assert.equal(copy.buffer.byteLength, copy.length);
    }
  });
}

for (const [stack, parts] of STACKS) {
  Deno.test(`a connection closed in the middle reads as a reset, never as the end (${stack})`, async () => {
    await using alice = await start(1, parts);
    await using bob = await start(2, parts);
    await using proxy = new TcpProxy(portOf(bob));
    await bob.handle(PROTOCOL, async (stream) => {
      for (let count = 0; count < 4_096; count++) await stream.write(new Uint8Array(64 * 1024));
    });
    const addrs = [`/ip4/127.0.0.1/tcp/${proxy.port}`];
    const stream = await alice.openStream({ peerId: bob.peerId, addrs }, PROTOCOL);
    await stream.closeWrite();
    let receivedBytes = 0;
    await assert.rejects(async () => {
      for (let part = await stream.read(); part; part = await stream.read()) {
        receivedBytes += part.length;
        if (receivedBytes > 4 * MIB) proxy.close();
      }
    }, (error) => isSeedmintError(error, "reset"));
  });
}

Deno.test("a stream opens again at once after its connection was lost", async () => {
  await using alice = await start(1);
  await using bob = await start(2);
  await using proxy = new TcpProxy(portOf(bob));
  await bob.handle(PROTOCOL, echo);
  const peer = { peerId: bob.peerId, addrs: [`/ip4/127.0.0.1/tcp/${proxy.port}`] };
  const stream = await alice.openStream(peer, PROTOCOL);
  proxy.close();
  await assert.rejects(stream.read(), (error) => isSeedmintError(error, "reset"));
  const again = await alice.openStream(peer, PROTOCOL);
  await again.write(Uint8Array.of(1));
  assert.deepEqual(await again.read(), Uint8Array.of(1));
});

/** A node whose pings are never answered: its handler keeps the stream and says nothing. */
async function startMute(serve: (stream: ByteStream) => Promise<void>) {
  const node = await createLibp2p({
    addresses: { listen: ["/ip4/127.0.0.1/tcp/0"] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  });
  await node.handle("/ipfs/ping/1.0.0", () => {}, { maxInboundStreams: 1_000 });
  await node.handle(PROTOCOL, async (stream) => {
    const { Libp2pByteStream } = await import("../../../swarm/net/libp2p_stream.ts");
    await serve(
      new Libp2pByteStream(stream, {
        peerId: "",
        remoteAddr: "",
        relayed: false,
        onActivity: () => {},
      }),
    );
  });
  return {
    peerId: node.peerId.toString(),
    addrs: node.getMultiaddrs().map(String),
    [Symbol.asyncDispose]: async () => await node.stop(),
  };
}

Deno.test("a busy connection outlives pings without answer, an idle one does not", async () => {
  await using alice = await start(1, { pingIntervalMs: 100 });
  await using mute = await startMute(async (stream) => {
    for (let count = 0; count < 60; count++) {
      await stream.write(new Uint8Array(1024));
      await systemClock.sleep(20);
    }
    await stream.closeWrite();
  });
  const stream = await alice.openStream(mute, PROTOCOL);
  assert.equal((await readAll(stream)).length, 60 * 1024);
  assert.equal(alice.connections().length, 1);
  await until(() => alice.connections().length === 0, "the idle connection is dropped");
});

Deno.test("a peer that fell silent is noticed, and what waits for it is reset", async () => {
  await using alice = await start(1, { pingIntervalMs: 50 });
  await using bob = await start(2);
  await using proxy = new TcpProxy(portOf(bob));
  await bob.handle(PROTOCOL, echo);
  const addrs = [`/ip4/127.0.0.1/tcp/${proxy.port}`];
  const stream = await alice.openStream({ peerId: bob.peerId, addrs }, PROTOCOL);
  await stream.write(Uint8Array.of(1));
  await stream.read();
  proxy.freeze();
  await assert.rejects(stream.read(), (error) => isSeedmintError(error, "reset"));
});

async function startRelayed(circuitBytesMax: number, parts: Partial<Libp2pNetworkOptions>) {
  await using stack = new AsyncDisposableStack();
  const relay = stack.use(await start(1, { ...parts, relayServer: { circuitBytesMax } }));
  const seeder = stack.use(await start(2, { ...parts, relays: relay.addresses() }));
  const requester = stack.use(await start(3, parts));
  await until(
    () => seeder.addresses().some((address) => address.includes("/p2p-circuit")),
    "the seeder has a reservation",
  );
  const addrs = seeder.addresses().filter((address) => address.includes("/p2p-circuit"));
  const owner = stack.move();
  return {
    relay,
    seeder,
    requester,
    peer: { peerId: seeder.peerId, addrs },
    [Symbol.asyncDispose]: () => owner.disposeAsync(),
  };
}

for (const [stack, parts] of STACKS) {
  Deno.test(`a circuit carries far more than 128 KiB, and the stream says that it is relayed (${stack})`, async () => {
    await using lab = await startRelayed(64 * MIB, parts);
    await lab.seeder.handle(PROTOCOL, async (stream) => {
      assert.equal(stream.relayed, true);
      for (let count = 0; count < 128; count++) await stream.write(new Uint8Array(64 * 1024));
    });
    const stream = await lab.requester.openStream(lab.peer, PROTOCOL);
    assert.equal(stream.relayed, true);
    assert.ok(stream.remoteAddr.includes("/p2p-circuit"));
    let receivedBytes = 0;
    for (let part = await stream.read(); part; part = await stream.read()) {
      receivedBytes += part.length;
    }
    assert.equal(receivedBytes, 8 * MIB);
    assert.deepEqual(
      lab.requester.connections().filter((c) => c.peerId === lab.seeder.peerId).map((c) =>
        c.relayed
      ),
      [true],
    );
  });
}

for (const [stack, parts] of STACKS) {
  Deno.test(`a circuit that used up its bytes resets its streams, and the next stream gets a new one (${stack})`, async () => {
    await using lab = await startRelayed(2 * MIB, parts);
    await lab.seeder.handle(PROTOCOL, async (stream) => {
      for (let count = 0; count < 24; count++) await stream.write(new Uint8Array(64 * 1024));
    });
    const outcomes: string[] = [];
    for (let round = 0; round < 3; round++) {
      try {
        const stream = await lab.requester.openStream(lab.peer, PROTOCOL);
        await stream.closeWrite();
        let receivedBytes = 0;
        for (let part = await stream.read(); part; part = await stream.read()) {
          receivedBytes += part.length;
        }
        assert.equal(receivedBytes, 1.5 * MIB);
        outcomes.push("whole");
      } catch (error) {
        assert.ok(isSeedmintError(error, "reset"));
        outcomes.push("reset");
      }
    }
    assert.deepEqual(outcomes, ["whole", "reset", "whole"]);
  });
}

Deno.test("a relay that comes back is used again", async () => {
  const listen = ["/ip4/127.0.0.1/tcp/0"];
  let relay = await start(1, { relayServer: true, listen });
  const address = relay.addresses()[0]!;
  await using seeder = await start(2, { relays: [address] });
  const isReserved = () => seeder.addresses().some((text) => text.includes("/p2p-circuit"));
  await until(isReserved, "a reservation");
  await relay[Symbol.asyncDispose]();
  await until(() => !isReserved(), "the reservation is gone with the relay");
  relay = await start(1, { relayServer: true, listen: [address.replace(/\/p2p\/.*/, "")] });
  await using _relay = relay;
  await until(isReserved, "a reservation again");
});

Deno.test("static peers are connected without being asked for, and again after a loss", async () => {
  await using bob = await start(2);
  await using proxy = new TcpProxy(portOf(bob));
  let connectionCount = 0;
  bob.onPeer(() => connectionCount++);
  await using _alice = await start(1, {
    peers: [`/ip4/127.0.0.1/tcp/${proxy.port}/p2p/${bob.peerId}`],
  });
  await until(() => connectionCount === 1, "the static peer is connected");
  proxy.close();
  await until(() => connectionCount === 2, "the static peer is connected again");
});

Deno.test("peers tell each other through identify where they listen", async () => {
  await using alice = await start(1);
  await using bob = await start(2);
  await using carol = await start(3, { listen: [] });
  const found = Promise.withResolvers<readonly string[]>();
  bob.onPeer((peer) => peer.peerId === alice.peerId && found.resolve(peer.addrs));
  await bob.handle(PROTOCOL, echo);
  const stream = await alice.openStream(addressOf(bob), PROTOCOL);
  stream.abort(new Error("done"));
  const addrs = await found.promise;
  assert.deepEqual(addrs, [`/ip4/127.0.0.1/tcp/${portOf(alice)}`]);
  await alice.handle(PROTOCOL, echo);
  (await carol.openStream({ peerId: alice.peerId, addrs }, PROTOCOL)).abort(new Error("done"));
});

Deno.test("WebSockets are listened on, and dialled without being configured", async () => {
  await using alice = await start(1);
  await using bob = await start(2, { listen: ["/ip4/127.0.0.1/tcp/0/ws"] });
  await bob.handle(PROTOCOL, echo);
  const stream = await alice.openStream(addressOf(bob), PROTOCOL);
  assert.match(stream.remoteAddr, /\/ws/);
  await stream.write(new Uint8Array(MIB));
  await stream.closeWrite();
  let receivedBytes = 0;
  for (let part = await stream.read(); part; part = await stream.read()) {
    receivedBytes += part.length;
  }
  assert.equal(receivedBytes, MIB);
});

Deno.test("a peer is dialled by the name of its host", async () => {
  await using alice = await start(1);
  await using bob = await start(2);
  await bob.handle(PROTOCOL, echo);
  const addrs = [`/dns4/localhost/tcp/${portOf(bob)}`];
  const stream = await alice.openStream({ peerId: bob.peerId, addrs }, PROTOCOL);
  await stream.write(Uint8Array.of(1));
  assert.deepEqual(await stream.read(), Uint8Array.of(1));
});

Deno.test("an address policy keeps private and loopback hosts undialled", async () => {
  await using alice = await start(1, { addressPolicy: { loopback: false, private: false } });
  await using bob = await start(2);
  await bob.handle(PROTOCOL, echo);
  await assert.rejects(
    alice.openStream(addressOf(bob), PROTOCOL),
    (error) => isSeedmintError(error, "unavailable"),
  );
});

Deno.test("another peer's key at a hinted address is refused", async () => {
  await using alice = await start(1);
  await using bob = await start(2);
  await using carol = await start(3);
  await assert.rejects(
    alice.openStream({ peerId: bob.peerId, addrs: [`/ip4/127.0.0.1/tcp/${portOf(carol)}`] }, "/x"),
    (error) => isSeedmintError(error, "unavailable"),
  );
  assert.deepEqual(alice.connections(), []);
});

Deno.test("Libp2pNetwork.start says which address it cannot use", async () => {
  await using alice = await start(1);
  const taken = `/ip4/127.0.0.1/tcp/${portOf(alice)}`;
  await assert.rejects(start(2, { listen: [taken] }), (error) => {
    return isSeedmintError(error, "usage") && error.message.includes(taken);
  });
  await assert.rejects(start(2, { listen: ["nonsense"] }), (e) => isSeedmintError(e, "usage"));
  await assert.rejects(
    start(2, { relays: ["/ip4/1.2.3.4/tcp/1"] }),
    (e) => isSeedmintError(e, "usage"),
  );
});

Deno.test("a peer that calls through itself as a relay gets no reservation and no place in adverts", async () => {
  await using alice = await start(1);
  await using relay = await start(2, { relayServer: true });
  const before = alice.addresses();
  const stream = await relay.openStream(addressOf(alice), "/libp2p/circuit/relay/0.2.0/stop");
  await assert.rejects(stream.read(), (error) => isSeedmintError(error, "reset"));
  await systemClock.sleep(200);
  assert.deepEqual(alice.addresses(), before);
});

Deno.test("a relay for some peers only gives reservations to no others", async () => {
  await using relay = await start(1, { relayServer: { allow: () => false } });
  await using seeder = await start(2, { relays: relay.addresses() });
  await until(() => seeder.connections().length === 1, "the relay is connected");
  await systemClock.sleep(300);
  assert.ok(!seeder.addresses().some((address) => address.includes("/p2p-circuit")));
});

Deno.test("garbage and silence on the port leave the node as it was", async () => {
  await using alice = await start(1, { inboundConnectionsPerSecondMax: 10_000 });
  await using bob = await start(2);
  await alice.handle(PROTOCOL, echo);
  const sockets: Deno.TcpConn[] = [];
  for (let count = 0; count < 100; count++) {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port: portOf(alice) });
    sockets.push(socket);
    if (count % 2 === 0) await socket.write(crypto.getRandomValues(new Uint8Array(500)));
    if (count % 4 === 0) socket.close();
  }
  const stream = await bob.openStream(addressOf(alice), PROTOCOL);
  await stream.write(Uint8Array.of(1));
  await stream.closeWrite();
  assert.deepEqual(await readAll(stream), Uint8Array.of(1));
  assert.equal(alice.connections().length, 1);
  for (const [index, socket] of sockets.entries()) if (index % 4 !== 0) socket.close();
});

Deno.test("closing takes no longer because a peer does not answer", async () => {
  const alice = await start(1);
  await using bob = await start(2);
  await using proxy = new TcpProxy(portOf(bob));
  await bob.handle(PROTOCOL, echo);
  const addrs = [`/ip4/127.0.0.1/tcp/${proxy.port}`];
  const stream = await alice.openStream({ peerId: bob.peerId, addrs }, PROTOCOL);
  await stream.write(Uint8Array.of(1));
  await stream.read();
  proxy.freeze();
  const beganMs = performance.now();
  await alice[Symbol.asyncDispose]();
  const tookMs = performance.now() - beganMs;
  assert.ok(tookMs < 4_500, `${tookMs} ms`);
  await assert.rejects(stream.read(), (error) => isSeedmintError(error, "reset"));
});
