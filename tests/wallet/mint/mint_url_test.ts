import assert from "node:assert/strict";
import fc from "fast-check";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { mintUrlOf, parseMintUrl } from "../../../wallet/mint/mint_url.ts";

Deno.test("parseMintUrl gives one text for one mint", () => {
  const same = ["https://Mint.Example", "https://mint.example/", " https://mint.example:443// "];
  for (const text of same) assert.equal(parseMintUrl(text), "https://mint.example");
  assert.equal(parseMintUrl("https://mint.example/Bitcoin/"), "https://mint.example/Bitcoin");
  assert.equal(parseMintUrl("http://127.0.0.1:3338/"), "http://127.0.0.1:3338");
  assert.equal(parseMintUrl("http://localhost:3338"), "http://localhost:3338");
  assert.equal(parseMintUrl("http://[::1]:80"), "http://[::1]");
});

Deno.test("parseMintUrl refuses what is neither https nor http on loopback", () => {
  const wrong = [
    "",
    "mint.example",
    "http://mint.example",
    "http://10.0.0.1",
    "ftp://mint.example",
    "https://user:pass@mint.example",
    "https://mint.example?a=1",
    "https://mint.example/#x",
    "https://mint.example/%41",
    "https://mint.example./",
    "https://" + "a".repeat(300) + ".example",
    "javascript:alert(1)",
  ];
  for (const text of wrong) assert.throws(() => parseMintUrl(text), SyntaxError, text);
});

Deno.test("parseMintUrl refuses private networks unless they are allowed", () => {
  const urls = [
    "https://10.1.2.3",
    "https://192.168.0.1",
    "https://172.31.255.255",
    "https://169.254.169.254",
    "https://100.64.0.1",
    "https://0x0a000001",
    "https://[fd00::1]",
    "https://[fe80::1]",
    "https://[::ffff:10.0.0.1]",
    "https://[64:ff9b::a00:1]",
    "https://[2002:a00:1::]",
    "https://mint",
    "https://mint.local",
    "https://mint.internal",
  ];
  for (const url of urls) {
    assert.throws(() => parseMintUrl(url), (error) => isSeedmintError(error, "denied"), url);
    assert.equal(typeof parseMintUrl(url, { allowPrivate: true }), "string");
    assert.equal(mintUrlOf(url), undefined);
  }
});

Deno.test("mintUrlOf never throws, and what it gives parses to itself", () => {
  fc.assert(fc.property(fc.oneof(fc.webUrl(), fc.string(), fc.anything()), (value) => {
    const url = mintUrlOf(value);
    if (url !== undefined) assert.equal(parseMintUrl(url), url);
  }));
});
