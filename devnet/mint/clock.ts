/** The mint's own time, which the admin interface can move. */
import type { Clock } from "../../src/core/ports.ts";

/** A clock whose wall time is off by some seconds. */
export class MintClock {
  readonly #clock: Clock;
  offsetS: number;

  constructor(clock: Clock, offsetS: number) {
    this.#clock = clock;
    this.offsetS = offsetS;
  }

  /** Seconds since 1970, as the mint believes. */
  nowS(): number {
    return Math.floor(this.#clock.nowMs() / 1000) + this.offsetS;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, { signal });
  }
}
