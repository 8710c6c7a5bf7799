/**
 * The edge to mints: one transport, checked answers, cached keysets, trust.
 *
 * May import: `src/core`, the WebSocket of `src/nostr`, and the wallet's nouns, `cashu.ts` and `store`.
 */
export * from "./http_mint.ts";
export * from "./limits.ts";
export * from "./mint_api.ts";
export * from "./mint_url.ts";
export * from "./mints.ts";
export * from "./quote_hints.ts";
export type { MintHealth, MintRequest } from "./transport.ts";
