/**
 * Payments of peers: into the wallet's intake or the channel's, and what the payer is told. One payment
 * is looked at once, whoever asks how often; an answer that comes late is kept, not dropped.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../src/core/ports.ts";
import type { Intake } from "../payments/intake.ts";
import type { PaymentRefusal, TakeOutcome } from "../payments/outcome.ts";
import type { IncomingPayment, WalletStore } from "../store/wallet_store.ts";
import {
  BUSY_RETRY_MS,
  IN_HAND_MAX,
  IN_HAND_PER_PAYER_MAX,
  IN_HAND_STRANGERS_MAX,
  LATER_RETRY_MS,
  PAY_WAIT_MS,
  PENDING_RETRY_MS,
  REFUSALS_KEPT_MAX,
} from "./limits.ts";
import type { ChannelIntake, OfferedPayment, PaymentAnswer } from "./selling_api.ts";
import type { Services } from "./services.ts";

/** How messages of payment channels begin. */
export const CHANNEL_PREFIX = "channel1:";

/** What a payment came to, before its payer's credit is read. */
type Result =
  | { readonly answer: "credited" }
  | Exclude<PaymentAnswer, { readonly answer: "credited" }>;

/** A payment that is being looked at. */
interface InHand {
  readonly payer: string;
  /** SHA-256 of the text. */
  readonly textHash: string;
  readonly result: Promise<Result>;
}

/** What {@link IncomingPayments} works with. */
export interface IncomingOptions {
  readonly store: WalletStore;
  readonly clock: Clock;
  readonly intake: Intake;
  readonly services: Services;
  readonly channel?: ChannelIntake;
  /** What a payer has, in msat. */
  readonly creditMsatOf: (payer: string) => number;
  /** Hears that a payer's payments moved. */
  readonly onMoved: (payer: string) => void;
}

/** See the head of this file. */
export class IncomingPayments {
  readonly #options: IncomingOptions;
  readonly #inHand = new Map<string, InHand>();
  /** Refusals by payer and id; the oldest go first. */
  readonly #refused = new Map<string, Result & { readonly answer: "refused" }>();

  constructor(options: IncomingOptions) {
    this.#options = options;
  }

  /** Takes a payment, or answers for one. @throws `signal.reason` */
  async pay(
    payer: string,
    payment: OfferedPayment,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<PaymentAnswer> {
    signal?.throwIfAborted();
    const paymentId = payment.id.toHex();
    let result: Result;
    try {
      result = await this.#result(payer, { paymentId, token: payment.token, signal });
      if (result.answer !== "credited") return result;
      return { answer: "credited", creditMsat: this.#options.creditMsatOf(payer) };
    } catch {
      signal?.throwIfAborted();
      // The disk is in trouble: the payer keeps its token, and the same one may come again.
      return { answer: "refused", code: "internal", retryMs: LATER_RETRY_MS };
    }
  }

  async #result(
    payer: string,
    offer: {
      readonly paymentId: string;
      readonly token: string | undefined;
      readonly signal: AbortSignal | undefined;
    },
  ): Promise<Result> {
    const { paymentId, token, signal } = offer;
    const key = `${payer} ${paymentId}`;
    if (token === undefined) {
      const known = this.#options.store.incoming(payer, paymentId);
      if (known !== undefined) {
        await this.#options.store.flush();
        return resultOf(known);
      }
      const inHand = this.#inHand.get(key);
      if (inHand !== undefined) return await this.#within(inHand.result, signal);
      // Of a payment that never came in nothing is known: it may be sent, again.
      return this.#refused.get(key) ?? refused("unavailable", 0);
    }
    const textHash = createHash("sha256").update(token).digest("hex");
    const before = this.#inHand.get(key);
    if (before !== undefined) {
      if (before.textHash !== textHash) return refused("conflict");
      return await this.#within(before.result, signal);
    }
    if (this.#isCrowded(payer)) return refused("busy", BUSY_RETRY_MS);
    const result = this.#look(payer, { paymentId, token }).then((found) => {
      this.#noteRefusal(key, found);
      if (found.answer === "credited") this.#options.onMoved(payer);
      return found;
    }).finally(() => this.#inHand.delete(key));
    this.#inHand.set(key, { payer, textHash, result });
    return await this.#within(result, signal);
  }

  async #look(
    payer: string,
    { paymentId, token }: { readonly paymentId: string; readonly token: string },
  ): Promise<Result> {
    const { intake, services, channel } = this.#options;
    if (token.startsWith(CHANNEL_PREFIX)) {
      // While nothing is sold, only what was taken before is answered for.
      const topUpMinSat = services.leastTopUpSat ?? Number.MAX_SAFE_INTEGER;
      const mints = services.acceptedMints;
      const offer = { payer, paymentId, message: token, topUpMinSat };
      return await channel?.pay(mints === undefined ? offer : { ...offer, mints }) ??
        refused("malformed");
    }
    const least = services.leastTopUpSat;
    const mints = services.acceptedMints;
    return resultOfOutcome(
      await intake.take({
        payer,
        paymentId,
        token,
        // While nothing is sold, only what was taken before is answered for.
        amountMin: BigInt(least ?? Number.MAX_SAFE_INTEGER),
        ...mints === undefined ? {} : { mints },
      }),
    );
  }

  /** The result, or that it is waited for. What was begun goes on. */
  async #within(result: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const cancel = this.#options.clock.timer(
      PAY_WAIT_MS,
      () => resolve({ answer: "pending", retryMs: PENDING_RETRY_MS }),
    );
    const onAbort = () => reject(signal!.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    result.then(resolve, reject);
    try {
      return await promise;
    } finally {
      cancel();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #isCrowded(payer: string): boolean {
    const { size } = this.#inHand;
    if (size >= IN_HAND_MAX) return true;
    let count = 0;
    for (const one of this.#inHand.values()) if (one.payer === payer) count++;
    if (count >= IN_HAND_PER_PAYER_MAX) return true;
    if (size < IN_HAND_STRANGERS_MAX) return false;
    // What is left of the room is for those who have paid before.
    return (this.#options.store.creditAccount(payer)?.paid ?? 0n) === 0n;
  }

  #noteRefusal(key: string, found: Result): void {
    this.#refused.delete(key);
    if (found.answer !== "refused") return;
    this.#refused.set(key, found);
    for (const oldest of this.#refused.keys()) {
      if (this.#refused.size <= REFUSALS_KEPT_MAX) break;
      this.#refused.delete(oldest);
    }
  }
}

function refused(code: string, retryMs?: number): Result & { readonly answer: "refused" } {
  return { answer: "refused", code, ...retryMs === undefined ? {} : { retryMs } };
}

function resultOfOutcome(outcome: TakeOutcome): Result {
  switch (outcome.status) {
    case "taken":
      return resultOf(outcome.payment);
    case "conflict":
      return refused("conflict");
    case "refused":
      return refused(outcome.code, retryMsOf(outcome));
  }
}

/** When what was refused for something that passes may come again. */
function retryMsOf({ code, retryMs }: PaymentRefusal): number | undefined {
  if (retryMs !== undefined) return retryMs;
  if (code === "busy") return BUSY_RETRY_MS;
  return code === "unavailable" || code === "exposure" ? LATER_RETRY_MS : undefined;
}

function resultOf(payment: IncomingPayment): Result {
  switch (payment.state) {
    case "credited":
    case "redeemed":
      return { answer: "credited" };
    case "queued":
      return { answer: "pending", retryMs: PENDING_RETRY_MS };
    case "dead":
      return refused("spent");
  }
}
