import assert from "node:assert/strict";
import { schnorr } from "@noble/curves/secp256k1.js";
import fc from "fast-check";
import { verifyEvent } from "../../src/nostr/mod.ts";
import {
  type ByteReceipt,
  canonicalJson,
  commitmentOf,
  consentDigest,
  countersignReceipt,
  opensCommitment,
  publicationOf,
  readPublication,
  readReceipt,
  RECEIPT_KIND,
  receiptDigest,
  type SignedReceipt,
  signReceipt,
  verifyReceipt,
  writeReceipt,
} from "../../trust/mod.ts";
import { createHash } from "node:crypto";
import {
  EVIDENCE_IDS_MAX,
  EVIDENCE_MINTS_MAX,
  EVIDENCE_YS_MAX,
  MINT_URL_CHARS_MAX,
  PEER_ID_CHARS_MAX,
  RECEIPT_CHARS_MAX,
} from "../../trust/limits.ts";
import { signEvent } from "../../src/nostr/mod.ts";
import {
  CONSENT_TAG,
  CONSUMER_SECRET,
  idOf,
  keyOf,
  MINT,
  NOW_MS,
  PROVIDER_SECRET,
  RECEIPT,
  RECEIPT_TAG,
  ROOT,
  signByHand,
  STRANGER_SECRET,
  yOf,
} from "./support.ts";

const PUBLIC = { provider: { secretKey: PROVIDER_SECRET, publishes: true } } as const;
const provider = { secretKey: PROVIDER_SECRET, publishes: false };
const consumer = { secretKey: CONSUMER_SECRET, publishes: false };

/** As a text that somebody else made of the same fields. */
const TEXT =
  `{"bytes":67108864,"commitment":"${"cd".repeat(32)}","consumer":"${RECEIPT.consumer}",` +
  `"consumerPeer":"${RECEIPT.consumerPeer}","fromS":1799999400,"id":"${idOf(7)}","msat":64000,` +
  `"payments":[{"ids":["${idOf(1)}"],"mint":"${MINT}","ys":["${yOf(1)}","${yOf(2)}"]}],` +
  `"provider":"${RECEIPT.provider}","providerPeer":"${RECEIPT.providerPeer}","toS":1800000000,` +
  `"type":"bytes","unit":"sat","unlisted":0,"version":1}`;

function both(receipt: ByteReceipt = RECEIPT, publishes = false): SignedReceipt {
  const signed = signReceipt(receipt, { ...provider, publishes });
  return countersignReceipt(signed, { ...consumer, publishes });
}

Deno.test("a receipt that an independent signer made of a text made by hand verifies", () => {
  assert.equal(canonicalJson(RECEIPT), TEXT);
  const text = `{"consumerConsent":"${signByHand(TEXT, CONSENT_TAG, CONSUMER_SECRET)}",` +
    `"consumerSig":"${signByHand(TEXT, RECEIPT_TAG, CONSUMER_SECRET)}",` +
    `"providerConsent":"${signByHand(TEXT, CONSENT_TAG, PROVIDER_SECRET)}",` +
    `"providerSig":"${signByHand(TEXT, RECEIPT_TAG, PROVIDER_SECRET)}","receipt":${TEXT}}`;
  const signed = readReceipt(text);
  assert.deepEqual(signed?.receipt, RECEIPT);
  assert.equal(verifyReceipt(signed, "both"), true);
});

Deno.test("what signReceipt() and countersignReceipt() make verifies with an independent library", () => {
  const signed = both(RECEIPT, true);
  const isValid = (signature: string | undefined, digest: Uint8Array, key: string) =>
    schnorr.verify(Uint8Array.fromHex(signature!), digest, Uint8Array.fromHex(key));
  assert.ok(isValid(signed.providerSig, receiptDigest(RECEIPT), RECEIPT.provider));
  assert.ok(isValid(signed.consumerSig, receiptDigest(RECEIPT), RECEIPT.consumer));
  assert.ok(isValid(signed.providerConsent, consentDigest(RECEIPT), RECEIPT.provider));
  assert.ok(isValid(signed.consumerConsent, consentDigest(RECEIPT), RECEIPT.consumer));
  assert.equal(
    receiptDigest(RECEIPT).toHex(),
    "7f5425d81623625031ed0a2302353ff8436965863b7bc9a89b6738ebe96f023e",
    "what is signed never changes within a version",
  );
  assert.deepEqual(readReceipt(writeReceipt(signed)), signed);
});

Deno.test("verifyReceipt() refuses a receipt in which any one field is another", () => {
  const changes: { readonly [Name in keyof ByteReceipt]?: ByteReceipt[Name] } = {
    id: idOf(8),
    provider: keyOf(STRANGER_SECRET),
    providerPeer: `${RECEIPT.providerPeer.slice(0, -1)}Y`,
    consumer: keyOf(STRANGER_SECRET),
    consumerPeer: `${RECEIPT.consumerPeer.slice(0, -1)}Y`,
    commitment: "ce".repeat(32),
    fromS: RECEIPT.fromS - 1,
    toS: RECEIPT.toS + 1,
    bytes: RECEIPT.bytes + 1,
    msat: RECEIPT.msat + 1,
    payments: [{ ...RECEIPT.payments[0]!, ys: [yOf(1)] }],
    unlisted: 1,
  };
  const fixed = ["version", "type", "unit"];
  assert.deepEqual([...Object.keys(changes), ...fixed].sort(), Object.keys(RECEIPT).sort());
  const signed = both();
  for (const [name, value] of Object.entries(changes)) {
    const changed = { ...signed, receipt: { ...RECEIPT, [name]: value } };
    assert.notEqual(readReceipt(canonicalJson(changed)), undefined, `${name} is well formed`);
    assert.equal(verifyReceipt(changed, "both"), false, name);
    assert.equal(verifyReceipt(changed, "provider"), false, name);
  }
  for (const name of fixed) {
    const changed = { ...signed, receipt: { ...RECEIPT, [name]: name === "version" ? 2 : "msat" } };
    assert.equal(readReceipt(canonicalJson(changed)), undefined, name);
  }
});

Deno.test("verifyReceipt() refuses signatures of other keys, of the other side, and of another purpose", () => {
  const signed = both(RECEIPT, true);
  const stranger = signByHand(TEXT, RECEIPT_TAG, STRANGER_SECRET);
  const wrong: Partial<SignedReceipt>[] = [
    { providerSig: stranger },
    { consumerSig: stranger },
    { providerSig: signed.consumerSig! },
    { consumerSig: signed.providerSig },
    { consumerSig: signed.consumerConsent! },
    { providerSig: signed.providerConsent! },
    { providerConsent: signed.providerSig },
    { consumerConsent: signed.consumerSig! },
    { consumerSig: "0".repeat(128) },
    { providerSig: "f".repeat(128) },
  ];
  for (const change of wrong) {
    assert.equal(
      verifyReceipt({ ...signed, ...change }, "both"),
      false,
      String(Object.keys(change)[0]),
    );
  }
  assert.equal(verifyReceipt(signed, "both"), true);
});

Deno.test("verifyReceipt() of both wants both, and of the provider wants no more than its own", () => {
  const signed = signReceipt(RECEIPT, provider);
  assert.equal(verifyReceipt(signed, "both"), false);
  assert.equal(verifyReceipt(signed, "provider"), true);
  const noPoint = { ...RECEIPT, consumer: "ff".repeat(32) };
  const forged = { ...signReceipt(noPoint, provider), consumerSig: signed.providerSig };
  assert.equal(verifyReceipt(forged, "both"), false, "a key that is no point signs nothing");
});

Deno.test("signReceipt() and countersignReceipt() refuse a secret that is not of their side", () => {
  assert.throws(() => signReceipt(RECEIPT, consumer), TypeError);
  assert.throws(() => countersignReceipt(signReceipt(RECEIPT, provider), provider), TypeError);
});

Deno.test("readReceipt() takes no receipt that contradicts itself or is out of its limits", () => {
  const evidence = RECEIPT.payments[0]!;
  const wrong: Partial<Record<keyof ByteReceipt, unknown>>[] = [
    { consumer: RECEIPT.provider },
    { consumerPeer: RECEIPT.providerPeer },
    { fromS: RECEIPT.toS + 1 },
    { bytes: -1 },
    { bytes: "67108864" },
    { msat: -1 },
    { id: idOf(7).toUpperCase().replace("7", "A") },
    { id: "" },
    { provider: `${RECEIPT.provider.slice(1)}g` },
    { providerPeer: "" },
    { providerPeer: "0OIl" },
    { providerPeer: "1".repeat(PEER_ID_CHARS_MAX + 1) },
    { unlisted: -1 },
    { payments: {} },
    { payments: [evidence, evidence] },
    { payments: [{ ...evidence, mint: "b" }, evidence] },
    { payments: [{ ...evidence, mint: "ftp://mint.example" }] },
    { payments: [{ ...evidence, mint: `https://${"m".repeat(MINT_URL_CHARS_MAX)}` }] },
    { payments: [{ ...evidence, mint: "https://mint.example/\u0007" }] },
    { payments: [{ ...evidence, ys: [yOf(2), yOf(1)] }] },
    { payments: [{ ...evidence, ys: [yOf(1), yOf(1)] }] },
    { payments: [{ ...evidence, ys: [yOf(1).replace("02", "04")] }] },
    { payments: [{ ...evidence, ids: [idOf(1), idOf(1)] }] },
    { payments: [{ ...evidence, more: 1 }] },
    { payments: [{ mint: MINT, ys: [] }] },
    // One proof at two mints counts once, so it may not be there twice.
    { payments: [{ ...evidence, mint: "https://a.example" }, evidence] },
    {
      payments: [{
        ...evidence,
        ys: Array.from({ length: EVIDENCE_YS_MAX + 1 }, (_, i) => yOf(i)),
      }],
    },
    {
      payments: [{
        ...evidence,
        ids: Array.from({ length: EVIDENCE_IDS_MAX + 1 }, (_, i) => idOf(i)),
      }],
    },
    {
      payments: Array.from({ length: EVIDENCE_MINTS_MAX + 1 }, (_, i) => ({
        ...{ mint: `https://${i}.example`, ys: [yOf(i)], ids: [] },
      })),
    },
  ];
  for (const change of wrong) {
    const text = canonicalJson({ ...both(), receipt: { ...RECEIPT, ...change } });
    assert.equal(readReceipt(text), undefined, JSON.stringify(change).slice(0, 200));
  }
  const { unlisted: _, ...lacking } = RECEIPT;
  assert.equal(readReceipt(canonicalJson({ ...both(), receipt: lacking })), undefined);
  const more = { ...RECEIPT, note: "x" };
  assert.equal(readReceipt(canonicalJson({ ...both(), receipt: more })), undefined);
  assert.equal(readReceipt(canonicalJson({ ...both(), note: "x" })), undefined);
  const { providerSig: __, ...unsigned } = both();
  assert.equal(readReceipt(canonicalJson(unsigned)), undefined);
  assert.notEqual(readReceipt(canonicalJson(both())), undefined);
});

Deno.test("readReceipt() never throws, whatever the text is", () => {
  const hostile = [
    ...["", "null", "[]", "{}", "1", '"x"', '{"receipt":null}', '{"receipt":[]}'],
    ...['{"__proto__":{"receipt":{}}}', '{"constructor":1}', '{"receipt":{"toString":1}}'],
    ...["[".repeat(RECEIPT_CHARS_MAX), " ".repeat(RECEIPT_CHARS_MAX + 1), "\ud800"],
    `{"a":${"1".repeat(10_000)}}`,
  ];
  for (const text of hostile) assert.equal(readReceipt(text), undefined);
  const sound = writeReceipt(both());
  fc.assert(fc.property(fc.nat(sound.length - 1), fc.string(), (at, text) => {
    const changed = sound.slice(0, at) + text + sound.slice(at + text.length);
    const signed = readReceipt(changed);
    if (changed !== sound) {
      assert.ok(signed === undefined || !verifyReceipt(signed, "both"), changed);
    }
  }));
});

Deno.test("a receipt that is as large as its limits allow can be written, and no larger one", () => {
  const mints = Array.from({ length: EVIDENCE_MINTS_MAX }, (_, index) => ({
    mint: `https://${index}`.padEnd(MINT_URL_CHARS_MAX, "m"),
    ys: Array.from(
      { length: EVIDENCE_YS_MAX / EVIDENCE_MINTS_MAX },
      (_, i) => yOf(index * 1000 + i),
    ),
    ids: Array.from(
      { length: EVIDENCE_IDS_MAX / EVIDENCE_MINTS_MAX },
      (_, i) => idOf(index * 1000 + i),
    ),
  }));
  const largest = {
    ...RECEIPT,
    providerPeer: "A".repeat(PEER_ID_CHARS_MAX),
    consumerPeer: "B".repeat(PEER_ID_CHARS_MAX),
    fromS: Number.MAX_SAFE_INTEGER,
    toS: Number.MAX_SAFE_INTEGER,
    bytes: Number.MAX_SAFE_INTEGER,
    msat: Number.MAX_SAFE_INTEGER,
    unlisted: Number.MAX_SAFE_INTEGER,
    payments: mints,
  };
  assert.ok(writeReceipt(both(largest, true)).length <= RECEIPT_CHARS_MAX);
  assert.throws(() => writeReceipt(both({ ...RECEIPT, bytes: -1 })), RangeError);
});

Deno.test("a commitment is the SHA-256 of its domain, salt and root, and opens with nothing else", () => {
  const salt = new Uint8Array(32).fill(9);
  const byHand = createHash("sha256").update("seedmint/receipt/root/v1").update(salt)
    .update(Uint8Array.fromHex(ROOT)).digest("hex");
  const commitment = commitmentOf({ root: ROOT, salt });
  assert.equal(commitment.toHex(), byHand);
  assert.equal(opensCommitment(commitment, { root: ROOT, salt }), true);
  const otherRoot = "ac".repeat(32) as typeof ROOT;
  assert.equal(opensCommitment(commitment, { root: otherRoot, salt }), false);
  const otherSalt = new Uint8Array(32).fill(8);
  assert.equal(opensCommitment(commitment, { root: ROOT, salt: otherSalt }), false);
  assert.equal(opensCommitment(commitment, { root: ROOT, salt: salt.subarray(1) }), false);
  assert.throws(() => commitmentOf({ root: ROOT, salt: new Uint8Array(31) }), RangeError);
});

Deno.test("publicationOf() makes an event only of a receipt that both signed and both let be published", () => {
  const open = both(RECEIPT, true);
  for (
    const [secretKey, other] of [[PROVIDER_SECRET, RECEIPT.consumer], [
      CONSUMER_SECRET,
      RECEIPT.provider,
    ]] as const
  ) {
    const event = publicationOf(open, { secretKey, nowMs: NOW_MS })!;
    assert.equal(event.kind, RECEIPT_KIND);
    assert.deepEqual(event.tags, [["d", RECEIPT.id], ["p", other], ["t", "seedmint-receipt"]]);
    assert.deepEqual(readPublication(verifyEvent(event)!), open);
  }
  const by = { secretKey: PROVIDER_SECRET, nowMs: NOW_MS };
  const { providerConsent: _, ...one } = open;
  const { consumerConsent: __, ...other } = open;
  const { consumerSig: ___, ...unsigned } = open;
  const forged = { ...open, consumerConsent: open.consumerSig! };
  for (const closed of [both(), one, other, unsigned, forged]) {
    assert.equal(publicationOf(closed, by), undefined);
  }
  assert.throws(() => publicationOf(open, { ...by, secretKey: STRANGER_SECRET }), TypeError);
  assert.equal(publicationOf(signReceipt(RECEIPT, PUBLIC.provider), by), undefined);
});

Deno.test("readPublication() refuses events of strangers, other kinds, other ids, and without consent", () => {
  const event = (
    change: { readonly kind?: number; readonly d?: string; readonly content?: string },
    secretKey = PROVIDER_SECRET,
  ) =>
    signEvent({
      kind: change.kind ?? RECEIPT_KIND,
      created_at: 1,
      tags: [["d", change.d ?? RECEIPT.id]],
      content: change.content ?? writeReceipt(both(RECEIPT, true)),
    }, secretKey);
  assert.notEqual(readPublication(event({})), undefined);
  assert.equal(readPublication(event({}, STRANGER_SECRET)), undefined);
  assert.equal(readPublication(event({ kind: 38385 })), undefined);
  assert.equal(readPublication(event({ d: idOf(8) })), undefined);
  assert.equal(readPublication(event({ content: writeReceipt(both()) })), undefined);
  assert.equal(readPublication(event({ content: "{}" })), undefined);
});
