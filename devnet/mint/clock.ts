/** The mint's own time, which the admin interface can move. */
import type { Clock, Random } from "../../src/core/ports.ts";

/** The machine's clock. */
export const realClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, options = {}) => sleep(ms, options.signal),
  timer(ms, callback) {
    const id = setTimeout(callback, ms);
    return () => clearTimeout(id);
  },
};

/** The machine's chance. */
export const realRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  float: () => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
};

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

  /** Not moved by the offset. */
  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, { signal });
  }
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(id);
      reject(signal!.reason);
    };
    const id = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
