/**
 * A fake Lightning network for development and tests: never for money. Vocabulary: a node is an
 * account with a name; an invoice is real, signed BOLT11 for regtest; a script tells what becomes of a
 * payment; the books say what every node got, gave and paid in fees.
 *
 * May import: `src/core`, `src/sqlite`, and the wallet's invoice codec.
 */
export * from "./admin.ts";
export * from "./client.ts";
export * from "./fake_lightning.ts";
export { LightningService, type LightningServiceOptions } from "./service.ts";
export { type PaymentAction, type PaymentScript } from "./scripts.ts";
export { type NodeBook } from "./store.ts";
