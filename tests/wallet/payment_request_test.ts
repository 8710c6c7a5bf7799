import assert from "node:assert/strict";
import fc from "fast-check";
import { CashuPaymentRequest, publicKeyOf } from "../../wallet/cashu.ts";
import {
  decodePaymentRequest,
  encodePaymentRequest,
  readClaimedToken,
} from "../../wallet/payment_request.ts";

const KEY = publicKeyOf(new Uint8Array(32).fill(7));
const MINTS = ["https://a.example", "http://127.0.0.1:3338/path"];

/** A request with something else than we write. */
function requestOf(
  changes: {
    readonly amount?: number;
    readonly unit?: string;
    readonly mints?: string[];
    readonly lock?: { kind: string; data: string; tags: string[][] };
    readonly transport?: ConstructorParameters<typeof CashuPaymentRequest>[0];
  },
): string {
  const { amount = 21, unit = "sat", mints = MINTS, lock, transport } = changes;
  return new CashuPaymentRequest(transport, "id", amount, unit, mints, "bill", true, lock)
    .toEncodedCreqA();
}

Deno.test("a payment request says in both texts what was asked", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000_000 }),
      fc.integer({ min: 1, max: 0xffff_ffff }),
      fc.shuffledSubarray(MINTS, { minLength: 1 }),
      (amountSat, locktimeS, mints) => {
        const { creqA, creqB } = encodePaymentRequest({ mints, p2pk: KEY }, amountSat, locktimeS);
        assert.match(creqA, /^creqA/);
        assert.match(creqB, /^creqb1/i);
        for (const text of [creqA, creqB, creqB.toLowerCase()]) {
          assert.deepEqual(decodePaymentRequest(text), { amountSat, mints, p2pk: KEY, locktimeS });
        }
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("a payment request names the first mints that it has room for, in both texts the same", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 24, max: 256 }), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 2 ** 50 }),
      (lengths, amountSat) => {
        const mints = lengths.map((length, index) =>
          `https://m${index}.example/`.padEnd(length, "x")
        );
        const texts = encodePaymentRequest({ mints, p2pk: KEY }, amountSat, 9_999_999);
        const asked = decodePaymentRequest(texts.creqB)!.mints;
        assert.ok(asked.length > 0);
        assert.deepEqual(asked, mints.slice(0, asked.length));
        assert.deepEqual(decodePaymentRequest(texts.creqA)!.mints, asked);
        // None is left out that would have fit.
        const next = mints.slice(0, asked.length + 1);
        const isWhole = asked.length === mints.length ||
          next.reduce((sum, mint) => sum + mint.length, 0) > 400;
        assert.ok(isWhole, `${asked.length} of ${mints.length}`);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a request without a lock, or with an ordinary one, can be paid", () => {
  assert.deepEqual(decodePaymentRequest(requestOf({})), { amountSat: 21, mints: MINTS });
  const lock = { kind: "P2PK", data: KEY, tags: [["sigflag", "SIG_INPUTS"]] };
  assert.deepEqual(decodePaymentRequest(requestOf({ lock })), {
    amountSat: 21,
    mints: MINTS,
    p2pk: KEY,
  });
});

Deno.test("a request that cannot be paid as it asks is none", () => {
  const lock = (tags: string[][], kind = "P2PK", data = KEY) => ({ lock: { kind, data, tags } });
  const POST = [{ type: "post", target: "https://shop.example" }] as never;
  for (
    const changes of [
      { unit: "msat" },
      { amount: 0 },
      { mints: [] },
      { mints: ["ftp://a.example"] },
      { transport: POST },
      lock([], "HTLC"),
      lock([], "P2PK", "ab"),
      lock([["n_sigs", "2"]]),
      lock([["refund", KEY]]),
      lock([["sigflag", "SIG_ALL"]]),
      lock([["locktime", "-1"]]),
      lock([["locktime", "99999999999"]]),
    ]
  ) {
    assert.equal(decodePaymentRequest(requestOf(changes)), undefined, JSON.stringify(changes));
  }
});

Deno.test("no text of a stranger makes reading a request or a token throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
      for (const lead of ["", "creqA", "creqb1", "CREQB1", "cashuA", "cashuB"]) {
        decodePaymentRequest(lead + text);
        readClaimedToken(lead + text);
      }
    }),
    { numRuns: 200 },
  );
  assert.equal(decodePaymentRequest("creqA".padEnd(20_000, "A")), undefined);
});
