/** How long to wait between tries: longer each time, never in step with others. */
import type { Random } from "../../src/core/ports.ts";

/** Bounds of a {@link backoffMs}. */
export interface Backoff {
  /** Wait after the first try. */
  readonly firstMs: number;
  /** No wait is longer. */
  readonly capMs: number;
}

/** Between tries after trouble that passes: a mint that is down is asked about every 5 minutes. */
export const RETRY: Backoff = { firstMs: 1000, capMs: 5 * 60_000 };

/** Between looks at an invoice that waits to be paid: nutshell asks its node every 10 s at most. */
export const POLL: Backoff = { firstMs: 2000, capMs: 60_000 };

/** Between looks at a token that was given away: nobody waits for the answer. */
export const LAZY: Backoff = { firstMs: 60_000, capMs: 6 * 60 * 60_000 };

/**
 * The wait after try number `attempts` (from 0): doubled each time up to the cap, of which between a
 * half and all is taken by chance, so that many operations do not come back at once.
 */
export function backoffMs(bounds: Backoff, attempts: number, random: Random): number {
  const fullMs = Math.min(bounds.capMs, bounds.firstMs * 2 ** Math.min(attempts, 30));
  return Math.round(fullMs * (0.5 + random.float() / 2));
}
