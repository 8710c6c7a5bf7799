import assert from "node:assert/strict";
import type { Stream } from "../../../swarm/libp2p.ts";
import { closeWhenIdle } from "../../../swarm/net/circuit_upgrade.ts";
import { CIRCUIT_QUEUE_BYTES } from "../../../swarm/net/limits.ts";
import { boundCircuits, boundOneWay } from "../../../swarm/net/relay_server.ts";

/** As much of a libp2p stream as a relay touches. */
class FakeStream extends EventTarget {
  readStatus = "readable";
  writeBufferLength = 0;
  maxReadBufferLength = 0;
  isFull = false;
  readonly buffered: Uint8Array[] = [];
  send(data: Uint8Array): boolean {
    if (this.isFull) this.writeBufferLength += data.byteLength;
    return !this.isFull;
  }
  drain(): void {
    this.isFull = false;
    this.writeBufferLength = 0;
    this.dispatchEvent(new Event("drain"));
  }
  pause(): void {
    this.readStatus = "paused";
  }
  resume(): void {
    this.readStatus = "readable";
    for (const data of this.buffered.splice(0)) this.receive(data);
  }
  receive(data: Uint8Array): void {
    if (this.readStatus === "paused") return void this.buffered.push(data);
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }
}

Deno.test("boundOneWay pauses a fast sender in front of a slow receiver, and resumes it", async () => {
  const [from, to] = [new FakeStream(), new FakeStream()];
  boundOneWay(from as unknown as Stream, to as unknown as Stream);
  // As libp2p does it: each message goes to a queue first, and from there to the other stream.
  const queue: Uint8Array[] = [];
  from.addEventListener("message", (event) => queue.push((event as MessageEvent).data));
  const piece = new Uint8Array(64 * 1024);
  for (let count = 0; count < 100; count++) from.receive(piece);
  const queuedBytes = queue.length * piece.length;
  assert.equal(from.readStatus, "paused");
  assert.ok(queuedBytes <= CIRCUIT_QUEUE_BYTES + piece.length, `${queuedBytes} bytes queued`);
  to.isFull = true;
  while (queue.length > 0) to.send(queue.shift()!);
  assert.equal(from.readStatus, "paused");
  to.drain();
  await Promise.resolve();
  while (queue.length > 0) to.send(queue.shift()!);
  for (let round = 0; round < 20 && from.buffered.length > 0; round++) {
    while (queue.length > 0) to.send(queue.shift()!);
  }
  assert.equal(from.buffered.length, 0);
});

Deno.test("boundCircuits bounds both ways of each circuit, and mixes none", async () => {
  const joined: FakeStream[][] = [];
  const destinations = [new FakeStream(), new FakeStream()];
  const server = boundCircuits({
    stopHop: async (index: number) => {
      // The second circuit is ready first.
      for (let turn = 0; turn < 10 * (2 - index); turn++) await Promise.resolve();
      return destinations[index]!;
    },
    async handleConnect(request: { index: number; stream: { unwrap(): FakeStream } }) {
      const destination = await this.stopHop(request.index);
      joined[request.index] = [request.stream.unwrap(), destination];
    },
  });
  const sources = [new FakeStream(), new FakeStream()];
  await Promise.all(
    sources.map((source, index) =>
      server.handleConnect({ index, stream: { unwrap: () => source } })
    ),
  );
  for (const [index, source] of sources.entries()) {
    assert.deepEqual(joined[index], [source, destinations[index]]);
  }
  const flood = new Uint8Array(2 * CIRCUIT_QUEUE_BYTES);
  sources[0]!.receive(flood);
  destinations[1]!.receive(flood);
  const statuses = [...sources, ...destinations].map((stream) => stream.readStatus);
  assert.deepEqual(statuses, ["paused", "readable", "readable", "paused"]);
});

/** A clock whose one timer a test fires. */
function manualTimer() {
  const clock = {
    fire: () => {},
    timer: (_ms: number, callback: () => void) => {
      clock.fire = callback;
      return () => clock.fire = () => {};
    },
  };
  return clock;
}

function fakeConnection() {
  const connection = {
    status: "open",
    streams: [] as { protocol: string }[],
    closeCount: 0,
    close: () => {
      connection.closeCount++;
      connection.status = "closed";
      return Promise.resolve();
    },
  };
  return connection;
}

Deno.test("closeWhenIdle puts a close off while the connection carries somebody's stream", async () => {
  const clock = manualTimer();
  const connection = fakeConnection();
  closeWhenIdle(connection, clock);
  connection.streams = [{ protocol: "/seedmint/blobs/1" }, { protocol: "/libp2p/dcutr" }];
  await connection.close();
  clock.fire();
  assert.equal(connection.closeCount, 0);
  connection.streams = [{ protocol: "" }];
  clock.fire();
  assert.equal(connection.closeCount, 0);
  connection.streams = [{ protocol: "/libp2p/dcutr" }, { protocol: "/ipfs/id/1.0.0" }];
  clock.fire();
  assert.equal(connection.closeCount, 1);
});

Deno.test("closeWhenIdle closes at once when told to", async () => {
  const clock = manualTimer();
  const connection = fakeConnection();
  const closeAtOnce = closeWhenIdle(connection, clock);
  connection.streams = [{ protocol: "/seedmint/blobs/1" }];
  closeAtOnce();
  await connection.close();
  assert.equal(connection.closeCount, 1);
});
