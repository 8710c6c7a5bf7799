/** Tokens that were refused for good, so that a flood of dead ones never reaches a mint. */
import type { Clock } from "../../src/core/ports.ts";
import { REFUSED_TOKEN_MS, REFUSED_TOKENS_MAX } from "./limits.ts";

/** Remembers by the token's hash; the oldest are forgotten first. */
export class RefusedTokens<Refusal> {
  readonly #clock: Clock;
  readonly #countMax: number;
  readonly #kept = new Map<string, { readonly refusal: Refusal; readonly untilMs: number }>();

  constructor(clock: Clock, options: { readonly countMax?: number } = {}) {
    this.#clock = clock;
    this.#countMax = options.countMax ?? REFUSED_TOKENS_MAX;
  }

  /** Remembers why the token with this hash was refused. */
  add(tokenHash: string, refusal: Refusal): void {
    this.#kept.delete(tokenHash);
    this.#kept.set(tokenHash, { refusal, untilMs: this.#clock.monotonicMs() + REFUSED_TOKEN_MS });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#countMax) break;
      this.#kept.delete(oldest);
    }
  }

  /** Why it was refused, if it was. */
  get(tokenHash: string): Refusal | undefined {
    const found = this.#kept.get(tokenHash);
    if (found === undefined) return undefined;
    this.#kept.delete(tokenHash);
    if (found.untilMs <= this.#clock.monotonicMs()) return undefined;
    this.#kept.set(tokenHash, found);
    return found.refusal;
  }
}
