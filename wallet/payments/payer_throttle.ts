/**
 * Who wastes our time is heard less: every payment that comes to nothing costs its payer some of an
 * allowance that grows back slowly, and who has none left is told to wait before anything of a payment
 * is read. Payers that never paid also share one allowance, so that a thousand new names are no way
 * around it; whoever has paid does not depend on them.
 */
import type { Clock } from "../../src/core/ports.ts";
import {
  PAYER_ALLOWANCE,
  PAYER_REFILL_MS,
  PAYERS_REMEMBERED_MAX,
  STRANGERS_ALLOWANCE,
  STRANGERS_REFILL_PER_S,
  THROTTLE_RETRY_MS_MAX,
  TOKEN_CHARS_PER_PROOF,
  UNVERIFIED_COST,
} from "./limits.ts";
import type { TakeOutcome } from "./outcome.ts";

interface Allowance {
  left: number;
  atMs: number;
}

/** A payment that was let in. */
export interface Admission {
  readonly payer: string;
  readonly isStranger: boolean;
  /** What was set aside of the strangers' allowance. */
  readonly cost: number;
}

/** What a payment that came to nothing costs its payer, of {@link PAYER_ALLOWANCE}. */
const COSTS: Readonly<Record<string, number>> = {
  malformed: 2,
  locked: 2,
  spent: 2,
  own: 2,
  conflict: 1,
  mint: 1,
  unit: 1,
  worthless: 1,
  price: 1,
};

/** See the head of this file. */
export class PayerThrottle {
  readonly #clock: Clock;
  readonly #payers = new Map<string, Allowance>();
  readonly #strangers: Allowance;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#strangers = { left: STRANGERS_ALLOWANCE, atMs: clock.monotonicMs() };
  }

  /** Lets a payment in, or says for how many milliseconds not. */
  admit(
    payer: string,
    options: { readonly isStranger: boolean; readonly tokenChars: number },
  ): Admission | { readonly retryMs: number } {
    const nowMs = this.#clock.monotonicMs();
    const own = this.#payers.get(payer);
    if (own !== undefined) {
      refill(own, nowMs, 1 / PAYER_REFILL_MS, PAYER_ALLOWANCE);
      if (own.left < 1) return { retryMs: retryMs((1 - own.left) * PAYER_REFILL_MS) };
    }
    if (!options.isStranger) return { payer, isStranger: false, cost: 0 };
    const cost = 1 + Math.floor(options.tokenChars / TOKEN_CHARS_PER_PROOF);
    refill(this.#strangers, nowMs, STRANGERS_REFILL_PER_S / 1000, STRANGERS_ALLOWANCE);
    if (this.#strangers.left < cost) {
      const missing = cost - this.#strangers.left;
      return { retryMs: retryMs(missing * 1000 / STRANGERS_REFILL_PER_S) };
    }
    this.#strangers.left -= cost;
    return { payer, isStranger: true, cost };
  }

  /**
   * What came of it: what counts, or passes, costs nothing. Of what was not even verified strangers are
   * given back nearly all that was set aside: else a few large texts would silence every one of them.
   */
  settle(
    admission: Admission,
    outcome: TakeOutcome,
    { isVerified = true }: { readonly isVerified?: boolean } = {},
  ): void {
    const code = outcome.status === "refused" ? outcome.code : outcome.status;
    const cost = COSTS[code] ?? 0;
    if (cost === 0) return this.forgive(admission);
    this.charge(admission.payer, cost);
    if (!isVerified) this.forgive({ ...admission, cost: admission.cost - UNVERIFIED_COST });
  }

  /** Nothing came of it, and nobody is to blame. */
  forgive({ isStranger, cost }: Admission): void {
    if (!isStranger) return;
    this.#strangers.left = Math.min(STRANGERS_ALLOWANCE, this.#strangers.left + cost);
  }

  /** Takes from a payer's own allowance: all of it for what only a liar sends. */
  charge(payer: string, cost = PAYER_ALLOWANCE): void {
    const nowMs = this.#clock.monotonicMs();
    const own = this.#payers.get(payer) ?? { left: PAYER_ALLOWANCE, atMs: nowMs };
    refill(own, nowMs, 1 / PAYER_REFILL_MS, PAYER_ALLOWANCE);
    own.left = Math.max(0, own.left - cost);
    this.#payers.delete(payer);
    this.#payers.set(payer, own);
    for (const oldest of this.#payers.keys()) {
      if (this.#payers.size <= PAYERS_REMEMBERED_MAX) break;
      this.#payers.delete(oldest);
    }
  }
}

function refill(allowance: Allowance, nowMs: number, perMs: number, max: number): void {
  allowance.left = Math.min(max, allowance.left + (nowMs - allowance.atMs) * perMs);
  allowance.atMs = nowMs;
}

function retryMs(ms: number): number {
  return Math.ceil(Math.min(Math.max(ms, 100), THROTTLE_RETRY_MS_MAX));
}
