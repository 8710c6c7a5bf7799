/** Money that own operations hold and that may be free in a moment: change, or what a swap brings. */
import type { Engine } from "../operations/engine.ts";
import type { Operation } from "../operations/operation.ts";
import { COMING_LOOKED_AT_MAX } from "./limits.ts";

/** Kinds and states that wait for others, so that nothing comes of waiting with them. */
const RESTING: ReadonlySet<string> = new Set([
  "send token-ready",
  "send delivered",
  "strip ready",
  "channel ready",
  "redeem collecting",
  "swap source-pending",
  "melt pending",
]);

/** Kinds that spend free proofs and bring some back. */
const SPENDING: ReadonlySet<Operation["kind"]> = new Set([
  "send",
  "strip",
  "channel",
  "melt",
  "swap",
  "redeem",
]);

/**
 * Waits until such an operation has moved. Returns false when there is none, or `untilMs` (of the
 * monotonic clock) is over.
 *
 * @throws `signal.reason`
 */
export async function moneyMoved(
  engine: Engine,
  { untilMs, signal }: { readonly untilMs: number; readonly signal: AbortSignal },
): Promise<boolean> {
  const { clock } = engine.context;
  const leftMs = untilMs - clock.monotonicMs();
  if (leftMs <= 0) return false;
  const moving = movingIds(engine, leftMs);
  if (moving.size === 0) return false;
  const moved = Promise.withResolvers<void>();
  const over = new AbortController();
  const off = engine.onEvent(({ operationId }) => {
    if (operationId !== undefined && moving.has(operationId)) moved.resolve();
  });
  // Whatever drives them, here they go on even if nobody else does.
  for (const id of moving) engine.drive(id).catch(() => {});
  const slept = clock.sleep(leftMs, { signal: AbortSignal.any([signal, over.signal]) });
  try {
    await Promise.race([moved.promise, slept]);
    return true;
  } finally {
    off();
    over.abort();
    await slept.catch(() => {});
  }
}

function movingIds({ context }: Engine, withinMs: number): Set<string> {
  const { store, clock } = context;
  const dueMs = clock.nowMs() + withinMs;
  return new Set(
    store.operations({ status: "open", dueMs, limit: COMING_LOOKED_AT_MAX })
      .filter(({ kind, state, plan }) => {
        const isHeld = (plan as { readonly holdUntilMs?: number }).holdUntilMs !== undefined;
        return SPENDING.has(kind) && !RESTING.has(`${kind} ${state}`) && !isHeld;
      }).map(({ id }) => id),
  );
}
