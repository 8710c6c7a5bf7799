import assert from "node:assert/strict";
import {
  ecdsaRecover,
  ecdsaSignRecoverable,
  ecdsaVerify,
  schnorrPublicKey,
  schnorrSign,
  schnorrVerify,
} from "../../src/core/secp256k1.ts";

/** Vector 0 of https://github.com/bitcoin/bips/blob/master/bip-0340/test-vectors.csv */
const SECRET = Uint8Array.fromHex("03".padStart(64, "0"));
const PUBLIC = "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9";
const DIGEST = new Uint8Array(32);
const SIGNATURE = "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215" +
  "25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0";

Deno.test("schnorrSign() and schnorrVerify() agree with BIP-340", () => {
  assert.equal(schnorrPublicKey(SECRET).toHex(), PUBLIC);
  assert.equal(schnorrSign(DIGEST, SECRET).toHex(), SIGNATURE);
  const key = Uint8Array.fromHex(PUBLIC);
  assert.equal(schnorrVerify(Uint8Array.fromHex(SIGNATURE), DIGEST, key), true);
  assert.equal(schnorrVerify(Uint8Array.fromHex(SIGNATURE), DIGEST.with(0, 1), key), false);
});

Deno.test("schnorrVerify() calls everything malformed wrong, and never throws", () => {
  const signature = Uint8Array.fromHex(SIGNATURE);
  const key = Uint8Array.fromHex(PUBLIC);
  const noPoint = new Uint8Array(32).fill(255);
  assert.equal(schnorrVerify(signature, DIGEST, noPoint), false);
  assert.equal(schnorrVerify(signature.subarray(1), DIGEST, key), false);
  assert.equal(schnorrVerify(new Uint8Array(64).fill(255), DIGEST, key), false);
  assert.equal(schnorrVerify(signature, DIGEST, new Uint8Array(33)), false);
});

Deno.test("ecdsaRecover() finds who made a recoverable signature, and ecdsaVerify() agrees", () => {
  const digest = new Uint8Array(32).fill(9);
  const signature = ecdsaSignRecoverable(digest, SECRET);
  assert.equal(signature.length, 65);
  const key = ecdsaRecover(signature, digest);
  assert.equal(key.subarray(1).toHex(), PUBLIC);
  assert.equal(ecdsaVerify(signature.subarray(1), digest, key), true);
  assert.equal(ecdsaVerify(signature.subarray(1), digest.with(0, 1), key), false);
  assert.equal(ecdsaVerify(signature.subarray(1), digest, new Uint8Array(33)), false);
  assert.equal(ecdsaVerify(signature, digest, key), false);
  assert.throws(() => ecdsaRecover(new Uint8Array(65).fill(255), digest));
});
