/** How much each key may ask. */
import type { Clock } from "../../src/core/ports.ts";
import { TokenBucket } from "../../src/core/token_bucket.ts";
import { PROVIDER_LIMITS } from "./limits.ts";

/** What is known of each key; the one heard longest ago is forgotten first. */
class KeyMemory<Value> {
  readonly #values = new Map<string, Value>();

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > PROVIDER_LIMITS.keysMax) {
      this.#values.delete(this.#values.keys().next().value!);
    }
  }
}

/** A budget for each key. */
export class KeyRates {
  readonly #buckets = new KeyMemory<TokenBucket>();
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
    this.#buckets.set(key, bucket);
    return bucket.tryTake(1);
  }
}

/** Keys that something happened to too often lately. */
export class KeyFaults {
  readonly #times = new KeyMemory<readonly number[]>();
  readonly #options: {
    readonly countMax: number;
    readonly withinMs: number;
    readonly clock: Pick<Clock, "monotonicMs">;
  };

  constructor(options: {
    readonly countMax: number;
    readonly withinMs: number;
    readonly clock: Pick<Clock, "monotonicMs">;
  }) {
    this.#options = options;
  }

  note(key: string): void {
    const { clock, countMax } = this.#options;
    const times = [...this.#times.get(key) ?? [], clock.monotonicMs()].slice(-countMax);
    this.#times.set(key, times);
  }

  /** How long it is too often for `key`, in milliseconds; 0 if it is not. */
  waitMs(key: string): number {
    const { clock, countMax, withinMs } = this.#options;
    const times = this.#times.get(key) ?? [];
    if (times.length < countMax) return 0;
    return Math.max(0, times[0]! + withinMs - clock.monotonicMs());
  }
}
