/** Choosing a provider without asking a person. */
import { type MarketFilter, type MarketSort, narrowed, sorted } from "./filter.ts";
import type { ListedSpec, Listing } from "./listing.ts";

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

/** Each provider's cheapest tier that fits, the best provider first. */
export function candidates(
  listings: readonly Listing[],
  policy: ChoicePolicy,
): readonly Candidate[] {
  const { prefer = "price", allowsOld = false, only = [] } = policy;
  const fit = listings
    .filter((listing) => allowsOld || listing.address.isOurs)
    .filter((listing) => only.length === 0 || only.includes(listing.provider))
    .flatMap((listing) => {
      const one = narrowed(listing, { isOnline: true, hasRoom: true, ...policy });
      return one === undefined ? [] : [one];
    });
  return sorted(fit, prefer).map((listing) => ({ listing, spec: cheapest(listing.specs) }));
}

/** The cheapest of tiers, of which there is one at least. */
export function cheapest(specs: readonly ListedSpec[]): ListedSpec {
  return specs.reduce((least, one) => one.rateMsatPerS < least.rateMsatPerS ? one : least);
}
