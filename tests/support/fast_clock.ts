/** A clock that runs faster than the world: waits of minutes take seconds. */
import type { Clock } from "../../src/core/ports.ts";
import { sleepBy } from "./sleep_by.ts";

/** Real time from `startMs` on, times `rate`. */
export class FastClock implements Clock {
  readonly #startMs: number;
  readonly #rate: number;
  readonly #zeroMs = performance.now();

  constructor(startMs: number, rate: number) {
    this.#startMs = startMs;
    this.#rate = rate;
  }

  nowMs(): number {
    return Math.round(this.#startMs + this.monotonicMs());
  }

  monotonicMs(): number {
    return (performance.now() - this.#zeroMs) * this.#rate;
  }

  timer(ms: number, callback: () => void): () => void {
    const id = setTimeout(callback, Math.min(Math.max(0, ms) / this.#rate, 2 ** 31 - 1));
    return () => clearTimeout(id);
  }

  sleep(ms: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return sleepBy(this, ms, options);
  }
}
