import { deepEqual, equal, ok } from "node:assert/strict";
import type { Clock } from "../../../src/core/ports.ts";
import type { Gate, PaymentAnswer } from "../../../swarm/ports.ts";
import {
  PAYMENT_ANSWER_MS,
  REFUSALS_BURST,
  STREAM_PAYMENTS_MAX,
} from "../../../swarm/provider/limits.ts";
import { Metering } from "../../../swarm/provider/metering.ts";
import { PROVIDER_LIMITS } from "../../../swarm/provider/mod.ts";
import { type PaymentMessage, Till } from "../../../swarm/provider/till.ts";
import { payment } from "./memory_gate.ts";

const VIEWER = { peerId: "payer", fleet: false };

/** A clock that moves when told, with timers. */
class ManualClock {
  nowMs = 0;
  readonly #timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  readonly clock: Clock = {
    nowMs: () => this.nowMs,
    monotonicMs: () => this.nowMs,
    sleep: (ms, options) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.clock.timer(ms, resolve);
      options?.signal?.addEventListener("abort", () => reject(options.signal!.reason));
      return promise;
    },
    timer: (ms, callback) => {
      const timer = { dueMs: this.nowMs + ms, callback };
      this.#timers.add(timer);
      return () => this.#timers.delete(timer);
    },
  };

  get timerCount(): number {
    return this.#timers.size;
  }

  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    for (const timer of this.#timers) {
      if (timer.dueMs > this.nowMs) continue;
      this.#timers.delete(timer);
      timer.callback();
    }
    await settle();
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

function tillOf(pay: Gate["pay"] | undefined) {
  const clock = new ManualClock();
  const metering = new Metering({ limits: PROVIDER_LIMITS, clock: clock.clock });
  const said: PaymentMessage[] = [];
  const over = new AbortController();
  const gate: Gate = {
    decide: () => Promise.resolve({ decision: "free" }),
    ...(pay === undefined ? {} : { pay }),
  };
  const till = new Till({
    gate,
    account: metering.of("payer"),
    metering,
    clock: clock.clock,
    viewer: () => Promise.resolve(VIEWER),
    say: (message) => {
      said.push(message);
      return Promise.resolve();
    },
    signal: over.signal,
  });
  return { till, clock, metering, said, over };
}

Deno.test("Till tells pending when a check takes long, and keeps its place until it is over", async () => {
  const checked = Promise.withResolvers<PaymentAnswer>();
  const { till, clock, metering } = tillOf(() => checked.promise);
  const answer = till.pay(VIEWER, payment(1, 1));
  await settle();
  await clock.pass(PAYMENT_ANSWER_MS);
  deepEqual(await answer, { answer: "pending", retryMs: 2000 });
  const account = metering.of("payer");
  let free = 0;
  while (metering.payments.open(account)) free += 1;
  equal(free, PROVIDER_LIMITS.paymentsPerPeerMax - 1);
  checked.resolve({ answer: "credited", creditMsat: 1 });
  await settle();
  ok(metering.payments.open(account));
  equal(clock.timerCount, 0);
});

Deno.test("Till makes every answer of a gate one that the wire can say", async () => {
  const odd: [unknown, PaymentAnswer][] = [
    [{ answer: "credited", creditMsat: 12.7 }, { answer: "credited", creditMsat: 12 }],
    [{ answer: "credited", creditMsat: -5 }, { answer: "credited", creditMsat: 0 }],
    [{ answer: "credited", creditMsat: NaN }, {
      answer: "refused",
      code: "internal",
      retryMs: 2000,
    }],
    [{ answer: "pending", retryMs: -1 }, { answer: "pending", retryMs: 0 }],
    [{ answer: "pending", retryMs: NaN }, { answer: "pending", retryMs: 0 }],
    [{ answer: "pending", retryMs: 1e99 }, { answer: "pending", retryMs: 2 ** 31 - 1 }],
    [{ answer: "refused", code: "Not fit!" }, { answer: "refused", code: "refused" }],
    [{ answer: "refused", code: "spent", retryMs: 1.5 }, {
      answer: "refused",
      code: "spent",
      retryMs: 2,
    }],
    [{ answer: "later" }, { answer: "refused", code: "internal", retryMs: 2000 }],
    [undefined, { answer: "refused", code: "internal", retryMs: 2000 }],
  ];
  for (const [given, told] of odd) {
    const { till } = tillOf(() => Promise.resolve(given as PaymentAnswer));
    deepEqual(await till.pay(VIEWER, payment(1, 1)), told);
  }
});

Deno.test("Till lets a payer with refused payments wait, longer and longer, and then not in at all", async () => {
  let askedCount = 0;
  const { till, clock } = tillOf(() => {
    askedCount += 1;
    return Promise.resolve({ answer: "refused", code: "spent" });
  });
  for (let count = 0; count < REFUSALS_BURST; count++) await till.pay(VIEWER, payment(count, 1));
  equal(askedCount, REFUSALS_BURST);
  // The next one is still free, and each one after it waits for a second.
  await till.pay(VIEWER, payment(100, 1));
  const slowed = till.pay(VIEWER, payment(101, 1));
  await settle();
  equal(askedCount, REFUSALS_BURST + 1);
  await clock.pass(999);
  equal(askedCount, REFUSALS_BURST + 1);
  await clock.pass(1);
  deepEqual(await slowed, { answer: "refused", code: "spent" });
  equal(askedCount, REFUSALS_BURST + 2);
});

Deno.test("Till does not slow a payer for refusals that pass", async () => {
  for (const code of ["busy", "exposure", "unavailable", "internal"]) {
    const { till, metering } = tillOf(() => Promise.resolve({ answer: "refused", code }));
    for (let count = 0; count < 50; count++) await till.pay(VIEWER, payment(count, 1));
    equal(metering.of("payer").distrustMs, 0, code);
  }
});

Deno.test("Till asks to be waited for once a stream has its share of payments under way", async () => {
  const checks: PromiseWithResolvers<PaymentAnswer>[] = [];
  const { till, said } = tillOf(() => {
    const check = Promise.withResolvers<PaymentAnswer>();
    checks.push(check);
    return check.promise;
  });
  for (let count = 1; count < STREAM_PAYMENTS_MAX; count++) {
    equal(till.topUp(payment(count, 1)), undefined);
  }
  const room = till.topUp(payment(9, 1));
  ok(room !== undefined && till.isBusy);
  await settle();
  // In whatever order they are checked, each is answered by its own id.
  checks[2]!.resolve({ answer: "credited", creditMsat: 3 });
  await room;
  deepEqual(said.map(({ paymentId }) => paymentId.toHex()), [payment(3, 1).id.toHex()]);
  for (const check of checks) check.resolve({ answer: "credited", creditMsat: 5 });
  await till.settled();
  equal(said.length, STREAM_PAYMENTS_MAX);
  equal(till.isBusy, false);
});

Deno.test("Till checks a payment to its end when the stream is over", async () => {
  const checked = Promise.withResolvers<PaymentAnswer>();
  const { till, over, metering } = tillOf(() => checked.promise);
  till.topUp(payment(1, 1));
  await settle();
  over.abort(new Error("gone"));
  checked.resolve({ answer: "credited", creditMsat: 1 });
  await till.settled();
  const account = metering.of("payer");
  let free = 0;
  while (metering.payments.open(account)) free += 1;
  equal(free, PROVIDER_LIMITS.paymentsPerPeerMax);
});
