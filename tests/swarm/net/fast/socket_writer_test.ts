import assert from "node:assert/strict";
import fc from "fast-check";
import { WRITE_BLOCK_BYTES, WRITE_HIGH_BYTES } from "../../../../swarm/net/fast/limits.ts";
import { SocketWriter } from "../../../../swarm/net/fast/socket_writer.ts";

/** A socket that takes at most `countMax` bytes a write, and only when it is let. */
function fakeSocket(countMax: number) {
  const taken: number[] = [];
  let gate: PromiseWithResolvers<void> | undefined;
  let writeCount = 0;
  return {
    taken,
    writes: () => writeCount,
    hold: () => gate = Promise.withResolvers<void>(),
    release: () => gate?.resolve(),
    async write(bytes: Uint8Array): Promise<number> {
      await gate?.promise;
      writeCount += 1;
      const count = Math.min(countMax, bytes.length);
      for (let index = 0; index < count; index++) taken.push(bytes[index]!);
      return count;
    },
  };
}

function newWriter(socket: { write(bytes: Uint8Array): Promise<number> }) {
  const events = { drains: 0, errors: [] as unknown[] };
  const writer = new SocketWriter((bytes) => socket.write(bytes), {
    onProgress: () => {},
    onDrain: () => events.drains++,
    onError: (error) => events.errors.push(error),
  });
  return { writer, events };
}

Deno.test("SocketWriter writes every byte in order, however the socket takes them", async () => {
  const part = fc.record({ length: fc.integer({ min: 0, max: 3000 }), isReserved: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(part), fc.integer({ min: 1, max: 5000 }), async (parts, countMax) => {
      const socket = fakeSocket(countMax);
      const { writer } = newWriter(socket);
      const wanted: number[] = [];
      for (const { length, isReserved } of parts) {
        const bytes = Uint8Array.from({ length }, (_, index) => index * 7 + length);
        wanted.push(...bytes);
        if (isReserved) {
          writer.reserve(length).set(bytes);
          writer.commit(length);
        } else writer.append(bytes);
        if (length % 3 === 0) await Promise.resolve();
      }
      await writer.flushed();
      assert.deepEqual(socket.taken, wanted);
      assert.equal(writer.queuedBytes, 0);
    }),
    { numRuns: 50 },
  );
});

Deno.test("SocketWriter joins what one turn writes into one system call", async () => {
  const socket = fakeSocket(Infinity);
  const { writer } = newWriter(socket);
  for (let index = 0; index < 1000; index++) writer.append(Uint8Array.of(1));
  await writer.flushed();
  assert.equal(socket.writes(), 1);
});

Deno.test("SocketWriter tells a full queue, and later that it drained", async () => {
  const socket = fakeSocket(Infinity);
  const { writer, events } = newWriter(socket);
  socket.hold();
  const block = new Uint8Array(WRITE_BLOCK_BYTES);
  writer.append(block);
  assert.equal(writer.needsDrain, false);
  writer.append(block);
  assert.equal(writer.queuedBytes, WRITE_HIGH_BYTES);
  assert.equal(writer.needsDrain, true);
  assert.equal(events.drains, 0);
  socket.release();
  await writer.flushed();
  assert.equal(events.drains, 1);
  assert.equal(writer.needsDrain, false);
});

Deno.test("SocketWriter stops after an error and tells it once", async () => {
  const { writer, events } = newWriter({ write: () => Promise.reject(new Error("broken")) });
  writer.append(Uint8Array.of(1));
  await writer.flushed();
  assert.equal(events.errors.length, 1);
  writer.append(Uint8Array.of(2));
  await Promise.resolve();
  assert.equal(events.errors.length, 1);
});
