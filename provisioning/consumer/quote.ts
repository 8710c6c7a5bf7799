/** What a lease would cost at one provider. */
import type { ListedSpec, Listing } from "./market/listing.ts";

/** A quote, checked against the offer. */
export interface Quote {
  readonly listing: Listing;
  readonly spec: ListedSpec;
  readonly rateMsatPerS: number;
  readonly durationS: number;
  /** What buys the duration, in whole sats; what the mint takes for redeeming is not in it. */
  readonly amountSat: number;
  readonly minDurationS: number;
  readonly maxDurationS?: number;
  /** Mints that the provider takes. */
  readonly mints: readonly string[];
  /** The key that the token is to be locked to; absent: it is handed over unlocked. */
  readonly lockTo?: string;
  readonly locktimeMin?: number;
  readonly isAvailable: boolean;
  /** Why not, or what to expect. */
  readonly note?: string;
  readonly isImageHere?: boolean;
  /** Whether the provider was asked; otherwise it is read from its offer. */
  readonly isAsked: boolean;
}
