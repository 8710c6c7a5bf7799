/** The machine's clock and chance for development processes, which may not use those of the application. */
import type { Clock, Random } from "../src/core/ports.ts";

/** Wall clock, monotonic clock and timers of this process. */
export const devnetClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms, { signal } = {}) =>
    new Promise((resolve, reject) => {
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
    }),
  timer: (ms, callback) => {
    const id = setTimeout(callback, ms);
    return () => clearTimeout(id);
  },
};

/** Unpredictable bytes from the operating system. */
export const devnetRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
  float: () => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
};
