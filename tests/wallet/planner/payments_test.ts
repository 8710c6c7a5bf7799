import assert from "node:assert/strict";
import { startKit, type TestWallet, type WalletKit } from "../../support/wallet_kit.ts";
import { BUDGETS, type Budgets } from "../../../wallet/payments/budgets.ts";
import { Payments } from "../../../wallet/planner/payments.ts";
import { settlePayment } from "../../../wallet/planner/payment_work.ts";
import { requestReclaim } from "../../../wallet/operations/send_plan.ts";
import type { PaymentOutcome, PaymentRequest } from "../../../wallet/wallet_api.ts";
import { intakeOf, payingWallet, taken } from "../payments/payments_world.ts";

/** A key to lock to, so that each payment takes a swap. */
const LOCK = "034f355bdcb7cc0af728ef3cceb9615d90684bb5b2ca5f859ab0f0b704075871aa";

function paymentsOf(wallet: TestWallet, budgets: Budgets = BUDGETS, deadlineMs = 30_000): Payments {
  return new Payments(wallet.engine, { budgets, homeMint: () => undefined, deadlineMs });
}

function ready(outcome: PaymentOutcome): PaymentOutcome & { readonly status: "ready" } {
  return outcome.status === "ready" ? outcome : assert.fail(outcome.reason);
}

function declined(outcome: PaymentOutcome): string {
  return outcome.status === "declined" ? outcome.reason : assert.fail("it is declined");
}

function asked(kit: WalletKit, mint = 0, more: Partial<PaymentRequest> = {}): PaymentRequest {
  return { paymentId: "p1", acceptedMints: [kit.url(mint)], priceSat: 64, ...more };
}

/** A clock that moves while operations wait, for swaps that wait for Lightning. */
async function whileTimePasses<T>(kit: WalletKit, task: Promise<T>): Promise<T> {
  let isOver = false;
  const done = task.finally(() => isOver = true);
  while (!isOver) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    kit.clock.jump(200);
  }
  return await done;
}

Deno.test("Payments pays directly, so that the payee nets the price after redeeming", async () => {
  await using kit = await startKit({ feePpk: 100 });
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(500n);
  const request = asked(kit, 0, {
    lockTo: bob.keys.payment.publicKey,
    subject: "blob",
    payee: "bob",
  });
  const outcome = ready(await paymentsOf(alice).prepare(request));
  const payment = taken(
    await intakeOf(bob).take({ payer: "alice", paymentId: "p1", token: outcome.token, price: 64n }),
  );
  assert.equal(payment.state, "credited");
  assert.ok(payment.credit >= 64n);
  const row = alice.store.outgoing("p1")!;
  assert.equal(row.state, "spent");
  assert.equal(Number(row.cost), outcome.costSat);
  assert.equal(alice.store.spentSat({ subject: "blob" }), row.cost);
  assert.equal(alice.free(), 500n - row.cost);
});

Deno.test("Payments gives the same token for the same payment, at once and after a restart", async () => {
  await using kit = await startKit();
  let alice = payingWallet(kit, "alice");
  await alice.fund(500n);
  const payments = paymentsOf(alice);
  const [first, second] = await Promise.all([
    payments.prepare(asked(kit)),
    payments.prepare(asked(kit)),
  ]);
  assert.deepEqual(ready(second), ready(first));
  alice = await alice.reopen();
  assert.equal(ready(await paymentsOf(alice).prepare(asked(kit))).token, ready(first).token);
  assert.equal(alice.free(), 436n);
  const other = await paymentsOf(alice).prepare(asked(kit, 0, { priceSat: 65 }));
  assert.match(declined(other), /used for something else/);
});

Deno.test("Payments swaps into the payee's mint when it must, and pays there", async () => {
  await using kit = await startKit({ mints: 2, feePpk: 100 });
  const [alice, bob] = [payingWallet(kit, "alice"), payingWallet(kit, "bob")];
  await alice.fund(500n, kit.url(0));
  const request = asked(kit, 1, { lockTo: bob.keys.payment.publicKey });
  const outcome = ready(await whileTimePasses(kit, paymentsOf(alice).prepare(request)));
  const payment = taken(
    await intakeOf(bob).take({ payer: "alice", paymentId: "p1", token: outcome.token, price: 64n }),
  );
  assert.ok(payment.credit >= 64n);
  assert.equal(payment.mint, kit.url(1));
  for (const { id } of alice.store.operations({ kind: "swap" })) await alice.driveToEnd(id);
  settlePayment(alice.store, "p1");
  const cost = alice.store.outgoing("p1")!.cost;
  assert.equal(500n - alice.free(kit.url(0)) - alice.free(kit.url(1)), cost);
  assert.deepEqual(alice.troubles(), []);
});

for (
  const point of [
    "swap.intent.before-commit",
    "swap.prepared.after-commit",
    "swap.melt.after-send",
    "swap.mint.after-send",
    "swap.issuing.after-commit",
    "send.planned.after-commit",
    "send.swap.after-send",
    "send.swap-inflight.after-commit",
  ]
) {
  Deno.test(`a payment with a swap that dies at ${point} is paid once when it is asked again`, async () => {
    await using kit = await startKit({ mints: 2, feePpk: 100 });
    let alice = payingWallet(kit, "alice");
    const bob = payingWallet(kit, "bob");
    await alice.fund(500n, kit.url(0));
    const request = asked(kit, 1, { lockTo: bob.keys.payment.publicKey });
    alice.crashAt(point);
    await whileTimePasses(kit, paymentsOf(alice).prepare(request)).catch(() => {});
    assert.ok(alice.isDead, `${point} is passed`);
    alice = await alice.reopen();
    const outcome = ready(await whileTimePasses(kit, paymentsOf(alice).prepare(request)));
    const offer = { payer: "alice", paymentId: "p1", token: outcome.token, price: 64n };
    taken(await intakeOf(bob).take(offer));
    for (const { id, kind } of alice.store.operations({ status: "open" })) {
      if (kind === "swap") await alice.driveToEnd(id);
    }
    settlePayment(alice.store, "p1");
    const cost = alice.store.outgoing("p1")!.cost;
    assert.equal(500n - alice.free(kit.url(0)) - alice.free(kit.url(1)), cost);
    assert.deepEqual(alice.troubles(), []);
  });
}

Deno.test("Payments declines above a budget until the user confirms", async () => {
  await using kit = await startKit();
  const alice = payingWallet(kit, "alice");
  await alice.fund(500n);
  const payments = paymentsOf(alice, {
    perSubjectMaxSat: 100n,
    perPayeeMaxSat: 150n,
    perDayMaxSat: 200n,
  });
  const pay = (paymentId: string, subject: string, payee: string, more = {}) =>
    payments.prepare(asked(kit, 0, { paymentId, subject, payee, ...more }));
  ready(await pay("1", "blob", "peer"));
  assert.match(declined(await pay("2", "blob", "peer")), /budget of 100 sat for this content/);
  ready(await pay("3", "other", "peer"));
  assert.match(declined(await pay("4", "third", "peer")), /150 sat for this peer/);
  ready(await pay("5", "third", "another"));
  assert.match(declined(await pay("6", "fourth", "fourth")), /200 sat for a day/);
  ready(await pay("6", "fourth", "fourth", { confirmed: true }));
  assert.equal(alice.store.spentSat({}), 256n);
});

Deno.test("Payments declines with a reason whatever is wrong, and sets nothing aside", async () => {
  await using kit = await startKit({ mints: 2 });
  const alice = payingWallet(kit, "alice", { mints: [0] });
  await alice.fund(100n);
  const payments = paymentsOf(alice);
  const cases: readonly (readonly [Partial<PaymentRequest>, RegExp])[] = [
    [{ priceSat: 1000 }, /1000 sat wanted and 100 sat are free/],
    [{ acceptedMints: [kit.url(1)] }, /takes no mint/],
    [{ acceptedMints: ["not a url", "http://169.254.1.1"] }, /takes no mint/],
    [{ priceSat: 1.5 }, /price/],
    [{ lockTo: "02abc" }, /key/],
    [{ budgetSat: 10 }, /more than what is free or allowed/],
    [{ lockTo: alice.keys.payment.publicKey, locktimeS: 1 }, /passed/],
    [{ lockTo: alice.keys.payment.publicKey, locktimeS: 4_102_444_800 }, /longer than 30 days/],
    [{ maxFeeSat: -1 }, /whole numbers/],
    [{ acceptedMints: undefined as unknown as string[] }, /./],
    [{ paymentId: "" }, /payment id/],
  ];
  for (const [more, reason] of cases) {
    assert.match(
      declined(await payments.prepare(asked(kit, 0, { paymentId: "x", ...more }))),
      reason,
    );
  }
  assert.equal(alice.free(), 100n);
  assert.equal(alice.store.spentSat({}), 0n);
});

Deno.test("Payments keeps a swap within the exposure of the mint that it goes into", async () => {
  await using kit = await startKit({ mints: 2 });
  const alice = payingWallet(kit, "alice");
  await alice.fund(500n);
  alice.store.transact((tx) => tx.putMint({ ...tx.mint(kit.url(1))!, exposureMaxSat: 50n }));
  assert.match(declined(await paymentsOf(alice).prepare(asked(kit, 1))), /reachable/);
  assert.equal(alice.store.operations({ kind: "swap" }).length, 0);
});

Deno.test("Payments says no to another payment under an id that is being prepared", async () => {
  await using kit = await startKit();
  const alice = payingWallet(kit, "alice");
  await alice.fund(500n);
  const payments = paymentsOf(alice);
  const [first, second] = await Promise.all([
    payments.prepare(asked(kit)),
    payments.prepare(asked(kit, 0, { priceSat: 65 })),
  ]);
  ready(first);
  assert.match(declined(second), /something else/);
});

Deno.test("a payment whose token came back no longer counts against the budgets", async () => {
  await using kit = await startKit();
  const alice = payingWallet(kit, "alice");
  await alice.fund(500n);
  ready(await paymentsOf(alice).prepare(asked(kit)));
  assert.equal(alice.store.spentSat({}), 64n);
  const [send] = alice.store.operations({ kind: "send" });
  requestReclaim(alice.context, send!.id);
  await alice.driveToEnd(send!.id);
  assert.equal(settlePayment(alice.store, "p1")!.state, "returned");
  assert.equal(alice.store.spentSat({}), 0n);
  assert.match(declined(await paymentsOf(alice).prepare(asked(kit))), /taken back/);
  assert.equal(alice.free(), 500n);
});

Deno.test("Payments declines when the mint does not answer in time, and lets go of the money", async () => {
  await using kit = await startKit();
  const alice = payingWallet(kit, "alice");
  await alice.fund(100n);
  await kit.mints[0]!.admin.offline(true);
  const task = paymentsOf(alice, BUDGETS, 2_000).prepare(
    asked(kit, 0, { lockTo: alice.keys.payment.publicKey }),
  );
  assert.ok(declined(await whileTimePasses(kit, task)).length > 0);
  const frozen = alice.store.operations({ kind: "send", status: "open" });
  if (frozen.length === 0) {
    assert.equal(alice.free(), 100n);
    assert.equal(alice.store.spentSat({}), 0n);
  } else {
    // It may have been sent: what it may cost stays set aside, and the same id gets the token later.
    assert.equal(alice.store.spentSat({}), 64n);
  }
  await kit.mints[0]!.admin.offline(false);
  kit.clock.jump(600_000);
  const again = await whileTimePasses(
    kit,
    paymentsOf(alice).prepare(asked(kit, 0, {
      lockTo: alice.keys.payment.publicKey,
      paymentId: frozen.length === 0 ? "p2" : "p1",
    })),
  );
  ready(again);
  assert.deepEqual(alice.troubles(), []);
});

Deno.test("Payments waits for change that an operation of its own is about to bring, and not longer", async () => {
  await using kit = await startKit();
  const alice = payingWallet(kit, "alice");
  await alice.fund(512n);
  const payments = paymentsOf(alice);
  // The first takes the only coin; its change is what pays the second.
  const [first, second] = await Promise.all([
    payments.prepare(asked(kit, 0, { paymentId: "p1", priceSat: 240, lockTo: LOCK })),
    payments.prepare(asked(kit, 0, { paymentId: "p2", priceSat: 240, lockTo: LOCK })),
  ]);
  ready(first);
  ready(second);
  const startMs = performance.now();
  assert.match(
    declined(await payments.prepare(asked(kit, 0, { paymentId: "p3", priceSat: 240 }))),
    /32 sat are free/,
  );
  assert.ok(performance.now() - startMs < 2_000, "nothing is on its way: no wait");
  assert.equal(alice.free(), 32n);
});
