/** Streams of a seller that are used for payments only, so that no data stands before an answer. */
import { equalBytes } from "../../src/core/bytes.ts";
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { PaymentAnswer, PaymentOffer, ReceiptRequest } from "../ports.ts";
import type { Message } from "../protocol/mod.ts";
import { Cancellation } from "./cancellation.ts";
import {
  PAYMENT_ANSWER_MS,
  PAYMENT_LINES_MAX,
  PAYMENT_RETRY_MS_MAX,
  PAYMENT_RETRY_MS_MIN,
  REFUND_QUESTIONS_MAX,
} from "./limits.ts";
import { LinePool, type LinePoolOptions } from "./line.ts";

/** Options of {@link PaymentLine}. */
export interface PaymentLineOptions extends LinePoolOptions {
  readonly clock: Pick<Clock, "monotonicMs" | "timer">;
}

/** What became of a payment, or why nobody knows. */
export type Delivery =
  | { readonly state: "answered"; readonly answer: PaymentAnswer }
  | { readonly state: "broken"; readonly reason: string };

/** See the head of this file. */
export class PaymentLine implements Disposable {
  readonly #clock: PaymentLineOptions["clock"];
  readonly #lines: LinePool;

  constructor(options: PaymentLineOptions) {
    this.#clock = options.clock;
    this.#lines = new LinePool(options);
  }

  /**
   * Sends `payment` and waits for its answer. A line that breaks is replaced: the id makes sending it
   * again harmless. Never throws.
   */
  async pay(payment: PaymentOffer, signal: AbortSignal): Promise<Delivery> {
    let reason = "";
    for (let lines = 0; lines < PAYMENT_LINES_MAX && !signal.aborted; lines++) {
      try {
        return { state: "answered", answer: await this.#topUp(payment, signal) };
      } catch (error) {
        reason = messageOf(error);
        if (isSeedmintError(error, "protocol")) break;
      }
    }
    return { state: "broken", reason: `its line for payments broke: ${reason}` };
  }

  /**
   * Asks for a receipt and brings it back signed.
   *
   * @throws {SeedmintError} for a seller that has none or says something else, and `signal.reason`.
   */
  async receipt(
    request: ReceiptRequest,
    options: {
      readonly signal: AbortSignal;
      readonly sign: (receipt: string) => Promise<string | undefined>;
    },
  ): Promise<void> {
    using cancel = new Cancellation(options.signal);
    await this.#lines.lend(cancel, async (line) => {
      await line.send({ t: "receipt-ask", ...request });
      const message = await line.nextMessage();
      if (message.t !== "receipt") throw new SeedmintError("denied", "it gives no receipt");
      const receipt = await cancel.wait(options.sign(message.receipt));
      if (receipt === undefined) return;
      await line.send({ t: "receipt", receipt });
      // Whatever it says: then it has read it.
      await line.nextMessage();
    });
  }

  /**
   * Asks for what is left back, again and again while it is being made.
   *
   * @throws {SeedmintError} `denied` in words for a seller that gives nothing back now, what breaks the
   * line, and `signal.reason`.
   */
  async refund(
    options: { readonly signal: AbortSignal; readonly clock: Pick<Clock, "sleep"> },
  ): Promise<{ readonly token: string; readonly amountSat: number }> {
    const { signal, clock } = options;
    for (let asked = 1;; asked++) {
      using cancel = new Cancellation(signal);
      const message = await this.#lines.lend(cancel, async (line) => {
        await line.send({ t: "refund-ask" });
        return await line.nextMessage();
      });
      if (message.t === "refund") return { token: message.token, amountSat: message.amountSat };
      if (message.t !== "denied") throw new SeedmintError("protocol", "it answered something else");
      const { code, retryMs } = message;
      if (retryMs === undefined || asked >= REFUND_QUESTIONS_MAX) throw refusedRefund(code);
      await clock.sleep(Math.min(Math.max(retryMs, PAYMENT_RETRY_MS_MIN), PAYMENT_RETRY_MS_MAX), {
        signal,
      });
    }
  }

  [Symbol.dispose](): void {
    this.#lines.close();
  }

  async #topUp(payment: PaymentOffer, signal: AbortSignal): Promise<PaymentAnswer> {
    const late = new AbortController();
    const stop = this.#clock.timer(PAYMENT_ANSWER_MS, () => {
      late.abort(new SeedmintError("timeout", "it did not answer a payment in time"));
    });
    try {
      using cancel = new Cancellation(AbortSignal.any([signal, late.signal]));
      return await this.#lines.lend(cancel, async (line) => {
        await line.send({ t: "top-up", payment });
        return answerOf(await line.nextMessage(), payment);
      });
    } finally {
      stop();
    }
  }
}

/** What `message` says of `payment`. @throws {SeedmintError} `protocol` if it is about another. */
function answerOf(message: Message, payment: PaymentOffer): PaymentAnswer {
  const isAnswer = message.t === "credited" || message.t === "pending" || message.t === "refused";
  if (!isAnswer || !equalBytes(message.paymentId, payment.id)) {
    throw new SeedmintError("protocol", "it did not answer the payment that it was sent");
  }
  switch (message.t) {
    case "credited":
      return { answer: "credited", creditMsat: message.creditMsat };
    case "pending":
      return { answer: "pending", retryMs: message.retryMs };
    case "refused": {
      const { code, retryMs } = message;
      return { answer: "refused", code, ...(retryMs === undefined ? {} : { retryMs }) };
    }
  }
}

/** Why a seller gives nothing back now, as far as it says. */
const REFUND_REFUSALS: Readonly<Record<string, string>> = {
  dust: "too little is left; it stays usable",
  "no-key": "none of our payments named a key to pay it back to",
  "in-use": "a fetch uses it at the moment",
  busy: "it pays back once a day; ask again later",
  unavailable: "it cannot at the moment; ask again later",
};

function refusedRefund(code: string): SeedmintError {
  const why = Object.hasOwn(REFUND_REFUSALS, code) ? REFUND_REFUSALS[code] : `it says "${code}"`;
  return new SeedmintError("denied", `it pays nothing back: ${why}`);
}
