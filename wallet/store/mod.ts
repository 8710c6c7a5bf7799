/**
 * What the wallet keeps on disk, and how: one SQLite database, every commit flushed.
 *
 * May import: `src/core`, `src/sqlite`, and the wallet's nouns.
 */
export type { ImportReport } from "./import_wallet.ts";
export type * from "./selling_store.ts";
export * from "./sqlite_wallet_store.ts";
export * from "./wallet_store.ts";
