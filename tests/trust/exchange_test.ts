import assert from "node:assert/strict";
import type { ReceiptBook, Receipts } from "../../swarm/ports.ts";
import type { Hash } from "../../src/core/hash.ts";
import {
  canonicalJson,
  commitmentOf,
  ConsumerReceipts,
  countersignReceipt,
  type Delivered,
  evidenceKeys,
  opensCommitment,
  type Paid,
  ProviderReceipts,
  readReceipt,
  ReceiptStore,
  type SignedReceipt,
  signReceipt,
  verifyReceipt,
  writeReceipt,
} from "../../trust/mod.ts";
import { CLOCK_SKEW_S, DRAFT_S, TOLERANCE_BYTES } from "../../trust/limits.ts";
import { ManualClock } from "../support/manual_clock.ts";
import {
  CONSUMER_PEER,
  CONSUMER_SECRET,
  countingRandom,
  deliveredOf,
  idOf,
  keyOf,
  NOW_MS,
  NOW_S,
  paymentOf,
  PROVIDER_PEER,
  PROVIDER_SECRET,
  ROOT,
  STRANGER_PEER,
  STRANGER_SECRET,
  yOf,
} from "./support.ts";

const VIEWER = { peerId: CONSUMER_PEER, fleet: false };
const MIB = 1 << 20;

/** A provider and a consumer with books that a test fills in. */
class Pair implements Disposable {
  readonly clock = new ManualClock(NOW_MS);
  readonly providerStore = ReceiptStore.open(":memory:");
  readonly consumerStore = ReceiptStore.open(":memory:");
  delivered: Delivered | undefined = deliveredOf();
  paid: Paid | undefined = { msat: 128_000, payments: deliveredOf().payments };
  /** As the swarm's ports, which they must fit. */
  readonly provider: Receipts;
  readonly consumer: ReceiptBook;

  constructor(options: { readonly publishes?: boolean; readonly boundKey?: string } = {}) {
    const { publishes = false, boundKey } = options;
    const { clock } = this;
    this.provider = new ProviderReceipts({
      store: this.providerStore,
      books: { delivered: () => Promise.resolve(this.delivered) },
      signer: { secretKey: PROVIDER_SECRET, publishes },
      peerId: PROVIDER_PEER,
      clock,
      random: countingRandom(),
    });
    this.consumer = new ConsumerReceipts({
      store: this.consumerStore,
      books: { paid: () => Promise.resolve(this.paid) },
      signer: { secretKey: CONSUMER_SECRET, publishes },
      peerId: CONSUMER_PEER,
      clock,
      random: countingRandom(),
      ...(boundKey === undefined ? {} : { nostrKeyOf: () => boundKey }),
    });
  }

  /** What was bought in one fetch. */
  subject(bytes = 64 * MIB, root: Hash = ROOT) {
    return { peerId: PROVIDER_PEER, root, bytes };
  }

  /** The provider's answer, changed by `lie` and signed by the provider again. */
  async answered(
    subject: ReturnType<Pair["subject"]>,
    lie: (signed: SignedReceipt) => SignedReceipt = (signed) => signed,
  ) {
    const request = (await this.consumer.request(subject))!;
    const text = (await this.provider.ask(VIEWER, request))!;
    const { receipt } = lie(readReceipt(text)!);
    const secret = receipt.provider === keyOf(STRANGER_SECRET) ? STRANGER_SECRET : PROVIDER_SECRET;
    const signed = signReceipt(receipt, { secretKey: secret, publishes: false });
    return { request, receipt: writeReceipt(signed) };
  }

  /** From the request to what both keep. */
  async exchange(subject = this.subject()): Promise<SignedReceipt | undefined> {
    const request = await this.consumer.request(subject);
    const receipt = await this.provider.ask(VIEWER, request!);
    if (receipt === undefined) return undefined;
    const text = await this.consumer.countersign(subject, { request: request!, receipt });
    if (text === undefined) return undefined;
    assert.equal(await this.provider.keep(VIEWER, text), true);
    return readReceipt(text);
  }

  [Symbol.dispose](): void {
    this.providerStore[Symbol.dispose]();
    this.consumerStore[Symbol.dispose]();
  }
}

Deno.test("a receipt is signed, countersigned and kept by both sides, and only its consumer can open it", async () => {
  using pair = new Pair({ publishes: true });
  const signed = (await pair.exchange())!;
  assert.equal(verifyReceipt(signed, "both"), true);
  const { receipt } = signed;
  assert.deepEqual(
    [receipt.bytes, receipt.msat, receipt.fromS, receipt.toS],
    [64 * MIB, 64_000, NOW_S - 600, NOW_S],
  );
  assert.deepEqual(
    evidenceKeys(receipt).sort(),
    deliveredOf().payments.flatMap(({ ys }) => ys).sort(),
  );
  assert.ok(!writeReceipt(signed).includes(ROOT), "it does not tell what was bought");
  const [given] = pair.providerStore.list();
  const [got] = pair.consumerStore.list();
  assert.deepEqual([given!.role, given!.peerId, given!.root, given!.salt], [
    ...["provider", CONSUMER_PEER, ROOT, undefined],
  ]);
  assert.deepEqual([got!.role, got!.peerId, got!.root], ["consumer", PROVIDER_PEER, ROOT]);
  assert.deepEqual([given!.signed, got!.signed], [signed, signed]);
  const commitment = Uint8Array.fromHex(receipt.commitment);
  assert.equal(opensCommitment(commitment, { root: got!.root!, salt: got!.salt! }), true);
  assert.ok(signed.providerConsent !== undefined && signed.consumerConsent !== undefined);
});

Deno.test("a second receipt says only what came after the first, and names no payment again", async () => {
  using pair = new Pair();
  const first = (await pair.exchange())!.receipt;
  assert.equal(await pair.exchange(pair.subject(1)), undefined, "nothing came since");
  await pair.clock.advance(60_000);
  const payments = [...deliveredOf().payments, paymentOf(3)];
  pair.delivered = deliveredOf({ bytes: 96 * MIB, msat: 96_000, payments });
  pair.paid = { msat: 192_000, payments };
  const second = (await pair.exchange(pair.subject(32 * MIB)))!.receipt;
  assert.deepEqual(
    [second.bytes, second.msat, second.fromS, second.toS],
    [32 * MIB, 32_000, first.toS, NOW_S + 60],
  );
  assert.deepEqual(evidenceKeys(second), [...paymentOf(3).ys]);
  assert.notEqual(second.id, first.id);
  assert.notEqual(second.commitment, first.commitment, "nobody sees that it is the same content");
});

Deno.test("ask() gives the same id until somebody signs, so that one delivery never counts twice", async () => {
  using pair = new Pair();
  const subject = pair.subject();
  const request = (await pair.consumer.request(subject))!;
  const early = (await pair.provider.ask(VIEWER, request))!;
  pair.delivered = deliveredOf({ bytes: 65 * MIB, msat: 65_000 });
  const late = readReceipt((await pair.provider.ask(VIEWER, request))!)!.receipt;
  assert.equal(late.id, readReceipt(early)!.receipt.id);
  assert.equal(late.bytes, 65 * MIB);
  // The earlier one is signed after all: the next one says the rest.
  const text = (await pair.consumer.countersign(subject, { request, receipt: early }))!;
  assert.equal(await pair.provider.keep(VIEWER, text), true);
  const rest = readReceipt((await pair.provider.ask(VIEWER, request))!)!.receipt;
  assert.deepEqual([rest.bytes, rest.msat], [MIB, 1000]);
  assert.notEqual(rest.id, late.id);
});

Deno.test("a countersigned receipt whose way back was cut off is given again, and then the rest", async () => {
  using pair = new Pair();
  const subject = pair.subject();
  const request = (await pair.consumer.request(subject))!;
  const receipt = (await pair.provider.ask(VIEWER, request))!;
  const lost = (await pair.consumer.countersign(subject, { request, receipt }))!;
  pair.delivered = deliveredOf({ bytes: 80 * MIB, msat: 80_000 });
  const later = pair.subject(16 * MIB);
  const again = (await pair.consumer.request(later))!;
  const more = (await pair.provider.ask(VIEWER, again))!;
  assert.equal(await pair.consumer.countersign(later, { request: again, receipt: more }), lost);
  assert.equal(await pair.provider.keep(VIEWER, lost), true);
  assert.equal((await pair.exchange(later))?.receipt.bytes, 16 * MIB);
});

Deno.test("what nobody signed within an hour is in no later receipt, and a late one is still kept", async () => {
  using pair = new Pair();
  const subject = pair.subject();
  const request = (await pair.consumer.request(subject))!;
  const receipt = (await pair.provider.ask(VIEWER, request))!;
  const text = (await pair.consumer.countersign(subject, { request, receipt }))!;
  await pair.clock.advance((DRAFT_S + 1) * 1000);
  assert.equal(await pair.provider.ask(VIEWER, request), undefined);
  assert.equal(await pair.provider.keep(VIEWER, text), true);
  assert.equal(pair.providerStore.list()[0]!.root, undefined);
  assert.equal(await pair.provider.ask(VIEWER, request), undefined, "it is counted once only");
  pair.delivered = deliveredOf({ bytes: 65 * MIB, msat: 65_000 });
  const rest = readReceipt((await pair.provider.ask(VIEWER, request))!)!.receipt;
  assert.deepEqual([rest.bytes, rest.msat], [MIB, 1000]);
});

Deno.test("ask() never comes to more than the peer was charged, though sums of content overlap", async () => {
  using pair = new Pair();
  const child = "c1".repeat(32) as Hash;
  // The collection's sum has the child in it; then as much of the child is bought again.
  pair.delivered = deliveredOf({ peerMsat: 64_000 });
  assert.notEqual(await pair.exchange(), undefined);
  const request = (await pair.consumer.request(pair.subject(32 * MIB, child)))!;
  pair.delivered = deliveredOf({ bytes: 32 * MIB, msat: 32_000, peerMsat: 64_000 });
  assert.equal(await pair.provider.ask(VIEWER, request), undefined, "it was in the first");
  pair.delivered = deliveredOf({ bytes: 64 * MIB, msat: 64_000, peerMsat: 96_000 });
  const { receipt } = readReceipt((await pair.provider.ask(VIEWER, request))!)!;
  assert.deepEqual([receipt.bytes, receipt.msat], [32 * MIB, 32_000]);
  // What is signed and not countersigned counts, too, but not against itself.
  const again = readReceipt((await pair.provider.ask(VIEWER, request))!)!;
  assert.equal(again.receipt.msat, 32_000);
  const other = (await pair.consumer.request(pair.subject(MIB, "d1".repeat(32) as Hash)))!;
  assert.equal(await pair.provider.ask(VIEWER, other), undefined);
});

Deno.test("ask() signs nothing that was not delivered or not paid, and nothing with itself", async () => {
  using pair = new Pair();
  const request = (await pair.consumer.request(pair.subject()))!;
  const own = Uint8Array.fromHex(keyOf(PROVIDER_SECRET));
  assert.equal(await pair.provider.ask(VIEWER, { ...request, nostrKey: own }), undefined);
  const self = { peerId: PROVIDER_PEER, fleet: false };
  assert.equal(await pair.provider.ask(self, request), undefined);
  const short = request.nostrKey.slice(1);
  assert.equal(await pair.provider.ask(VIEWER, { ...request, nostrKey: short }), undefined);
  for (const books of [undefined, deliveredOf({ bytes: 0 }), deliveredOf({ msat: 0 })]) {
    pair.delivered = books;
    assert.equal(await pair.provider.ask(VIEWER, request), undefined);
  }
});

Deno.test("keep() takes a receipt once, and none that is not ours, of the viewer, and signed by both", async () => {
  using pair = new Pair();
  const { request, receipt } = await pair.answered(pair.subject());
  const subject = pair.subject();
  const text = (await pair.consumer.countersign(subject, { request, receipt }))!;
  const { receipt: fields } = readReceipt(text)!;
  const consumer = { secretKey: CONSUMER_SECRET, publishes: false };
  const forgedBy = (secretKey: Uint8Array, change: object) => {
    const forged = { ...fields, ...change };
    return writeReceipt(countersignReceipt(
      { ...signReceipt(forged, { secretKey, publishes: false }) },
      consumer,
    ));
  };
  const richer = { ...readReceipt(text)!, receipt: { ...fields, bytes: fields.bytes * 2 } };
  const foreign = forgedBy(STRANGER_SECRET, { provider: keyOf(STRANGER_SECRET) });
  const refused = [receipt, writeReceipt(richer), foreign, `${text} `, "", "{}", "[".repeat(9999)];
  for (const one of refused) {
    assert.equal(await pair.provider.keep(VIEWER, one), false, one.slice(0, 80));
  }
  const elsewhere = forgedBy(PROVIDER_SECRET, { providerPeer: STRANGER_PEER });
  assert.equal(await pair.provider.keep(VIEWER, elsewhere), false, "our key at another peer");
  assert.equal(await pair.provider.keep({ peerId: STRANGER_PEER, fleet: false }, text), false);
  assert.equal(pair.providerStore.count, 0);
  assert.equal(await pair.provider.keep(VIEWER, text), true);
  assert.equal(await pair.provider.keep(VIEWER, text), true);
  assert.equal(pair.providerStore.count, 1);
  const sameId = forgedBy(PROVIDER_SECRET, { bytes: fields.bytes + 1 });
  assert.equal(await pair.provider.keep(VIEWER, sameId), false, "one id is one receipt");
});

Deno.test("countersign() signs nothing that its own books do not confirm", async (test) => {
  const lies: Readonly<Record<string, (signed: SignedReceipt) => object>> = {
    "too many bytes": ({ receipt }) => ({ bytes: receipt.bytes + 16 * MIB }),
    "too few bytes": ({ receipt }) => ({ bytes: receipt.bytes - 16 * MIB }),
    "more money than was handed over": () => ({ msat: 200_000 }),
    "a proof that is not ours": () => ({
      payments: [{ mint: "https://mint.example", ys: [yOf(77)], ids: [] }],
    }),
    "a payment that is not ours": () => ({
      payments: [{ mint: "https://mint.example", ys: [], ids: [idOf(77)] }],
    }),
    "our proofs at another mint": ({ receipt }) => ({
      payments: receipt.payments.map((one) => ({ ...one, mint: "https://other.example" })),
    }),
    "more payments than were made": () => ({ unlisted: 1000 }),
    "another consumer": () => ({ consumer: keyOf(STRANGER_SECRET) }),
    "another consumer's peer": () => ({ consumerPeer: STRANGER_PEER }),
    "another provider's peer": () => ({ providerPeer: STRANGER_PEER }),
    "other content": () => ({ commitment: "00".repeat(32) }),
    "the future": () => ({ toS: NOW_S + CLOCK_SKEW_S + 1 }),
    "the past": () => ({ fromS: 0, toS: NOW_S - CLOCK_SKEW_S - 1 }),
  };
  for (const [name, lie] of Object.entries(lies)) {
    await test.step(name, async () => {
      using pair = new Pair();
      const subject = pair.subject();
      const answer = await pair.answered(
        subject,
        (signed) => ({ ...signed, receipt: { ...signed.receipt, ...lie(signed) } as never }),
      );
      assert.equal(await pair.consumer.countersign(subject, answer), undefined);
      assert.equal(pair.consumerStore.count, 0);
    });
  }
});

Deno.test("countersign() signs what differs by no more than two sides may count", async () => {
  for (const extra of [TOLERANCE_BYTES, -TOLERANCE_BYTES]) {
    using pair = new Pair();
    const subject = pair.subject();
    const answer = await pair.answered(subject, (signed) => ({
      ...signed,
      receipt: { ...signed.receipt, bytes: signed.receipt.bytes + extra },
    }));
    assert.notEqual(await pair.consumer.countersign(subject, answer), undefined, `${extra}`);
  }
});

Deno.test("countersign() takes the bytes of earlier fetches that no receipt confirmed", async () => {
  using pair = new Pair();
  assert.notEqual(await pair.consumer.request(pair.subject(32 * MIB)), undefined);
  // That line broke before the answer came; the next fetch brought the other half.
  assert.notEqual(await pair.exchange(pair.subject(32 * MIB)), undefined);
});

Deno.test("countersign() takes what its books have of fetches that ended without a receipt, once", async () => {
  using pair = new Pair();
  pair.delivered = deliveredOf({ bytes: 60 * MIB, msat: 60_000 });
  assert.equal(await pair.exchange(pair.subject(MIB)), undefined, "nobody knows of the rest");
  pair.paid = { ...pair.paid!, rootBytes: 60 * MIB };
  assert.notEqual(await pair.exchange(pair.subject(MIB)), undefined);
  pair.delivered = deliveredOf({ bytes: 90 * MIB, msat: 90_000 });
  pair.paid = { ...pair.paid, rootBytes: 61 * MIB };
  assert.equal(await pair.exchange(pair.subject(MIB)), undefined, "it was confirmed before");
});

Deno.test("countersign() takes what one receipt confirmed for no other", async () => {
  using pair = new Pair();
  assert.notEqual(await pair.exchange(), undefined);
  pair.delivered = deliveredOf({ bytes: 128 * MIB, msat: 65_000 });
  assert.equal(await pair.exchange(pair.subject(MIB)), undefined);
});

Deno.test("countersign() refuses a forged, foreign, unasked or replayed answer, and a key that is not the peer's", async () => {
  using pair = new Pair({ boundKey: keyOf(PROVIDER_SECRET) });
  const subject = pair.subject();
  const { request, receipt } = await pair.answered(subject);
  const signed = readReceipt(receipt)!;
  const stranger = await pair.answered(subject, (one) => ({
    ...one,
    receipt: { ...one.receipt, provider: keyOf(STRANGER_SECRET) },
  }));
  assert.equal(await pair.consumer.countersign(subject, stranger), undefined, "not its key");
  const changed = canonicalJson({ ...signed, receipt: { ...signed.receipt, unlisted: 1 } });
  assert.equal(await pair.consumer.countersign(subject, { request, receipt: changed }), undefined);
  const salt = new Uint8Array(32).fill(5);
  const unasked = { ...request, commitment: commitmentOf({ root: ROOT, salt }) };
  assert.equal(await pair.consumer.countersign(subject, { request: unasked, receipt }), undefined);
  const other = { ...subject, root: "ee".repeat(32) as Hash };
  assert.equal(await pair.consumer.countersign(other, { request, receipt }), undefined);
  using unbound = new Pair();
  const asked = await unbound.answered(unbound.subject(), (one) => ({
    ...one,
    receipt: { ...one.receipt, providerPeer: STRANGER_PEER },
  }));
  const stolen = { ...unbound.subject(), peerId: STRANGER_PEER };
  assert.equal(await unbound.consumer.countersign(stolen, asked), undefined, "asked elsewhere");
  const elsewhere = { ...subject, peerId: STRANGER_PEER };
  assert.equal(await pair.consumer.countersign(elsewhere, { request, receipt }), undefined);
  for (const text of ["", "null", "[".repeat(20_000), "x".repeat(20_000)]) {
    assert.equal(await pair.consumer.countersign(subject, { request, receipt: text }), undefined);
  }
  assert.notEqual(await pair.consumer.countersign(subject, { request, receipt }), undefined);
  assert.equal(await pair.consumer.countersign(subject, { request, receipt }), undefined);
  assert.equal(pair.consumerStore.count, 1);
});

Deno.test("countersign() signs no proof and no money twice, whatever id stands over it", async () => {
  using pair = new Pair();
  const subject = pair.subject();
  assert.notEqual(await pair.exchange(), undefined);
  pair.delivered = deliveredOf({ bytes: 128 * MIB, msat: 128_000 });
  const twice = await pair.answered(subject, (signed) => ({
    ...signed,
    receipt: {
      ...signed.receipt,
      payments: [{ mint: "https://mint.example", ys: paymentOf(1).ys, ids: [] }],
    },
  }));
  assert.equal(await pair.consumer.countersign(subject, twice), undefined, "a proof");
  pair.paid = { ...pair.paid!, msat: 120_000 };
  const dear = await pair.answered(subject);
  assert.equal(await pair.consumer.countersign(subject, dear), undefined, "money");
  pair.paid = { ...pair.paid!, msat: 128_000 };
  const right = await pair.answered(subject);
  assert.notEqual(await pair.consumer.countersign(subject, right), undefined);
});

Deno.test("request() asks nothing for nothing, and each time under another commitment", async () => {
  using pair = new Pair();
  assert.equal(await pair.consumer.request(pair.subject(0)), undefined);
  const commitments = new Set<string>();
  for (let count = 0; count < 300; count++) {
    commitments.add((await pair.consumer.request(pair.subject(1)))!.commitment.toHex());
  }
  // The test's randomness repeats itself after 256.
  assert.equal(commitments.size, 256);
});
