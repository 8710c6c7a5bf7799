import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { isSeedmintError } from "../../../src/core/errors.ts";
import { systemRandom } from "../../../src/host/system.ts";
import {
  FakeLightning,
  type LightningClient,
  type PaymentAction,
  type PaymentStatus,
} from "../../../devnet/lightning/mod.ts";
import { decodeInvoice } from "../../../wallet/lightning/bolt11.ts";
import { ManualClock } from "../../support/manual_clock.ts";

const FEES = { baseMsat: 1000n, ppm: 0n };

function network():
  & { readonly lightning: FakeLightning; readonly clock: ManualClock }
  & Disposable {
  const clock = new ManualClock();
  const lightning = FakeLightning.open({ clock, random: systemRandom, fees: FEES });
  return { lightning, clock, [Symbol.dispose]: () => lightning[Symbol.dispose]() };
}

async function invoiceOf(lightning: LightningClient, sat = 21n): Promise<Invoiced> {
  return await lightning.createInvoice({ payee: "B", amountMsat: sat * 1000n, memo: "a quote" });
}

interface Invoiced {
  readonly bolt11: string;
  readonly paymentHash: string;
}

async function pay(lightning: LightningClient, bolt11: string, from = "A"): Promise<PaymentStatus> {
  return await lightning.pay({ bolt11, from, maxFeeMsat: 5_000n });
}

Deno.test("FakeLightning makes real invoices, one key for each node", async () => {
  using net = network();
  const one = decodeInvoice((await invoiceOf(net.lightning)).bolt11);
  assert.equal(one.network, "regtest");
  assert.equal(one.amountMsat, 21_000n);
  assert.equal(one.description, "a quote");
  assert.equal(one.timestampS, Math.floor(net.clock.nowMs() / 1000));
  const two = decodeInvoice((await invoiceOf(net.lightning)).bolt11);
  assert.equal(one.payee, two.payee);
  assert.notEqual(one.paymentHash, two.paymentHash);
  const other = await net.lightning.createInvoice({ payee: "C", descriptionHash: "ab".repeat(32) });
  const three = decodeInvoice(other.bolt11);
  assert.notEqual(three.payee, one.payee);
  assert.equal(three.amountMsat, undefined);
  assert.equal(three.descriptionHash, "ab".repeat(32));
});

Deno.test("FakeLightning pays once, shows the preimage to both sides, and keeps the books", async () => {
  using net = network();
  const { bolt11, paymentHash } = await invoiceOf(net.lightning);
  assert.equal((await net.lightning.invoice(paymentHash)).state, "open");
  assert.equal(await net.lightning.estimateFeeMsat(bolt11, "A"), 1000n);
  const paid = await pay(net.lightning, bolt11);
  assert.equal(paid.state, "succeeded");
  assert.equal(paid.feeMsat, 1000n);
  const hash = createHash("sha256").update(Uint8Array.fromHex(paid.preimage!)).digest("hex");
  assert.equal(hash, paymentHash);
  const status = await net.lightning.invoice(paymentHash);
  assert.deepEqual([status.state, status.paidMsat], ["paid", 21_000n]);
  assert.equal(status.preimage, paid.preimage);
  assert.deepEqual(await pay(net.lightning, bolt11), paid, "asking again pays nothing");
  assert.deepEqual(await net.lightning.payment(paymentHash, "A"), paid);
  assert.equal((await pay(net.lightning, bolt11, "C")).reason, "the invoice is paid already");
  assert.deepEqual(net.lightning.books(), {
    nodes: [
      { node: "A", inMsat: 0n, outMsat: 21_000n, feesMsat: 1000n },
      { node: "B", inMsat: 21_000n, outMsat: 0n, feesMsat: 0n },
    ],
    inMsat: 21_000n,
    outMsat: 21_000n,
    feesMsat: 1000n,
    undeliveredMsat: 0n,
    isBalanced: true,
  });
});

Deno.test("FakeLightning refuses what cannot be paid, and says why", async () => {
  using net = network();
  const { lightning, clock } = net;
  const { bolt11, paymentHash } = await invoiceOf(lightning);
  const tooDear = await lightning.pay({ bolt11, from: "A", maxFeeMsat: 999n });
  assert.match(tooDear.reason!, /fee limit/);
  assert.equal(await lightning.payment(paymentHash, "A"), undefined);
  assert.equal((await lightning.pay({ bolt11, from: "B", maxFeeMsat: 0n })).feeMsat, 0n);
  const foreign =
    "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpuaztrnwngzn3kdzw5hydlzf03qdgm2hdq27cqv3agm2awhz5se903vruatfhq77w3ls4evs3ch9zw97j25emudupq63nyw24cg27h2rspfj9srp";
  assert.match((await pay(lightning, foreign)).reason!, /no route/);
  const late = await invoiceOf(lightning);
  const cancelled = await invoiceOf(lightning);
  lightning.fail(cancelled.paymentHash);
  assert.match((await pay(lightning, cancelled.bolt11)).reason!, /cancelled/);
  assert.equal((await lightning.invoice(cancelled.paymentHash)).state, "failed");
  await clock.advance(3_600_000);
  assert.match((await pay(lightning, late.bolt11)).reason!, /expired/);
  assert.equal((await lightning.invoice(late.paymentHash)).state, "expired");
  await assert.rejects(pay(lightning, "lnbc1nonsense"), (error) => isSeedmintError(error, "usage"));
  await assert.rejects(lightning.invoice("00"), (error) => isSeedmintError(error, "not-found"));
  const open = await lightning.createInvoice({ payee: "B" });
  await assert.rejects(pay(lightning, open.bolt11), (error) => isSeedmintError(error, "usage"));
  const paid = await lightning.pay({ ...open, from: "A", maxFeeMsat: 1000n, amountMsat: 7n });
  assert.equal(paid.amountMsat, 7n);
});

Deno.test("FakeLightning follows a script for the payments that match it, and only so often", async () => {
  using net = network();
  const { lightning } = net;
  lightning.script({ match: { from: "A" }, action: "fail", count: 2 });
  const { bolt11, paymentHash } = await invoiceOf(lightning);
  assert.equal((await pay(lightning, (await invoiceOf(lightning)).bolt11, "C")).state, "succeeded");
  assert.equal((await pay(lightning, bolt11)).state, "failed");
  assert.equal((await pay(lightning, bolt11)).state, "failed");
  assert.equal((await pay(lightning, bolt11)).state, "succeeded");
  assert.equal(
    lightning.payments().find((entry) => entry.paymentHash === paymentHash)?.attemptCount,
    3,
  );
  lightning.script({ match: { payee: "D" }, action: "fail", count: "always" });
  lightning.script({ match: { paymentHash: "00" }, action: "fail", count: "always" });
  assert.equal((await pay(lightning, (await invoiceOf(lightning)).bolt11)).state, "succeeded");
  assert.throws(() => lightning.script({ action: "explode" as PaymentAction }), TypeError);
  assert.throws(() => lightning.script({ action: "fail", count: 0 }), TypeError);
  assert.throws(() => lightning.script({ action: "delay", ms: -1 }), TypeError);
});

Deno.test("FakeLightning holds a payment until it is settled or fails", async () => {
  using net = network();
  const { lightning } = net;
  for (const outcome of ["settle", "fail"] as const) {
    lightning.script({ action: "hold" });
    const { bolt11, paymentHash } = await invoiceOf(lightning);
    assert.equal((await pay(lightning, bolt11)).state, "pending");
    assert.equal((await pay(lightning, bolt11)).state, "pending");
    assert.match((await pay(lightning, bolt11, "C")).reason!, /somebody else/);
    assert.equal((await lightning.invoice(paymentHash)).state, "held");
    assert.equal(lightning[outcome](paymentHash), 1);
    const state = outcome === "settle" ? "succeeded" : "failed";
    assert.equal((await lightning.payment(paymentHash, "A"))?.state, state);
    const seen = (await lightning.invoice(paymentHash)).state;
    assert.equal(seen, outcome === "settle" ? "paid" : "open");
    assert.equal(lightning[outcome](paymentHash), 0);
  }
  assert.ok(lightning.books().isBalanced);
});

Deno.test("FakeLightning lets time decide on what is delayed, pretended or told late", async () => {
  using net = network();
  const { lightning, clock } = net;
  lightning.script({ action: "delay", ms: 500 });
  const slow = await invoiceOf(lightning);
  assert.equal((await pay(lightning, slow.bolt11)).state, "pending");
  await clock.advance(499);
  assert.equal((await lightning.payment(slow.paymentHash, "A"))?.state, "pending");
  await clock.advance(1);
  assert.equal((await lightning.payment(slow.paymentHash, "A"))?.state, "succeeded");
  lightning.script({ action: "pretend", ms: 500 });
  const pretended = await invoiceOf(lightning);
  assert.equal((await pay(lightning, pretended.bolt11)).state, "pending");
  await clock.advance(500);
  assert.equal((await lightning.payment(pretended.paymentHash, "A"))?.state, "failed");
  lightning.script({ action: "notify-late", ms: 500 });
  const late = await invoiceOf(lightning);
  assert.equal((await pay(lightning, late.bolt11)).state, "succeeded");
  assert.equal((await lightning.invoice(late.paymentHash)).state, "open");
  assert.equal(lightning.books().undeliveredMsat, 21_000n);
  assert.ok(lightning.books().isBalanced);
  await clock.advance(500);
  assert.equal((await lightning.invoice(late.paymentHash)).state, "paid");
  assert.equal(lightning.books().undeliveredMsat, 0n);
});

Deno.test("FakeLightning never tells the payee when so ordered, until it is settled by hand", async () => {
  using net = network();
  const { lightning, clock } = net;
  lightning.script({ action: "notify-never" });
  const { bolt11, paymentHash } = await invoiceOf(lightning);
  assert.equal((await pay(lightning, bolt11)).state, "succeeded");
  await clock.advance(10_000_000);
  assert.equal((await lightning.invoice(paymentHash)).state, "expired");
  assert.equal(lightning.payments()[0]?.isDelivered, false);
  assert.equal(lightning.settle(paymentHash), 1);
  assert.equal((await lightning.invoice(paymentHash)).state, "paid");
});

Deno.test("FakeLightning lies once about a payment that it made", async () => {
  using net = network();
  net.lightning.script({ action: "lie" });
  const { bolt11, paymentHash } = await invoiceOf(net.lightning);
  const answer = await pay(net.lightning, bolt11);
  assert.equal(answer.state, "failed");
  assert.equal(answer.preimage, undefined);
  assert.equal((await net.lightning.payment(paymentHash, "A"))?.state, "succeeded");
  assert.equal((await net.lightning.invoice(paymentHash)).state, "paid");
});

Deno.test("FakeLightning leaves requests without an answer when so ordered", async () => {
  using net = network();
  const { lightning } = net;
  for (const [action, state] of [["silent", "succeeded"], ["drop", undefined]] as const) {
    lightning.script({ action });
    const { bolt11, paymentHash } = await invoiceOf(lightning);
    const giveUp = new AbortController();
    const asked = lightning.pay({ bolt11, from: "A", maxFeeMsat: 1000n }, giveUp);
    setTimeout(() => giveUp.abort(new Error("enough")), 5);
    await assert.rejects(asked, /enough/);
    assert.equal((await lightning.payment(paymentHash, "A"))?.state, state);
  }
  lightning.script({ action: "silent" });
  const asked = pay(lightning, (await invoiceOf(lightning)).bolt11);
  const isDown = (error: unknown) => isSeedmintError(error, "unavailable");
  await Promise.all([assert.rejects(asked, isDown), net.clock.advance(60_000)]);
});

Deno.test("FakeLightning.invoice() waits for a change, and no longer than it was told", async () => {
  using net = network();
  const { lightning, clock } = net;
  const { bolt11, paymentHash } = await invoiceOf(lightning);
  const waiting = lightning.invoice(paymentHash, { waitMs: 1000 });
  setTimeout(() => pay(lightning, bolt11), 5);
  assert.equal((await waiting).state, "paid");
  const other = await invoiceOf(lightning);
  const inVain = lightning.invoice(other.paymentHash, { waitMs: 1000 });
  await clock.advance(1000);
  assert.equal((await inVain).state, "open");
});

Deno.test("FakeLightning offline fails every call and forgets nothing", async () => {
  using net = network();
  const { lightning } = net;
  const { bolt11 } = await invoiceOf(lightning);
  lightning.offline(true);
  await assert.rejects(pay(lightning, bolt11), (error) => isSeedmintError(error, "unavailable"));
  lightning.offline(false);
  assert.equal((await pay(lightning, bolt11)).state, "succeeded");
});

Deno.test("FakeLightning goes on where it was when it is opened again", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const options = { path: `${directory}/lightning.sqlite`, random: systemRandom };
    const clock = new ManualClock();
    const first = FakeLightning.open({ ...options, clock, fees: { baseMsat: 7n, ppm: 0n } });
    first.script({ action: "delay", ms: 500 });
    first.script({ action: "fail" });
    const delayed = await invoiceOf(first);
    await pay(first, delayed.bolt11);
    first[Symbol.dispose]();
    await clock.advance(1000);
    using second = FakeLightning.open({ ...options, clock });
    assert.equal((await second.payment(delayed.paymentHash, "A"))?.state, "succeeded");
    assert.equal((await second.payment(delayed.paymentHash, "A"))?.feeMsat, 7n);
    const next = await invoiceOf(second);
    assert.equal((await pay(second, next.bolt11)).state, "failed", "the script is still there");
    assert.equal(decodeInvoice(next.bolt11).payee, decodeInvoice(delayed.bolt11).payee);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

const ACTIONS: readonly PaymentAction[] = [
  ...["settle", "fail", "hold", "delay", "pretend", "lie", "notify-late", "notify-never"] as const,
];

Deno.test("FakeLightning's books balance and no invoice is paid twice, whatever happens", async () => {
  const step = fc.record({
    action: fc.constantFrom(...ACTIONS),
    from: fc.constantFrom("A", "B", "C"),
    payee: fc.constantFrom("A", "B"),
    again: fc.boolean(),
    advanceMs: fc.nat({ max: 2000 }),
    then: fc.constantFrom("settle", "fail", "nothing"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      using net = network();
      const { lightning, clock } = net;
      let last = "";
      for (const { action, from, payee, again, advanceMs, then } of steps) {
        lightning.script({ action });
        const fresh = await lightning.createInvoice({ payee, amountMsat: 3000n });
        if (!again || last === "") last = fresh.bolt11;
        await pay(lightning, last, from);
        await clock.advance(advanceMs);
        if (then !== "nothing") lightning[then](decodeInvoice(last).paymentHash);
        const books = lightning.books();
        assert.ok(books.isBalanced);
        const successes = lightning.payments().filter(({ state }) => state === "succeeded");
        assert.equal(new Set(successes.map((entry) => entry.paymentHash)).size, successes.length);
        assert.equal(books.outMsat, 3000n * BigInt(successes.length));
      }
    }),
    { numRuns: 15 },
  );
});

Deno.test("FakeLightning pays parts of several payers together or not at all", async () => {
  const clock = new ManualClock();
  const options = { clock, random: systemRandom, fees: FEES };
  using lightning = FakeLightning.open({ ...options, paysParts: true });
  const { bolt11, paymentHash } = await invoiceOf(lightning, 50n);
  const part = (from: string, sat: bigint) =>
    lightning.pay({ bolt11, from, maxFeeMsat: 1000n, partMsat: sat * 1000n });
  assert.equal((await part("A", 20n)).state, "pending");
  assert.match((await part("C", 31n)).reason!, /more than the invoice asks/);
  assert.match((await pay(lightning, bolt11, "C")).reason!, /somebody else/);
  assert.equal((await lightning.invoice(paymentHash)).state, "open");
  assert.equal(lightning.settle(paymentHash, "A"), 0, "a part alone settles nothing");
  await clock.advance(60_000);
  assert.equal((await lightning.payment(paymentHash, "A"))?.state, "failed");
  assert.equal((await part("A", 20n)).state, "pending");
  const last = await part("D", 30n);
  assert.deepEqual([last.state, last.amountMsat, last.feeMsat], ["succeeded", 30_000n, 1000n]);
  assert.equal((await lightning.payment(paymentHash, "A"))?.preimage, last.preimage);
  assert.equal((await lightning.invoice(paymentHash)).paidMsat, 50_000n);
  const { isBalanced, inMsat, feesMsat } = lightning.books();
  assert.deepEqual([isBalanced, inMsat, feesMsat], [true, 50_000n, 2000n]);
  using whole = FakeLightning.open(options);
  const other = await invoiceOf(whole, 50n);
  const refused = whole.pay({ ...other, from: "A", maxFeeMsat: 1000n, partMsat: 1000n });
  await assert.rejects(refused, (error) => isSeedmintError(error, "usage"));
});
