/** What every {@link Network} must do, run against libp2p and its memory twin. */
import assert from "node:assert/strict";
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import type { ByteStream, Network, PeerAddress } from "../../swarm/ports.ts";

/** Two networks that can reach each other, closed by the suite. */
export interface NetworkPair {
  readonly alice: Network;
  readonly bob: Network;
}

const PROTOCOL = "/seedmint/test/1";
const MIB = 1024 * 1024;

/** Registers the suite under `name`. */
export function testNetwork(name: string, connectable: () => Promise<NetworkPair>): void {
  for (const [sentence, run] of CASES) {
    Deno.test(`${name} ${sentence}`, async () => {
      const { alice, bob } = await connectable();
      await using stack = new AsyncDisposableStack();
      stack.use(alice);
      stack.use(bob);
      await run(alice, bob);
    });
  }
}

type Case = readonly [string, (alice: Network, bob: Network) => Promise<void>];

const CASES: readonly Case[] = [
  ["carries bytes both ways and half closes", async (alice, bob) => {
    await bob.handle(PROTOCOL, echo);
    const stream = await alice.openStream(addressOf(bob), PROTOCOL);
    assert.equal(stream.peerId, bob.peerId);
    assert.equal(stream.relayed, false);
    await stream.write(Uint8Array.of(1, 2), Uint8Array.of(3));
    await stream.closeWrite();
    assert.deepEqual(await readAll(stream), Uint8Array.of(1, 2, 3));
    assert.equal(await stream.read(), undefined);
    assert.equal(await stream.read(), undefined);
  }],
  ["tells a handler who opened the stream", async (alice, bob) => {
    const seen = Promise.withResolvers<string>();
    await bob.handle(PROTOCOL, (stream) => {
      seen.resolve(stream.peerId);
      assert.ok(stream.remoteAddr.startsWith("/"));
      return Promise.resolve();
    });
    const stream = await alice.openStream(addressOf(bob), PROTOCOL);
    await stream.closeWrite();
    assert.equal(await seen.promise, alice.peerId);
  }],
  ["delivers a message that came before the handler read", async (alice, bob) => {
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    await bob.handle(PROTOCOL, async (stream) => {
      await delay(50);
      resolve(await readAll(stream));
    });
    const stream = await alice.openStream(addressOf(bob), PROTOCOL);
    await stream.write(Uint8Array.of(7));
    await stream.closeWrite();
    assert.deepEqual(await promise, Uint8Array.of(7));
  }],
  ["keeps arrays it handed out unchanged by later reads", async (alice, bob) => {
    await bob.handle(PROTOCOL, async (stream) => {
      for (let index = 0; index < 512; index++) {
        await stream.write(new Uint8Array(16 * 1024).fill(index & 0xff));
      }
    });
    const stream = await alice.openStream(addressOf(bob), PROTOCOL);
    await stream.closeWrite();
    const parts: Uint8Array[] = [];
    for (let part = await stream.read(); part; part = await stream.read()) parts.push(part);
    let offset = 0;
    for (const part of parts) {
      for (const byte of part) {
        if (byte !== ((offset >> 14) & 0xff)) assert.fail(`byte ${offset} is ${byte}`);
        offset++;
      }
    }
    assert.equal(offset, 8 * MIB);
  }],
  ["asks a writer to wait for a slow reader and loses nothing", async (alice, bob) => {
    let sentBytes = 0;
    const done = Promise.withResolvers<void>();
    await bob.handle(PROTOCOL, async (stream) => {
      const piece = new Uint8Array(64 * 1024);
      for (; sentBytes < 64 * MIB; sentBytes += piece.length) await stream.write(piece);
      await stream.closeWrite();
      done.resolve();
    });
    const stream = await alice.openStream(addressOf(bob), PROTOCOL);
    await stream.closeWrite();
    const first = await stream.read();
    await delay(300);
    const sentWhileIdleBytes = sentBytes;
    assert.ok(sentWhileIdleBytes < 24 * MIB, `${sentWhileIdleBytes} bytes left the writer`);
    let receivedBytes = first!.length;
    for (let part = await stream.read(); part; part = await stream.read()) {
      receivedBytes += part.length;
    }
    assert.equal(receivedBytes, 64 * MIB);
    await done.promise;
  }],
  ["resets both ends when one aborts", async (alice, bob) => {
    const failure = Promise.withResolvers<unknown>();
    await bob.handle(PROTOCOL, async (stream) => {
      await stream.write(Uint8Array.of(1));
      await readAll(stream).catch(failure.resolve);
    });
    const stream = await alice.openStream(addressOf(bob), PROTOCOL);
    await stream.read();
    stream.abort(new Error("changed my mind"));
    stream.abort(new Error("twice is fine"));
    await assertReset(stream.read());
    assert.throws(() => void stream.write(Uint8Array.of(1)), isReset);
    assert.ok(isReset(await failure.promise));
  }],
  ["resets a reader that waits when its own side aborts", async (alice, bob) => {
    await bob.handle(PROTOCOL, async (stream) => void await stream.read());
    const stream = await alice.openStream(addressOf(bob), PROTOCOL);
    const read = stream.read();
    stream.abort(new Error("stop"));
    await assertReset(read);
  }],
  ["frees a writer that waits when the reader aborts", async (alice, bob) => {
    await bob.handle(PROTOCOL, async (stream) => {
      await stream.read();
      await delay(50);
      stream.abort(new Error("enough"));
    });
    const stream = await alice.openStream(addressOf(bob), PROTOCOL);
    await assert.rejects(async () => {
      for (let count = 0; count < 2_000; count++) await stream.write(new Uint8Array(65536));
    }, isReset);
  }],
  ["aborts only the stream of a handler that throws", async (alice, bob) => {
    await bob.handle(PROTOCOL, async (stream) => {
      const bytes = await stream.read();
      if (bytes?.[0] === 1) throw new Error("handler failed");
      await stream.write(Uint8Array.of(2));
    });
    const bad = await alice.openStream(addressOf(bob), PROTOCOL);
    const good = await alice.openStream(addressOf(bob), PROTOCOL);
    await bad.write(Uint8Array.of(1));
    await assertReset(readAll(bad));
    await good.write(Uint8Array.of(0));
    await good.closeWrite();
    assert.deepEqual(await readAll(good), Uint8Array.of(2));
  }],
  ["closes the writing end when a handler returns", async (alice, bob) => {
    await bob.handle(PROTOCOL, async (stream) => void await stream.write(Uint8Array.of(9)));
    const stream = await alice.openStream(addressOf(bob), PROTOCOL);
    assert.deepEqual(await readAll(stream), Uint8Array.of(9));
    await stream.closeWrite();
  }],
  ["serves more than 32 streams at once", async (alice, bob) => {
    await bob.handle(PROTOCOL, echo, { inboundStreamsMax: 100 });
    const streams = await Promise.all(
      Array.from({ length: 100 }, () => alice.openStream(addressOf(bob), PROTOCOL)),
    );
    for (const [index, stream] of streams.entries()) await stream.write(Uint8Array.of(index));
    await Promise.all(streams.map(async (stream, index) => {
      await stream.closeWrite();
      assert.deepEqual(await readAll(stream), Uint8Array.of(index));
    }));
  }],
  ["resets streams above the inbound limit, the others live", async (alice, bob) => {
    await bob.handle(PROTOCOL, echo, { inboundStreamsMax: 2 });
    const results = await Promise.all(Array.from({ length: 4 }, async () => {
      try {
        const stream = await alice.openStream(addressOf(bob), PROTOCOL);
        await stream.write(Uint8Array.of(1));
        return await stream.read();
      } catch (error) {
        assert.ok(isSeedmintError(error, "reset") || isSeedmintError(error, "unavailable"));
        return undefined;
      }
    }));
    assert.equal(results.filter((bytes) => bytes !== undefined).length, 2);
  }],
  ["refuses a second handler for one protocol", async (_alice, bob) => {
    await bob.handle(PROTOCOL, echo);
    await assert.rejects(bob.handle(PROTOCOL, echo), TypeError);
  }],
  ["says unavailable for a protocol that is not spoken", async (alice, bob) => {
    await assert.rejects(
      alice.openStream(addressOf(bob), "/seedmint/none/1"),
      (error) => isSeedmintError(error, "unavailable"),
    );
  }],
  ["says unavailable for a peer that nobody knows", async (alice) => {
    await assert.rejects(
      alice.openStream({ peerId: UNKNOWN_PEER_ID, addrs: [] }, PROTOCOL),
      (error) => isSeedmintError(error, "unavailable"),
    );
  }],
  ["says unavailable for addresses that mean nothing", async (alice) => {
    const addrs = ["", "/", "/ip4/999.1.1.1/tcp/1", "/dns4", "nonsense", "/ip4/0.0.0.0/tcp/1"];
    await assert.rejects(
      alice.openStream({ peerId: UNKNOWN_PEER_ID, addrs }, PROTOCOL),
      (error) => isSeedmintError(error, "unavailable"),
    );
  }],
  ["says unavailable for itself", async (alice) => {
    await assert.rejects(
      alice.openStream(addressOf(alice), PROTOCOL),
      (error) => isSeedmintError(error, "unavailable"),
    );
  }],
  ["opens no stream under an aborted signal", async (alice, bob) => {
    await bob.handle(PROTOCOL, echo);
    const signal = AbortSignal.abort(new SeedmintError("aborted", "stopped by the test"));
    await assert.rejects(
      alice.openStream(addressOf(bob), PROTOCOL, { signal }),
      (error) => isSeedmintError(error, "aborted"),
    );
  }],
  ["reuses one connection and shows it on both sides", async (alice, bob) => {
    await bob.handle(PROTOCOL, echo);
    const found = Promise.withResolvers<string>();
    const forget = alice.onPeer((peer) => peer.via === "connection" && found.resolve(peer.peerId));
    const first = await alice.openStream(addressOf(bob), PROTOCOL);
    const second = await alice.openStream({ peerId: bob.peerId, addrs: [] }, PROTOCOL);
    assert.deepEqual(alice.connections().map((c) => [c.peerId, c.direction, c.relayed]), [
      [bob.peerId, "outbound", false],
    ]);
    assert.deepEqual(bob.connections().map((c) => [c.peerId, c.direction]), [
      [alice.peerId, "inbound"],
    ]);
    assert.equal(await found.promise, bob.peerId);
    forget();
    await first.closeWrite();
    await second.closeWrite();
    await readAll(first);
    await readAll(second);
  }],
  ["resets its streams when it is closed", async (alice, bob) => {
    await bob.handle(PROTOCOL, echo);
    const stream = await alice.openStream(addressOf(bob), PROTOCOL);
    await stream.write(Uint8Array.of(1));
    await stream.read();
    const read = stream.read();
    await bob[Symbol.asyncDispose]();
    await assertReset(read);
    await assert.rejects(
      alice.openStream(addressOf(bob), PROTOCOL),
      (error) => isSeedmintError(error, "unavailable"),
    );
  }],
];

/** A well-formed peer id whose key nobody here has. */
const UNKNOWN_PEER_ID = "12D3KooWHFrmLWTTDD4NodngtRMEVYgxrsDMp4F9iSwYntZ9WjHa";

/** How `network` is dialled. */
export function addressOf(network: Network): PeerAddress {
  return { peerId: network.peerId, addrs: network.addresses() };
}

/** Everything that the other side writes before it closes. */
export async function readAll(stream: ByteStream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (let part = await stream.read(); part; part = await stream.read()) parts.push(part);
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Sends back what it reads. */
export async function echo(stream: ByteStream): Promise<void> {
  for (let part = await stream.read(); part; part = await stream.read()) await stream.write(part);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function isReset(error: unknown): boolean {
  return isSeedmintError(error, "reset");
}

async function assertReset(promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, isReset);
}
