/** How much each key may ask. */
import type { Clock } from "../../src/core/ports.ts";
import { TokenBucket } from "../../src/core/token_bucket.ts";
import { PROVIDER_LIMITS } from "./limits.ts";

/** A budget for each key; the one heard longest ago is forgotten first. */
export class KeyRates {
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #options: {
    readonly perSecond: number;
    readonly burst: number;
    readonly clock: Pick<Clock, "monotonicMs">;
  };

  constructor(options: {
    readonly perSecond: number;
    readonly burst: number;
    readonly clock: Pick<Clock, "monotonicMs">;
  }) {
    this.#options = options;
  }

  /** Takes one off the budget of `key`, if it is there. */
  admits(key: string): boolean {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#options);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > PROVIDER_LIMITS.keysMax) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
    return bucket.tryTake(1);
  }
}
