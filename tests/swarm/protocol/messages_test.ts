import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { encodeCbor } from "../../../src/core/cbor.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import {
  decodeMessage,
  encodeMessage,
  EXTENSIBLE,
  HAVE_HASHES_MAX,
  type Message,
  MESSAGE_BYTES_MAX,
  WANT_BOUNDARIES_MAX,
} from "../../../swarm/protocol/mod.ts";
import { VECTORS } from "./vectors.ts";

const HASH = "11".repeat(32) as Hash;
const HASH_BYTES = new Uint8Array(32).fill(0x11);
const protocolError = (error: unknown) => isSeedmintError(error, "protocol");

for (const [message, hex] of VECTORS) {
  Deno.test(`encodeMessage and decodeMessage hold to the bytes ${hex.slice(0, 40)}`, () => {
    equal(encodeMessage(message).toHex(), hex);
    deepEqual(decodeMessage(Uint8Array.fromHex(hex)), message);
  });
}

Deno.test("the vectors cover every type of message", () => {
  const covered = new Set<string>(VECTORS.map(([message]) => message.t));
  deepEqual([...covered].toSorted(), Object.keys(MESSAGE_BYTES_MAX).toSorted());
});

Deno.test("decodeMessage ignores an unknown field only where the message is extensible", () => {
  for (const [message, hex] of VECTORS) {
    const bytes = withField(hex, message.t);
    if (EXTENSIBLE.has(message.t)) deepEqual(decodeMessage(bytes), message);
    else throws(() => decodeMessage(bytes), protocolError, message.t);
  }
});

Deno.test("decodeMessage refuses fields of wrong types and values out of range", () => {
  const want = { t: "want", hash: HASH_BYTES, format: "blob" };
  const granted = { t: "granted", size: 1 };
  const direct = { port: 1, session: new Uint8Array(16), key: new Uint8Array(32), ttlMs: 1 };
  const bad: unknown[] = [
    { t: "wants" },
    { t: 1 },
    { t: "__proto__" },
    { t: "toString" },
    {},
    [],
    1,
    null,
    { t: "want", format: "blob" },
    { ...want, sha256: HASH_BYTES },
    { ...want, hash: HASH },
    { ...want, hash: new Uint8Array(31) },
    { ...want, format: "film" },
    { ...want, ranges: [1, 1] },
    { ...want, ranges: [2, 1] },
    { ...want, ranges: [-1] },
    { ...want, ranges: [0.5] },
    { ...want, ranges: [2n ** 60n] },
    { ...want, ranges: ["1"] },
    { ...want, ranges: Array.from({ length: WANT_BOUNDARIES_MAX + 1 }, (_, index) => index) },
    { ...want, direct: false },
    { ...want, payment: { id: new Uint8Array(15) } },
    { ...want, payment: { id: new Uint8Array(16), extra: 1 } },
    { ...want, payment: { id: new Uint8Array(16), token: "x".repeat(32 * 1024 + 1) } },
    { ...want, payment: { token: "cashuB" } },
    { ...want, priceMsatPerMiB: -1 },
    { ...want, priceMsatPerMiB: 0.5 },
    { ...want, certificate: new Uint8Array(513) },
    { t: "top-up" },
    { t: "top-up", payment: new Uint8Array(16) },
    { t: "credited", paymentId: new Uint8Array(16), creditMsat: -1 },
    { t: "credited", paymentId: new Uint8Array(15), creditMsat: 1 },
    { t: "credited", paymentId: new Uint8Array(16), creditMsat: 2n ** 53n },
    { t: "refused", paymentId: new Uint8Array(16) },
    { t: "refused", paymentId: new Uint8Array(16), code: "SPENT" },
    { t: "refused", paymentId: new Uint8Array(16), code: "spent", retryMs: 2 ** 31 },
    { t: "receipt-ask", root: HASH_BYTES, nostrKey: HASH_BYTES },
    { t: "receipt-ask", root: HASH_BYTES, nostrKey: new Uint8Array(33), commitment: HASH_BYTES },
    { t: "receipt", receipt: "x".repeat(16 * 1024 + 1) },
    { t: "receipt", receipt: new Uint8Array(1) },
    { t: "refund-ask", token: "cashuB" },
    { t: "refund", token: "cashuB" },
    { t: "refund", token: "x".repeat(32 * 1024 + 1), amountSat: 1 },
    { t: "refund", token: "cashuB", amountSat: 0.5 },
    { ...granted, size: -1 },
    { ...granted, size: 2 ** 48 + 1 },
    { ...granted, visibility: "private" },
    { ...granted, direct: { ...direct, port: 0 } },
    { ...granted, direct: { ...direct, port: 65_536 } },
    { ...granted, direct: { ...direct, key: new Uint8Array(31) } },
    { ...granted, direct: { ...direct, host: "evil.example" } },
    { t: "denied", code: "Busy now!" },
    { t: "denied", code: "x".repeat(33) },
    { t: "have", blobs: [{}] },
    { t: "have", blobs: [{ hash: HASH_BYTES, more: 1 }] },
    { t: "have", blobs: Array.from({ length: HAVE_HASHES_MAX + 1 }, () => ({ hash: HASH_BYTES })) },
    { t: "holdings", blobs: [{ groups: [1, 2] }] },
    { t: "low" },
  ];
  for (const value of bad) throws(() => decodeMessage(encodeCbor(value)), protocolError);
});

Deno.test("decodeMessage refuses more boundaries in all of a holdings message than one may have", () => {
  const groups = Array.from({ length: 4096 }, (_, index) => index * 2);
  const entry = { size: 2 ** 40, groups };
  const four = encodeCbor({ t: "holdings", blobs: [entry, entry, entry, entry] });
  equal(decodeMessage(four).t, "holdings");
  const five = encodeCbor({ t: "holdings", blobs: [entry, entry, entry, entry, entry] });
  throws(() => decodeMessage(five), protocolError);
});

Deno.test("decodeMessage takes the fullest want, have and holdings that there can be", () => {
  const far = 2 ** 52;
  const boundaries = (count: number) =>
    RangeSet.fromBoundaries(Array.from({ length: count }, (_, index) => far + index));
  const token = "x".repeat(32 * 1024);
  const full: Message[] = [
    {
      t: "want",
      hash: HASH,
      format: "blob",
      ranges: boundaries(4096),
      children: boundaries(4096),
      payment: { id: new Uint8Array(16), token },
      certificate: new Uint8Array(512),
    },
    {
      t: "have",
      blobs: Array.from({ length: HAVE_HASHES_MAX }, () => ({ hash: HASH })),
      certificate: new Uint8Array(512),
    },
    {
      t: "holdings",
      blobs: Array.from(
        { length: HAVE_HASHES_MAX },
        () => ({ state: "some", size: 2 ** 48, groups: boundaries(16), hash: HASH }),
      ),
    },
  ];
  for (const message of full) deepEqual(decodeMessage(encodeMessage(message)), message);
});

Deno.test("decodeMessage refuses a message above the limit of its own type", () => {
  const bytes = encodeCbor({ t: "denied", code: "busy", more: "x".repeat(300) });
  throws(() => decodeMessage(bytes), /at most 256/);
});

Deno.test("decodeMessage throws nothing but a protocol error, whatever the bytes", () => {
  const valid = fc.constantFrom(...VECTORS.map(([, hex]) => Uint8Array.fromHex(hex)));
  const mutated = fc.tuple(valid, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1 }))
    .map(([bytes, changes]) => {
      const changed = Uint8Array.from(bytes);
      for (const [at, value] of changes.slice(0, 3)) changed[at % changed.length] = value;
      return changed;
    });
  const cut = fc.tuple(valid, fc.nat(400)).map(([bytes, at]) => bytes.subarray(0, at));
  const anyCbor = fc.jsonValue().map((value) => encodeCbor(value));
  const input = fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated, cut, anyCbor);
  fc.assert(
    fc.property(input, (bytes) => {
      try {
        const message = decodeMessage(bytes);
        // What is taken is canonical: encoding it again gives the same bytes, unknown fields aside.
        if (!EXTENSIBLE.has(message.t)) equal(encodeMessage(message).toHex(), bytes.toHex());
      } catch (error) {
        equal(protocolError(error), true, String(error));
      }
    }),
    { numRuns: 5000 },
  );
});

Deno.test("decodeMessage survives nesting as deep as its limit lets through", () => {
  throws(() => decodeMessage(new Uint8Array(300 * 1024).fill(0x81)), protocolError);
});

/** The vector with one more field, which sorts last as the longest name. */
function withField(hex: string, type: string): Uint8Array {
  const bytes = Uint8Array.fromHex(hex);
  const name = "zzzzzzzzzzzzzzzzzzzz";
  const field = Uint8Array.of(0x60 + name.length, ...new TextEncoder().encode(name), 0x01);
  const grown = new Uint8Array(bytes.length + field.length);
  grown.set(bytes);
  grown.set(field, bytes.length);
  equal(grown[0]! >> 5, 5, type);
  grown[0]! += 1;
  return grown;
}
