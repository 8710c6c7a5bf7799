import assert from "node:assert/strict";
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Sha256 } from "../../../src/core/hash.ts";
import { countersignReceipt, lease, type ReceiptStore, signReceipt } from "../../../trust/mod.ts";
import { LEASE_REFUSAL_S } from "../../../trust/lease/limits.ts";
import {
  CONSUMER_SECRET,
  idOf,
  keyOf,
  MINT,
  NOW_MS,
  NOW_S,
  PROVIDER_SECRET,
  RECEIPT,
  STRANGER_SECRET,
  yOf,
} from "../support.ts";
import { GIVEN, HAD, IMAGE, LEASE, Lessors, PAYMENT, PROVIDER, TIER } from "./support.ts";

const STRANGER = keyOf(STRANGER_SECRET);

Deno.test("a lease that is over ends in one receipt that both signed and both hold", async () => {
  using sides = new Lessors({ publishes: true });
  const kept = await sides.conclude();
  assert.deepEqual([kept.state, kept.isDelivered, kept.reason], ["agreed", true, undefined]);
  assert.equal(lease.standingOf(kept.signed), "both");
  assert.equal(lease.worthPermille(lease.standingOf(kept.signed)), 1000);
  const { receipt } = kept.signed;
  assert.deepEqual(
    [receipt.seconds, receipt.msat, receipt.paidMsat, receipt.refundSat, receipt.ending],
    [600, 30_000, 49_000, 19, "stopped"],
  );
  assert.deepEqual(receipt.payments, [{ mint: MINT, ys: [yOf(1), yOf(2)], ids: [] }]);
  assert.ok(!JSON.stringify(kept.signed).includes(IMAGE), "it does not tell what ran");
  const theirs = sides.providerStore.leases.get("provider", LEASE)!;
  assert.deepEqual([theirs.state, theirs.signed], ["agreed", kept.signed]);
  assert.equal(lease.opensImage(receipt.image, { digest: kept.image!, salt: kept.salt! }), true);
  // Done again it asks nobody.
  assert.deepEqual(await sides.conclude(), kept);
  assert.equal(sides.asked.length, 2);
});

Deno.test("what the provider signed once never changes, whatever its journal says later", () => {
  using sides = new Lessors();
  const first = sides.provider.offer(GIVEN);
  assert.deepEqual(sides.provider.offer({ ...GIVEN, msat: 31_000, refundSat: 18 }), first);
});

Deno.test("a lessee that crashed after signing hands the same back when it comes again", async () => {
  using sides = new Lessors();
  const crashing = (paper?: lease.LeasePaper) =>
    paper === undefined
      ? sides.exchange()
      : Promise.reject(new SeedmintError("timeout", "the line is cut"));
  await assert.rejects(sides.lessee.conclude(HAD, crashing), /the line is cut/);
  const signed = sides.consumerStore.leases.get("consumer", LEASE)!;
  assert.deepEqual([signed.state, signed.isDelivered], ["agreed", false]);
  const kept = await sides.conclude();
  assert.deepEqual([kept.signed, kept.isDelivered], [signed.signed, true]);
  assert.equal(sides.providerStore.leases.get("provider", LEASE)!.state, "agreed");
});

Deno.test("the lessee signs nothing that its own books do not say, and keeps its own word", async (test) => {
  const lies: Readonly<Record<string, Partial<lease.LeaseReceipt>>> = {
    "more time": { seconds: 960, msat: 48_000, refundSat: 1 },
    "another price": { msatPerS: 60, seconds: 500 },
    "more money than was handed over": { paidMsat: 51_000 },
    "less money than was handed over": { paidMsat: 40_000, refundSat: 10 },
    "a refund that never came": { msat: 10_000, seconds: 200, refundSat: 39 },
    "money neither used nor paid back": { msat: 10_000, seconds: 200, refundSat: 0 },
    "another tier": { tier: "00".repeat(32) },
    "another image": { image: "00".repeat(32) },
    "no image": { image: "" },
    "another beginning": { fromS: NOW_S - 6000 },
    "an end to come": { toS: NOW_S + 6000 },
    "more seconds than it lasted": { fromS: NOW_S - 100 },
    "a proof that is not ours": { payments: [{ mint: MINT, ys: [yOf(77)], ids: [] }] },
    "our proof at another mint": {
      payments: [{ mint: "https://other.example", ys: [yOf(1)], ids: [] }],
    },
    "a payment that is not ours": { payments: [{ mint: MINT, ys: [], ids: [idOf(77)] }] },
    "more payments than were made": { unlisted: 3 },
    "another end": { ending: "failed", msat: 0, seconds: 0, refundSat: 19 },
  };
  for (const [name, change] of Object.entries(lies)) {
    await test.step(name, async () => {
      using sides = new Lessors();
      sides.onWay = sides.lying(change);
      const kept = await sides.conclude();
      assert.equal(kept.state, "one-sided", name);
      assert.match(kept.reason!, /^the provider's receipt is wrong: /);
      assert.equal(lease.standingOf(kept.signed), "consumer");
      assert.ok(lease.worthPermille(lease.standingOf(kept.signed)) < 1000);
      assert.equal(sides.asked.length, 1, "nothing is handed back");
      const { msat, paidMsat, refundSat } = kept.signed.receipt;
      assert.deepEqual([msat, paidMsat, refundSat], [30_100, 50_000, 18], "its own books");
    });
  }
});

Deno.test("a receipt in another's name, for another, or of another lease is not signed", async (test) => {
  const signedBy =
    (secretKey: Uint8Array, change: Partial<lease.LeaseReceipt>) =>
    (paper: lease.LeasePaper): lease.LeasePaper => ({
      ...paper,
      signed: lease.signLeaseReceipt(
        { receipt: { ...paper.signed.receipt, ...change } },
        { side: "provider", signer: { secretKey, publishes: false } },
      ),
    });
  const forgeries: Readonly<Record<string, (paper: lease.LeasePaper) => lease.LeasePaper>> = {
    "signed by a stranger in its own name": signedBy(STRANGER_SECRET, {
      provider: STRANGER,
      lease: LEASE.replace(PROVIDER, STRANGER),
    }),
    "of another lessee": signedBy(PROVIDER_SECRET, { consumer: STRANGER }),
    "of another lease of the same provider": signedBy(PROVIDER_SECRET, {
      lease: LEASE.replace("container-3", "container-4"),
    }),
    "with the provider's words and a stranger's signature": (paper) => ({
      ...paper,
      signed: { ...paper.signed, providerSig: "1".repeat(128) },
    }),
    "with another number behind the signature": (paper) => ({
      ...paper,
      signed: {
        ...paper.signed,
        receipt: { ...paper.signed.receipt, msat: 29_950, seconds: 599 },
      },
    }),
    "with the lessee's signature forged already": (paper) => ({
      ...paper,
      signed: { ...paper.signed, consumerSig: "1".repeat(128) },
    }),
    "with the lessee's consent forged": (paper) => ({
      ...paper,
      signed: { ...paper.signed, consumerConsent: paper.signed.providerSig! },
    }),
    "without any of the provider's": ({ signed: { receipt }, ...paper }) => ({
      ...paper,
      signed: lease.signLeaseReceipt({ receipt }, {
        side: "consumer",
        signer: { secretKey: CONSUMER_SECRET, publishes: false },
      }),
    }),
  };
  for (const [name, forge] of Object.entries(forgeries)) {
    await test.step(name, async () => {
      using sides = new Lessors();
      sides.onWay = forge;
      const kept = await sides.conclude();
      assert.equal(kept.state, "one-sided");
      assert.notEqual(lease.standingOf(kept.signed), "both");
      assert.deepEqual(sides.asked, [undefined]);
    });
  }
});

Deno.test("the provider keeps only its own receipt of that lease, signed by its lessee", () => {
  using sides = new Lessors();
  const [own, other] = [LEASE, LEASE.replace("container-3", "container-4")];
  const first = sides.provider.offer(GIVEN);
  const second = sides.provider.offer({ ...GIVEN, lease: other, payments: [] });
  const signer = { secretKey: CONSUMER_SECRET, publishes: false };
  const both = lease.signLeaseReceipt(first.signed, { side: "consumer", signer });
  const reasonOf = (name: string, signed: lease.SignedLeaseReceipt) => {
    const keeping = sides.provider.keep(name, { signed });
    return keeping.status === "refused" ? keeping.reason : keeping.status;
  };
  assert.match(reasonOf(other, both), /not the receipt that was offered/, "replayed");
  assert.match(reasonOf(own, first.signed), /missing or wrong/, "not signed");
  const { consumerSig: _, ...bare } = both;
  const swapped = { ...bare, consumerSig: second.signed.providerSig! };
  assert.match(reasonOf(own, swapped), /missing or wrong/);
  const foreign = { ...both, receipt: { ...both.receipt, consumer: STRANGER } };
  assert.match(reasonOf(own, foreign), /not the receipt that was offered/);
  const cheaper = lease.signLeaseReceipt(
    { receipt: { ...both.receipt, msat: 25_000, seconds: 500, refundSat: 24 } },
    { side: "consumer", signer },
  );
  assert.match(reasonOf(own, cheaper), /not the receipt that was offered/);
  assert.match(reasonOf(`${PROVIDER}:container-9:5`, both), /no receipt of this lease/);
  assert.equal(sides.providerStore.leases.get("provider", own)!.state, "offered");
  // A consent that the provider never gave does not come in with the lessee's paper.
  const consenting = { ...both, providerConsent: both.providerSig! };
  assert.equal(reasonOf(own, consenting), "kept");
  const kept = sides.providerStore.leases.get("provider", own)!.signed;
  assert.equal(kept.providerConsent, undefined);
  assert.equal(reasonOf(own, both), "kept", "once more is no harm");
});

Deno.test("a lessee that used the lease and does not sign leaves a receipt that is worth less", async () => {
  using sides = new Lessors({ publishes: true });
  const offered = sides.provider.offer(GIVEN);
  assert.deepEqual(sides.provider.lapse(), [], "it has a day");
  await sides.clock.advance((LEASE_REFUSAL_S + 1) * 1000);
  assert.deepEqual(sides.provider.lapse(), [LEASE]);
  assert.deepEqual(sides.provider.lapse(), []);
  const kept = sides.providerStore.leases.get("provider", LEASE)!;
  assert.deepEqual([kept.state, kept.reason], ["one-sided", "the lessee did not sign it"]);
  assert.equal(lease.standingOf(kept.signed), "provider");
  assert.equal(lease.worthPermille(lease.standingOf(kept.signed)), 200);
  const by = { secretKey: PROVIDER_SECRET, nowMs: NOW_MS };
  assert.equal(lease.leasePublicationOf(kept.signed, by), undefined, "it stays with us");
  assert.equal(lease.countOnce([kept.signed]).counted.length, 0);
  // Late is better than never, and it is what was offered.
  const signer = { secretKey: CONSUMER_SECRET, publishes: true };
  const both = lease.signLeaseReceipt(offered.signed, { side: "consumer", signer });
  assert.equal(sides.provider.keep(LEASE, { signed: both }).status, "kept");
  const late = sides.providerStore.leases.get("provider", LEASE)!;
  assert.deepEqual([late.state, late.reason], ["agreed", undefined]);
});

Deno.test("a provider that took the token and never answered is written down by its lessee alone", async () => {
  using sides = new Lessors();
  const { lease: _, readyS: __, ...unanswered } = HAD;
  sides.had = {
    ...unanswered,
    payments: [{ ...PAYMENT, outcome: "lost" }],
    refundedSat: 0,
    ending: "unanswered",
  };
  const kept = await sides.conclude();
  assert.equal(sides.asked.length, 0);
  const { receipt } = kept.signed;
  assert.equal(receipt.lease, `${PROVIDER}:request-${idOf(9)}:${HAD.endS}`);
  assert.deepEqual([receipt.ending, receipt.seconds, receipt.paidMsat], ["unanswered", 0, 50_000]);
  assert.deepEqual(receipt.payments, [{ mint: MINT, ys: [yOf(1), yOf(2)], ids: [] }]);
  assert.deepEqual([kept.state, lease.standingOf(kept.signed)], ["one-sided", "consumer"]);
  assert.deepEqual(await sides.conclude(), kept, "once");
  assert.equal(sides.consumerStore.leases.count, 1);
});

Deno.test("a provider that gives a lease the id of an earlier one does not get by without a receipt", async () => {
  using sides = new Lessors();
  const first = await sides.conclude();
  const more = { ...PAYMENT, id: idOf(5), ys: [yOf(5)] };
  sides.had = { ...HAD, request: idOf(8), payments: [more], ending: "cut-short" };
  const second = await sides.conclude();
  assert.equal(second.signed.receipt.lease, `${PROVIDER}:request-${idOf(8)}:${HAD.endS}`);
  assert.deepEqual([second.state, second.signed.receipt.ending], ["one-sided", "evicted"]);
  assert.match(second.reason!, /the id of another/);
  await sides.conclude();
  assert.equal(sides.consumerStore.leases.count, 2, "once");
  assert.deepEqual(sides.consumerStore.leases.get("consumer", LEASE), first);
});

Deno.test("a provider that asks for time gets a day, and one that is silent, too", async (test) => {
  const words: Readonly<Record<string, () => Promise<lease.ProviderWord>>> = {
    "later": () => Promise.resolve({ status: "later", retryMs: 1000 }),
    "silent": () => Promise.reject(new SeedmintError("timeout", "no answer within 60 s")),
  };
  for (const [name, say] of Object.entries(words)) {
    await test.step(name, async () => {
      using sides = new Lessors();
      await assert.rejects(sides.lessee.conclude(HAD, say), SeedmintError);
      assert.equal(sides.consumerStore.leases.count, 0);
      await sides.clock.advance((LEASE_REFUSAL_S + 10) * 1000);
      const kept = await sides.lessee.conclude(HAD, say);
      assert.equal(kept.state, "one-sided");
      assert.match(kept.reason!, /put it off|does not answer/);
    });
  }
  await test.step("an outright refusal is one at once", async () => {
    using sides = new Lessors();
    const kept = await sides.lessee.conclude(
      HAD,
      () => Promise.resolve({ status: "refused", reason: "not_found" }),
    );
    assert.deepEqual([kept.state, kept.reason], ["one-sided", "not_found"]);
  });
  await test.step("trouble of our own is none of the provider's", async () => {
    using sides = new Lessors();
    await sides.clock.advance((LEASE_REFUSAL_S + 10) * 1000);
    const broken = () => Promise.reject(new SeedmintError("storage", "the disk is full"));
    await assert.rejects(sides.lessee.conclude(HAD, broken), /disk is full/);
  });
});

Deno.test("one proof stands in one receipt, of a lease or of bytes", async (test) => {
  const another = { ...HAD, lease: LEASE.replace("container-3", "container-4") };
  await test.step("the provider names none twice", async () => {
    using sides = new Lessors();
    await sides.conclude();
    const second = sides.provider.offer({ ...GIVEN, lease: another.lease });
    assert.deepEqual(second.signed.receipt.payments, []);
  });
  await test.step("the lessee signs none twice", async () => {
    using sides = new Lessors();
    await sides.conclude();
    [sides.given, sides.had] = [{ ...GIVEN, lease: another.lease, payments: [] }, another];
    sides.onWay = sides.lying({ payments: [{ mint: MINT, ys: [yOf(1)], ids: [] }] });
    const kept = await sides.conclude();
    assert.match(kept.reason!, /of another receipt/);
  });
  await test.step("what counted for bytes counts for no lease", async () => {
    using sides = new Lessors();
    const signer = (secretKey: Uint8Array) => ({ secretKey, publishes: false });
    const bytes = countersignReceipt(
      signReceipt(RECEIPT, signer(PROVIDER_SECRET)),
      signer(CONSUMER_SECRET),
    );
    const put = (store: ReceiptStore, role: "provider" | "consumer") =>
      store.put({ role, peerId: RECEIPT.providerPeer, signed: bytes });
    put(sides.providerStore, "provider");
    assert.deepEqual(sides.provider.offer(GIVEN).signed.receipt.payments, []);
    put(sides.consumerStore, "consumer");
    sides.onWay = sides.lying({ payments: [{ mint: MINT, ys: [yOf(1)], ids: [] }] });
    assert.match((await sides.conclude()).reason!, /of another receipt/);
  });
});

Deno.test("what both may count differently is signed: fees, clocks, dust, a tier without a disk", async (test) => {
  const tops: lease.MadePayment = {
    mint: MINT,
    id: idOf(2),
    ys: [yOf(3)],
    amountSat: 20,
    outcome: "refunded",
  };
  const { diskMb: _, ...diskless } = TIER;
  const { image: __, ...imageless } = HAD;
  const cases: Readonly<Record<string, readonly [object, object]>> = {
    "another clock": [{ fromS: NOW_S - 500, toS: NOW_S + 100 }, {}],
    "noticed days later": [{}, { endS: NOW_S + 3 * 86_400 }],
    "a fee for each proof": [{ paidMsat: 48_000, refundSat: 18 }, {}],
    "dust": [{ refundSat: 18 }, { refundedSat: 17 }],
    "a machine that was down": [{ msat: 20_000, refundSat: 29 }, { refundedSat: 28 }],
    "a top-up that came too late and back": [{}, {
      payments: [PAYMENT, tops],
      refundedSat: 38,
    }],
    "an image by a tag": [{}, { image: undefined }],
    "an offer without a disk": [{}, { tier: diskless }],
    "an eviction that the provider owns up to": [{ ending: "evicted" }, { ending: "cut-short" }],
  };
  for (const [name, [given, had]] of Object.entries(cases)) {
    await test.step(name, async () => {
      using sides = new Lessors();
      sides.given = { ...GIVEN, ...given };
      sides.had = { ...(name === "an image by a tag" ? imageless : HAD), ...had } as typeof HAD;
      if ("image" in sides.had && sides.had.image === undefined) {
        const { image: _, ...rest } = sides.had;
        sides.had = rest;
      }
      const kept = await sides.conclude();
      assert.equal(kept.reason, undefined, name);
      assert.equal(kept.state, "agreed");
      assert.equal(sides.keepings.at(-1)?.status, "kept");
    });
  }
});

Deno.test("a provider whose image is of a list that the lessee named says so", async () => {
  const [list, other] = ["cd".repeat(32), "ef".repeat(32)] as [Sha256, Sha256];
  const told = async (had: Partial<lease.LesseeAccount>, said: Sha256 | undefined) => {
    using sides = new Lessors();
    sides.had = { ...HAD, ...had };
    sides.onWay = ({ signed, opening }) => ({
      signed,
      opening: { ...opening!, ...(said === undefined ? {} : { list: said }) },
    });
    return (await sides.conclude()).state;
  };
  assert.equal(await told({ image: list }, list), "agreed");
  assert.equal(await told({ image: list, imagePlatforms: [other, IMAGE] }, list), "agreed");
  assert.equal(await told({ image: IMAGE, imagePlatforms: [] }, undefined), "agreed");
  assert.equal(await told({ image: list }, undefined), "one-sided");
  assert.equal(await told({ image: list }, other), "one-sided");
  assert.equal(await told({ image: list, imagePlatforms: [other] }, list), "one-sided");
  assert.equal(await told({ image: list, imagePlatforms: [] }, list), "one-sided");
});

Deno.test("a lessee's name cannot be lent: each side signs for itself alone", () => {
  using sides = new Lessors();
  const { receipt } = sides.provider.offer(GIVEN).signed;
  const signer = { secretKey: STRANGER_SECRET, publishes: true };
  for (const side of ["provider", "consumer"] as const) {
    assert.throws(() => lease.signLeaseReceipt({ receipt }, { side, signer }), /whose secret/);
  }
  const own = { ...GIVEN, lease: `${PROVIDER}:container-8:5`, consumer: PROVIDER };
  assert.throws(() => sides.provider.offer(own), RangeError, "nobody leases to itself");
});
