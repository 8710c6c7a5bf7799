/** Waiting of sessions: for a strip, or for bytes that may be on their way. */
import type { Clock } from "../../src/core/ports.ts";
import { REST_MS } from "./limits.ts";
import type { Seller } from "./seller.ts";

/**
 * What `task` gives, unless `signal` is first. The task goes on.
 *
 * @throws `signal.reason`, or what the task throws.
 */
export async function waitFor<T>(task: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await task;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([task, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Whether nothing came of a seller for a while that says that nothing is left. */
export async function rested(
  clock: Clock,
  seller: Seller,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const moved = Promise.withResolvers<boolean>();
  const off = seller.onChange(() => {
    if (!seller.saysEmpty) moved.resolve(false);
  });
  const cancel = clock.timer(REST_MS, () => moved.resolve(true));
  try {
    return await waitFor(moved.promise, signal);
  } finally {
    off();
    cancel();
  }
}
