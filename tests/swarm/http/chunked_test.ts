import assert from "node:assert/strict";
import fc from "fast-check";
import { SeedmintError } from "../../../src/core/errors.ts";
import { ChunkedBody } from "../../../swarm/http/chunked.ts";
import { Refusal } from "../../../swarm/http/refusal.ts";

/** Reads `wire` in pieces of the given sizes, over and over. */
function bodyOf(wire: Uint8Array, sizes: readonly number[] = [wire.length]): ChunkedBody {
  let at = 0;
  let turn = 0;
  return new ChunkedBody((target) => {
    if (at === wire.length) return Promise.resolve(null);
    const size = Math.max(1, sizes[turn++ % sizes.length]!);
    const piece = wire.subarray(at, at + Math.min(size, target.length));
    target.set(piece);
    at += piece.length;
    return Promise.resolve(piece.length);
  });
}

async function readAll(body: ChunkedBody): Promise<{ text: string; rest: string }> {
  const decoder = new TextDecoder("latin1");
  let text = "";
  for (let piece = await body.next(); piece !== undefined; piece = await body.next()) {
    text += decoder.decode(piece);
  }
  assert.ok(body.isDone);
  return { text, rest: decoder.decode(body.rest) };
}

const latin1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

Deno.test("ChunkedBody reads chunks, extensions and trailers, and leaves what follows", async () => {
  const wire =
    "5\r\nhello\r\n1;name=value\r\n,\r\n00006 ;x\r\n world\r\n0\r\nTrailer: x\r\n\r\nGET /";
  assert.deepEqual(await readAll(bodyOf(latin1(wire))), { text: "hello, world", rest: "GET /" });
  assert.deepEqual(await readAll(bodyOf(latin1(wire), [1])), { text: "hello, world", rest: "" });
  assert.deepEqual(await readAll(bodyOf(latin1("0\r\n\r\n"))), { text: "", rest: "" });
});

Deno.test("ChunkedBody reads any content in any chunks however the network cuts them", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 100_000 }), { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1, maxLength: 5 }),
      async (chunks, sizes) => {
        const text = (bytes: Uint8Array) => new TextDecoder("latin1").decode(bytes);
        const wire = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${text(chunk)}\r\n`);
        const body = Uint8Array.from(
          chunks.flatMap((chunk) => [
            ...latin1(`${chunk.length.toString(16)}\r\n`),
            ...chunk,
            13,
            10,
          ]).concat([...latin1("0\r\n\r\n")]),
        );
        assert.ok(body.length >= wire.join("").length);
        const read = await readAll(bodyOf(body, sizes));
        assert.equal(read.text, chunks.map(text).join(""));
      },
    ),
    { numRuns: 15 },
  );
});

Deno.test("ChunkedBody refuses whatever could be read in two ways", async () => {
  const broken = [
    "5\nhello\r\n0\r\n\r\n",
    "5\r\nhello\n0\r\n\r\n",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "4\r\nhello\r\n0\r\n\r\n",
    "0x5\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    " 5\r\nhello\r\n0\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    `5;${"x".repeat(300)}\r\nhello\r\n0\r\n\r\n`,
    `0\r\n${"a: b\r\n".repeat(1000)}\r\n`,
    "5;\u0001\r\nhello\r\n0\r\n\r\n",
  ];
  for (const wire of broken) {
    for (const sizes of [[10_000], [1]]) {
      await assert.rejects(readAll(bodyOf(latin1(wire), sizes)), Refusal, JSON.stringify(wire));
    }
  }
});

Deno.test("ChunkedBody notices a body that is cut off anywhere", async () => {
  const wire = latin1("5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n");
  for (let length = 0; length < wire.length; length++) {
    await assert.rejects(
      readAll(bodyOf(wire.subarray(0, length), [3])),
      (error) => error instanceof SeedmintError && error.code === "reset",
      `${length}`,
    );
  }
});
