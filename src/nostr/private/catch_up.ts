/**
 * Asks relays for stored events of a stretch of time that may hold more than a relay gives at once. A
 * relay that cuts off does not say so: a stretch with many events is asked again in two halves.
 */
import type { Filter } from "../filter.ts";
import type { NostrEvent } from "../nostr.ts";
import type { RelayPool } from "../relay_pool.ts";
import type { PrivateLimits } from "./limits.ts";

/** A stretch this short is not halved any more, in seconds. */
const STRETCH_MIN_S = 60;

/** What to ask for. */
export interface CatchUpOptions {
  readonly pool: Pick<RelayPool, "query">;
  readonly filters: readonly Filter[];
  /** Seconds since 1970, both included. */
  readonly sinceS: number;
  readonly untilS: number;
  readonly limits: Pick<PrivateLimits, "pageEventsMax" | "pageCharsMax" | "catchUpEventsMax">;
  readonly signal: AbortSignal;
  /** Called with each event, some of them several times; the next comes after it resolves. */
  readonly onEvent: (event: NostrEvent) => Promise<void>;
}

/**
 * Gives all events, the later stretches first.
 *
 * @returns Whether that was all; false when there are more than the limit.
 */
export async function catchUp(options: CatchUpOptions): Promise<boolean> {
  const { limits, signal } = options;
  const stretches: (readonly [sinceS: number, untilS: number])[] = [
    [options.sinceS, options.untilS],
  ];
  let leftCount = limits.catchUpEventsMax;
  for (let stretch = stretches.pop(); stretch !== undefined; stretch = stretches.pop()) {
    const [sinceS, untilS] = stretch;
    let count = 0;
    let chars = 0;
    const filters = options.filters.map((filter) => ({ ...filter, since: sinceS, until: untilS }));
    for await (const event of options.pool.query(filters, { signal })) {
      count++;
      chars += event.content.length;
      await options.onEvent(event);
    }
    leftCount -= count;
    if (signal.aborted || leftCount <= 0) return false;
    const isFull = count >= limits.pageEventsMax || chars >= limits.pageCharsMax;
    if (!isFull || untilS - sinceS < STRETCH_MIN_S) continue;
    const middleS = Math.floor((sinceS + untilS) / 2);
    stretches.push([sinceS, middleS], [middleS + 1, untilS]);
  }
  return true;
}
