/** Deadlines: work that ends in time, or is told to. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";

/** How long something may take. */
export interface Deadline {
  readonly clock: Clock;
  readonly ms: number;
  readonly signal: AbortSignal;
  /** For the message: `Cannot ask registry ghcr.io: no answer within 8000 ms`. */
  readonly what: string;
}

/**
 * Runs `work` until its deadline. The signal that it gets outlives it: a body that comes later stays
 * under the caller's signal, and under `abort` if the work failed or is late.
 *
 * @throws {SeedmintError} `timeout`, or `aborted` if the caller's signal is.
 */
export async function within<T>(
  { clock, ms, signal, what }: Deadline,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (signal.aborted) throw abortedError(signal);
  const abort = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  ended.catch(() => {});
  const stop = clock.timer(ms, () => {
    reject(
      new SeedmintError("timeout", `${what} within ${ms} ms; try again later`, { retryable: true }),
    );
  });
  const onAbort = () => reject(abortedError(signal));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work(AbortSignal.any([signal, abort.signal])), ended]);
  } catch (error) {
    abort.abort(error);
    throw signal.aborted ? abortedError(signal) : error;
  } finally {
    stop();
    signal.removeEventListener("abort", onAbort);
  }
}

/** The caller's own reason if it is one of ours. */
export function abortedError(signal: AbortSignal): SeedmintError {
  if (signal.reason instanceof SeedmintError) return signal.reason;
  return new SeedmintError("aborted", "The request to the registry was cancelled");
}
