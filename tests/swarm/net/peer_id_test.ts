import assert from "node:assert/strict";
import fc from "fast-check";
import { generateKeyPairFromSeed } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { ed25519PublicKey } from "../../../src/core/ed25519.ts";
import {
  isPeerId,
  peerIdOfPublicKey,
  peerIdOfSecret,
  publicKeyOfPeerId,
} from "../../../swarm/net/peer_id.ts";

Deno.test("peerIdOfSecret agrees with libp2p for every secret, and the key comes back out", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (secret) => {
      const expected = peerIdFromPrivateKey(await generateKeyPairFromSeed("Ed25519", secret));
      const peerId = await peerIdOfSecret(secret);
      assert.equal(peerId, expected.toString());
      assert.deepEqual(publicKeyOfPeerId(peerId), await ed25519PublicKey(secret));
    }),
    { numRuns: 30 },
  );
});

Deno.test("isPeerId takes no other key type, no other encoding and no damaged text", () => {
  const good = peerIdOfPublicKey(new Uint8Array(32).fill(7));
  assert.ok(isPeerId(good));
  const bad = [
    "",
    "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", // RSA
    "16Uiu2HAkuqGKz8D6khfrnJnDrN5VxWWCoLU8Aq4eCFJuyXmfakB5", // secp256k1
    "bafzaajaiaejcbzdibmxyzdjbbehgvizh6g5tikvy47mshdy6gwbruvgwvd24seje", // CID form
    good.slice(1),
    `${good}1`,
    `1${good.slice(1, -1)}`,
    good.replace(/.$/, "0"),
    ` ${good.slice(1)}`,
  ];
  for (const text of bad) assert.equal(isPeerId(text), false, text);
  assert.equal(isPeerId(undefined), false);
});

Deno.test("publicKeyOfPeerId never throws and accepts only what encodes back to itself", () => {
  fc.assert(fc.property(fc.string({ minLength: 50, maxLength: 54 }), (text) => {
    const key = publicKeyOfPeerId(text);
    if (key !== undefined) assert.equal(peerIdOfPublicKey(key), text);
  }));
});

Deno.test("peerIdOfPublicKey refuses a key of another size", () => {
  assert.throws(() => peerIdOfPublicKey(new Uint8Array(33)), RangeError);
});
