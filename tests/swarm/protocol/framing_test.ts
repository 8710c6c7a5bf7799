import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import fc from "fast-check";
import { concatBytes } from "../../../src/core/bytes.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { encodeVarint } from "../../../src/core/varint.ts";
import {
  DATA_FRAME_BYTES_MAX,
  dataFrameHead,
  FrameReader,
  type Message,
  messageFrame,
} from "../../../swarm/protocol/mod.ts";

const END = messageFrame({ t: "end" });
const LOW = messageFrame({ t: "low", creditMsat: 7 });

/** A stream that gives these chunks and then ends. */
function streamOf(chunks: readonly Uint8Array[]): { read(): Promise<Uint8Array | undefined> } {
  const left = [...chunks];
  return { read: () => Promise.resolve(left.shift()) };
}

function readerOf(chunks: readonly Uint8Array[], isDataAllowed = true): FrameReader {
  return new FrameReader(streamOf(chunks), { messageBytesMax: 1000, isDataAllowed });
}

async function readAll(reader: FrameReader): Promise<{ messages: Message[]; data: Uint8Array }> {
  const messages: Message[] = [];
  const data: Uint8Array[] = [];
  while (true) {
    const frame = await reader.next();
    if (frame === undefined) return { messages, data: concatBytes(...data) };
    if (frame instanceof Uint8Array) data.push(frame);
    else messages.push(frame);
  }
}

Deno.test("messageFrame and dataFrameHead hold to these bytes", () => {
  equal(END.toHex(), "07" + "a1617463656e64");
  equal(dataFrameHead(1).toHex(), "02" + "00");
  equal(dataFrameHead(127).toHex(), "8001" + "00");
  equal(dataFrameHead(DATA_FRAME_BYTES_MAX).toHex(), "818040" + "00");
  for (const size of [0, -1, 0.5, DATA_FRAME_BYTES_MAX + 1]) {
    throws(() => dataFrameHead(size), RangeError);
  }
});

Deno.test("FrameReader gives messages and data in order, wherever the stream is cut", async () => {
  const bytes = concatBytes(
    LOW,
    dataFrameHead(5),
    Uint8Array.of(0, 1, 2, 3, 4),
    LOW,
    dataFrameHead(1),
    Uint8Array.of(0),
    END,
  );
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(bytes.length), { maxLength: 40 }), async (cuts) => {
      const at = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
      const { messages, data } = await readAll(readerOf(chunks));
      deepEqual(messages.map(({ t }) => t), ["low", "low", "end"]);
      deepEqual(data, Uint8Array.of(0, 1, 2, 3, 4, 0));
    }),
  );
});

Deno.test("FrameReader hands on parts of the arrays that came, without a copy", async () => {
  const chunk = concatBytes(dataFrameHead(4), Uint8Array.of(1, 2, 3, 4));
  const frame = await readerOf([chunk]).next();
  equal(frame instanceof Uint8Array && frame.buffer === chunk.buffer, true);
});

Deno.test("FrameReader refuses frames that break a limit", async () => {
  const refused: [string, Uint8Array[], boolean][] = [
    ["empty frame", [Uint8Array.of(0)], true],
    ["long varint", [Uint8Array.of(0x80, 0x00)], true],
    ["varint above 32 bits", [Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff)], true],
    ["huge message", [concatBytes(encodeVarint(1001), Uint8Array.of(0xa1))], true],
    ["4 GiB message", [concatBytes(encodeVarint(2 ** 32 - 1), Uint8Array.of(0xa1))], true],
    ["huge data", [concatBytes(encodeVarint(DATA_FRAME_BYTES_MAX + 2), Uint8Array.of(0))], true],
    ["empty data", [Uint8Array.of(1, 0)], true],
    ["data from a requester", [Uint8Array.of(2, 0, 5)], false],
    ["no CBOR", [Uint8Array.of(1, 0xff)], true],
  ];
  for (const [name, chunks, isDataAllowed] of refused) {
    await rejects(
      readerOf(chunks, isDataAllowed).next(),
      (error) => isSeedmintError(error, "protocol"),
      name,
    );
  }
});

Deno.test("FrameReader says reset when the stream ends inside a frame", async () => {
  for (let size = 1; size < END.length; size++) {
    const reader = readerOf([END.subarray(0, size)]);
    await rejects(reader.next(), (error) => isSeedmintError(error, "reset"), `${size} bytes`);
  }
  const reader = readerOf([dataFrameHead(9), Uint8Array.of(1)]);
  deepEqual(await reader.next(), Uint8Array.of(1));
  await rejects(reader.next(), (error) => isSeedmintError(error, "reset"));
});

Deno.test("FrameReader throws nothing but protocol and reset, whatever comes", async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(chunks, fc.boolean(), async (parts, isDataAllowed) => {
      try {
        await readAll(readerOf(parts, isDataAllowed));
      } catch (error) {
        equal(
          isSeedmintError(error, "protocol") || isSeedmintError(error, "reset"),
          true,
          String(error),
        );
      }
    }),
    { numRuns: 2000 },
  );
});
