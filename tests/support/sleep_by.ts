/** A sleep made of a clock's timer. */
import type { Clock } from "../../src/core/ports.ts";

/** Waits `ms` of the clock's time. @throws `signal.reason` */
export function sleepBy(
  clock: Pick<Clock, "timer">,
  ms: number,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal!.reason);
    };
    const cancel = clock.timer(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
