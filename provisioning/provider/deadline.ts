/** Bounds on what others take their time for. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";

/**
 * Runs `work` for at most `ms`: then its signal is aborted, and it is not waited for any more.
 *
 * @throws {SeedmintError} `timeout` with `what` in its message; `signal.reason`; whatever `work` throws.
 */
export async function within<T>(
  clock: Clock,
  options: { readonly ms: number; readonly what: string; readonly signal: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  options.signal.throwIfAborted();
  const stop = new AbortController();
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown) => {
    stop.abort(reason);
    reject(reason);
  };
  const onAbort = () => end(options.signal.reason);
  options.signal.addEventListener("abort", onAbort, { once: true });
  const cancel = clock.timer(options.ms, () => {
    const message = `${options.what} took longer than ${Math.round(options.ms / 1000)} s`;
    end(new SeedmintError("timeout", message, { retryable: true }));
  });
  stopped.catch(() => {});
  const working = work(stop.signal);
  working.catch(() => {});
  try {
    return await Promise.race([working, stopped]);
  } finally {
    cancel();
    options.signal.removeEventListener("abort", onAbort);
  }
}

/** How long to wait before attempt `attempt` (0, 1, …): doubled each time up to a limit. */
export function pauseMs(
  attempt: number,
  options: { readonly firstMs: number; readonly lastMs: number },
): number {
  return Math.min(options.lastMs, options.firstMs * 2 ** Math.min(attempt, 20));
}
