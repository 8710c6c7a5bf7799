/**
 * What tokens that may be worth nothing cost us: anybody makes some without proofs, and ecash that was
 * spent keeps its proofs. A mint is asked about either at a bounded rate.
 */
import type { Clock } from "../../src/core/ports.ts";
import { TokenBucket } from "../../src/core/token_bucket.ts";
import type { TokenFacts } from "../ports.ts";
import { PROVIDER_LIMITS } from "./limits.ts";

/** Says which tokens may be taken to their mints now. */
export class TokenBudget {
  readonly #unproven: TokenBucket;
  readonly #refused: TokenBucket;
  /** Tokens that were let through for their proofs, until their mints have answered. */
  readonly #believed = new Set<string>();

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#unproven = new TokenBucket({
      perSecond: PROVIDER_LIMITS.unprovenPerSecond,
      burst: PROVIDER_LIMITS.unprovenBurst,
      clock,
    });
    this.#refused = new TokenBucket({
      perSecond: PROVIDER_LIMITS.refusedPerSecond,
      burst: PROVIDER_LIMITS.refusedBurst,
      clock,
    });
  }

  /**
   * Whether a token may be taken to its mint. While too many with proofs turned out to be spent, proofs
   * alone count for nothing.
   *
   * @param options `isOurs`: it is locked to us still, so that nobody can have spent it.
   */
  admits(facts: TokenFacts, options: { readonly isOurs: boolean }): boolean {
    if (facts.hasValidDleq && options.isOurs) return true;
    if (!facts.hasValidDleq || this.#refused.take(0) > 0) return this.#unproven.tryTake(1);
    this.#believed.add(facts.id);
    if (this.#believed.size > PROVIDER_LIMITS.keysMax) {
      this.#believed.delete(this.#believed.values().next().value!);
    }
    return true;
  }

  /** Told what a mint said of a token. */
  settled(tokenId: string, options: { readonly isRefused: boolean }): void {
    if (this.#believed.delete(tokenId) && options.isRefused) this.#refused.take(1);
  }
}
