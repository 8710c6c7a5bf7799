/** Whatever is posted, the mint answers with a refusal of the request, never with a failure of its own. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { MintWorld, post } from "./support.ts";

const PATHS = [
  "/v1/swap",
  "/v1/mint/quote/bolt11",
  "/v1/mint/bolt11",
  "/v1/melt/quote/bolt11",
  "/v1/melt/bolt11",
  "/v1/checkstate",
  "/v1/restore",
];

const point = fc.constantFrom(
  "02a9acc1e48c25eeeb9289b5031cc57da9fe72f3fe2861d264bdc074209b107ba2",
  "02".padEnd(66, "f"),
  "04",
);

function bodies(keysetId: string): fc.Arbitrary<unknown> {
  const odd = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom(-1, 1.5, 2 ** 53, "", "1e3"));
  const id = fc.oneof({ weight: 4, arbitrary: fc.constant<unknown>(keysetId) }, odd);
  const amount = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom<unknown>(0, 1, 2, 3, 2 ** 40) },
    odd,
  );
  const secret = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      '["P2PK",{"nonce":"","data":"02","tags":[[]]}]',
      '["P2PK",null]',
      '["HTLC",{"nonce":"a","data":"b","tags":[["n_sigs","9"]]}]',
    ),
    odd,
  );
  const output = fc.record({ id, amount, B_: fc.oneof(point, odd) }, { requiredKeys: [] });
  const input = fc.record(
    { id, amount, secret, C: fc.oneof(point, odd), witness: odd },
    { requiredKeys: [] },
  );
  return fc.oneof(
    odd,
    fc.record({
      inputs: fc.oneof(fc.array(input, { maxLength: 3 }), odd),
      outputs: fc.oneof(fc.array(output, { maxLength: 3 }), odd),
      Ys: fc.oneof(fc.array(fc.oneof(point, odd), { maxLength: 3 }), odd),
      quote: odd,
      amount,
      unit: fc.constantFrom("sat", "usd"),
      request: fc.oneof(fc.constant("lnbcrt1"), odd),
      pubkey: fc.oneof(point, odd),
      options: odd,
    }, { requiredKeys: [] }),
  );
}

Deno.test("no body makes the mint fail, issue, or redeem", async () => {
  await using world = await MintWorld.start();
  const wallet = await world.wallet();
  const body = bodies(wallet.getKeyset().id);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...PATHS), body, async (path, body) => {
      const answer = await post(`${world.mint.url}${path}`, JSON.stringify(body) ?? "");
      assert.ok(
        [200, 400, 404, 422].includes(answer.status),
        `${answer.status} ${answer.body.detail}`,
      );
      if (answer.status !== 200) assert.equal(typeof answer.body.detail, "string");
    }),
    { numRuns: 400 },
  );
  const { issued, redeemed, isBalanced } = world.mint.admin.books();
  assert.deepEqual([issued, redeemed, isBalanced], [0n, 0n, true]);
});
