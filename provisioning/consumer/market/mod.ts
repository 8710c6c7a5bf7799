/**
 * The market. Vocabulary: a listing is a provider as it is seen here; evidence are the signed events
 * that say so; a candidate is a tier of a provider that fits a policy.
 *
 * May import: `src/core`, `src/nostr`, `provisioning/wire`, and of `provisioning/consumer` ports and limits.
 */
export type { Candidate, ChoicePolicy } from "./choose.ts";
export type { MarketFilter, MarketSort } from "./filter.ts";
export type * from "./listing.ts";
export { Market, type MarketOptions } from "./market.ts";
