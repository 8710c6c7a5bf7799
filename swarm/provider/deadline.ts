/** Waiting with an end. */
import type { Clock } from "../../src/core/ports.ts";

/**
 * Waits for `promise`; calls `onLate` once if that takes longer than `ms`. `onLate` is expected to
 * break what the promise waits for, so that it settles.
 */
export async function withDeadline<T>(
  promise: Promise<T>,
  options: {
    readonly clock: Pick<Clock, "timer">;
    readonly ms: number;
    readonly onLate: () => void;
  },
): Promise<T> {
  const cancel = options.clock.timer(options.ms, options.onLate);
  try {
    return await promise;
  } finally {
    cancel();
  }
}
