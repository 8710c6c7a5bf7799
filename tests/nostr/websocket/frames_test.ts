import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CLOSE_CODE,
  closePayload,
  encodeFrame,
  FrameError,
  type FrameItem,
  FrameReader,
  OPCODE,
} from "../../../src/nostr/websocket/frames.ts";

const MASK = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

function readAll(reader: FrameReader, bytes: Uint8Array): FrameItem[] {
  reader.push(bytes);
  const items: FrameItem[] = [];
  for (let item = reader.next(); item !== undefined; item = reader.next()) items.push(item);
  return items;
}

function frame(opcode: number, payload: string, fin = true): Uint8Array {
  const bytes = encodeFrame(opcode, new TextEncoder().encode(payload));
  if (!fin) bytes[0]! &= 0x7f;
  return bytes;
}

const reader = (masked = false, messageBytesMax = 1000) =>
  new FrameReader({ messageBytesMax, masked });

function assertRefused(bytes: Uint8Array, closeCode: number, of = reader()): void {
  assert.throws(
    () => readAll(of, bytes),
    (error) => error instanceof FrameError && error.closeCode === closeCode,
  );
}

Deno.test("encodeFrame gives the examples of RFC 6455 section 5.7", () => {
  const hello = new TextEncoder().encode("Hello");
  assert.equal(encodeFrame(OPCODE.text, hello).toHex(), "810548656c6c6f");
  assert.equal(encodeFrame(OPCODE.text, hello, MASK).toHex(), "818537fa213d7f9f4d5158");
  assert.equal(
    encodeFrame(OPCODE.binary, new Uint8Array(256)).subarray(0, 4).toHex(),
    "827e0100",
  );
  assert.equal(
    encodeFrame(OPCODE.binary, new Uint8Array(65536)).subarray(0, 10).toHex(),
    "827f0000000000010000",
  );
});

Deno.test("FrameReader reads what encodeFrame writes, however the bytes are cut", () => {
  const texts = fc.array(fc.string({ unit: "grapheme", maxLength: 300 }), { maxLength: 5 });
  fc.assert(
    fc.property(texts, fc.boolean(), fc.integer({ min: 1, max: 40 }), (sent, masked, cut) => {
      const of = reader(masked, 10_000);
      const bytes = sent.flatMap((text) => [
        ...encodeFrame(OPCODE.text, new TextEncoder().encode(text), masked ? MASK : undefined),
      ]);
      const got: FrameItem[] = [];
      for (let at = 0; at < bytes.length; at += cut) {
        got.push(...readAll(of, Uint8Array.from(bytes.slice(at, at + cut))));
      }
      assert.deepEqual(got, sent.map((text) => ({ type: "text", text: text.toWellFormed() })));
    }),
  );
});

Deno.test("FrameReader joins fragments, with control frames between them", () => {
  const bytes = [
    frame(OPCODE.text, "Hel", false),
    frame(OPCODE.ping, "?"),
    frame(OPCODE.continuation, "", false),
    frame(OPCODE.continuation, "lo"),
  ];
  const of = reader();
  assert.deepEqual(bytes.flatMap((part) => readAll(of, part)), [
    { type: "ping", payload: new TextEncoder().encode("?") },
    { type: "text", text: "Hello" },
  ]);
});

Deno.test("FrameReader refuses a declared size over the limit before the bytes come", () => {
  for (const size of [1001n, 1n << 40n, (1n << 63n) - 1n, (1n << 64n) - 1n]) {
    const head = new Uint8Array(10);
    head[0] = 0x81;
    head[1] = 127;
    new DataView(head.buffer).setBigUint64(2, size);
    assertRefused(head, CLOSE_CODE.tooBig);
  }
});

Deno.test("FrameReader refuses fragments that add up to more than the limit", () => {
  const of = reader();
  readAll(of, frame(OPCODE.text, "x".repeat(600), false));
  assertRefused(frame(OPCODE.continuation, "x".repeat(401), false), CLOSE_CODE.tooBig, of);
});

Deno.test("FrameReader refuses what RFC 6455 forbids", () => {
  const { protocol, unsupported, notText } = CLOSE_CODE;
  assertRefused(Uint8Array.of(0xc1, 0), protocol); // a reserved bit
  assertRefused(Uint8Array.of(0x83, 0), protocol); // an unknown data frame
  assertRefused(Uint8Array.of(0x8b, 0), protocol); // an unknown control frame
  assertRefused(Uint8Array.of(0x09, 0), protocol); // a fragmented ping
  assertRefused(Uint8Array.of(0x89, 126, 0, 126), protocol); // a ping of 126 bytes
  assertRefused(Uint8Array.of(0x88, 1, 3), protocol); // a close code of one byte
  assertRefused(Uint8Array.of(0x80, 0), protocol); // a continuation of nothing
  assertRefused(Uint8Array.of(0x82, 0), unsupported); // binary
  assertRefused(Uint8Array.of(0x81, 1, 0xff), notText); // not UTF-8
  assertRefused(encodeFrame(OPCODE.text, new Uint8Array(1), MASK), protocol); // masked by a server
  assertRefused(Uint8Array.of(0x81, 0), protocol, reader(true)); // not masked by a client
  const of = reader();
  readAll(of, frame(OPCODE.text, "a", false));
  assertRefused(frame(OPCODE.text, "b"), protocol, of); // a message inside a message
});

Deno.test("FrameReader throws nothing but FrameError on any bytes", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), fc.boolean(), (chunks, masked) => {
      const of = reader(masked, 100);
      try {
        for (const chunk of chunks) {
          for (const item of readAll(of, chunk)) {
            if (item.type === "text") assert.ok(item.text.length <= 100);
          }
        }
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("closePayload cuts a long reason at a character", () => {
  const payload = closePayload(1000, "é".repeat(100));
  assert.ok(payload.length <= 125);
  assert.deepEqual(readAll(reader(), encodeFrame(OPCODE.close, payload)), [
    { type: "close", code: 1000, reason: "é".repeat(61) },
  ]);
});
