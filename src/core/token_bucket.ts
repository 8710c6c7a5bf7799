/** A pure token bucket: what a limit per second allows now, and when the next unit may go. */
import type { Clock } from "./ports.ts";

/** A budget that refills at `perSecond` up to `burst`. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #clock: Pick<Clock, "monotonicMs">;
  #tokens: number;
  #updatedMs: number;

  /** @param options Units per second, the most that may be saved up, and the clock. */
  constructor(
    options: {
      readonly perSecond: number;
      readonly burst: number;
      readonly clock: Pick<Clock, "monotonicMs">;
    },
  ) {
    if (!(options.perSecond > 0) || !(options.burst > 0)) {
      throw new RangeError(
        `Cannot limit to ${options.perSecond} per second with a burst of ${options.burst}: both must be above 0`,
      );
    }
    this.#perSecond = options.perSecond;
    this.#burst = options.burst;
    this.#clock = options.clock;
    this.#tokens = options.burst;
    this.#updatedMs = options.clock.monotonicMs();
  }

  /** Takes `count` if they are there. */
  tryTake(count: number): boolean {
    this.#refill();
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /**
   * Takes `count` now, going into debt if needed.
   *
   * @returns How many milliseconds to wait before the debt is paid off; 0 when there is none.
   */
  take(count: number): number {
    this.#refill();
    this.#tokens -= count;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1000;
  }

  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#updatedMs) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#updatedMs = nowMs;
  }
}
