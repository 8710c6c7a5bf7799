import assert from "node:assert/strict";
import { ed25519PublicKey, ed25519Sign, ed25519Verify } from "../../src/core/ed25519.ts";
import {
  hashFromBytes,
  hashToBytes,
  isHash,
  parseHash,
  parseSha256,
  shortHash,
} from "../../src/core/hash.ts";
import { deriveKey, newSeedWords, parseSeedWords } from "../../src/core/keys.ts";
import { TokenBucket } from "../../src/core/token_bucket.ts";

const HEX = "ab".repeat(32);

Deno.test("parseHash() takes hex in any case, with or without its prefix", () => {
  assert.equal(parseHash(` blake3:${HEX.toUpperCase()}\n`), HEX);
  assert.equal(parseSha256(`sha256:${HEX}`), HEX);
  assert.equal(hashFromBytes(hashToBytes(parseHash(HEX))), HEX);
  assert.equal(shortHash(parseHash(HEX)), "abababab…");
});

Deno.test("parseHash() says what it wanted and what it found", () => {
  assert.throws(() => parseHash("abc"), {
    name: "SyntaxError",
    message: 'Cannot read "abc" as a blob hash: 64 hex digits wanted, 3 characters found',
  });
  assert.throws(() => parseHash("g".repeat(64)), SyntaxError);
  assert.throws(() => parseHash("a".repeat(5000)), (error: Error) => error.message.length < 200);
  assert.throws(() => parseSha256(`blake3:${HEX}`), SyntaxError);
  assert.throws(() => hashFromBytes(new Uint8Array(31)), RangeError);
  assert.ok(!isHash(HEX.toUpperCase()));
});

Deno.test("deriveKey() gives each label its own stable secret", () => {
  const words = "abandon ".repeat(11) + "about"; // BIP-39 test vector for 16 zero bytes
  const libp2p = deriveKey(words, "seedmint/libp2p/ed25519/v1");
  const nostr = deriveKey(words, "seedmint/nostr/secp256k1/v1");
  assert.equal(libp2p.length, 32);
  assert.notDeepEqual(libp2p, nostr);
  // Fixed for ever: a change here would give every node a new identity. HKDF-SHA-256 of 16 zero
  // bytes, computed with an independent implementation (Python's hmac and hashlib).
  assert.equal(
    libp2p.toHex(),
    "7617fab116d44334dc5eeb639a69f80a968b3bfb4ef0362ea337c6ec51d796e1",
  );
  assert.equal(
    nostr.toHex(),
    "e9c3343de43ab244922d006baa871a2c279d4148252e9fd06cc3bd81b81018cc",
  );
});

Deno.test("parseSeedWords() normalises white space and case and never repeats the words", () => {
  const words = newSeedWords();
  assert.equal(words.split(" ").length, 12);
  assert.equal(parseSeedWords(`\n ${words.toUpperCase().replaceAll(" ", "  ")} `), words);
  const wrong = words.split(" ").fill("zoo").join(" ");
  assert.throws(() => parseSeedWords(wrong), (error: Error) => {
    assert.ok(error instanceof SyntaxError);
    assert.ok(!error.message.includes("zoo"));
    return true;
  });
});

Deno.test("ed25519Verify() accepts the signature of RFC 8032 and refuses any change", async () => {
  // RFC 8032 section 7.1, test 2.
  const secret = Uint8Array.fromHex(
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
  );
  const message = Uint8Array.of(0x72);
  const publicKey = await ed25519PublicKey(secret);
  assert.equal(
    publicKey.toHex(),
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
  );
  const signature = await ed25519Sign(message, secret);
  assert.ok(await ed25519Verify(signature, message, publicKey));
  assert.ok(!await ed25519Verify(signature, Uint8Array.of(0x73), publicKey));
  signature[40]! ^= 1;
  assert.ok(!await ed25519Verify(signature, message, publicKey));
  assert.ok(!await ed25519Verify(new Uint8Array(3), message, publicKey));
  assert.ok(!await ed25519Verify(signature, message, new Uint8Array(32).fill(0xff)));
});

Deno.test("TokenBucket allows the burst, then the rate", () => {
  let nowMs = 0;
  const bucket = new TokenBucket({
    perSecond: 100,
    burst: 50,
    clock: { monotonicMs: () => nowMs },
  });
  assert.ok(bucket.tryTake(50));
  assert.ok(!bucket.tryTake(1));
  nowMs += 100;
  assert.ok(bucket.tryTake(10));
  assert.equal(bucket.take(20), 200);
  nowMs += 200;
  assert.equal(bucket.take(0), 0);
  nowMs += 60_000;
  assert.ok(!bucket.tryTake(51));
  assert.throws(
    () => new TokenBucket({ perSecond: 0, burst: 1, clock: { monotonicMs: () => 0 } }),
    RangeError,
  );
});
