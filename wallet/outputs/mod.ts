/**
 * Blinded outputs: planned, frozen into a request, signed by the mint, restored when the answer was lost.
 *
 * May import: `src/core`, the wallet's nouns, `cashu.ts`, `store` and `mint`.
 */
export type * from "./exchange_types.ts";
export * from "./planning.ts";
export * from "./requests.ts";
export * from "./decide.ts";
export * from "./exchange.ts";
export * from "./p2pk_secret.ts";
export * from "./change.ts";
