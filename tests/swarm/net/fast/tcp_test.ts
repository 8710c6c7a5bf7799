import assert from "node:assert/strict";
import type { Connection, MultiaddrConnection, Transport, Upgrader } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { systemClock } from "../../../../src/host/system.ts";
import { denoTcp, type DenoTcpOptions } from "../../../../swarm/net/fast/deno_tcp.ts";
import { WRITE_HIGH_BYTES } from "../../../../swarm/net/fast/limits.ts";
import { once, silentLogger, until } from "./support.ts";

function transport(options: Partial<DenoTcpOptions> = {}): Transport {
  return denoTcp({ clock: systemClock, ...options })({ logger: silentLogger });
}

/** An upgrader that keeps the raw connections. */
function rawUpgrader() {
  const inbound: MultiaddrConnection[] = [];
  const upgrader = {
    upgradeInbound: (connection: MultiaddrConnection) => {
      inbound.push(connection);
      return Promise.resolve();
    },
    upgradeOutbound: (connection: MultiaddrConnection) =>
      Promise.resolve(connection as unknown as Connection),
  } as unknown as Upgrader;
  return { inbound, upgrader };
}

interface Pair {
  readonly dialed: MultiaddrConnection;
  readonly accepted: MultiaddrConnection;
}

async function withPair(
  test: (pair: Pair) => Promise<void>,
  options: Partial<DenoTcpOptions> = {},
): Promise<void> {
  const tcp = transport(options);
  const { inbound, upgrader } = rawUpgrader();
  const listener = tcp.createListener({ upgrader });
  await listener.listen(multiaddr("/ip4/127.0.0.1/tcp/0"));
  const [address] = listener.getAddrs();
  const signal = new AbortController().signal;
  const dialed = await tcp.dial(address!, { upgrader, signal }) as unknown as MultiaddrConnection;
  try {
    await until(() => inbound.length === 1, "the connection was accepted");
    await test({ dialed, accepted: inbound[0]! });
  } finally {
    dialed.abort(new Error("test ended"));
    await listener.close();
  }
}

Deno.test("denoTcp() takes TCP multiaddrs and no others", () => {
  const good = [
    "/ip4/127.0.0.1/tcp/1",
    "/ip6/::1/tcp/1",
    "/dns4/example.org/tcp/443",
    "/dns/example.org/tcp/443/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp",
  ];
  const bad = [
    "/ip4/127.0.0.1/udp/1",
    "/ip4/127.0.0.1/tcp/1/ws",
    "/ip4/127.0.0.1/tcp/1/tls",
    "/ip4/127.0.0.1/udp/1/quic-v1",
    "/ip4/1.2.3.4/tcp/1/p2p/12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp/p2p-circuit",
    "/unix/%2Ftmp%2Fsocket",
  ];
  const tcp = transport();
  for (const filter of [tcp.dialFilter.bind(tcp), tcp.listenFilter.bind(tcp)]) {
    assert.deepEqual(filter([...good, ...bad].map((text) => multiaddr(text))).map(String), good);
  }
});

Deno.test("a listener tells its addresses, and none after it closed", async () => {
  const { upgrader } = rawUpgrader();
  const listener = transport().createListener({ upgrader });
  assert.deepEqual(listener.getAddrs(), []);
  await listener.listen(multiaddr("/ip4/127.0.0.1/tcp/0"));
  assert.match(String(listener.getAddrs()[0]), /^\/ip4\/127\.0\.0\.1\/tcp\/[1-9]\d*$/);
  await assert.rejects(listener.listen(multiaddr("/ip4/127.0.0.1/tcp/0")), /Already listening/);
  await listener.close();
  await listener.close();
  assert.deepEqual(listener.getAddrs(), []);
});

Deno.test("a listener on a port in use fails with the system's error", async () => {
  const { upgrader } = rawUpgrader();
  const first = transport().createListener({ upgrader });
  await first.listen(multiaddr("/ip4/127.0.0.1/tcp/0"));
  const second = transport().createListener({ upgrader });
  await assert.rejects(second.listen(first.getAddrs()[0]!), Deno.errors.AddrInUse);
  await first.close();
});

Deno.test("dial() fails when nobody listens and when its signal aborts", async () => {
  const { upgrader } = rawUpgrader();
  const signal = new AbortController().signal;
  await assert.rejects(
    transport().dial(multiaddr("/ip4/127.0.0.1/tcp/1"), { upgrader, signal }),
    Deno.errors.ConnectionRefused,
  );
  await assert.rejects(
    transport().dial(multiaddr("/ip4/127.0.0.1/tcp/1"), { upgrader, signal: AbortSignal.abort() }),
    { name: "AbortError" },
  );
  // TEST-NET-1 answers nobody: only the signal ends this dial.
  const controller = new AbortController();
  const dialing = transport().dial(multiaddr("/ip4/192.0.2.1/tcp/9"), {
    upgrader,
    signal: controller.signal,
  });
  controller.abort();
  await assert.rejects(dialing);
});

Deno.test("close() delivers everything sent before it", async () => {
  await withPair(async ({ dialed, accepted }) => {
    let received = 0;
    accepted.addEventListener("message", (event) => received += event.data.byteLength);
    const ended = once(accepted, "close");
    for (let index = 0; index < 40; index++) dialed.send(new Uint8Array(50_000));
    // Unread bytes at the closing side must not make it reset the connection.
    accepted.send(new Uint8Array(1000));
    await dialed.close();
    await ended;
    assert.equal(received, 40 * 50_000);
    assert.equal(accepted.status, "closed");
    assert.throws(() => dialed.send(Uint8Array.of(1)), { name: "StreamStateError" });
  });
});

Deno.test("abort() ends both sides at once", async () => {
  await withPair(async ({ dialed, accepted }) => {
    const ends = [once(dialed, "close"), once(accepted, "close")];
    dialed.abort(new Error("test"));
    await Promise.all(ends);
    assert.equal(dialed.status, "aborted");
    assert.notEqual(accepted.status, "open");
  });
});

Deno.test("a reader that pauses makes the writer wait with a bounded queue", async () => {
  await withPair(async ({ dialed, accepted }) => {
    let received = 0;
    accepted.addEventListener("message", (event) => received += event.data.byteLength);
    accepted.pause();
    const piece = new Uint8Array(100_000);
    let sent = 0;
    // What the kernel takes for both sockets differs between machines, but it ends.
    for (let stuck = 0; stuck < 20;) {
      if (dialed.writableNeedsDrain) {
        stuck += 1;
        await new Promise((resolve) => setTimeout(resolve, 5));
      } else {
        stuck = 0;
        dialed.send(piece);
        sent += piece.length;
        assert.ok(dialed.writeBufferLength <= WRITE_HIGH_BYTES + piece.length);
        assert.ok(sent < 64 * 1024 * 1024);
      }
    }
    accepted.resume();
    await until(() => received === sent, "everything arrived after resume()");
  });
});

Deno.test("a connection without a byte for the allowed time is aborted", async () => {
  await withPair(async ({ dialed, accepted }) => {
    const [event] = await Promise.all([once(dialed, "close"), once(accepted, "close")]);
    assert.equal((event as { error?: Error }).error?.name, "TimeoutError");
  }, { inactivityMs: 50 });
});

Deno.test("a listener holds no more connections than it may", async () => {
  const { inbound, upgrader } = rawUpgrader();
  const listener = transport({ connectionCountMax: 2 }).createListener({ upgrader });
  await listener.listen(multiaddr("/ip4/127.0.0.1/tcp/0"));
  const port = Number(/tcp\/(\d+)/.exec(String(listener.getAddrs()[0]))![1]);
  const sockets = await Promise.all([1, 2, 3].map(() => Deno.connect({ port })));
  await until(() => inbound.length === 2, "two were accepted");
  const ends = sockets.map((socket) => socket.read(new Uint8Array(1)));
  assert.equal(await Promise.race(ends), null);
  assert.equal(inbound.length, 2);
  await listener.close();
  await Promise.all(ends);
  for (const socket of sockets) socket.close();
});
