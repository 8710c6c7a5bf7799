/**
 * Paying: which mint pays and how (pure), and preparing a token for somebody.
 *
 * Vocabulary: a *leg* is one way to pay, *direct* from ecash that is here already or by a *swap* from
 * one mint into another; the *home mint* is the one that breaks ties.
 *
 * May import: `src/core`, and the wallet's nouns, `mint`, `selection`, `store`, `routes`, `operations`
 * and `payments`.
 */
export * from "./payments.ts";
export * from "./plan_payment.ts";
export * from "./plan_strip.ts";
export * from "./terms.ts";
