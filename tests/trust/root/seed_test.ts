import assert from "node:assert/strict";
import fc from "fast-check";
import {
  DEVELOPMENT_SEED,
  formatRootSeed,
  isRootKeyLabel,
  parseRootSeed,
  rootKeyOf,
} from "../../../trust/root/mod.ts";
import { ed25519PublicKey } from "../../../src/core/ed25519.ts";
import { keyOf, SEED } from "../publisher.ts";

// Computed apart from this program, with Python's hashlib and hmac alone (HKDF) and OpenSSL (Ed25519).
const KNOWN = [
  [
    "root",
    "7e3f501bdbed5e5a2ae7c6414ba54bb9383f7077f8432abd50e633e84f8c2667",
    "cbce34ba60e9425e1f91b9c03e049b5e40c1cfa906f2669c3c93f45169cc94c8",
  ],
  [
    "root/1",
    "5d7cc2f363833122112a9583a1e4a1fa352d9b1c07f1d01a75623fa9b14c5057",
    "f3b482425cf8413e6171658e71018151e08c7c0c9601bf36a2b50f8cc43ebb7a",
  ],
  [
    "ci",
    "bcfb8c95d326beb7861d4dda4be11d6bfbe167322178a9e31de75c63f818de91",
    "9a13eba077def211f24b8c81b225436a375fb0755926224ad3fc8aa655d91311",
  ],
] as const;

Deno.test("rootKeyOf() derives the keys that HKDF and Ed25519 of other programs derive", async () => {
  for (const [label, secret, key] of KNOWN) {
    assert.equal(rootKeyOf(SEED, label).toHex(), secret, label);
    assert.equal(await keyOf(label), key, label);
  }
});

Deno.test("rootKeyOf() derives what Web Cryptography derives, whatever the label", async () => {
  const label = fc.stringMatching(/^[a-z0-9]{1,12}(\/[1-9][0-9]?)?$/);
  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
  await fc.assert(
    fc.asyncProperty(label, seed, async (text, bytes) => {
      const key = await crypto.subtle.importKey("raw", new Uint8Array(bytes), "HKDF", false, [
        "deriveBits",
      ]);
      const encode = (of: string) => new TextEncoder().encode(of);
      const bits = await crypto.subtle.deriveBits(
        {
          name: "HKDF",
          hash: "SHA-256",
          salt: encode("seedmint/root-seed/v1"),
          info: encode(`seedmint/root/ed25519/v1/${text}`),
        },
        key,
        256,
      );
      assert.equal(rootKeyOf(bytes, text).toHex(), new Uint8Array(bits).toHex());
    }),
    { numRuns: 30 },
  );
});

Deno.test("isRootKeyLabel() takes a name, or a name and a number, alone", () => {
  for (const good of ["root", "root/1", "ci", "build.linux", "a-b_c/999"]) {
    assert.ok(isRootKeyLabel(good), good);
  }
  for (
    const bad of ["", "Root", "root/", "root/0", "root/01", "root/1/2", "a b", "/1", "root/1000"]
  ) {
    assert.ok(!isRootKeyLabel(bad), bad);
    assert.throws(() => rootKeyOf(SEED, bad), SyntaxError);
  }
});

Deno.test("parseRootSeed() reads what formatRootSeed() writes, with white space and in capitals", () => {
  const text = formatRootSeed(SEED);
  assert.equal(text.length, 95);
  assert.deepEqual(parseRootSeed(` ${text.toUpperCase()}\n`), SEED);
});

Deno.test("parseRootSeed() notices every single wrong digit, and never repeats the seed", () => {
  const text = formatRootSeed(SEED);
  const start = text.indexOf("v1-") + 3;
  for (let index = start; index < text.length; index++) {
    if (text[index] === "-") continue;
    const wrong = text.slice(0, index) + (text[index] === "0" ? "1" : "0") + text.slice(index + 1);
    assert.throws(() => parseRootSeed(wrong), (error: Error) => {
      assert.ok(error instanceof SyntaxError);
      assert.ok(!/[0-9a-f]{8}/.test(error.message), error.message);
      return true;
    });
  }
});

Deno.test("DEVELOPMENT_SEED is what the text that everybody knows hashes to", async () => {
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode("seedmint/root-seed/development/v1"),
  );
  assert.deepEqual(DEVELOPMENT_SEED, new Uint8Array(digest));
  assert.notEqual(
    (await ed25519PublicKey(rootKeyOf(DEVELOPMENT_SEED, "root"))).toHex(),
    await keyOf("root"),
  );
});
