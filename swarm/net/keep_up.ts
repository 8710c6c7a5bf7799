/**
 * Keeps something up that can go down: the connection to a configured peer, or the reservation on a
 * relay. Tries again after a pause that doubles up to a bound, for as long as it takes.
 */
import { messageOf } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { RELAY_RETRY_MS, RELAY_RETRY_MS_MAX } from "./limits.ts";

/** Options of {@link keepUp}. */
export interface KeepUpOptions {
  readonly name: string;
  readonly clock: Pick<Clock, "sleep">;
  readonly isUp: () => boolean;
  readonly bringUp: (signal: AbortSignal) => Promise<void>;
  /** Resolves when a look may be worth while before the pause is over. */
  readonly onChange: (listener: () => void) => () => void;
  /** From 0 up to 1, different on each node, so that a fleet does not come back at once. */
  readonly jitter: number;
  readonly log?: ((message: string, error?: unknown) => void) | undefined;
  readonly signal: AbortSignal;
}

/** Runs until `signal` is aborted. Never throws. */
export async function keepUp(options: KeepUpOptions): Promise<void> {
  const { signal, clock } = options;
  let retryMs = RELAY_RETRY_MS;
  while (!signal.aborted) {
    if (options.isUp()) {
      retryMs = RELAY_RETRY_MS;
      await pause(RELAY_RETRY_MS_MAX, true);
      continue;
    }
    try {
      await options.bringUp(signal);
      if (options.isUp()) continue;
    } catch (error) {
      if (signal.aborted) return;
      options.log?.(
        `${options.name} is down, next try in ${retryMs} ms: ${messageOf(error)}`,
        error,
      );
    }
    await pause(retryMs * (1 + options.jitter / 2), false);
    retryMs = Math.min(2 * retryMs, RELAY_RETRY_MS_MAX);
  }

  async function pause(ms: number, untilChange: boolean): Promise<void> {
    const wake = new AbortController();
    const forget = untilChange ? options.onChange(() => wake.abort()) : () => {};
    try {
      await clock.sleep(ms, { signal: AbortSignal.any([signal, wake.signal]) });
    } catch {
      // Woken or ended: the loop looks again.
    } finally {
      forget();
    }
  }
}
