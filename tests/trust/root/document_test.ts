import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import fc from "fast-check";
import { canonicalJson } from "../../../trust/canonical_json.ts";
import {
  delegation,
  isName,
  matchesPattern,
  parseRootChain,
  readSignedRoot,
  type SignedRoot,
  writeRootChain,
} from "../../../trust/root/mod.ts";
import { DAY_S, keysOf, NOW_S, Publisher } from "../publisher.ts";

// A root of the seed 00…1f: made once, signed by OpenSSL over the bytes that the format says.
const KNOWN_SIGNATURE =
  "9c8dbaef95a5122c7d33a3bfde3cd7d2025dfaa2bdc2f3a6d31ac5c01f39cd37cfa867001b45b4f16e58c9d2c10eac14d2676c679163b9072e3997753877e10c";

Deno.test("a root document has the bytes and the signature of the known answer", async () => {
  const { chain } = await Publisher.begin();
  const { signed, signatures } = chain[0]!;
  assert.equal(signed.id, "020ffab28567773d8dba4227c384325e");
  const text = canonicalJson(signed);
  assert.equal(
    text,
    `{"delegations":[],"expiresS":${NOW_S + 400 * DAY_S},"id":"${signed.id}","issuedS":${NOW_S},` +
      `"keys":["${signed.keys[0]}"],"name":"acme","revocations":[],"threshold":1,` +
      `"type":"seedmint/root/v1","use":"production","version":1}`,
  );
  assert.equal(signatures[0]!.sig, KNOWN_SIGNATURE);
});

Deno.test("a signature of a root is Ed25519 over the domain, a zero byte and the canonical JSON", async () => {
  const { chain } = await Publisher.begin();
  const { signed, signatures: [signature] } = chain[0]!;
  const message = new TextEncoder().encode(`seedmint/root/v1\0${canonicalJson(signed)}`);
  const key = createPublicKey({
    format: "der",
    type: "spki",
    key: Buffer.from(`302a300506032b6570032100${signature!.key}`, "hex"),
  });
  assert.ok(verify(null, message, key, Buffer.from(signature!.sig, "hex")));
});

Deno.test("parseRootChain() reads what writeRootChain() writes, and nothing written otherwise", async () => {
  const publisher = await Publisher.begin();
  const { ci } = await keysOf("ci");
  await publisher.change(delegation("ci", { keys: [ci], threshold: 1, catalogs: ["tools*"] }));
  const text = writeRootChain(publisher.chain);
  assert.deepEqual(parseRootChain(`${text}\n`), publisher.chain);
  const wrong = [
    "",
    "{}",
    JSON.stringify(JSON.parse(text), undefined, 1),
    text.replace('"documents"', '"document"'),
    writeRootChain([]),
    text.replace('"version":1', '"version":1,"version":1'),
  ];
  for (const one of wrong) assert.throws(() => parseRootChain(one), SyntaxError, one.slice(0, 60));
});

Deno.test("readSignedRoot() refuses every document that breaks a rule, and says which", async () => {
  const { newest } = await Publisher.begin({ labels: ["root", "root/1"] });
  const { root, ci } = await keysOf("root", "ci");
  const role = { role: "ci", keys: [ci], threshold: 1, catalogs: ["tools"] };
  const keys = newest.signed.keys;
  const cases: readonly (readonly [object, RegExp])[] = [
    [{ type: "seedmint/root/v2" }, /type/],
    [{ id: "ab" }, /id/],
    [{ name: "Acme" }, /name/],
    [{ version: 0 }, /version/],
    [{ version: 1.5 }, /version/],
    [{ use: "testing" }, /use/],
    [{ expiresS: NOW_S }, /expires/],
    [{ keys: [] }, /threshold/],
    [{ keys: [keys[1], keys[0]] }, /ascending/],
    [{ keys: [keys[0], keys[0]] }, /ascending/],
    [{ keys: [keys[0]!.toUpperCase(), keys[1]] }, /keys/],
    [{ threshold: 0 }, /threshold/],
    [{ threshold: 3 }, /threshold/],
    [{ delegations: [{ ...role, role: "CI" }] }, /role/],
    [{ delegations: [{ ...role, threshold: 2 }] }, /ci: its threshold/],
    [{ delegations: [{ ...role, catalogs: [] }] }, /ci: names/],
    [{ delegations: [{ ...role, catalogs: ["a b"] }] }, /ci: names/],
    [{ delegations: [role, role] }, /ascending/],
    [{ delegations: [{ ...role, more: 1 }] }, /fields/],
    [{ delegations: [{ ...role, expiresS: -1 }] }, /expiry/],
    [{ revocations: [{ key: root, atS: NOW_S, reason: "" }] }, /revoked and still listed/],
    [{ revocations: [{ key: root, atS: NOW_S }] }, /revocation/],
    [{ revocations: [{ key: root, atS: NOW_S, reason: "x".repeat(201) }] }, /revocation/],
    [{ more: 1 }, /fields/],
  ];
  for (const [change, expected] of cases) {
    const read = readSignedRoot({ ...newest, signed: { ...newest.signed, ...change } });
    assert.match(String(read), expected, JSON.stringify(change));
  }
  assert.match(String(readSignedRoot({ ...newest, signatures: [1] })), /signatures/);
  const twice = [newest.signatures[0], newest.signatures[0]];
  assert.match(String(readSignedRoot({ ...newest, signatures: twice })), /different keys/);
  assert.deepEqual(readSignedRoot(JSON.parse(JSON.stringify(newest))), newest);
});

Deno.test("readSignedRoot() and parseRootChain() never throw anything else for anything", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    assert.equal(typeof readSignedRoot(value), "string");
    try {
      parseRootChain(JSON.stringify(value));
    } catch (error) {
      assert.ok(error instanceof SyntaxError);
    }
  }));
});

Deno.test("matchesPattern() is what a regular expression with .* for * says", () => {
  const letters = fc.stringMatching(/^[ab]{0,8}$/);
  const pattern = fc.stringMatching(/^[ab*]{1,6}$/);
  fc.assert(fc.property(pattern, letters, (glob, text) => {
    const wanted = new RegExp(`^${glob.replaceAll("*", ".*")}$`).test(text);
    assert.equal(matchesPattern(glob, text), wanted, `${glob} ${text}`);
  }));
});

Deno.test("matchesPattern() takes no longer for a pattern that is made to take long", () => {
  const started = performance.now();
  assert.ok(!matchesPattern("*a".repeat(30), "a".repeat(29) + "b".repeat(100_000)));
  assert.ok(performance.now() - started < 1000);
});

Deno.test("isName() takes lower-case words with . _ - inside, up to 64 characters", () => {
  for (const good of ["a", "tools", "nightly-2.0_x", "a".repeat(64)]) assert.ok(isName(good));
  for (const bad of ["", "-a", "a-", "a/b", "A", "a b", "a".repeat(65), 7, undefined]) {
    assert.ok(!isName(bad), String(bad));
  }
});

Deno.test("a version of a root that is too large is refused", async () => {
  const { newest } = await Publisher.begin();
  const { ci } = await keysOf("ci");
  const delegations = Array.from({ length: 64 }, (_, index) => ({
    role: `r${String(index).padStart(3, "0")}`,
    keys: [ci],
    threshold: 1,
    catalogs: Array.from({ length: 32 }, (_, at) => `c${String(at).padStart(40, "0")}`),
  }));
  const large: SignedRoot = { ...newest, signed: { ...newest.signed, delegations } };
  assert.equal(readSignedRoot(large), "it is too large");
});
