import assert from "node:assert/strict";
import { SeedmintError } from "../../../src/core/errors.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import type { Intake, PaymentOffer } from "../../../wallet/payments/intake.ts";
import { refusal, type TakeOutcome } from "../../../wallet/payments/outcome.ts";
import { IncomingPayments } from "../../../wallet/selling/incoming.ts";
import { PAY_WAIT_MS } from "../../../wallet/selling/limits.ts";
import type { ChannelIntake } from "../../../wallet/selling/selling_api.ts";
import { Services } from "../../../wallet/selling/services.ts";
import { MemoryWalletStore } from "../../../wallet/store/mod.ts";
import type { IncomingPayment } from "../../../wallet/store/wallet_store.ts";
import { FINGERPRINT, hex, MINT_A } from "../store/fixture.ts";
import { idOf } from "./selling_world.ts";

/** Payments whose intake is the test's. */
function scene(
  take: (offer: PaymentOffer) => Promise<TakeOutcome>,
  channel?: ChannelIntake,
) {
  const clock = new ManualClock();
  const store = MemoryWalletStore.open({ clock, seedFingerprint: FINGERPRINT });
  const services = new Services({ store, clock, paymentKey: "" });
  services.set({ id: "default", priceMsatPerMiB: 1 });
  let takenCount = 0;
  const moved: string[] = [];
  const payments = new IncomingPayments({
    store,
    clock,
    services,
    intake: {
      take: (offer: PaymentOffer) => {
        takenCount++;
        return take(offer);
      },
    } as unknown as Intake,
    creditMsatOf: () => 7,
    onMoved: (payer) => void moved.push(payer),
    ...channel === undefined ? {} : { channel },
  });
  const pay = (payer: string, name: string, token?: string, signal?: AbortSignal) =>
    payments.pay(payer, { id: idOf(name), ...token === undefined ? {} : { token } }, {
      ...signal === undefined ? {} : { signal },
    });
  return { clock, store, services, moved, pay, takenCount: () => takenCount };
}

function payment(offer: PaymentOffer, state: IncomingPayment["state"]): IncomingPayment {
  return {
    paymentId: offer.paymentId,
    payer: offer.payer,
    tokenHash: hex(offer.token),
    mint: MINT_A,
    amount: 64n,
    credit: 64n,
    state,
    version: 1,
    createdMs: 1,
  };
}

Deno.test("a payment whose mint is slow is pending, looked at once, and its late answer is kept", async () => {
  const slow = Promise.withResolvers<void>();
  const world = scene(async (offer) => {
    await slow.promise;
    const taken = payment(offer, "credited");
    world.store.transact((tx) => tx.putIncoming(taken));
    return { status: "taken", payment: taken };
  });
  using _store = world.store;
  const stop = new AbortController();
  const first = world.pay("p", "x", "token", stop.signal);
  const same = world.pay("p", "x", "token");
  assert.deepEqual(await world.pay("p", "x", "another"), { answer: "refused", code: "conflict" });
  stop.abort(new Error("the stream is gone"));
  await assert.rejects(first, /the stream is gone/);
  await world.clock.advance(PAY_WAIT_MS);
  assert.equal((await same).answer, "pending");
  const asked = world.pay("p", "x");
  slow.resolve();
  assert.deepEqual(await asked, { answer: "credited", creditMsat: 7 });
  assert.deepEqual(await world.pay("p", "x"), { answer: "credited", creditMsat: 7 });
  assert.equal(world.takenCount(), 1);
  assert.deepEqual(world.moved, ["p"]);
});

Deno.test("a payment is answered with the codes and times that its payer can act on", async () => {
  const outcomes: Readonly<Record<string, TakeOutcome>> = {
    busy: { ...refusal("busy", "later"), retryMs: 1_234 },
    crowded: refusal("busy", "later"),
    down: refusal("unavailable", "down"),
    worthless: refusal("worthless", "dust"),
    conflict: { status: "conflict", reason: "seen" },
  };
  const world = scene((offer) => Promise.resolve(outcomes[offer.token]!));
  using _store = world.store;
  const answers = [];
  for (const name of Object.keys(outcomes)) answers.push(await world.pay(name, name, name));
  assert.deepEqual(answers, [
    { answer: "refused", code: "busy", retryMs: 1_234 },
    { answer: "refused", code: "busy", retryMs: 2_000 },
    { answer: "refused", code: "unavailable", retryMs: 30_000 },
    { answer: "refused", code: "worthless" },
    { answer: "refused", code: "conflict" },
  ]);
  assert.deepEqual(await world.pay("worthless", "worthless"), answers[3]);
});

Deno.test("payments of one payer and of all are bounded, and those who paid keep their room", async () => {
  const never = new Promise<TakeOutcome>(() => {});
  const world = scene((offer) =>
    offer.token === "good"
      ? Promise.resolve({ status: "taken", payment: payment(offer, "credited") })
      : never
  );
  using _store = world.store;
  const busy = { answer: "refused", code: "busy", retryMs: 2_000 };
  const waiting = [0, 1, 2, 3].map((at) => world.pay("p", `${at}`, `token ${at}`));
  assert.deepEqual(await world.pay("p", "5", "good"), busy);
  for (let at = 0; at < 252; at++) waiting.push(world.pay(`q${at}`, "x", `token ${at}`));
  assert.deepEqual(await world.pay("newcomer", "x", "good"), busy);
  world.store.transact((tx) =>
    tx.putIncoming(payment({ payer: "known", paymentId: "old", token: "" }, "redeemed"))
  );
  assert.equal((await world.pay("known", "x", "good")).answer, "credited");
  await world.clock.advance(PAY_WAIT_MS);
  assert.ok((await Promise.all(waiting)).every(({ answer }) => answer === "pending"));
});

Deno.test("a disk in trouble refuses a payment for now, and keeps nothing from being asked again", async () => {
  let isBroken = true;
  const world = scene((offer) => {
    if (isBroken) return Promise.reject(new SeedmintError("storage", "Cannot write"));
    return Promise.resolve({ status: "taken", payment: payment(offer, "credited") });
  });
  using _store = world.store;
  const answer = await world.pay("p", "x", "token");
  assert.deepEqual(answer, { answer: "refused", code: "internal", retryMs: 30_000 });
  isBroken = false;
  assert.equal((await world.pay("p", "x", "token")).answer, "credited");
});

Deno.test("messages of channels go to the channel, and credit is read from the books", async () => {
  const heard: string[] = [];
  const world = scene(() => assert.fail("no token"), {
    pay: ({ message }) => {
      heard.push(message);
      return Promise.resolve({ answer: "credited" });
    },
  });
  using _store = world.store;
  assert.deepEqual(await world.pay("p", "x", "channel1:update"), {
    answer: "credited",
    creditMsat: 7,
  });
  assert.deepEqual(heard, ["channel1:update"]);
});
