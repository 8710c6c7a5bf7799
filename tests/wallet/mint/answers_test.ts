import assert from "node:assert/strict";
import fc from "fast-check";
import {
  readInfo,
  readKeys,
  readKeysets,
  readMeltQuote,
  readMintQuote,
  readRestored,
  readSignatures,
  readStates,
} from "../../../wallet/mint/answers.ts";
import { parseExactJson } from "../../../wallet/mint/exact_json.ts";
import { ShapeError } from "../../../wallet/mint/shape.ts";
import { newKeyset } from "./scripted_mint.ts";

Deno.test("parseExactJson reads whole numbers exactly, and all others as no number", () => {
  const text = '{"a":[0,-7,9007199254740991],"b":[1.0,1e3,0.5,9007199254740992,-0.0],"c":"1.5"}';
  assert.deepEqual(parseExactJson(text), {
    a: [0, -7, 9007199254740991],
    b: [NaN, NaN, NaN, NaN, NaN],
    c: "1.5",
  });
  for (const broken of ["", "{", "NaN", "[1,]", "{'a':1}"]) {
    assert.throws(() => parseExactJson(broken), SyntaxError);
  }
});

const keyset = newKeyset();
const point = keyset.keys["1"]!;
const signature = {
  id: keyset.id,
  amount: 1,
  C_: point,
  dleq: { e: "ab".repeat(32), s: "cd".repeat(32) },
};
const readers: readonly (readonly [string, (body: unknown) => unknown, unknown])[] = [
  ["info", readInfo, { name: "a", nuts: { "7": { supported: true } } }],
  ["keysets", readKeysets, {
    keysets: [{ id: keyset.id, unit: "sat", active: true, input_fee_ppk: 1 }],
  }],
  ["keys", (body) => readKeys(body, keyset.id), {
    keysets: [{ id: keyset.id, keys: keyset.keys }],
  }],
  ["mint quote", readMintQuote, {
    quote: "q",
    request: "r",
    state: "PAID",
    amount: 1,
    expiry: 1,
    pubkey: point,
  }],
  ["melt quote", readMeltQuote, {
    quote: "q",
    amount: 1,
    fee_reserve: 1,
    state: "PAID",
    change: [signature],
  }],
  ["signatures", (body) => readSignatures(body, 10), [signature, signature]],
  ["states", (body) => readStates(body, 10), { states: [{ Y: point, state: "SPENT" }] }],
  ["restored", (body) => readRestored(body, 10), {
    outputs: [{ B_: point }],
    signatures: [signature],
  }],
];

for (const [name, read, good] of readers) {
  Deno.test(`reading ${name} fails on any other shape as documented, and takes the right one`, () => {
    assert.doesNotThrow(() => read(good));
    const tryRead = (body: unknown) => {
      try {
        read(body);
      } catch (error) {
        assert.ok(error instanceof ShapeError, String(error));
      }
    };
    fc.assert(fc.property(fc.jsonValue(), tryRead));
    // One value somewhere inside of the right answer replaced by anything.
    fc.assert(fc.property(fc.nat(30), fc.jsonValue(), (place, value) => {
      let left = place;
      tryRead(JSON.parse(JSON.stringify(good), (_key, old) => left-- === 0 ? value : old));
    }));
  });
}

Deno.test("readSignatures takes no more than were asked for, and no DLEQ that is not whole", () => {
  const read = (...list: unknown[]) => () => readSignatures(list, 2);
  assert.throws(read(signature, signature, signature), ShapeError);
  assert.throws(read({ ...signature, dleq: { e: "ab".repeat(32) } }), ShapeError);
  assert.throws(read({ ...signature, amount: 1.5 }), ShapeError);
  assert.throws(read({ ...signature, amount: -1 }), ShapeError);
  assert.throws(read({ ...signature, C_: point.toUpperCase() }), ShapeError);
  assert.equal(readSignatures([{ ...signature, dleq: null }], 2)[0]!.dleq, undefined);
});
