/**
 * Buying bytes of sellers that ask a price: top-ups made in strips, handed over one by one as content
 * verifies.
 *
 * Vocabulary: a *strip* is many top-ups made by one swap and locked to one seller; a top-up is *hidden*
 * until it is *revealed*; what is revealed and not verified is *at risk*, which is never more than two
 * minimum top-ups.
 *
 * May import: `src/core`, and the wallet's nouns, `mint`, `store`, `operations`, `payments` and
 * `planner`. It is structurally the payer of `swarm/ports.ts`, and imports nothing of the swarm.
 */
export * from "./buyer.ts";
export type * from "./buying_api.ts";
export * from "./credits.ts";
export * from "./desk.ts";
export * from "./prepaid.ts";
