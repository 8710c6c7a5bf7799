/** A seller that takes the ecash of many mints, over HTTP. */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { decodePaymentRequest, encodePaymentRequest } from "../../../wallet/payment_request.ts";
import { mintsWithRoom } from "../../../swarm/gateway/prices.ts";
import { ask, fakeRequests, FakeSeller, startWorld } from "../gateway/support.ts";
import { content } from "../provider/support.ts";

/** A point of the curve. */
const GENERATOR = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

const payments = { ...fakeRequests, encodePaymentRequest, decodePaymentRequest };

function mintsOf(count: number, length: number): string[] {
  return Array.from(
    { length: count },
    (_, index) => `https://mint${index}.example/`.padEnd(length, "x"),
  );
}

Deno.test("Gateway asks for ecash in both encodings however many mints are taken", async () => {
  const seller = new FakeSeller();
  seller.terms = { ...seller.terms, p2pk: GENERATOR };
  await using world = await startWorld({ seller, payments });
  const { hash } = await world.store.importBytes(content(40_000));
  for (const [count, length] of [[1, 256], [32, 30], [32, 256]] as const) {
    const mints = mintsOf(count, length);
    seller.terms = { ...seller.terms, mints };
    const answer = await ask(world, `/blob/${hash}`);
    equal(answer.status, 402);
    const body = JSON.parse(answer.text);
    deepEqual(body.mints, mints, "all are told");
    for (const text of [body.creqA, body.creqB]) {
      const asked = decodePaymentRequest(text)!;
      ok(asked.mints.length > 0);
      deepEqual(asked.mints, mints.slice(0, asked.mints.length));
    }
  }
});

Deno.test("mintsWithRoom() leaves a request that can be encoded, whatever it asks", () => {
  const { terms } = new FakeSeller();
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 24, max: 256 }), { minLength: 1, maxLength: 32 }),
      fc.integer({ min: 1, max: 2 ** 50 }),
      (lengths, amountSat) => {
        const mints = mintsWithRoom(lengths.map((length) => mintsOf(1, length)[0]!));
        ok(mints.length > 0);
        encodePaymentRequest({ ...terms, mints }, amountSat, 9_999_999_999);
      },
    ),
    { numRuns: 300 },
  );
});
