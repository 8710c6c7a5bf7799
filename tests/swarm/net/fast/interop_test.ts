/** Every mixture of our layers and the stock ones talks to the stock stack, in both roles. */
import assert from "node:assert/strict";
import type { Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import type { Libp2p } from "libp2p";
import {
  digestOf,
  FAST,
  type Layers,
  layersName,
  once,
  PROTOCOL,
  randomPieces,
  sendAll,
  STOCK,
  until,
  withNodes,
} from "./support.ts";

const MIB = 1024 * 1024;

// libp2p's lock package keeps a BroadcastChannel and timers of its own for the process's life.
const options = { sanitizeOps: false, sanitizeResources: false };

const PAIRS: readonly { dialer: Layers; listener: Layers }[] = [
  { dialer: FAST, listener: FAST },
  { dialer: FAST, listener: STOCK },
  { dialer: STOCK, listener: FAST },
  { dialer: { tcp: true, noise: false, yamux: false }, listener: STOCK },
  { dialer: STOCK, listener: { tcp: false, noise: true, yamux: false } },
  { dialer: { tcp: false, noise: false, yamux: true }, listener: STOCK },
  { dialer: STOCK, listener: { tcp: true, noise: false, yamux: true } },
  {
    dialer: { tcp: true, noise: true, yamux: false },
    listener: { tcp: false, noise: true, yamux: true },
  },
];

/** Serves one stream and gives it to the test. */
async function openStream(
  dialer: Libp2p,
  listener: Libp2p,
): Promise<{ outbound: Stream; inbound: Stream }> {
  const inbound = Promise.withResolvers<Stream>();
  await listener.handle(PROTOCOL, (stream) => inbound.resolve(stream));
  const outbound = await dialer.dialProtocol(listener.getMultiaddrs(), PROTOCOL);
  return { outbound, inbound: await inbound.promise };
}

for (const layers of PAIRS) {
  const name = `${layersName(layers.dialer)} dialing ${layersName(layers.listener)}`;

  Deno.test(`${name}: random pieces arrive whole in both directions at once`, options, async () => {
    await withNodes(layers, async (dialer, listener) => {
      const { outbound, inbound } = await openStream(dialer, listener);
      const up = randomPieces(1, 24 * MIB, 200_000);
      const down = randomPieces(2, 24 * MIB, 3_000);
      const [atListener, atDialer] = await Promise.all([
        digestOf(inbound),
        digestOf(outbound),
        sendAll(outbound, up.pieces).then(() => outbound.close()),
        sendAll(inbound, down.pieces).then(() => inbound.close()),
      ]);
      assert.deepEqual(atListener, { sha256: up.sha256, size: 24 * MIB });
      assert.deepEqual(atDialer, { sha256: down.sha256, size: 24 * MIB });
    });
  });

  Deno.test(`${name}: a half-closed stream still carries the answer`, options, async () => {
    await withNodes(layers, async (dialer, listener) => {
      const { outbound, inbound } = await openStream(dialer, listener);
      const question = digestOf(inbound);
      const answer = digestOf(outbound);
      for (let index = 0; index < 1000; index++) outbound.send(Uint8Array.of(index)); // 1-byte writes
      await outbound.close();
      assert.equal((await question).size, 1000);
      inbound.send(new Uint8Array(5000));
      await inbound.close();
      assert.equal((await answer).size, 5000);
      await until(() => dialer.getConnections()[0]!.streams.length === 0, "the stream is gone");
    });
  });

  Deno.test(
    `${name}: a reset stream fails the other side, not the connection`,
    options,
    async () => {
      await withNodes(layers, async (dialer, listener) => {
        const { outbound, inbound } = await openStream(dialer, listener);
        const reset = once(outbound, "close");
        inbound.abort(new Error("test"));
        assert.ok((await reset as { error?: Error }).error !== undefined);
        assert.equal(outbound.status, "reset");
        assert.equal(dialer.getConnections().length, 1);
        const second = await dialer.dialProtocol(listener.getMultiaddrs(), "/ipfs/ping/1.0.0")
          .catch((error) => error); // no such protocol, but the connection answers
        assert.match(String(second), /protocol/i);
      });
    },
  );

  Deno.test(`${name}: losing the connection ends its streams`, options, async () => {
    await withNodes(layers, async (dialer, listener) => {
      const { outbound, inbound } = await openStream(dialer, listener);
      const ends = [once(outbound, "close"), once(inbound, "close")];
      dialer.getConnections()[0]!.abort(new Error("test"));
      await Promise.all(ends);
      await until(() => listener.getConnections().length === 0, "the listener noticed");
    });
  });
}

Deno.test("fast dialing stock: 64 MiB arrive whole", options, async () => {
  await withNodes({ dialer: FAST, listener: STOCK }, async (dialer, listener) => {
    const { outbound, inbound } = await openStream(dialer, listener);
    const { pieces, sha256 } = randomPieces(3, 64 * MIB, 500_000);
    const received = digestOf(inbound);
    await sendAll(outbound, pieces);
    await outbound.close();
    assert.deepEqual(await received, { sha256, size: 64 * MIB });
  });
});

Deno.test("stock dialing fast: 64 MiB arrive whole", options, async () => {
  await withNodes({ dialer: STOCK, listener: FAST }, async (dialer, listener) => {
    const { outbound, inbound } = await openStream(dialer, listener);
    const { pieces, sha256 } = randomPieces(4, 64 * MIB, 500_000);
    const received = digestOf(outbound);
    await sendAll(inbound, pieces);
    await inbound.close();
    assert.deepEqual(await received, { sha256, size: 64 * MIB });
  });
});

Deno.test("a reader that stops reading bounds what the sender queues", options, async () => {
  await withNodes({ dialer: FAST, listener: FAST }, async (dialer, listener) => {
    const { outbound, inbound } = await openStream(dialer, listener);
    inbound.addEventListener("message", () => {});
    inbound.pause();
    const piece = new Uint8Array(64 * 1024);
    let sent = 0;
    while (outbound.send(piece) && sent < 256 * MIB) {
      sent += piece.length;
      if (sent % MIB === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(sent <= 4 * MIB, `${sent} bytes were taken for a reader that stands still`);
    assert.ok(outbound.writeBufferLength <= MIB);
    const drained = once(outbound, "drain");
    inbound.resume();
    await drained;
  });
});

/** A TCP proxy that flips one bit of what the dialler sends, after `cleanBytes` bytes. */
function flippingProxy(targetPort: number, cleanBytes: number) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const done = (async () => {
    const client = await listener.accept();
    const server = await Deno.connect({ port: targetPort });
    const back = server.readable.pipeTo(client.writable).catch(() => {});
    let seen = 0;
    const flip = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        const at = cleanBytes - seen;
        seen += chunk.length;
        const copy = Uint8Array.from(chunk);
        if (at >= 0 && at < copy.length) copy[at]! ^= 0x10;
        controller.enqueue(copy);
      },
    });
    await client.readable.pipeThrough(flip).pipeTo(server.writable).catch(() => {});
    await back;
    listener.close();
  })();
  return { port: listener.addr.port, done };
}

Deno.test(
  "a bit flipped on the wire ends the connection, and nothing after it is read",
  options,
  async () => {
    for (const cleanBytes of [0, 30, 60, 300, 100_000, 1_000_003]) {
      await withNodes({ dialer: FAST, listener: FAST }, async (dialer, listener) => {
        let received = 0;
        let ended = false;
        await listener.handle(PROTOCOL, (stream) => {
          stream.addEventListener("message", (event) => received += event.data.byteLength);
          stream.addEventListener("remoteCloseWrite", () => ended = true);
        });
        const port = Number(/tcp\/(\d+)/.exec(String(listener.getMultiaddrs()[0]))![1]);
        const proxy = flippingProxy(port, cleanBytes);
        const address = multiaddr(`/ip4/127.0.0.1/tcp/${proxy.port}/p2p/${listener.peerId}`);
        const outcome = await (async () => {
          const stream = await dialer.dialProtocol(address, PROTOCOL, {
            signal: AbortSignal.timeout(5_000),
          });
          const closed = once(stream, "close");
          await Promise.race([sendAll(stream, randomPieces(5, 4 * MIB, 100_000).pieces), closed]);
          await closed;
          return "closed";
        })().catch(() => "refused");
        assert.ok(outcome === "closed" || cleanBytes <= 300, `${cleanBytes}: ${outcome}`);
        await until(() => listener.getConnections().length === 0, "the listener ended it");
        assert.ok(received <= cleanBytes, `${received} bytes of at most ${cleanBytes} true ones`);
        assert.equal(ended, false);
        await proxy.done;
      });
    }
  },
);
