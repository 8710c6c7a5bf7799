/** Patience with the lock of the data directory: who holds it is mostly done in a moment. */
import { isSeedmintError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";

/** How long a node, or a verb that works alone, waits for the process that has the store. */
export const LOCK_WAIT_MS = 5_000;

/** Pauses grow up to this, so that a moment's gap between two short holders is found. */
const PAUSE_MS_MIN = 10;
const PAUSE_MS_MAX = 80;

/**
 * Calls `open` until it no longer says `locked`, for at most {@link LOCK_WAIT_MS}.
 *
 * @param open Does its work anew each time; gives up the lock when it fails.
 * @throws What `open` threw last.
 */
export async function whenUnlocked<T>(
  open: () => Promise<T>,
  options: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<T> {
  const { clock, signal } = options;
  const deadlineMs = clock.monotonicMs() + LOCK_WAIT_MS;
  for (let pauseMs = PAUSE_MS_MIN;; pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)) {
    try {
      return await open();
    } catch (error) {
      if (!isSeedmintError(error, "locked") || !error.retryable) throw error;
      if (clock.monotonicMs() + pauseMs > deadlineMs) throw error;
    }
    await clock.sleep(pauseMs, { signal });
  }
}
