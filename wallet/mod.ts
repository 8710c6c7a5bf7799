/**
 * The wallet: Cashu ecash at several mints, in operations that survive any crash. Vocabulary:
 * docs/glossary.md. `wallet_api.ts` says what can be asked of it.
 *
 * May import: `src/core`, `src/sqlite`, `src/nostr`; of packages `@cashu/cashu-ts` in `cashu.ts`.
 */
export * from "./keys.ts";
export * from "./types.ts";
export type * from "./wallet_api.ts";
