import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeCbor, encodeCbor } from "../../src/core/cbor.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { decodeVarint, encodeVarint } from "../../src/core/varint.ts";

const isProtocolError = (error: unknown) =>
  error instanceof SeedmintError && error.code === "protocol";

Deno.test("encodeCbor() sorts map keys as RFC 8949 section 4.2.1 says", () => {
  // RFC 8949 4.2.1: keys in the bytewise order of their encodings, so "b" goes before "aa".
  assert.equal(encodeCbor({ aa: 2, b: 1 }).toHex(), "a26162016261" + "6102");
});

Deno.test("decodeCbor() gives back what encodeCbor() took", () => {
  const value = { hash: new Uint8Array(32).fill(7), list: [0, 24, 65536, 2 ** 40], text: "é" };
  assert.deepEqual(decodeCbor(encodeCbor(value), { bytesMax: 200 }), value);
});

Deno.test("decodeCbor() refuses every form but the canonical one", () => {
  const refused: Record<string, string> = {
    "keys out of order": "a2626161026162" + "01",
    "a length longer than needed": "1800",
    "an indefinite array": "9f01ff",
    "a duplicate key": "a2616101616102",
    "bytes after the item": "0101",
    "a truncated item": "8201",
    "nothing at all": "",
    "undefined": "f7",
    "an unknown tag": "d903e801",
  };
  for (const [what, hex] of Object.entries(refused)) {
    assert.throws(
      () => decodeCbor(Uint8Array.fromHex(hex), { bytesMax: 100 }),
      isProtocolError,
      what,
    );
  }
});

Deno.test("decodeCbor() refuses more bytes than its limit", () => {
  assert.throws(() => decodeCbor(encodeCbor("x".repeat(50)), { bytesMax: 20 }), isProtocolError);
});

Deno.test("decodeCbor() never throws anything else on arbitrary bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        decodeCbor(bytes, { bytesMax: 64 });
      } catch (error) {
        assert.ok(isProtocolError(error));
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("decodeVarint() reads what encodeVarint() wrote and says how long it was", () => {
  fc.assert(fc.property(fc.nat(2 ** 32 - 1), fc.uint8Array({ maxLength: 3 }), (value, rest) => {
    const encoded = encodeVarint(value);
    const decoded = decodeVarint(Uint8Array.of(...encoded, ...rest));
    assert.deepEqual(decoded, { value, size: encoded.length });
  }));
  assert.equal(encodeVarint(300).toHex(), "ac02"); // the example of the multiformats spec
});

Deno.test("decodeVarint() waits for more bytes and refuses padding and overflow", () => {
  assert.equal(decodeVarint(Uint8Array.of()), undefined);
  assert.equal(decodeVarint(Uint8Array.of(0x80, 0x80)), undefined);
  assert.throws(() => decodeVarint(Uint8Array.of(0x80, 0x00)), isProtocolError);
  assert.throws(() => decodeVarint(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x10)), isProtocolError);
  assert.throws(() => decodeVarint(new Uint8Array(6).fill(0x80)), isProtocolError);
});
