/** Limits and weights of routes, each with its reason. */

/** Success of a route that was never tried, in thousandths: worse than proven, better than failing. */
export const UNTRIED_PERMILLE = 500;

/** One observation moves an average by one part in this many: the last dozen swaps count. */
export const AVERAGE_WEIGHT = 4;

/** Rest of a route after its first failure; each failure in a row doubles it. */
export const COOLDOWN_MS_MIN = 30_000;

/** Longest rest: liquidity that was missing may be back within the hour. */
export const COOLDOWN_MS_MAX = 3_600_000;

/** After this long without an observation a route counts as untried: channels change. */
export const OBSERVATION_AGE_MS_MAX = 7 * 24 * 3_600_000;

/** What a certain failure costs in the ordering, in millionths of the amount: a quote, a fence, time. */
export const FAILURE_COST_PPM = 20_000;

/** What a second of waiting costs in the ordering, in millionths of the amount. */
export const SECOND_COST_PPM = 50;

/** Highest fee remembered, in millionths: twice the amount says enough. */
export const FEE_PPM_MAX = 2_000_000;

/** Longest latency remembered: past an hour a route is slow, however slow. */
export const LATENCY_MS_MAX = 3_600_000;
