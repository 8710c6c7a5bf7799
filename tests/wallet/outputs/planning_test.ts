import assert from "node:assert/strict";
import fc from "fast-check";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { inRequestOrder, isPoint } from "../../../wallet/cashu.ts";
import {
  blankCountOf,
  outputCountOf,
  planBlanks,
  planLocked,
  planOutputs,
} from "../../../wallet/outputs/planning.ts";
import { meltBody, mintBody, swapBody } from "../../../wallet/outputs/requests.ts";
import type { Keyset, Proof } from "../../../wallet/types.ts";
import { newKeyset } from "../mint/scripted_mint.ts";

const keyset: Keyset = newKeyset({ count: 12 });
const keys = { seed: new Uint8Array(64).fill(7) };

Deno.test("planOutputs adds up, and each output has the next counter and its own B_", () => {
  const outputs = planOutputs({ amount: 100n, role: "keep", keyset, keys, firstCounter: 40 });
  assert.deepEqual(outputs.map(({ amount }) => amount), [64n, 32n, 4n]);
  assert.deepEqual(outputs.map(({ counter }) => counter), [40, 41, 42]);
  assert.equal(outputs.length, outputCountOf(100n, keyset));
  assert.equal(new Set(outputs.map(({ blinded }) => blinded)).size, 3);
  const again = planOutputs({ amount: 100n, role: "keep", keyset, keys, firstCounter: 40 });
  assert.deepEqual(again, outputs, "the same seed and counters give the same outputs");
  const other = planOutputs({ amount: 100n, role: "keep", keyset, keys, firstCounter: 43 });
  assert.equal(new Set([...outputs, ...other].map(({ secret }) => secret)).size, 6);
});

Deno.test("planOutputs refuses an amount that takes too many outputs", () => {
  const plan = () =>
    planOutputs({ amount: 10_000_000n, role: "keep", keyset, keys, firstCounter: 0 });
  assert.throws(plan, (error) => isSeedmintError(error, "protocol"));
});

Deno.test("planLocked locks each output with a nonce of its own, and a refund behind", () => {
  const publicKey = keyset.keys["1"]!;
  const refundKey = keyset.keys["2"]!;
  const lock = { publicKey, locktimeS: 2_000_000_000, refundKey };
  const outputs = planLocked({ amount: 7n, role: "send", keyset, lock });
  assert.deepEqual(outputs.map(({ amount }) => amount), [4n, 2n, 1n]);
  for (const output of outputs) {
    const [kind, body] = JSON.parse(output.secret);
    assert.equal(kind, "P2PK");
    assert.equal(body.data, publicKey);
    assert.deepEqual(body.tags, [["locktime", "2000000000"], ["refund", refundKey]]);
    assert.match(body.nonce, /^[0-9a-f]{64}$/);
    assert.ok(isPoint(output.blinded) && output.counter === undefined);
  }
  assert.equal(new Set(outputs.map(({ secret }) => secret)).size, 3);
});

Deno.test("blankCountOf gives room for every change up to the most that can come back (NUT-08)", () => {
  const counts = [[0n, 0], [1n, 1], [2n, 1], [3n, 2], [4n, 2], [5n, 3], [1000n, 10], [1024n, 10]];
  for (const [most, count] of counts) assert.equal(blankCountOf(most as bigint), count);
  const blanks = planBlanks({ feeReserve: 1000n, keyset, keys, firstCounter: 5 });
  assert.equal(blanks.length, 10);
  assert.ok(blanks.every(({ amount, role }) => amount === 0n && role === "change"));
  fc.assert(fc.property(fc.bigInt(1n, 1n << 50n), (most) => {
    // The most ones that any number below `most` has.
    const onesMax = (most - 1n).toString(2).length;
    assert.ok(blankCountOf(most) >= Math.min(onesMax, 53));
  }));
});

Deno.test("swapBody keeps witnesses, leaves DLEQ out, and does not tell sent from kept", () => {
  const sent = planOutputs({ amount: 7n, role: "send", keyset, keys, firstCounter: 0 });
  const kept = planOutputs({ amount: 7n, role: "keep", keyset, keys, firstCounter: 10 });
  const input: Proof = {
    keysetId: keyset.id,
    amount: 14n,
    secret: "s",
    C: keyset.keys["1"]!,
    dleq: { e: "00", s: "00", r: "00" },
    witness: '{"signatures":["ab"]}',
  };
  const body = swapBody({ inputs: [input], outputs: [...sent, ...kept] });
  assert.equal(body, swapBody({ inputs: [input], outputs: [...kept, ...sent].reverse() }));
  assert.deepEqual(JSON.parse(body).inputs, [
    { amount: 14, id: keyset.id, secret: "s", C: input.C, witness: '{"signatures":["ab"]}' },
  ]);
  const amounts = JSON.parse(body).outputs.map(({ amount }: { amount: number }) => amount);
  assert.deepEqual(amounts, [1, 1, 2, 2, 4, 4]);
  const order = inRequestOrder([...sent, ...kept]).map(({ blinded }) => blinded);
  assert.deepEqual(JSON.parse(body).outputs.map(({ B_ }: { B_: string }) => B_), order);
});

Deno.test("mintBody and meltBody write what NUT-04, NUT-05 and NUT-08 want", () => {
  const outputs = planOutputs({ amount: 3n, role: "receive", keyset, keys, firstCounter: 0 });
  const key = { secretKey: "1".padStart(64, "0"), publicKey: "" };
  const { body, legacyBody } = mintBody({ quoteId: "q", outputs, key });
  const [first, second] = [JSON.parse(body), JSON.parse(legacyBody)];
  assert.deepEqual(first.outputs, second.outputs);
  assert.notEqual(first.signature, second.signature);
  assert.deepEqual(Object.keys(first), ["quote", "outputs", "signature"]);
  const blanks = planBlanks({ feeReserve: 4n, keyset, keys, firstCounter: 9 });
  const melt = JSON.parse(meltBody({ quoteId: "q", inputs: [], blanks }));
  assert.deepEqual(
    melt.outputs.map(({ B_ }: { B_: string }) => B_),
    blanks.map((one) => one.blinded),
  );
  assert.deepEqual(Object.keys(JSON.parse(meltBody({ quoteId: "q", inputs: [], blanks: [] }))), [
    "quote",
    "inputs",
  ]);
});
