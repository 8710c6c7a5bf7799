/**
 * Operations as sagas: the journal's nouns, the engine that drives them, and one file for each kind.
 *
 * May import: `src/core`, and the wallet's `store`, `mint`, `outputs` and `selection`.
 */
export type * from "./operation.ts";
export type * from "./saga.ts";
