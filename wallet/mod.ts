/**
 * The wallet: Cashu ecash at several mints, in operations that survive any crash. Vocabulary:
 * docs/glossary.md. `wallet_api.ts` says what can be asked of it; `Wallet.open` opens one.
 *
 * May import: `src/core`, `src/sqlite`, `src/nostr`; of packages `@cashu/cashu-ts` in `cashu.ts`.
 */
export { Buyer } from "./buying/buyer.ts";
export type * from "./buying/buying_api.ts";
export * from "./keys.ts";
export { BUDGETS, type Budgets } from "./payments/budgets.ts";
export type { PaymentRefusal, RefusalCode } from "./payments/outcome.ts";
export { INTAKE_POLICY, type IntakePolicy } from "./payments/policy.ts";
export { parseServiceId, Seller } from "./selling/seller.ts";
export type * from "./selling/selling_api.ts";
export * from "./types.ts";
export * from "./wallet.ts";
export type * from "./wallet_api.ts";
export type * from "./wallet_options.ts";
export type { PaymentReceipt } from "./wallet_views.ts";
