import { equal, ok, rejects } from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { concatBytes } from "../../../src/core/bytes.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { type ByteStream, WRITE_ROOM_BYTES } from "../../../swarm/ports.ts";
import { FrameReader } from "../../../swarm/protocol/mod.ts";
import { PROVIDER_LIMITS } from "../../../swarm/provider/mod.ts";
import { Metering } from "../../../swarm/provider/metering.ts";
import { Sender } from "../../../swarm/provider/sender.ts";
import { never } from "./support.ts";

/** A clock that moves when told. */
class ManualClock {
  nowMs = 0;
  readonly clock: Clock = {
    nowMs: () => this.nowMs,
    monotonicMs: () => this.nowMs,
    sleep: (ms) => {
      this.nowMs += ms;
      return Promise.resolve();
    },
    timer: () => () => {},
  };
}

/** A stream whose reader takes `ms` for whatever is written. */
function slowStream(clock: ManualClock, ms: number) {
  const written: Uint8Array[] = [];
  const stream: ByteStream = {
    peerId: "reader",
    remoteAddr: "",
    relayed: false,
    read: () => Promise.resolve(undefined),
    write: (...parts) => {
      written.push(...parts);
      return Promise.resolve().then(() => {
        clock.nowMs += ms;
      });
    },
    closeWrite: () => Promise.resolve(),
    abort: () => {},
  };
  return { stream, written };
}

Deno.test("Sender drops a reader that takes less than the least rate", async () => {
  const clock = new ManualClock();
  const metering = new Metering({ limits: PROVIDER_LIMITS, clock: clock.clock });
  const { stream } = slowStream(clock, 15_000);
  const account = metering.of("reader");
  const sender = new Sender({ stream, account, metering, clock: clock.clock, signal: never() });
  await sender.data(new Uint8Array(16_384));
  await rejects(
    sender.data(new Uint8Array(16_384)),
    (error) => isSeedmintError(error, "timeout"),
  );
});

Deno.test("Sender sends large data without a copy and small data together", async () => {
  const clock = new ManualClock();
  const metering = new Metering({ limits: PROVIDER_LIMITS, clock: clock.clock });
  const { stream, written } = slowStream(clock, 0);
  const account = metering.of("reader");
  const sender = new Sender({ stream, account, metering, clock: clock.clock, signal: never() });
  const large = new Uint8Array(3 * 1024 * 1024 + 5);
  await sender.data(large);
  const payload = written.filter((part) => part.length > 16);
  equal(payload.every((part) => part.buffer === large.buffer), true);
  equal(written.length, 8);
  written.length = 0;
  for (let count = 0; count < 10; count++) await sender.smallData(new Uint8Array(4096));
  equal(written.length, 0);
  await sender.message({ t: "end" });
  equal(written.length, 3);
  equal(written[1]!.length, 40_960);
  equal(sender.sentBytes, large.length + 40_960);
});

Deno.test("Sender frames its own pieces in the room before them and frees them", async () => {
  const clock = new ManualClock();
  const limits = { ...PROVIDER_LIMITS, bytesPerSecondPerPeer: 400 * 1024 };
  const metering = new Metering({ limits, clock: clock.clock });
  const { stream } = slowStream(clock, 0);
  const account = metering.of("reader");
  const sent: Uint8Array[] = [];
  const copying: ByteStream = {
    ...stream,
    copiesWrites: true,
    writeOver: (bytes) => {
      ok(bytes.byteOffset >= WRITE_ROOM_BYTES);
      sent.push(bytes.slice());
      new Uint8Array(bytes.buffer, bytes.byteOffset - WRITE_ROOM_BYTES, WRITE_ROOM_BYTES).fill(255);
      return undefined;
    },
  };
  const options = { account, metering, clock: clock.clock, signal: never() };
  equal(new Sender({ ...options, stream }).pieceRoom.roomBytes, undefined);
  const sender = new Sender({ ...options, stream: copying });
  const roomBytes = sender.pieceRoom.roomBytes!;
  const piece = new Uint8Array(roomBytes + 130_000).fill(7).subarray(roomBytes);
  await sender.ownData(piece);
  equal(piece.length, 0);
  const whole = concatBytes(...sent);
  const reader = new FrameReader({
    read: () => Promise.resolve(sent.shift()),
  }, { messageBytesMax: 1000, isDataAllowed: true });
  let count = 0;
  for (let part = await reader.next(); part instanceof Uint8Array; part = await reader.next()) {
    ok(part.every((byte) => byte === 7));
    count += part.length;
  }
  equal(count, 130_000);
  ok(whole.length > count + 4);
});

Deno.test("Metering lets a limited peer see progress eight times a second", async () => {
  const clock = new ManualClock();
  const limits = { ...PROVIDER_LIMITS, bytesPerSecondPerPeer: 160 * 1024 };
  const metering = new Metering({ limits, clock: clock.clock });
  const { stream, written } = slowStream(clock, 0);
  const account = metering.of("reader");
  const sender = new Sender({ stream, account, metering, clock: clock.clock, signal: never() });
  const sentMs: number[] = [];
  const { write } = stream;
  stream.write = (...parts) => {
    sentMs.push(clock.nowMs);
    return write(...parts);
  };
  await sender.data(new Uint8Array(1024 * 1024));
  ok(written.length > 50);
  for (let index = 1; index < sentMs.length; index++) {
    ok(sentMs[index]! - sentMs[index - 1]! <= 130);
  }
  ok(Math.abs(clock.nowMs - (1024 - 64) / 160 * 1000) < 200, `${clock.nowMs} ms`);
});

Deno.test("Metering remembers what a peer took when it comes back", () => {
  const clock = new ManualClock();
  const limits = { ...PROVIDER_LIMITS, bytesPerSecondPerPeer: 100_000 };
  const metering = new Metering({ limits, clock: clock.clock });
  const first = metering.of("a");
  metering.openStream(first);
  first.takeBytes(1_000_000);
  metering.closeStream(first);
  ok(metering.of("a").takeBytes(1) > 8_000);
});

Deno.test("Metering forgets idle peers above its limit, and none with a stream", () => {
  const limits = { ...PROVIDER_LIMITS, streamsMax: 10 };
  const metering = new Metering({ limits, clock: systemClock });
  const busy = metering.of("busy");
  metering.openStream(busy);
  const idle = metering.of("idle");
  for (let count = 0; count < 5000; count++) metering.of(`peer-${count}`);
  equal(metering.of("busy"), busy);
  equal(metering.of("idle") === idle, false);
});
