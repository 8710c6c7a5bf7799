import { deepEqual, equal, throws } from "node:assert/strict";
import { createHmac } from "node:crypto";
import fc from "fast-check";
import { encodeCbor } from "../../../src/core/cbor.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import {
  decodeDirectRequest,
  type DirectRequest,
  encodeDirectRequest,
  isAuthentic,
} from "../../../swarm/direct/request.ts";

const KEY = new Uint8Array(32).fill(0x44);
const REQUEST: DirectRequest = {
  session: new Uint8Array(16).fill(0x33),
  hash: "11".repeat(32) as Hash,
  ranges: RangeSet.of(2, 5),
  counter: 7,
};
/** The four fields that are authenticated, in canonical CBOR. */
const SIGNED = "a4" + "6468617368" + "5820" + "11".repeat(32) + "6672616e676573" + "820205" +
  "67636f756e746572" + "07" + "6773657373696f6e" + "50" + "33".repeat(16);

Deno.test("encodeDirectRequest gives these bytes, with the HMAC over domain and fields", () => {
  const domain = new TextEncoder().encode("seedmint/direct/1\0");
  const mac = createHmac("sha256", KEY).update(domain).update(Uint8Array.fromHex(SIGNED))
    .digest("hex");
  const body = encodeDirectRequest(REQUEST, KEY).toHex();
  equal(body, "a5" + "636d6163" + "5820" + mac + SIGNED.slice(2));
  const read = decodeDirectRequest(Uint8Array.fromHex(body));
  deepEqual(read.request, REQUEST);
  equal(isAuthentic(read.request, read.mac, KEY), true);
});

Deno.test("isAuthentic refuses another key, another request and a cut MAC", () => {
  const { mac } = decodeDirectRequest(encodeDirectRequest(REQUEST, KEY));
  equal(isAuthentic(REQUEST, mac, new Uint8Array(32).fill(0x45)), false);
  equal(isAuthentic(REQUEST, mac.subarray(0, 31), KEY), false);
  const others: Partial<DirectRequest>[] = [
    { session: new Uint8Array(16) },
    { hash: "12".repeat(32) as Hash },
    { ranges: RangeSet.of(2, 6) },
    { counter: 8 },
  ];
  for (const other of others) equal(isAuthentic({ ...REQUEST, ...other }, mac, KEY), false);
});

Deno.test("decodeDirectRequest throws nothing but a protocol error, whatever the bytes", () => {
  const valid = encodeDirectRequest(REQUEST, KEY);
  const mutated = fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([at, value]) => {
    const bytes = Uint8Array.from(valid);
    bytes[at] = value;
    return bytes;
  });
  const input = fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated);
  fc.assert(
    fc.property(input, (bytes) => {
      try {
        decodeDirectRequest(bytes);
      } catch (error) {
        equal(isSeedmintError(error, "protocol"), true, String(error));
      }
    }),
    { numRuns: 2000 },
  );
  throws(() => decodeDirectRequest(encodeCbor({})), /missing/);
  throws(() => decodeDirectRequest(new Uint8Array(49 * 1024)), /at most/);
});
