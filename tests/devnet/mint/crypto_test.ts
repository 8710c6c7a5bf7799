/** The mint's cryptography against the vectors of the NUTs and against cashu-ts. */
import assert from "node:assert/strict";
import {
  createDLEQProof,
  createRandomRawBlindedMessage,
  createRandomSecretKey,
  hashToCurve,
  pointFromHex,
  verifyDLEQProof,
} from "@cashu/cashu-ts";
import { checkConditions } from "../../../devnet/mint/conditions.ts";
import {
  hashToCurveHex,
  isSignatureOf,
  secretKeyOf,
  signBlinded,
} from "../../../devnet/mint/crypto.ts";

Deno.test("hashToCurveHex() finds the points of NUT-00 and of cashu-ts", () => {
  // NUT-00 hashes bytes, these are its messages that are text, too: 31 zeros and one more byte.
  const expected = [
    "024cce997d3b518f739663b757deaec95bcd9473c30a14ac2fd04023a739d1a725",
    "022e7158e11c9506f1aa4248bf531298daa7febd6194f003edcd9b93ade6253acf",
    "026cdbe15362df59cd1dd3c9c11de8aedac2106eca69236ecd9fbe117af897be4f",
  ];
  for (const [index, point] of expected.entries()) {
    const message = "\0".repeat(31) + String.fromCharCode(index);
    assert.equal(hashToCurveHex(message), point);
  }
  for (let i = 0; i < 20; i++) {
    const text = `secret ${i}`;
    assert.equal(hashToCurveHex(text), hashToCurve(new TextEncoder().encode(text)).toHex(true));
  }
});

Deno.test("signBlinded() makes the proof of NUT-12's vector", () => {
  const B_ = "02a9acc1e48c25eeeb9289b5031cc57da9fe72f3fe2861d264bdc074209b107ba2";
  assert.deepEqual(signBlinded(B_, secretKeyOf("02".padStart(64, "0"))), {
    C_: "0244eccfc7a348274458bb38044c7f3c389b3c2086c7ec18b5812d2877ab937787",
    e: "2a16ffee280aff3c429045607f9b8e0bf8b35910c44c1b20b9dfaf01b263d7b3",
    s: "9df27731238334718d120d4f74611a7c668233f988e687ac3fb188f0a34a2dab",
  });
});

Deno.test("signatures and proofs are those of cashu-ts, and verify there", () => {
  for (let i = 0; i < 5; i++) {
    const bytes = createRandomSecretKey();
    const key = secretKeyOf(bytes.toHex());
    const { B_ } = createRandomRawBlindedMessage();
    const signed = signBlinded(B_.toHex(true), key);
    const theirs = createDLEQProof(B_, bytes);
    assert.deepEqual([signed.e, signed.s], [theirs.e.toHex(), theirs.s.toHex()]);
    const proof = { e: Uint8Array.fromHex(signed.e), s: Uint8Array.fromHex(signed.s) };
    const A = pointFromHex(key.publicBytes.toHex());
    assert.equal(verifyDLEQProof(proof, B_, pointFromHex(signed.C_), A), true);
  }
});

Deno.test("isSignatureOf() knows its own, and neither others' nor nonsense", () => {
  const key = secretKeyOf("07".padStart(64, "0"));
  const { C_ } = signBlinded(hashToCurveHex("mine"), key);
  assert.equal(isSignatureOf(C_, "mine", key), true);
  assert.equal(isSignatureOf(C_, "yours", key), false);
  assert.equal(
    isSignatureOf(C_.replace(/^0[23]/, C_.startsWith("02") ? "03" : "02"), "mine", key),
    false,
  );
  for (const bad of ["", "00", "02".padEnd(66, "f")]) {
    assert.equal(isSignatureOf(bad, "mine", key), false);
  }
});

/** Source: NUT-11 test vectors, a swap and a melt with SIG_ALL. */
const SIG_ALL = [
  {
    secret:
      '["P2PK",{"nonce":"c7f280eb55c1e8564e03db06973e94bc9b666d9e1ca42ad278408fe625950303","data":"030d8acedfe072c9fa449a1efe0817157403fbec460d8e79f957966056e5dd76c1","tags":[["sigflag","SIG_ALL"]]}]',
    C: "02c97ee3d1db41cf0a3ddb601724be8711a032950811bf326f8219c50c4808d3cd",
    signature:
      "ce017ca25b1b97df2f72e4b49f69ac26a240ce14b3690a8fe619d41ccc42d3c1282e073f85acd36dc50011638906f35b56615f24e4d03e8effe8257f6a808538",
    amount: 2n,
    quoteId: undefined,
  },
  {
    secret:
      '["P2PK",{"nonce":"bbf9edf441d17097e39f5095a3313ba24d3055ab8a32f758ff41c10d45c4f3de","data":"029116d32e7da635c8feeb9f1f4559eb3d9b42d400f9d22a64834d89cde0eb6835","tags":[["sigflag","SIG_ALL"]]}]',
    C: "02a9d461ff36448469dccf828fa143833ae71c689886ac51b62c8d61ddaa10028b",
    signature:
      "478224fbe715e34f78cb33451db6fcf8ab948afb8bd04ff1a952c92e562ac0f7c1cb5e61809410635be0aa94d0448f7f7959bd5762cc3802b0a00ff58b2da747",
    amount: 0n,
    quoteId: "cF8911fzT88aEi1d-6boZZkq5lYxbUSVs-HbJxK0",
  },
];

Deno.test("checkConditions() takes NUT-11's vectors of SIG_ALL, and no other outputs", () => {
  for (const { secret, C, signature, amount, quoteId } of SIG_ALL) {
    const witness = JSON.stringify({ signatures: [signature] });
    const spending = {
      inputs: [{ keysetId: "00bfa73302d12ffd", amount: 2n, secret, C, witness }],
      outputs: [{
        keysetId: "00bfa73302d12ffd",
        amount,
        blinded: "038ec853d65ae1b79b5cdbc2774150b2cb288d6d26e12958a16fb33c32d9a86c39",
      }],
      nowS: 1_700_000_000,
      kinds: new Set(["P2PK", "HTLC"]),
      ...(quoteId === undefined ? {} : { quoteId }),
    };
    checkConditions(spending);
    const other = { ...spending, outputs: [{ ...spending.outputs[0]!, amount: amount + 1n }] };
    assert.throws(() => checkConditions(other), { code: 10001 });
    assert.throws(() => checkConditions({ ...spending, quoteId: "another" }), { code: 10001 });
  }
});
