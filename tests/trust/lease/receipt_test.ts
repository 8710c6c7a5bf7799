import assert from "node:assert/strict";
import fc from "fast-check";
import { signEvent, verifyEvent } from "../../../src/nostr/mod.ts";
import type { Sha256 } from "../../../src/core/hash.ts";
import { canonicalJson, consentDigest, lease } from "../../../trust/mod.ts";
import {
  LEASE_IDS_MAX,
  LEASE_MINTS_MAX,
  LEASE_RECEIPT_CHARS_MAX,
  LEASE_YS_MAX,
} from "../../../trust/lease/limits.ts";
import { WIRE_LIMITS } from "../../../provisioning/wire/limits.ts";
import { MINT_URL_CHARS_MAX } from "../../../trust/limits.ts";
import {
  CONSENT_TAG,
  CONSUMER_SECRET,
  idOf,
  MINT,
  NOW_MS,
  NOW_S,
  PROVIDER_SECRET,
  signByHand,
  STRANGER_SECRET,
  yOf,
} from "../support.ts";
import { CONSUMER, GIVEN, IMAGE, LEASE, Lessors, PROVIDER, TIER } from "./support.ts";

const LEASE_TAG = "seedmint/receipt/lease/v1";
const SALT = new Uint8Array(32).fill(5);

const RECEIPT: lease.LeaseReceipt = {
  version: 1,
  type: "lease",
  lease: LEASE,
  provider: PROVIDER,
  consumer: CONSUMER,
  tier: lease.tierHash(TIER),
  image: lease.imageCommitment({ digest: IMAGE, salt: SALT }),
  fromS: NOW_S - 600,
  toS: NOW_S,
  seconds: 600,
  msatPerS: 50,
  msat: 30_000,
  paidMsat: 49_100,
  refundSat: 19,
  unit: "sat",
  payments: [{ mint: MINT, ys: [yOf(1), yOf(2)], ids: [idOf(1)] }],
  unlisted: 0,
  ending: "stopped",
  error: "",
};

/** As a text that somebody else made of the same fields. */
const TEXT = `{"consumer":"${CONSUMER}","ending":"stopped","error":"","fromS":1799999400,` +
  `"image":"${RECEIPT.image}","lease":"${LEASE}","msat":30000,"msatPerS":50,"paidMsat":49100,` +
  `"payments":[{"ids":["${idOf(1)}"],"mint":"${MINT}","ys":["${yOf(1)}","${yOf(2)}"]}],` +
  `"provider":"${PROVIDER}","refundSat":19,"seconds":600,"tier":"${RECEIPT.tier}",` +
  `"toS":1800000000,"type":"lease","unit":"sat","unlisted":0,"version":1}`;

function both(receipt = RECEIPT, publishes = false): lease.SignedLeaseReceipt {
  const first = lease.signLeaseReceipt({ receipt }, {
    side: "provider",
    signer: { secretKey: PROVIDER_SECRET, publishes },
  });
  return lease.signLeaseReceipt(first, {
    side: "consumer",
    signer: { secretKey: CONSUMER_SECRET, publishes },
  });
}

Deno.test("a lease's receipt that an independent signer made of a text made by hand verifies", () => {
  assert.equal(canonicalJson(RECEIPT), TEXT);
  const signed = {
    receipt: JSON.parse(TEXT),
    providerSig: signByHand(TEXT, LEASE_TAG, PROVIDER_SECRET),
    consumerSig: signByHand(TEXT, LEASE_TAG, CONSUMER_SECRET),
    providerConsent: signByHand(TEXT, CONSENT_TAG, PROVIDER_SECRET),
    consumerConsent: signByHand(TEXT, CONSENT_TAG, CONSUMER_SECRET),
  };
  assert.deepEqual(lease.readLeaseReceipt(signed)?.receipt, RECEIPT);
  assert.equal(lease.standingOf(signed), "both");
  const asBytes = signByHand(TEXT, "seedmint/receipt/bytes/v1", PROVIDER_SECRET);
  assert.equal(lease.standingOf({ ...signed, providerSig: asBytes }), "none", "another domain");
  assert.equal(
    lease.leaseReceiptDigest(RECEIPT).toHex(),
    "f64ef7c8a9c818760b8a6ba849480fd5f7b1e265c9f3698561a7a673b464c8c1",
    "what is signed never changes within a version",
  );
  assert.equal(consentDigest(RECEIPT).length, 32);
});

Deno.test("a signature is worth nothing under a receipt in which any one field is another", () => {
  const changes: { readonly [Name in keyof lease.LeaseReceipt]?: unknown } = {
    lease: LEASE.replace("container-3", "container-4"),
    consumer: PROVIDER.replace(/^./, "e"),
    tier: "00".repeat(32),
    image: "",
    fromS: RECEIPT.fromS - 1,
    toS: RECEIPT.toS + 1,
    msat: 30_049,
    paidMsat: 50_000,
    refundSat: 18,
    payments: [],
    unlisted: 1,
    ending: "expired",
  };
  const signed = both(RECEIPT, true);
  assert.equal(lease.standingOf(signed), "both");
  for (const [name, value] of Object.entries(changes)) {
    const changed = { ...signed, receipt: { ...RECEIPT, [name]: value } };
    assert.notEqual(lease.readLeaseReceipt(changed), undefined, `${name} is well formed`);
    assert.equal(lease.standingOf(changed), "none", name);
  }
});

Deno.test("readLeaseReceipt() takes only fields that agree with each other", () => {
  const bad: Readonly<Record<string, object>> = {
    "another version": { version: 2 },
    "a receipt for bytes": { type: "bytes" },
    "a lease of another provider": { provider: "e".repeat(64) },
    "a lease with itself": { consumer: PROVIDER },
    "an end before its beginning": { toS: RECEIPT.fromS - 1 },
    "seconds that its money does not buy": { seconds: 601 },
    "no price": { msatPerS: 0 },
    "more than was paid": { refundSat: 20 },
    "a price past what numbers hold": { refundSat: Number.MAX_SAFE_INTEGER },
    "parts of a second": { fromS: 1.5 },
    "a failure that cost": { ending: "failed" },
    "an error without a failure": { error: "backend_error" },
    "an unanswered container": { ending: "unanswered", msat: 0, seconds: 0 },
    "a request that its provider signed": { lease: `${PROVIDER}:request-${idOf(1)}:5` },
    "a lease by another name": { lease: `${PROVIDER}:vm-3:5` },
    "a proof twice": { payments: [{ mint: MINT, ys: [yOf(1), yOf(1)], ids: [] }] },
    "proofs out of order": { payments: [{ mint: MINT, ys: [yOf(2), yOf(1)], ids: [] }] },
    "a mint that is no URL": { payments: [{ mint: "mint", ys: [yOf(1)], ids: [] }] },
    "a field too many": { extra: 1 },
    "an unknown end": { ending: "vanished" },
  };
  const signed = both();
  assert.deepEqual(lease.readLeaseReceipt(signed), signed);
  for (const [name, change] of Object.entries(bad)) {
    const changed = { ...signed, receipt: { ...RECEIPT, ...change } };
    assert.equal(lease.readLeaseReceipt(changed), undefined, name);
  }
  const { providerSig: _, consumerSig: __, ...unsigned } = signed;
  assert.equal(lease.readLeaseReceipt(unsigned), undefined, "nobody's word");
  assert.equal(lease.readLeaseReceipt({ ...signed, note: "" }), undefined);
  const failed = { ...RECEIPT, ending: "failed", error: "backend_error", msat: 0, seconds: 0 };
  assert.notEqual(lease.readLeaseReceipt({ ...signed, receipt: failed }), undefined);
});

Deno.test("readLeaseReceipt() and readLeasePaper() never throw for what strangers send", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      lease.readLeaseReceipt(value);
      lease.readLeasePaper(value);
      lease.readLeasePaper({ signed: value });
      lease.readLeasePaper({ signed: { receipt: value, providerSig: "0".repeat(128) } });
      lease.readLeasePaper({ signed: both(), opening: value });
    }),
    { numRuns: 200 },
  );
});

Deno.test("the fullest receipt fits into an answer of the wire", () => {
  const payments = Array.from({ length: LEASE_MINTS_MAX }, (_, mint) => ({
    mint: `https://${mint}`.padEnd(MINT_URL_CHARS_MAX, "x"),
    ys: Array.from(
      { length: LEASE_YS_MAX / LEASE_MINTS_MAX },
      (_, place) => yOf(mint * 100 + place),
    ),
    ids: Array.from(
      { length: LEASE_IDS_MAX / LEASE_MINTS_MAX },
      (_, place) => idOf(mint * 100 + place),
    ),
  }));
  const signed = both({
    ...RECEIPT,
    payments,
    ...{ paidMsat: Number.MAX_SAFE_INTEGER, toS: Number.MAX_SAFE_INTEGER },
  }, true);
  const opening = { digest: IMAGE, salt: SALT, list: IMAGE };
  const paper = lease.writeLeasePaper({ signed, opening });
  assert.ok(lease.writeLeaseReceipt(signed).length <= LEASE_RECEIPT_CHARS_MAX);
  assert.ok(JSON.stringify(paper).length <= WIRE_LIMITS.receiptCharsMax);
  assert.deepEqual(lease.readLeasePaper(JSON.parse(JSON.stringify(paper)))?.signed, signed);
  const more = { ...payments[0]!, ys: [...payments[0]!.ys, yOf(99)] };
  const over = {
    ...signed,
    receipt: { ...signed.receipt, payments: [more, ...payments.slice(1)] },
  };
  assert.equal(lease.readLeaseReceipt(over), undefined);
  assert.throws(() => lease.writeLeaseReceipt(over), RangeError);
});

Deno.test("a tier's hash stands for all of it, and a commitment for one image and salt", () => {
  const hashes = new Set([
    lease.tierHash(TIER),
    ...(["cpuMillicores", "memoryMb", "diskMb", "msatPerS"] as const)
      .map((name) => lease.tierHash({ ...TIER, [name]: TIER[name] + 1 })),
    lease.tierHash({ ...TIER, id: "other" }),
  ]);
  assert.equal(hashes.size, 6);
  const commitment = lease.imageCommitment({ digest: IMAGE, salt: SALT });
  assert.ok(lease.opensImage(commitment, { digest: IMAGE, salt: SALT }));
  const other = "ac".repeat(32) as Sha256;
  assert.ok(!lease.opensImage(commitment, { digest: other, salt: SALT }));
  assert.ok(!lease.opensImage(commitment, { digest: IMAGE, salt: new Uint8Array(32) }));
  assert.ok(!lease.opensImage(commitment, { digest: IMAGE, salt: new Uint8Array(31) }));
  assert.throws(() => lease.imageCommitment({ digest: IMAGE, salt: new Uint8Array(31) }), /32/);
});

Deno.test("a receipt is published only when both signed and both let it, by one of them", () => {
  const by = (secretKey: Uint8Array) => ({ secretKey, nowMs: NOW_MS });
  const open = both(RECEIPT, true);
  const event = lease.leasePublicationOf(open, by(PROVIDER_SECRET))!;
  assert.equal(event.kind, lease.LEASE_RECEIPT_KIND);
  assert.deepEqual(event.tags, [["d", LEASE], ["p", CONSUMER], ["t", lease.LEASE_RECEIPT_TOPIC]]);
  assert.notEqual(verifyEvent(event), undefined);
  assert.deepEqual(lease.readLeasePublication(event), open);
  assert.notEqual(lease.leasePublicationOf(open, by(CONSUMER_SECRET)), undefined);
  assert.throws(() => lease.leasePublicationOf(open, by(STRANGER_SECRET)), /neither of its sides/);
  const { consumerConsent: _, ...unasked } = open;
  const { providerConsent: __, ...unaskedToo } = open;
  const { consumerSig: ___, ...oneSided } = open;
  const forged = { ...open, consumerConsent: open.providerConsent! };
  // The signature under the receipt is no consent.
  const lent = { ...open, consumerConsent: open.consumerSig! };
  for (const signed of [unasked, unaskedToo, oneSided, forged, lent]) {
    assert.equal(lease.leasePublicationOf(signed, by(PROVIDER_SECRET)), undefined);
    const { kind, created_at, tags } = event;
    const content = canonicalJson(signed);
    const published = signEvent({ kind, created_at, tags, content }, PROVIDER_SECRET);
    assert.equal(lease.readLeasePublication(published), undefined, "and nobody believes it");
  }
});

Deno.test("readLeasePublication() refuses strangers, other kinds, leases and texts", () => {
  const { kind, created_at, tags, content } = lease.leasePublicationOf(both(RECEIPT, true), {
    secretKey: PROVIDER_SECRET,
    nowMs: NOW_MS,
  })!;
  const template = { kind, created_at, tags, content };
  const other = [["d", LEASE.replace("container-3", "container-4")], ...tags.slice(1)];
  const events = [
    signEvent(template, STRANGER_SECRET),
    signEvent({ ...template, kind: 38385 }, PROVIDER_SECRET),
    signEvent({ ...template, kind: 31081 }, PROVIDER_SECRET),
    signEvent({ ...template, tags: other }, PROVIDER_SECRET),
    signEvent({ ...template, content: ` ${content}` }, PROVIDER_SECRET),
    signEvent({ ...template, content: "x".repeat(20_000) }, PROVIDER_SECRET),
    signEvent({ ...template, content: "" }, PROVIDER_SECRET),
  ];
  for (const event of events) assert.equal(lease.readLeasePublication(event), undefined);
});

Deno.test("countOnce() counts a lease once and a proof once, in whatever order they come", () => {
  const of = (number: number, change: Partial<lease.LeaseReceipt> = {}) =>
    both({
      ...RECEIPT,
      lease: LEASE.replace("container-3", `container-${number}`),
      payments: [{ mint: MINT, ys: [yOf(number)], ids: [] }],
      toS: NOW_S + number,
      ...change,
    });
  const honest = [of(1), of(2)];
  const twin = both(honest[0]!.receipt, true);
  const second = of(1, { toS: NOW_S + 50, payments: [] });
  const reused = of(5, { payments: [{ mint: MINT, ys: [yOf(1), yOf(9)], ids: [] }] });
  const { consumerSig: _, ...alone } = of(6);
  const forged = { ...of(7), consumerSig: "1".repeat(128) };
  const all = [...honest, twin, second, reused, alone, forged, honest[1]!];
  const whys = (count: lease.Count) =>
    count.uncounted.map(({ signed, why }) => `${signed.receipt.lease.split(":")[1]} ${why}`).sort();
  const { counted, uncounted } = lease.countOnce(all);
  assert.deepEqual(
    counted.map(({ receipt }) => receipt.lease.split(":")[1]),
    ["container-1", "container-2"],
  );
  assert.deepEqual(whys({ counted, uncounted }), [
    "container-1 same-lease",
    "container-1 same-lease",
    "container-5 same-payment",
    "container-6 not-signed-by-both",
    "container-7 not-signed-by-both",
  ]);
  fc.assert(
    fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (shuffled) => {
      assert.deepEqual(lease.countOnce([...shuffled, ...shuffled]), { counted, uncounted });
    }),
    { numRuns: 5 },
  );
});

Deno.test("receipts of leases are found by the first digits of their id, side, state and end", () => {
  using sides = new Lessors();
  for (const number of [1, 2, 3]) {
    const name = LEASE.replace("container-3", `container-${number}`);
    sides.provider.offer({ ...GIVEN, lease: name, payments: [], toS: NOW_S + number });
  }
  const { leases } = sides.providerStore;
  const names = (filter: lease.LeaseReceiptFilter) =>
    leases.list(filter).map(({ signed }) => signed.receipt.toS - NOW_S);
  assert.deepEqual(names({}), [3, 2, 1]);
  assert.deepEqual(names({ role: "consumer" }), []);
  assert.deepEqual(names({ state: "offered", sinceS: NOW_S + 2 }), [3, 2]);
  assert.deepEqual(names({ beforeS: NOW_S + 2 }), [1]);
  assert.deepEqual(names({ other: PROVIDER }), []);
  assert.deepEqual(names({ other: CONSUMER, limit: 1 }), [3]);
  const id = lease.leaseReceiptIdOf(LEASE.replace("container-3", "container-2"));
  assert.deepEqual(names({ idPrefix: id.slice(0, 10) }), [2]);
  assert.deepEqual(names({ idPrefix: "%" }), []);
});
