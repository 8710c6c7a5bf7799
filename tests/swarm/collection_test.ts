import { deepEqual, equal, throws } from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { encodeCbor } from "../../src/core/cbor.ts";
import { isSeedmintError } from "../../src/core/errors.ts";
import { type Hash, hashToBytes } from "../../src/core/hash.ts";
import {
  COLLECTION_CHILDREN_MAX,
  type CollectionChild,
  collectionNameFault,
  decodeCollection,
  encodeCollection,
} from "../../swarm/collection.ts";

const HASH = "ab".repeat(32) as Hash;

function child(name: string, rest: Partial<CollectionChild> = {}): CollectionChild {
  return { name, hash: HASH, size: 7, ...rest };
}

function raw(children: unknown, v: unknown = 1): Uint8Array {
  return encodeCbor({ v, children });
}

const protocolError = (error: unknown) => isSeedmintError(error, "protocol");

Deno.test("encodeCollection gives these bytes for two children, in order of their names", () => {
  const bytes = encodeCollection([child("b", { mediaType: "text/plain" }), child("a/é")]);
  const hash = `5820${HASH}`;
  const expected = "a2" + "6176" + "01" + // "v": 1
    "686368696c6472656e" + "82" + // "children": two
    "a3" + "6468617368" + hash + "646e616d65" + "64612fc3a9" + "6473697a65" + "07" +
    "a4" + "6468617368" + hash + "646e616d65" + "6162" + "6473697a65" + "07" +
    "696d6564696154797065" + "6a746578742f706c61696e";
  equal(bytes.toHex(), expected);
  deepEqual(decodeCollection(bytes), [child("a/é"), child("b", { mediaType: "text/plain" })]);
});

Deno.test("encodeCollection gives the same bytes for any order of the children", () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,4}-[0-9]{1,3}$/), { maxLength: 30 });
  fc.assert(fc.property(names, (list) => {
    const forth = encodeCollection(list.map((name) => child(name)));
    const back = encodeCollection(list.toReversed().map((name) => child(name)));
    deepEqual(forth, back);
    deepEqual(decodeCollection(forth).map(({ name }) => name), list.toSorted());
  }));
});

Deno.test("collectionNameFault refuses every name that is not safe below a directory", () => {
  const bad = ["", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/.", "a\\b", "a\0b", "a\nb"];
  bad.push("\u007f", "\u0085", "a\u202eb", "\u2028", "e\u0301", "\ud800", "x".repeat(256));
  bad.push(`${"x/".repeat(520)}x`);
  for (const name of bad) {
    equal(typeof collectionNameFault(name), "string", JSON.stringify(name));
    throws(() => encodeCollection([child(name)]), RangeError);
  }
  const good = ["a", "a/b", "...", ".hidden", "a..b", "Grüße/日本 👩‍🚀.txt", "C:", "x".repeat(255)];
  for (const name of good) equal(collectionNameFault(name), undefined, name);
});

Deno.test("encodeCollection refuses equal names and a name that is a directory of another", () => {
  throws(() => encodeCollection([child("a"), child("a")]), /twice/);
  throws(() => encodeCollection([child("a/b/c"), child("a/b")]), /directory/);
  // "a-b" sorts between "a" and "a/b", so neighbours alone would not show it.
  throws(() => encodeCollection([child("a"), child("a-b"), child("a/b")]), /directory/);
});

Deno.test("encodeCollection refuses hashes, sizes and media types that are none", () => {
  throws(() => encodeCollection([child("a", { hash: "AB".repeat(32) as Hash })]), RangeError);
  for (const size of [-1, 0.5, NaN, 2 ** 48 + 1]) {
    throws(() => encodeCollection([child("a", { size })]), RangeError);
  }
  for (const mediaType of ["", "a\nb", " a", "é", "x".repeat(256)]) {
    throws(() => encodeCollection([child("a", { mediaType })]), RangeError);
  }
});

Deno.test("decodeCollection refuses what encodeCollection would not give", () => {
  const fine = { name: "a", hash: hashToBytes(HASH), size: 7 };
  equal(decodeCollection(raw([fine])).length, 1);
  const bad = [
    raw([fine], 2),
    raw({}),
    raw([1]),
    raw([{ ...fine, extra: 1 }]),
    raw([{ ...fine, name: 1 }]),
    raw([{ ...fine, name: "../a" }]),
    raw([{ ...fine, hash: new Uint8Array(31) }]),
    raw([{ ...fine, hash: HASH }]),
    raw([{ ...fine, size: -1 }]),
    raw([{ ...fine, size: 2 ** 49 }]),
    raw([{ ...fine, mediaType: 5 }]),
    raw([fine, fine]),
    raw([{ ...fine, name: "b" }, fine]),
    encodeCbor({ v: 1, children: [], more: 1 }),
    encodeCbor([]),
    new Uint8Array(0),
    new Uint8Array(20 * 1024 * 1024),
  ];
  for (const bytes of bad) throws(() => decodeCollection(bytes), protocolError);
});

Deno.test("encodeCollection and decodeCollection agree with the general canonical codec", () => {
  const sizes = fc.oneof(
    fc.nat(300),
    fc.nat(70_000),
    fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 48),
  );
  const type = fc.option(fc.constantFrom("a/b", "x".repeat(40)), { nil: undefined });
  const children = fc.uniqueArray(
    fc.tuple(fc.stringMatching(/^[a-zé日]{1,90}$/), sizes, type),
    { maxLength: 30, selector: ([name]) => name },
  );
  fc.assert(fc.property(children, (list) => {
    const made = list.map(([name, size, mediaType]) =>
      child(name, mediaType === undefined ? { size } : { size, mediaType })
    ).sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
    const general = raw(made.map((one) => ({ ...one, hash: hashToBytes(one.hash) })));
    equal(encodeCollection(made).toHex(), general.toHex());
    deepEqual(decodeCollection(general), made);
  }));
});

Deno.test("decodeCollection refuses heads that are not in their shortest form", () => {
  const plain = encodeCollection([child("a")]).toHex();
  for (const [short, long] of [["81a3", "9801a3"], ["6161", "780161"], ["07", "1807"]] as const) {
    const at = plain.lastIndexOf(short);
    const changed = plain.slice(0, at) + long + plain.slice(at + short.length);
    throws(() => decodeCollection(Uint8Array.fromHex(changed)), protocolError, long);
  }
});

Deno.test("decodeCollection takes 100,000 children and refuses one more", () => {
  const children = Array.from(
    { length: COLLECTION_CHILDREN_MAX },
    (_, index) => child(`f${index}`),
  );
  equal(decodeCollection(encodeCollection(children)).length, COLLECTION_CHILDREN_MAX);
  throws(() => encodeCollection([...children, child("one-more")]), /at most 100000/);
});

Deno.test("decodeCollection throws nothing but a protocol error, whatever the bytes", () => {
  const valid = encodeCollection([child("a"), child("b/c", { mediaType: "x/y" })]);
  const mutated = fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([at, value]) => {
    const bytes = Uint8Array.from(valid);
    bytes[at] = value;
    return bytes;
  });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated), (bytes) => {
      try {
        decodeCollection(bytes);
      } catch (error) {
        equal(protocolError(error), true, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
