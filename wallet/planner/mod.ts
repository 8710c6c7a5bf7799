/**
 * Planning a payment: pure functions that choose the mint that pays. Vocabulary: a *leg* is one way to
 * pay, *direct* from ecash that is here already or by a *swap* from one mint into another.
 *
 * May import: `src/core` and the wallet's nouns (`types.ts`, `store/wallet_store.ts`).
 */
export * from "./plan_payment.ts";
