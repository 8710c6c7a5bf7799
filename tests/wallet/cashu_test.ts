/** Vectors of the NUTs' `tests/` folder, through our own functions. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  Amount,
  createBlindSignature,
  createDLEQProof,
  createNewMintKeys,
  hasP2PKSignedProof,
  hasValidDleq as theirHasValidDleq,
  pointFromHex,
  type Proof as CashuProof,
  schnorrVerifyDigest,
  verifyMintQuoteSignature,
} from "@cashu/cashu-ts";
import fc from "fast-check";
import { bip39Seed } from "../../src/core/keys.ts";
import {
  blindSecret,
  deriveKeysetId,
  hashToCurveHex,
  hasValidBlindDleq,
  hasValidDleq,
  inRequestOrder,
  isPoint,
  keysetIdOfZeroExpiry,
  publicKeyOf,
  secretDeriver,
  signMintQuote,
  signP2pkProofs,
  splitAmount,
  unblind,
} from "../../wallet/cashu.ts";
import type { PlannedOutput, Proof } from "../../wallet/types.ts";

const WORDS = "half depart obvious quality work element tank gorilla view sugar picture humble";
const KEYS = {
  "1": "03a40f20667ed53513075dc51e715ff2046cad64eb68960632269ba7f0210e38bc",
  "2": "03fd4ce5a16b65576145949e6f99f445f8249fee17c606b688b504a849cdc452de",
  "4": "02648eccfa4c026960966276fa5a4cae46ce0fd432211a4f449bf84f13aa5f8303",
  "8": "02fdfd6796bfeac490cbee12f778f867f0a2c68f6508d17c649759ea0dc3547528",
};
/** The key 1, whose signatures are their own blinded messages. */
const ONE = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

Deno.test("hashToCurveHex gives the point of every secret, and isPoint knows points", () => {
  assert.equal(
    hashToCurveHex("\0".repeat(32)),
    "024cce997d3b518f739663b757deaec95bcd9473c30a14ac2fd04023a739d1a725",
  );
  assert.equal(
    hashToCurveHex("\0".repeat(31) + "\x01"),
    "022e7158e11c9506f1aa4248bf531298daa7febd6194f003edcd9b93ade6253acf",
  );
  assert.ok(isPoint(ONE));
  for (const no of [undefined, "", ONE.toUpperCase(), ONE.slice(2), `02${"f".repeat(64)}`]) {
    assert.equal(isPoint(no), false);
  }
});

Deno.test("deriveKeysetId gives the ids of NUT-02 for versions 00 and 01", () => {
  const facts = { unit: "sat", inputFeePpk: 0, keys: KEYS };
  assert.equal(deriveKeysetId({ ...facts, id: "00" }), "00456a94ab4e1c46");
  const id = "015ba18a8adcd02e715a58358eb618da4a4b3791151a4bee5e968bb88406ccf76a";
  const whole = { ...facts, id, inputFeePpk: 100, finalExpiry: 2059210353 };
  assert.equal(deriveKeysetId(whole), id);
  assert.notEqual(deriveKeysetId({ ...whole, inputFeePpk: 101 }), id);
  assert.notEqual(deriveKeysetId({ ...whole, unit: "usd" }), id);
  assert.notEqual(deriveKeysetId({ ...whole, finalExpiry: 2059210354 }), id);
});

Deno.test("keysetIdOfZeroExpiry gives the ids that nutshell gives keysets without an end", () => {
  const facts = { id: "01", unit: "sat", keys: KEYS };
  assert.equal(
    keysetIdOfZeroExpiry({ ...facts, inputFeePpk: 100 }),
    "012b8c3151a58fa27fada8853e1931cbaf89ed7970784111cf4ec7442e3a227a3a",
  );
  assert.equal(
    keysetIdOfZeroExpiry({ ...facts, inputFeePpk: 0 }),
    "019d2f7aafd9bb8640c8591cac8abfb68006370ca53e26e59387f55144501d7c80",
  );
  assert.equal(keysetIdOfZeroExpiry({ ...facts, id: "00", inputFeePpk: 0 }), undefined);
  const ending = { ...facts, inputFeePpk: 0, finalExpiry: 2059210353 };
  assert.equal(keysetIdOfZeroExpiry(ending), undefined);
});

Deno.test("secretDeriver gives the secrets of NUT-13 for both versions", () => {
  const seed = bip39Seed(WORDS);
  const hexOf = (decimal: string) => BigInt(decimal).toString(16).padStart(64, "0");
  const first = secretDeriver(seed, "009a1f293253e41e");
  assert.equal(
    first(0).secret,
    "485875df74771877439ac06339e284c3acfcd9be7abf3bc20b516faeadfe77ae",
  );
  assert.equal(
    hexOf(first(4).blindingFactor),
    "5f09bfbfe27c439a597719321e061e2e40aad4a36768bb2bcc3de547c9644bf9",
  );
  const second = secretDeriver(
    seed,
    "015ba18a8adcd02e715a58358eb618da4a4b3791151a4bee5e968bb88406ccf76a",
  );
  assert.equal(
    second(0).secret,
    "db5561a07a6e6490f8dadeef5be4e92f7cebaecf2f245356b5b2a4ec40687298",
  );
  assert.equal(
    hexOf(second(3).blindingFactor),
    "099ed70fc2f7ac769bc20b2a75cb662e80779827b7cc358981318643030577d0",
  );
  assert.equal(
    second(3).blinded,
    blindSecret(second(3).secret, BigInt(second(3).blindingFactor)).blinded,
  );
});

Deno.test("hasValidBlindDleq takes the signature of NUT-12, and no other", () => {
  const blinded = "02a9acc1e48c25eeeb9289b5031cc57da9fe72f3fe2861d264bdc074209b107ba2";
  const signature = {
    keysetId: "00882760bfa2eb41",
    amount: 8n,
    C_: blinded,
    dleq: {
      e: "9818e061ee51d5c8edc3342369a554998ff7b4381c8652d724cdf46429be73d9",
      s: "9818e061ee51d5c8edc3342369a554998ff7b4381c8652d724cdf46429be73da",
    },
  };
  const keyset = { keys: { "8": ONE, "4": KEYS["4"] } };
  assert.ok(hasValidBlindDleq(signature, { blinded }, keyset));
  assert.ok(!hasValidBlindDleq({ ...signature, amount: 4n }, { blinded }, keyset));
  assert.ok(!hasValidBlindDleq({ ...signature, amount: 16n }, { blinded }, keyset));
  assert.ok(!hasValidBlindDleq({ ...signature, C_: ONE }, { blinded }, keyset));
  assert.ok(!hasValidBlindDleq(signature, { blinded: ONE }, keyset));
  const { dleq: _, ...bare } = signature;
  assert.ok(!hasValidBlindDleq(bare, { blinded }, keyset));
  const broken = { ...signature, dleq: { e: "zz", s: signature.dleq.s } };
  assert.ok(!hasValidBlindDleq(broken, { blinded }, keyset));
  assert.ok(!hasValidDleq({ ...proofOf("x"), dleq: signature.dleq }, keyset), "it has no r");
});

Deno.test("hasValidDleq and hasValidBlindDleq agree with cashu-ts, on good proofs and altered ones", () => {
  const made = createNewMintKeys(3, undefined, {});
  const keyset = { id: made.keysetId, keys: {} as Record<string, string> };
  for (const [amount, key] of Object.entries(made.pubKeys)) keyset.keys[amount] = key.toHex();
  const output = { role: "keep", keysetId: keyset.id, amount: 4n, secret: "s" } as const;
  const hidden = { ...output, ...blindSecret("s", 99n) };
  const point = pointFromHex(hidden.blinded);
  const { C_ } = createBlindSignature(point, made.privKeys["4"]!, keyset.id);
  const { e, s } = createDLEQProof(point, made.privKeys["4"]!);
  const dleq = { e: e.toHex(), s: s.toHex() };
  const signature = { keysetId: keyset.id, amount: 4n, C_: C_.toHex(true), dleq };
  const proof = unblind(signature, hidden, keyset);
  assert.ok(hasValidBlindDleq(signature, hidden, keyset) && hasValidDleq(proof, keyset));
  const zero = "0".repeat(64);
  const order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
  const altered: Proof[] = [
    proof,
    { ...proof, secret: "t" },
    { ...proof, C: ONE },
    { ...proof, amount: 2n },
    ...["e", "s", "r"].flatMap((name) =>
      [zero, order, "1".padStart(64, "0"), "f".repeat(64)].map((value) => ({
        ...proof,
        dleq: { ...proof.dleq!, [name]: value },
      }))
    ),
  ];
  for (const [index, one] of altered.entries()) {
    const { keysetId: id, amount, ...rest } = one;
    const theirs = theirHasValidDleq(
      { ...rest, id, amount: Amount.from(amount) } as never,
      keyset as never,
    );
    assert.equal(hasValidDleq(one, keyset), theirs, `case ${index}`);
    assert.equal(theirs, index === 0);
  }
});

Deno.test("unblind makes the proof that the mint will know", () => {
  // Signed with the key 1, a blind signature is its own blinded message, and C is Y.
  const { blinded, blindingFactor } = blindSecret("a secret", 12345n);
  const output: PlannedOutput = {
    role: "keep",
    keysetId: "00882760bfa2eb41",
    amount: 8n,
    blinded,
    blindingFactor,
    secret: "a secret",
  };
  const signature = { keysetId: output.keysetId, amount: 8n, C_: blinded };
  const proof = unblind(signature, output, { keys: { "8": ONE } });
  assert.equal(proof.C, hashToCurveHex("a secret"));
  assert.throws(
    () => unblind({ ...signature, amount: 3n }, output, { keys: { "8": ONE } }),
    RangeError,
  );
});

Deno.test("signMintQuote frames and signs as NUT-20 says, and as older mints know it", () => {
  const quoteId = "0192d3c0-7e8a-7c3d-8e9f-1a2b3c4d5e6f";
  const outputs = [
    "036d6caac248af96f6afa7f904f550253a0f3ef3f5aa2fe6838a95b216691468e2",
    "021f8a566c205633d029094747d2e18f44e05993dda7a5f88f496078205f656e59",
  ].map((blinded) => ({ amount: 1n, blinded }));
  const secretKey = "1".padStart(64, "0");
  const { signature, legacySignature } = signMintQuote({ quoteId, outputs, secretKey });
  const digest = "c164fd384879f74ab6ea2e7cf13d90ed42e6df9d5de607eeb5c9cc7d36fb1c21";
  assert.ok(isSchnorr(signature, digest));
  assert.ok(
    isSchnorr(
      "4881093a332ff7c79f3e598ce5b249d64978b47165a0b19c18adf0ced0246228e61e702f0abaf1bf27b92be4336bdbabacfbe4c914076386b3c66fdcd0b3480e",
      digest,
    ),
    "the signature of the vector is over the same digest",
  );
  const cashu = outputs.map(({ amount, blinded }) => ({ amount, id: "", B_: blinded }));
  assert.ok(verifyMintQuoteSignature(ONE, quoteId, cashu as never, legacySignature));
});

Deno.test("signP2pkProofs signs what is locked, leaves the rest, and refuses what is another's", () => {
  const secretKey = "7".padStart(64, "0");
  const publicKey = publicKeyOf(Uint8Array.fromHex(secretKey));
  const locked = proofOf(
    JSON.stringify(["P2PK", { nonce: "n".repeat(32), data: publicKey, tags: [] }]),
  );
  const plain = proofOf("plain");
  const [signed, left] = signP2pkProofs([locked, plain], secretKey);
  assert.ok(hasP2PKSignedProof(publicKey, signed as unknown as CashuProof));
  assert.equal(typeof signed!.witness, "string");
  assert.deepEqual(left, plain);
  assert.throws(() => signP2pkProofs([locked], "8".padStart(64, "0")));
});

Deno.test("signP2pkProofs leaves it to the mint's clock whether a locktime has passed", () => {
  const secretKey = "7".padStart(64, "0");
  const ours = publicKeyOf(Uint8Array.fromHex(secretKey));
  const theirs = publicKeyOf(new Uint8Array(32).fill(3));
  const locks = [
    { data: ours, tags: [["locktime", "1"]] },
    { data: ours, tags: [["locktime", "1"], ["refund", theirs]] },
    { data: theirs, tags: [["locktime", "9999999999"], ["refund", ours]] },
    { data: theirs, tags: [["pubkeys", ours], ["n_sigs", "2"]] },
  ];
  for (const lock of locks) {
    const secret = JSON.stringify(["P2PK", { nonce: "n".repeat(32), ...lock }]);
    const first = "ab".repeat(64);
    const before = { ...proofOf(secret), witness: JSON.stringify({ signatures: [first] }) };
    const [signed] = signP2pkProofs([before], secretKey);
    const { signatures } = JSON.parse(signed!.witness!);
    assert.equal(signatures[0], first, "what others signed stays");
    const digest = createHash("sha256").update(secret).digest("hex");
    assert.ok(isSchnorr(signatures[1], digest, ours));
  }
  const strange = ["", "null", "[", "7", '{"signatures":7}', '{"signatures":["x"],"preimage":"y"}'];
  for (const witness of strange) {
    const lock = JSON.stringify(["P2PK", { nonce: "n".repeat(32), ...locks[0]! }]);
    const [signed] = signP2pkProofs([{ ...proofOf(lock), witness }], secretKey);
    assert.equal(JSON.parse(signed!.witness!).signatures.length, 1, witness);
  }
  const foreign = proofOf(JSON.stringify(["P2PK", { nonce: "n", data: theirs, tags: [] }]));
  assert.throws(() => signP2pkProofs([foreign], secretKey), RangeError);
});

Deno.test("signP2pkProofs signs SIG_ALL over the outputs in the order of the request", () => {
  const secretKey = "7".padStart(64, "0");
  const data = publicKeyOf(Uint8Array.fromHex(secretKey));
  const tags = [["sigflag", "SIG_ALL"]];
  const proofs = ["a", "b"].map((nonce) =>
    proofOf(JSON.stringify(["P2PK", { nonce: nonce.repeat(32), data, tags }]))
  );
  const outputs = [4n, 1n, 2n].map((amount): PlannedOutput => ({
    role: "keep",
    keysetId: "00882760bfa2eb41",
    amount,
    secret: `s${amount}`,
    ...blindSecret(`s${amount}`, 7n),
  }));
  const [first, second] = signP2pkProofs(proofs, secretKey, { outputs });
  assert.equal(second!.witness, undefined);
  const message = proofs.map(({ secret, C }) => secret + C).join("") +
    inRequestOrder(outputs).map(({ amount, blinded }) => `${amount}${blinded}`).join("");
  const digest = createHash("sha256").update(message).digest("hex");
  assert.ok(isSchnorr(JSON.parse(first!.witness!).signatures[0], digest, data));
});

Deno.test("splitAmount adds up, largest first, whatever the keyset's amounts", () => {
  const values = fc.uniqueArray(fc.bigInt(2n, 5000n), { maxLength: 12 });
  fc.assert(fc.property(fc.bigInt(0n, 1n << 20n), values, (amount, more) => {
    const keys = Object.fromEntries([1n, ...more].map((value) => [String(value), ONE]));
    let parts: bigint[];
    try {
      parts = splitAmount(amount, { keys });
    } catch (error) {
      return assert.ok(error instanceof RangeError && more.length < 12);
    }
    assert.equal(parts.reduce((sum, part) => sum + part, 0n), amount);
    assert.ok(parts.every((part) => String(part) in keys));
    assert.deepEqual(parts, [...parts].sort((a, b) => (a < b ? 1 : a > b ? -1 : 0)));
  }));
  assert.throws(() => splitAmount(3n, { keys: { "2": ONE } }), RangeError);
  assert.throws(() => splitAmount(1_000_000n, { keys: { "1": ONE } }), RangeError);
});

function proofOf(secret: string): Proof {
  return { keysetId: "00882760bfa2eb41", amount: 8n, secret, C: hashToCurveHex(secret) };
}

function isSchnorr(signature: string, digestHex: string, publicKey = ONE): boolean {
  return schnorrVerifyDigest(signature, digestHex, publicKey);
}
