/** A session with bounds around it: against a wallet that fails, and a seller that refuses. */
import type { DuePayment, PaymentAnswer, PaymentTerms, PaySession } from "../ports.ts";
import { REFUSED_PAYMENTS_MAX } from "./limits.ts";

/** Refusals of one seller in a row, over all sessions with it. */
export interface Refusals {
  count: number;
  code: string;
}

/**
 * A session that throws no more: what it cannot pay is declined, what it cannot count is lost. After
 * a few payments that were refused for good no other is given: whoever refuses a token has it.
 */
export class GuardedSession implements PaySession {
  readonly terms: PaymentTerms;
  readonly #session: PaySession;
  readonly #refusals: Refusals;

  constructor(session: PaySession, refusals: Refusals) {
    this.terms = session.terms;
    this.#session = session;
    this.#refusals = refusals;
  }

  async next(options?: { readonly signal?: AbortSignal }): Promise<DuePayment> {
    const { count, code } = this.#refusals;
    if (count >= REFUSED_PAYMENTS_MAX) {
      return { due: "declined", reason: `it refused ${count} payments (${code})` };
    }
    try {
      return await this.#session.next(options);
    } catch {
      // Its words may hold what nobody else should read.
      return { due: "declined", reason: "the wallet failed" };
    }
  }

  answered(id: Uint8Array, answer: PaymentAnswer): void {
    const refusals = this.#refusals;
    if (answer.answer === "credited") refusals.count = 0;
    if (answer.answer === "refused" && answer.retryMs === undefined) {
      refusals.count += 1;
      refusals.code = answer.code;
    }
    quietly(() => this.#session.answered(id, answer));
  }

  told(creditMsat: number): void {
    quietly(() => this.#session.told(creditMsat));
  }

  takesChannels(channelSat: number): void {
    quietly(() => this.#session.takesChannels?.(channelSat));
  }

  verified(bytes: number): void {
    quietly(() => this.#session.verified(bytes));
  }

  onDue(listener: () => void): () => void {
    return this.#session.onDue(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#session[Symbol.asyncDispose]();
    } catch {
      // It is the wallet's to remember what it holds.
    }
  }
}

function quietly(tell: () => void): void {
  try {
    tell();
  } catch {
    // The next question to the session will say what is wrong.
  }
}
