/** How much each sender may say. */
import type { Clock } from "../../core/ports.ts";
import { TokenBucket } from "../../core/token_bucket.ts";
import type { PrivateLimits } from "./limits.ts";

/** A budget of messages for each sender; who was heard longest ago is forgotten first. */
export class SenderRates {
  readonly #buckets = new Map<string, TokenBucket>();
  readonly #limits: PrivateLimits;
  readonly #clock: Clock;

  constructor(options: { readonly limits: PrivateLimits; readonly clock: Clock }) {
    this.#limits = options.limits;
    this.#clock = options.clock;
  }

  /** Takes one message of `sender`, whose name is proven, off its budget. */
  admits(sender: string): boolean {
    const bucket = this.#buckets.get(sender) ?? new TokenBucket({
      perSecond: this.#limits.perSenderPerSecond,
      burst: this.#limits.perSenderBurst,
      clock: this.#clock,
    });
    this.#buckets.delete(sender);
    this.#buckets.set(sender, bucket);
    if (this.#buckets.size > this.#limits.sendersMax) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
    return bucket.tryTake(1);
  }
}
