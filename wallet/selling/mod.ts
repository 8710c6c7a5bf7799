/**
 * Selling bytes: prices, the credit of those who paid, what is charged for each chunk group, earnings,
 * and what becomes of credit that is left over.
 *
 * Vocabulary: a *service* is a price and what it is for; *credit* belongs to a payer (a peer id) at this
 * node and is counted in units of 2^-20 msat; a *slice* is credit that was written off ahead of its use,
 * so that the disk is not asked for each chunk group; a *meter* charges one answer.
 *
 * May import: `src/core`, and the wallet's nouns, `mint`, `operations`, `payments` and `store`.
 */
export * from "./limits.ts";
export * from "./seller.ts";
export type * from "./selling_api.ts";
