/**
 * The edge to mints: one transport, checked answers, cached keysets, trust.
 *
 * May import: `src/core`, and the wallet's nouns and `cashu.ts`.
 */
export * from "./mint_api.ts";
