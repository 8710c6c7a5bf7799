/**
 * Payments: taking those that others make to us, and the budgets of those that we make.
 *
 * Vocabulary: a *payer* is who pays, by peer id; a payment is *credited* when it counts before it is
 * redeemed, *queued* when it has to be redeemed first, *dead* when its ecash was spent elsewhere; the
 * *exposure* is what we would lose if a mint were bad.
 *
 * May import: `src/core`, and the wallet's nouns, `mint`, `outputs`, `selection`, `store` and
 * `operations`.
 */
export * from "./budgets.ts";
export * from "./intake.ts";
export * from "./limits.ts";
export * from "./outcome.ts";
export * from "./policy.ts";
