/** Takes the payments that come on one stream, within bounds, and says what became of them. */
import type { Clock } from "../../src/core/ports.ts";
import type { Gate, PaymentAnswer, PaymentOffer, Viewer } from "../ports.ts";
import type { Credited, Pending, Refused } from "../protocol/mod.ts";
import {
  BUSY_RETRY_MS,
  PAYMENT_ANSWER_MS,
  PENDING_RETRY_MS,
  STREAM_PAYMENTS_MAX,
} from "./limits.ts";
import type { Account, Metering } from "./metering.ts";

/** Options of {@link Till}. */
export interface TillOptions {
  readonly gate: Gate | undefined;
  readonly account: Account;
  readonly metering: Metering;
  readonly clock: Clock;
  /** Who pays on this stream, for top-ups. */
  readonly viewer: () => Promise<Viewer>;
  /** Sends the answer to a top-up between whatever else is sent. */
  readonly say: (message: PaymentMessage) => Promise<void>;
  /** Aborted when the stream is over. A payment that is being checked is checked to its end. */
  readonly signal: AbortSignal;
}

/** What is said of a payment by itself. */
export type PaymentMessage = Credited | Pending | Refused;

/** Refusals that say nothing about the payer. */
const PASSING_CODES: ReadonlySet<string> = new Set([
  "busy",
  "exposure",
  "internal",
  "unavailable",
]);

/** Where a requester pays. */
export class Till {
  readonly #options: TillOptions;
  readonly #topUps = new Set<Promise<void>>();

  constructor(options: TillOptions) {
    this.#options = options;
  }

  /** Whether a top-up is not answered yet. */
  get isBusy(): boolean {
    return this.#topUps.size > 0;
  }

  /** Takes a top-up and answers it when it is checked. @returns What to wait for before more. */
  topUp(payment: PaymentOffer): Promise<void> | undefined {
    const answered = this.#answer(payment).catch(() => {
      // The stream is over; what the payment became can be asked for on another.
    });
    const done = answered.then(() => {
      this.#topUps.delete(done);
    });
    this.#topUps.add(done);
    return this.#topUps.size < STREAM_PAYMENTS_MAX ? undefined : Promise.race(this.#topUps);
  }

  /** Resolves once every top-up is answered. */
  async settled(): Promise<void> {
    await Promise.all(this.#topUps);
  }

  /** Has `payment` checked. Never throws, and answers within a bounded time, or when all is over. */
  async pay(viewer: Viewer, payment: PaymentOffer): Promise<PaymentAnswer> {
    const { gate, metering, account, clock, signal } = this.#options;
    if (gate?.pay === undefined) return { answer: "refused", code: "unavailable" };
    const { distrustMs } = account;
    if (distrustMs > PAYMENT_ANSWER_MS) return busy(distrustMs);
    // Who must wait does so in places of its own: peer ids cost nothing, and those that wait would
    // keep everybody else from paying.
    const places = distrustMs > 0 ? metering.distrusted : metering.payments;
    const keptCount = distrustMs > 0 || account.hasPaid ? 0 : metering.keptPayments;
    if (!places.open(account, keptCount)) return busy(Math.max(distrustMs, BUSY_RETRY_MS));
    const checking = this.#check(gate, viewer, payment);
    checking.finally(() => places.close(account));
    const late = Promise.withResolvers<PaymentAnswer>();
    const giveUp = () => late.resolve({ answer: "pending", retryMs: PENDING_RETRY_MS });
    const cancel = clock.timer(PAYMENT_ANSWER_MS, giveUp);
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
    try {
      return await Promise.race([checking, late.promise]);
    } finally {
      cancel();
      signal.removeEventListener("abort", giveUp);
    }
  }

  async #answer(payment: PaymentOffer): Promise<void> {
    const { viewer, say, metering, account, signal } = this.#options;
    const charged = metering.chargeLookups(account, 1, signal);
    if (charged !== undefined) await charged;
    await say(paymentMessage(payment.id, await this.pay(await viewer(), payment)));
  }

  async #check(gate: Gate, viewer: Viewer, payment: PaymentOffer): Promise<PaymentAnswer> {
    const { account, clock, signal } = this.#options;
    try {
      const { distrustMs } = account;
      if (distrustMs > 0) await clock.sleep(distrustMs, { signal });
      const answer = sayable(await gate.pay!({ viewer, payment }));
      if (answer.answer === "credited") account.hasPaid = true;
      if (answer.answer === "refused" && !PASSING_CODES.has(answer.code)) account.refusePayment();
      return answer;
    } catch {
      // It may have been kept or not: the same payment with the same id finds out.
      return { answer: "refused", code: "internal", retryMs: PENDING_RETRY_MS };
    }
  }
}

/** `answer` as the wire says it by itself. */
export function paymentMessage(
  paymentId: PaymentOffer["id"],
  answer: PaymentAnswer,
): PaymentMessage {
  switch (answer.answer) {
    case "credited":
      return { t: "credited", paymentId, creditMsat: answer.creditMsat };
    case "pending":
      return { t: "pending", paymentId, retryMs: answer.retryMs };
    case "refused": {
      const { code, retryMs } = answer;
      return { t: "refused", paymentId, code, ...(retryMs === undefined ? {} : { retryMs }) };
    }
  }
}

/** What a gate calls its refusal, as far as the wire can say it. */
export function codeOf(text: string): string {
  return /^[a-z][a-z0-9-]{0,31}$/.test(text) ? text : "refused";
}

/** An amount in msat as the wire can say it: debts and parts are rounded down to what is there. */
export function msatOf(amount: number): number {
  if (Number.isNaN(amount)) throw new RangeError("An amount of money is not a number");
  return Math.min(Math.max(0, Math.floor(amount)), Number.MAX_SAFE_INTEGER);
}

function sayable(answer: PaymentAnswer): PaymentAnswer {
  switch (answer.answer) {
    case "credited":
      return { answer: "credited", creditMsat: msatOf(answer.creditMsat) };
    case "pending":
      return { answer: "pending", retryMs: delayOf(answer.retryMs) };
    case "refused": {
      const { code, retryMs } = answer;
      return {
        answer: "refused",
        code: codeOf(code),
        ...(retryMs === undefined ? {} : { retryMs: delayOf(retryMs) }),
      };
    }
  }
}

function delayOf(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms) || 0), 2 ** 31 - 1);
}

function busy(ms: number): PaymentAnswer {
  return { answer: "refused", code: "busy", retryMs: delayOf(ms) };
}
