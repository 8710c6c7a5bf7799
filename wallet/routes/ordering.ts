/** Which route to try first. */
import type { RouteRecord } from "../store/wallet_store.ts";
import { FAILURE_COST_PPM, SECOND_COST_PPM, UNTRIED_PERMILLE } from "./limits.ts";
import { remembered, type RouteKey } from "./liquidity.ts";

/** What is expected of a route. */
export interface RouteOutlook {
  /** Failed lately: not tried before `cooldownUntilMs` while there is another way. */
  readonly isCooling: boolean;
  /** Success to expect, in thousandths. */
  readonly successPermille: number;
  /** Fee, risk and time as one figure, in millionths of the amount: lower is better. */
  readonly costPpm: number;
}

/** What to expect of a route at `nowMs`; of an untried one when `route` is undefined. */
export function routeOutlook(route: RouteRecord | undefined, nowMs: number): RouteOutlook {
  const known = remembered(route, nowMs);
  const successPermille = known?.successPermille ?? UNTRIED_PERMILLE;
  const risk = Math.round(FAILURE_COST_PPM * (1000 - successPermille) / 1000);
  const time = Math.round(SECOND_COST_PPM * (known?.latencyMs ?? 0) / 1000);
  return {
    isCooling: known !== undefined && known.cooldownUntilMs > nowMs,
    successPermille,
    costPpm: (known?.feePpm ?? 0) + risk + time,
  };
}

/** What orders routes besides how they went. Each is as for `sort`. */
export interface RoutePreferences<Candidate> {
  /** Counts more than the expected cost, and less than that a route rests. */
  readonly first?: (a: Candidate, b: Candidate) => number;
  /** Decides between routes of one expected cost. */
  readonly tie?: (a: Candidate, b: Candidate) => number;
}

/**
 * `candidates`, the best first: those that rest come last, then what is preferred, then lower expected
 * cost, then the tie-break, then the addresses, so that the order never depends on the order that was
 * given.
 */
export function orderRoutes<Candidate extends RouteKey>(
  candidates: readonly Candidate[],
  routes: readonly RouteRecord[],
  nowMs: number,
  { first = equal, tie = equal }: RoutePreferences<Candidate> = {},
): Candidate[] {
  const outlookOf = (key: RouteKey) =>
    routeOutlook(routes.find((route) => route.from === key.from && route.to === key.to), nowMs);
  return candidates
    .map((candidate) => ({ candidate, outlook: outlookOf(candidate) }))
    .sort((a, b) =>
      Number(a.outlook.isCooling) - Number(b.outlook.isCooling) ||
      first(a.candidate, b.candidate) ||
      a.outlook.costPpm - b.outlook.costPpm ||
      tie(a.candidate, b.candidate) ||
      compareText(a.candidate.to, b.candidate.to) ||
      compareText(a.candidate.from, b.candidate.from)
    )
    .map(({ candidate }) => candidate);
}

function equal(): number {
  return 0;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
