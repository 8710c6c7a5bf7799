/**
 * Routes: how swaps from one mint to another went, and which to prefer next time.
 *
 * - *route*: an ordered pair of mints, paid from the first and paid to the second; the way back is
 *   another route (Lightning liquidity has a direction).
 * - *observation*: one swap that the source paid, or that the source could not pay.
 *
 * Pure. May import: `src/core`, the wallet's nouns and the types of `store`.
 */
export * from "./limits.ts";
export * from "./liquidity.ts";
export * from "./ordering.ts";
