import { equal, ok, rejects } from "node:assert/strict";
import { systemClock } from "../../../src/host/system.ts";
import type { ErrorCode } from "../../../src/core/errors.ts";
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { RangeSet } from "../../../src/core/range_set.ts";
import type { PaymentOffer } from "../../../swarm/ports.ts";
import type { Want } from "../../../swarm/protocol/mod.ts";
import { MemoryBlobStore } from "../../../swarm/store/mod.ts";
import { content, never, SEEDER } from "../provider/support.ts";
import { encodingOf, type Script, Scripted } from "../requester/support.ts";
import { DEAR, TOP_UP_BYTES } from "./market.ts";
import { MemoryPayer, type MemoryPayerOptions } from "./memory_payer.ts";

const SIZE = 2 * 1024 * 1024;
const honest = new MemoryBlobStore({ clock: systemClock });
const { hash: HASH } = await honest.importBytes(content(SIZE));
const ENCODING = await encodingOf(honest, HASH);
const GRANTED = {
  t: "granted",
  size: SIZE,
  priceMsatPerMiB: DEAR.priceMsatPerMiB,
  creditMsat: 64_000,
} as const;
const REQUIRED = { t: "payment-required", ...DEAR } as const;

/** A buyer who pays ahead, and a seller that a test writes. */
class Deal implements AsyncDisposable {
  readonly payer: MemoryPayer;
  readonly #meeting: Scripted;

  constructor(
    answer: (script: Script, request: Want | PaymentOffer) => Promise<void>,
    options: MemoryPayerOptions & { readonly clock?: Clock } = {},
  ) {
    this.payer = new MemoryPayer(options);
    const peer = {
      peerId: SEEDER,
      addrs: [`/memory/${SEEDER}/p2p/${SEEDER}`],
      via: "advert",
      bound: true,
      ...DEAR,
    } as const;
    const pay = { payer: this.payer, subject: HASH };
    this.#meeting = new Scripted(async (script) => {
      for (let next; (next = await script.request()) !== undefined;) {
        if (next.t === "want") await answer(script, next);
        if (next.t === "top-up") await answer(script, next.payment);
      }
    }, { peer, pay, clock: options.clock ?? systemClock });
  }

  get store(): MemoryBlobStore {
    return this.#meeting.store;
  }

  fetch(signal: AbortSignal = never()): Promise<unknown> {
    return this.#meeting.source.fetch({ hash: HASH, groups: RangeSet.ALL, signal });
  }

  /** Holds that no more than two least payments went without their worth. */
  check(): void {
    for (const session of this.payer.sessions) {
      ok(session.atRiskMsatMax <= 2 * session.topUpMsat);
      ok(session.nextCountMax <= 1);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#meeting[Symbol.asyncDispose]();
    equal(this.payer.openCount, 0, "every session is closed");
    this.check();
  }
}

function isWant(request: Want | PaymentOffer): request is Want {
  return "t" in request;
}

/** What a seller does that was paid, what that is called, and what it got. */
const CHEATS: Readonly<
  Record<string, {
    readonly codes: readonly ErrorCode[];
    readonly paymentsMax: number;
    readonly answer: (script: Script, request: Want | PaymentOffer) => Promise<void>;
  }>
> = {
  "takes the payment and closes": {
    codes: ["reset"],
    paymentsMax: 1,
    answer: (script) => script.stream.closeWrite(),
  },
  "takes the payment and says that it has nothing": {
    codes: ["not-found"],
    paymentsMax: 1,
    answer: (script) => script.say({ t: "not-found" }),
  },
  "takes the payment and sends garbage": {
    codes: ["corrupt"],
    paymentsMax: 1,
    answer: async (script) => {
      await script.say(GRANTED);
      await script.data(new Uint8Array(100_000));
    },
  },
  "denies that it was paid": {
    codes: ["payment-required"],
    paymentsMax: 2,
    answer: (script, request) => {
      if (isWant(request)) return script.say(REQUIRED);
      return script.say({ t: "refused", paymentId: request.id, code: "malformed" });
    },
  },
  "asks to be paid again and again": {
    codes: ["payment-required"],
    paymentsMax: 2,
    answer: (script, request) =>
      isWant(request)
        ? script.say(REQUIRED)
        : script.say({ t: "credited", paymentId: request.id, creditMsat: 0 }),
  },
  "grants, sends nothing, and wants more": {
    codes: ["payment-required", "reset"],
    paymentsMax: 2,
    answer: (script, request) =>
      isWant(request)
        ? script.say({ ...GRANTED, creditMsat: 0 }, { t: "low", creditMsat: 0 }, {
          t: "failed",
          code: "unpaid",
        })
        : script.say({ t: "credited", paymentId: request.id, creditMsat: 0 }),
  },
  "raises the price with every answer": {
    codes: ["payment-required"],
    paymentsMax: 2,
    answer: (script, request) => {
      const { priceMsatPerMiB = 0 } = request as Want;
      return script.say({ ...REQUIRED, priceMsatPerMiB: priceMsatPerMiB + 1 });
    },
  },
  "grants at a higher price than agreed": {
    codes: ["payment-required"],
    paymentsMax: 2,
    answer: (script, request) => {
      const { priceMsatPerMiB = 0 } = request as Want;
      return script.say({ ...GRANTED, priceMsatPerMiB: priceMsatPerMiB + 1 });
    },
  },
  "says pending for ever": {
    codes: ["payment-required"],
    paymentsMax: 1,
    answer: (script, request) => {
      const paymentId = isWant(request) ? request.payment!.id : request.id;
      return script.say({ t: "pending", paymentId, retryMs: 0 });
    },
  },
  "says pending of a payment that nobody sent": {
    codes: ["protocol"],
    paymentsMax: 1,
    answer: (script) => script.say({ t: "pending", paymentId: new Uint8Array(16), retryMs: 0 }),
  },
  "refuses every payment": {
    codes: ["payment-required", "denied"],
    paymentsMax: 2,
    answer: (script, request) =>
      isWant(request)
        ? script.say({ t: "denied", code: "spent" })
        : script.say({ t: "refused", paymentId: request.id, code: "spent" }),
  },
  "breaks its terms": {
    codes: ["protocol"],
    paymentsMax: 1,
    answer: (script, request) =>
      script.say({ t: "credited", paymentId: (request as Want).payment!.id, creditMsat: 1 }),
  },
};

for (const [name, { codes, paymentsMax, answer }] of Object.entries(CHEATS)) {
  Deno.test(`PeerSource is done with a seller that ${name}`, async () => {
    await using deal = new Deal(answer);
    for (let count = 0; count < 3; count++) {
      await rejects(deal.fetch(), (error) => {
        ok(codes.some((code) => isSeedmintError(error, code)), String(error));
        return (error as Error).message.includes(SEEDER);
      });
    }
    const { payments } = deal.payer;
    ok(payments.length <= paymentsMax, `${payments.length} payments`);
  });
}

Deno.test("PeerSource gives up a seller that takes a payment and stalls when it is told to", async () => {
  await using deal = new Deal(() => Promise.resolve());
  for (let count = 0; count < 3; count++) {
    await rejects(deal.fetch(AbortSignal.timeout(20)), { name: "TimeoutError" });
  }
  equal(deal.payer.payments.length, 1);
});

/** A clock whose timers run a thousand times faster, to see what is bounded in time. */
const HURRIED: Clock = {
  ...systemClock,
  nowMs: () => systemClock.nowMs(),
  monotonicMs: () => systemClock.monotonicMs(),
  sleep: (ms, options) => systemClock.sleep(ms / 1000, options),
  timer: (ms, callback) => systemClock.timer(ms / 1000, callback),
};

Deno.test("PeerSource gives up a seller by itself that takes a payment and stalls", async () => {
  await using deal = new Deal(() => Promise.resolve(), { clock: HURRIED });
  await rejects(deal.fetch(), (error) => isSeedmintError(error, "timeout"));
  equal(deal.payer.payments.length, 1);
});

Deno.test("PeerSource replaces a line for payments on which nothing is answered", async () => {
  let count = 0;
  await using deal = new Deal(async (script, request) => {
    if (isWant(request)) {
      await script.say(GRANTED);
      await script.data(ENCODING.subarray(0, TOP_UP_BYTES));
      while (count < 3) await systemClock.sleep(1);
      await systemClock.sleep(30);
      return await script.say({ t: "failed", code: "unpaid" });
    }
    count += 1;
  }, { clock: HURRIED });
  await rejects(deal.fetch(), (error) => {
    ok(isSeedmintError(error, "payment-required"), String(error));
    return /did not answer a payment in time/.test(error.message);
  });
});

Deno.test("PeerSource replaces a line for payments that breaks, and pays nothing twice", async () => {
  const paid = new Map<string, number>();
  let breakCount = 4;
  await using deal = new Deal(async (script, request) => {
    if (isWant(request)) {
      await script.say(GRANTED);
      // Sent as fast as it is paid for.
      for (let at = 0; at < ENCODING.length;) {
        const end = Math.min(ENCODING.length, Math.max(1, paid.size + 1) * TOP_UP_BYTES * 0.9);
        if (at < end) await script.data(ENCODING.subarray(at, end));
        at = Math.max(at, end);
        await systemClock.sleep(1);
      }
      return await script.say({ t: "end" });
    }
    const id = request.id.toHex();
    paid.set(id, (paid.get(id) ?? 0) + 1);
    if (breakCount-- > 0) return script.stream.abort(new Error("the line broke"));
    await script.say({ t: "credited", paymentId: request.id, creditMsat: 64_000 });
  });
  await deal.fetch();
  equal(deal.store.status(HASH)?.state, "complete");
  equal(paid.size, deal.payer.payments.length - 1);
  ok([...paid.values()].some((count) => count > 1), "the same payment went again");
});

Deno.test("PeerSource says that the line for payments broke when nothing goes through it", async () => {
  await using deal = new Deal(async (script, request) => {
    if (!isWant(request)) return script.stream.abort(new Error("the line broke"));
    if (request.payment === undefined) return await script.say(REQUIRED);
    await script.say(GRANTED);
    await script.data(ENCODING.subarray(0, TOP_UP_BYTES));
    await systemClock.sleep(50);
    await script.say({ t: "low", creditMsat: 0 }, { t: "failed", code: "unpaid" });
  });
  await rejects(deal.fetch(), (error) => {
    ok(isSeedmintError(error, "payment-required"), String(error));
    return /line for payments broke/.test(error.message);
  });
});

Deno.test("PeerSource goes on at another stream when a grant raised the price within the policy", async () => {
  await using deal = new Deal(async (script, request) => {
    const { priceMsatPerMiB } = request as Want;
    await script.say({ ...GRANTED, priceMsatPerMiB: 129_000 });
    if (priceMsatPerMiB !== 129_000) return;
    await script.data(ENCODING);
    await script.say({ t: "end" });
  }, { priceMaxMsatPerMiB: 129_000 });
  await deal.fetch();
  equal(deal.payer.sessions.length, 2);
});

Deno.test("PeerSource is not harmed by a wallet that throws at every call", async () => {
  const broken = () => {
    throw new Error("a secret");
  };
  for (const isOpen of [false, true]) {
    await using meeting = new Scripted(async (script) => {
      while (await script.request() !== undefined) await script.say(REQUIRED);
    }, {
      pay: {
        subject: HASH as Hash,
        payer: {
          open: () =>
            isOpen
              ? Promise.resolve({
                status: "open",
                session: {
                  terms: DEAR,
                  next: broken,
                  answered: broken,
                  told: broken,
                  verified: broken,
                  onDue: () => () => {},
                  [Symbol.asyncDispose]: broken,
                },
              })
              : Promise.reject(new Error("a secret")),
        },
      },
    });
    await rejects(
      meeting.source.fetch({ hash: HASH, groups: RangeSet.ALL, signal: never() }),
      (error) => isSeedmintError(error, "payment-required") && !error.message.includes("secret"),
    );
  }
});
