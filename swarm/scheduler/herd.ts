/** Members of a fleet that want the same blob at the same time take turns. */
import type { SchedulerState, SourceState } from "./state.ts";

/**
 * A whole fleet that starts at once would ask the origin, or buy, once a node. Whoever comes first in
 * the fleet's order does; the others wait for that member, as long as it says that it is at it.
 */
export function isHerdAhead(
  state: SchedulerState,
  live: readonly SourceState[],
  nowMs: number,
): boolean {
  if (nowMs - state.lastProgressMs > state.limits.herdWaitMs) return false;
  return live.some((source) =>
    source.isFleet && source.fetchesBeforeUs && source.holdings.state === "some" &&
    nowMs - source.holdingsToldMs <= state.limits.herdSilenceMs
  );
}
