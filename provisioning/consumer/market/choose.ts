/** Choosing a provider without asking a person. */
import type { ListedSpec, Listing } from "./listing.ts";
import type { MarketFilter, MarketSort } from "./filter.ts";

/** By what a provider is chosen. Only providers that are online and take leases are. */
export interface ChoicePolicy extends MarketFilter {
  /** @default {"price"} */
  readonly prefer?: MarketSort;
  /** Also providers of Paygress, to whom tokens cannot be locked. @default {false} */
  readonly allowsOld?: boolean;
  /** Only these keys, 64 hex digits, if there are any. */
  readonly only?: readonly string[];
}

/** A tier of a provider that would do. */
export interface Candidate {
  readonly listing: Listing;
  readonly spec: ListedSpec;
}
