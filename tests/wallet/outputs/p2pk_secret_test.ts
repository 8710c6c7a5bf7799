import assert from "node:assert/strict";
import fc from "fast-check";
import { parseSpendingCondition } from "../../../wallet/outputs/p2pk_secret.ts";

const KEY = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
const OTHER = "03a40f20667ed53513075dc51e715ff2046cad64eb68960632269ba7f0210e38bc";
const NONCE = "ab".repeat(32);

function secretOf(tags: unknown, body: Record<string, unknown> = {}, kind = "P2PK"): string {
  return JSON.stringify([kind, { nonce: NONCE, data: KEY, tags, ...body }]);
}

Deno.test("parseSpendingCondition takes plain secrets and locks to one key", () => {
  assert.deepEqual(parseSpendingCondition(NONCE), { kind: "none" });
  assert.deepEqual(parseSpendingCondition(secretOf([])), {
    kind: "P2PK",
    data: KEY,
    refundKeys: [],
  });
  const tags = [["locktime", "2000000000"], ["refund", OTHER], ["n_sigs", "1"], [
    "sigflag",
    "SIG_INPUTS",
  ]];
  assert.deepEqual(parseSpendingCondition(secretOf(tags)), {
    kind: "P2PK",
    data: KEY,
    locktimeS: 2_000_000_000,
    refundKeys: [OTHER],
  });
  const spaced = `["P2PK", {"nonce": "${NONCE}", "data": "${KEY}", "tags": [["n_sigs", "1"]]}]`;
  assert.equal(parseSpendingCondition(spaced)?.kind, "P2PK", "as Python writes it");
  const untagged = JSON.stringify(["P2PK", { nonce: NONCE, data: KEY }]);
  assert.equal(parseSpendingCondition(untagged)?.kind, "P2PK");
});

Deno.test("parseSpendingCondition refuses every condition that may mean something else", () => {
  const refused: readonly (readonly [string, string])[] = [
    ["more keys", secretOf([["pubkeys", OTHER]])],
    ["two signatures", secretOf([["n_sigs", "2"]])],
    ["n_sigs that a lenient reader takes for absent", secretOf([["n_sigs", "0x1"]])],
    ["an empty n_sigs", secretOf([["n_sigs", ""]])],
    ["n_sigs as a number", secretOf([["n_sigs", 1]])],
    ["n_sigs without a value", secretOf([["n_sigs"]])],
    ["n_sigs with two values", secretOf([["n_sigs", "1", "1"]])],
    ["SIG_ALL", secretOf([["sigflag", "SIG_ALL"]])],
    ["an unknown sigflag", secretOf([["sigflag", "sig_all"]])],
    ["an unknown tag", secretOf([["hash", "aa"]])],
    ["a tag named like a property of every object", secretOf([["toString", "1"]])],
    ["a tag twice", secretOf([["locktime", "2000000000"], ["locktime", "1"]])],
    ["a negative locktime", secretOf([["locktime", "-1"]])],
    ["a locktime of zero", secretOf([["locktime", "0"]])],
    ["a locktime with a leading zero", secretOf([["locktime", "02000000000"]])],
    ["a fractional locktime", secretOf([["locktime", "2e9"]])],
    ["a locktime beyond all numbers", secretOf([["locktime", "9".repeat(30)]])],
    ["a refund without a locktime", secretOf([["refund", OTHER]])],
    ["a refund that is no key", secretOf([["locktime", "2000000000"], ["refund", "me"]])],
    ["tags that are no list", secretOf({ n_sigs: "2" })],
    ["tags that are null", secretOf(null)],
    ["a hash lock", secretOf([], {}, "HTLC")],
    ["another kind", secretOf([], {}, "p2pk")],
    ["a key of 32 bytes", secretOf([], { data: KEY.slice(2) })],
    ["an upper-case key", secretOf([], { data: KEY.toUpperCase() })],
    ["more in the body", secretOf([], { extra: 1 })],
    ["three parts", `["P2PK",{"nonce":"${NONCE}","data":"${KEY}","tags":[]},1]`],
    ["data twice", `["P2PK",{"nonce":"${NONCE}","data":"${OTHER}","data":"${KEY}","tags":[]}]`],
    ["an escaped name", `["P2PK",{"nonce":"${NONCE}","d\\u0061ta":"${KEY}","tags":[]}]`],
    ["a broken list", `["P2PK",{"nonce":"${NONCE}"`],
    ["an object", `{"kind":"P2PK"}`],
    ["nothing", ""],
    ["too much", `["P2PK",${" ".repeat(1100)}]`],
  ];
  for (const [what, secret] of refused) {
    assert.equal(parseSpendingCondition(secret), undefined, what);
  }
});

Deno.test("parseSpendingCondition never throws, and sees no lock in what is no JSON list", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (secret) => {
    const condition = parseSpendingCondition(secret);
    if (condition?.kind === "P2PK") assert.fail("a random text is no lock");
  }));
});
