import assert from "node:assert/strict";
import type { MultiaddrConnection, Stream, StreamMuxer } from "@libp2p/interface";
import { multiaddrConnectionPair } from "@libp2p/utils";
import fc from "fast-check";
import { systemClock } from "../../../../src/host/system.ts";
import {
  YAMUX_INITIAL_WINDOW_BYTES,
  YAMUX_WINDOW_BYTES_MAX,
} from "../../../../swarm/net/fast/limits.ts";
import { fastYamux, type FastYamuxOptions } from "../../../../swarm/net/fast/yamux.ts";
import {
  encodeHeader,
  FLAG_ACK,
  FLAG_FIN,
  FLAG_RST,
  FLAG_SYN,
  TYPE_DATA,
  TYPE_GO_AWAY,
  TYPE_PING,
  TYPE_WINDOW_UPDATE,
  type YamuxHeader,
  YamuxReader,
} from "../../../../swarm/net/fast/yamux_frame.ts";
import { once, until } from "./support.ts";

const options = { sanitizeOps: false, sanitizeResources: false };

/** A muxer of ours, and the other end of its connection in our hands: a peer that may do anything. */
function rawPeer(muxerOptions: Partial<FastYamuxOptions> = {}) {
  const [outbound, inbound] = multiaddrConnectionPair();
  const muxer = fastYamux({ clock: systemClock, ...muxerOptions })().createStreamMuxer(inbound);
  const streams: Stream[] = [];
  muxer.addEventListener("stream", (event) => streams.push(event.detail));
  const frames: (YamuxHeader & { payload: number })[] = [];
  const reader = new YamuxReader({
    onHeader: (header) => frames.push({ ...header, payload: 0 }),
    onPayload: (bytes) => frames.at(-1)!.payload += bytes.length,
  });
  outbound.addEventListener("message", (event) => reader.push(event.data.subarray()));
  const send = (header: Partial<YamuxHeader>, payload = new Uint8Array(0)) => {
    const bytes = encodeHeader({
      type: TYPE_DATA,
      flags: 0,
      streamId: 1,
      length: payload.length,
      ...header,
    });
    outbound.send(Uint8Array.of(...bytes, ...payload));
  };
  return { muxer, streams, frames, send, peer: outbound, own: inbound };
}

async function assertEnded(muxer: StreamMuxer, connection: MultiaddrConnection): Promise<void> {
  await until(() => connection.status !== "open", "the connection is ended");
  assert.equal(muxer.status, "closed");
}

Deno.test("YamuxReader finds the same frames however the bytes are cut", () => {
  const frame = fc.record({
    type: fc.constantFrom(TYPE_DATA, TYPE_WINDOW_UPDATE, TYPE_PING, TYPE_GO_AWAY),
    flags: fc.integer({ min: 0, max: 0xffff }),
    streamId: fc.integer({ min: 0, max: 0xffffffff }),
    length: fc.integer({ min: 0, max: 300 }),
  });
  fc.assert(fc.property(fc.array(frame), fc.infiniteStream(fc.nat(400)), (frames, cuts) => {
    const bytes = frames.flatMap((header) => [
      ...encodeHeader(header),
      ...(header.type === TYPE_DATA ? new Uint8Array(header.length).fill(header.flags) : []),
    ]);
    const found: YamuxHeader[] = [];
    let payload = 0;
    const reader = new YamuxReader({
      onHeader: (header) => found.push(header),
      onPayload: (piece) => payload += piece.length,
    });
    for (let offset = 0; offset < bytes.length;) {
      const end = offset + cuts.next().value;
      reader.push(Uint8Array.from(bytes.slice(offset, end)));
      offset = end;
    }
    assert.deepEqual(found, frames.map((header) => ({ ...header })));
    const data = frames.filter((header) => header.type === TYPE_DATA);
    assert.equal(payload, data.reduce((sum, header) => sum + header.length, 0));
  }));
});

Deno.test("a peer that breaks the protocol is disconnected", options, async () => {
  const syn = { type: TYPE_WINDOW_UPDATE, flags: FLAG_SYN };
  const crimes: Record<string, (raw: ReturnType<typeof rawPeer>) => void> = {
    "unknown version": (raw) => raw.peer.send(Uint8Array.of(1, ...new Uint8Array(11))),
    "unknown type": (raw) => raw.send({ type: 9 }),
    "data on no stream": (raw) => raw.send({ streamId: 0 }),
    "a stream id of ours": (raw) => raw.send({ ...syn, streamId: 2 }),
    "a stream opened twice": (raw) => [1, 1].forEach((streamId) => raw.send({ ...syn, streamId })),
    "more than the window": (raw) => {
      raw.send(syn);
      raw.send({ length: YAMUX_INITIAL_WINDOW_BYTES + 1 });
    },
    "a window without end": (raw) => {
      raw.send(syn);
      raw.send({ type: TYPE_WINDOW_UPDATE, length: 0xffffffff });
      raw.send({ type: TYPE_WINDOW_UPDATE, length: 0xffffffff });
    },
    "an answer to no ping": (raw) =>
      raw.send({ type: TYPE_PING, flags: FLAG_ACK, streamId: 0, length: 77 }),
    "a ping that is neither": (raw) => raw.send({ type: TYPE_PING, flags: 0, streamId: 0 }),
    "going away in anger": (raw) => raw.send({ type: TYPE_GO_AWAY, streamId: 0, length: 1 }),
  };
  for (const commit of Object.values(crimes)) {
    const raw = rawPeer();
    commit(raw);
    await assertEnded(raw.muxer, raw.own);
  }
});

Deno.test("no bytes, however random, do more than end the connection", options, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({
        type: fc.nat(4),
        flags: fc.nat(15),
        streamId: fc.nat(5),
        length: fc.constantFrom(0, 1, 100, 0xffffffff),
      })),
      async (headers) => {
        const raw = rawPeer({ inboundStreamCountMax: 2 });
        for (const header of headers) {
          if (raw.peer.status === "open") raw.send(header, new Uint8Array(50));
          await Promise.resolve();
        }
        raw.peer.abort(new Error("done"));
        await assertEnded(raw.muxer, raw.own);
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("a data frame may carry the end of its stream", options, async () => {
  const raw = rawPeer();
  raw.send({ flags: FLAG_SYN | FLAG_FIN }, Uint8Array.of(1, 2, 3));
  await until(() => raw.streams.length === 1, "the stream came");
  const stream = raw.streams[0]!;
  const bytes: number[] = [];
  const ended = once(stream, "end");
  stream.addEventListener("message", (event) => bytes.push(...event.data.subarray()));
  await ended;
  assert.deepEqual(bytes, [1, 2, 3]);
  assert.equal(stream.remoteWriteStatus, "closed");
});

Deno.test("streams above the limit are reset, and a closed one makes room", options, async () => {
  const raw = rawPeer({ inboundStreamCountMax: 2 });
  for (const streamId of [1, 3, 5]) {
    raw.send({ type: TYPE_WINDOW_UPDATE, flags: FLAG_SYN, streamId });
  }
  await until(() => raw.frames.some((frame) => frame.flags === FLAG_RST), "one was refused");
  assert.deepEqual(raw.frames.filter((frame) => frame.flags === FLAG_RST).map((f) => f.streamId), [
    5,
  ]);
  raw.send({ type: TYPE_WINDOW_UPDATE, flags: FLAG_RST, streamId: 1 });
  raw.send({ type: TYPE_WINDOW_UPDATE, flags: FLAG_SYN, streamId: 7 });
  await until(() => raw.streams.length === 3, "there is room again");
});

Deno.test("a reader that has not begun keeps the window shut", options, async () => {
  const raw = rawPeer();
  raw.send({ type: TYPE_WINDOW_UPDATE, flags: FLAG_SYN });
  for (let sent = 0; sent < YAMUX_INITIAL_WINDOW_BYTES; sent += 64 * 1024) {
    raw.send({}, new Uint8Array(64 * 1024));
  }
  await until(() => raw.streams[0]?.readBufferLength === YAMUX_INITIAL_WINDOW_BYTES, "it is full");
  const granted = () => raw.frames.reduce((sum, f) => sum + (f.type === 1 ? f.length : 0), 0);
  assert.equal(granted(), 0);
  raw.streams[0]!.addEventListener("message", () => {});
  await until(() => granted() >= YAMUX_INITIAL_WINDOW_BYTES, "reading opens it");
});

Deno.test("a window grows while its reader keeps up, and not past its limit", options, async () => {
  const raw = rawPeer({ windowBytesMax: 1024 * 1024 });
  // Answer the first ping late: half a window in that time is fast.
  await until(() => raw.frames.some((frame) => frame.type === TYPE_PING), "a ping");
  await new Promise((resolve) => setTimeout(resolve, 300));
  raw.send({ type: TYPE_PING, flags: FLAG_ACK, streamId: 0, length: raw.frames[0]!.length });
  raw.send({ type: TYPE_WINDOW_UPDATE, flags: FLAG_SYN });
  await until(() => raw.streams.length === 1, "the stream came");
  raw.streams[0]!.addEventListener("message", () => {});
  let sent = 0;
  const granted = () => raw.frames.reduce((sum, f) => sum + (f.type === 1 ? f.length : 0), 0);
  let largest = 0;
  while (sent < 8 * 1024 * 1024) {
    const allowed = YAMUX_INITIAL_WINDOW_BYTES + granted() - sent;
    largest = Math.max(largest, allowed);
    if (allowed >= 64 * 1024) {
      raw.send({}, new Uint8Array(64 * 1024));
      sent += 64 * 1024;
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.ok(largest > YAMUX_INITIAL_WINDOW_BYTES);
  assert.ok(largest <= 1024 * 1024);
});

Deno.test(
  "unread bytes keep no large message in memory that they were a small part of",
  options,
  async () => {
    const { send, streams, peer } = rawPeer();
    const junk = new Uint8Array(60_000);
    for (let index = 0; index < 20; index++) {
      const flags = index === 0 ? FLAG_SYN : 0;
      const byte = Uint8Array.of(
        ...encodeHeader({ type: TYPE_DATA, flags, streamId: 1, length: 1 }),
        7,
      );
      const head = encodeHeader({ type: TYPE_DATA, flags: 0, streamId: 99, length: junk.length });
      const message = new Uint8Array(byte.length + head.length + junk.length);
      message.set(byte);
      message.set(head, byte.length);
      peer.send(message);
    }
    send({ flags: FLAG_FIN });
    await until(() => streams.length === 1, "the stream is here");
    const buffers = new Set<ArrayBufferLike>();
    let readBytes = 0;
    streams[0]!.addEventListener("message", (event) => {
      for (const part of event.data instanceof Uint8Array ? [event.data] : event.data) {
        readBytes += part.length;
        buffers.add(part.buffer);
      }
    });
    await until(() => readBytes === 20, "all is read");
    let heldBytes = 0;
    for (const buffer of buffers) heldBytes += buffer.byteLength;
    assert.ok(heldBytes < 1000, `${heldBytes} bytes are held for 20`);
  },
);

Deno.test("unread bytes over all streams are bounded", options, async () => {
  const raw = rawPeer({ unreadBytesMax: 1024 * 1024 });
  for (let streamId = 1; streamId < 21 && raw.peer.status === "open"; streamId += 2) {
    raw.send({ type: TYPE_WINDOW_UPDATE, flags: FLAG_SYN, streamId });
    for (let index = 0; index < 4; index++) {
      if (raw.peer.status === "open") raw.send({ streamId }, new Uint8Array(64 * 1024));
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await assertEnded(raw.muxer, raw.own);
});

Deno.test(
  "after the other side goes away no stream opens, and open ones live on",
  options,
  async () => {
    const raw = rawPeer();
    raw.send({ type: TYPE_WINDOW_UPDATE, flags: FLAG_SYN });
    await until(() => raw.streams.length === 1, "the stream came");
    raw.send({ type: TYPE_GO_AWAY, streamId: 0 });
    raw.send({}, Uint8Array.of(1));
    await once(raw.streams[0]!, "message");
    await assert.rejects(async () => await raw.muxer.createStream(), { name: "MuxerClosedError" });
    raw.own.abort(new Error("test ended"));
  },
);

Deno.test(
  "a stream that is cut off by the connection's end does not end well",
  options,
  async () => {
    const raw = rawPeer();
    raw.send({ type: TYPE_WINDOW_UPDATE, flags: FLAG_SYN });
    await until(() => raw.streams.length === 1, "the stream came");
    const closed = once(raw.streams[0]!, "close");
    await raw.peer.close();
    assert.ok((await closed as { error?: Error }).error !== undefined);
    assert.equal(raw.streams[0]!.status, "reset");
  },
);

Deno.test("fastYamux() refuses a window below the protocol's", () => {
  assert.throws(() => fastYamux({ clock: systemClock, windowBytesMax: 1000 }), RangeError);
  assert.ok(YAMUX_WINDOW_BYTES_MAX >= YAMUX_INITIAL_WINDOW_BYTES);
});
