/** What each side's own books say of a lease. The application makes them of journals and wallets. */
import type { Sha256 } from "../../src/core/hash.ts";
import type { Payment } from "../books.ts";
import type { LeaseEnd } from "./lease_receipt.ts";
import type { TierTerms } from "./terms.ts";

/** A lease that is over and settled, as its provider's journal has it. */
export interface ProviderAccount {
  /** `<provider>:container-<n>:<second>`. */
  readonly lease: string;
  /** Nostr key of the lessee, 64 hex digits. */
  readonly consumer: string;
  readonly tier: TierTerms;
  /** SHA-256 of the manifest of the platform, once it was known. */
  readonly image?: Sha256;
  /** In seconds since 1970. */
  readonly fromS: number;
  readonly toS: number;
  /** What was charged. */
  readonly msat: number;
  /** What arrived. */
  readonly paidMsat: number;
  readonly refundSat: number;
  readonly payments: readonly Payment[];
  readonly ending: Exclude<LeaseEnd, "unanswered">;
  /** The stable string that a lease failed with. */
  readonly error?: string;
}

/** One payment, as its lessee made it. */
export interface MadePayment extends Payment {
  /** Face value. */
  readonly amountSat: number;
  /** What became of it: time, or itself back, or nothing; `returned` was never touched by the provider. */
  readonly outcome: "taken" | "refunded" | "lost" | "returned";
}

/** A lease that is over, as its lessee's book has it. */
export interface LesseeAccount {
  /** `<provider>:container-<n>:<second>`; undefined when the provider never said one. */
  readonly lease?: string;
  /** What stands for the request when there is no such id, 32 hex digits. */
  readonly request: string;
  /** Nostr key of the provider, 64 hex digits. */
  readonly provider: string;
  /** As its offer had it; `diskMb` is undefined when it did not say. */
  readonly tier: Omit<TierTerms, "diskMb"> & { readonly diskMb?: number };
  /** Digest that the image was named by: its manifest's, or that of a list for several platforms. */
  readonly image?: Sha256;
  /** Manifests in that list, where it is known; none if it is known to be no list. */
  readonly imagePlatforms?: readonly Sha256[];
  /** When it was ready, in seconds since 1970. */
  readonly readyS?: number;
  readonly endS: number;
  readonly payments: readonly MadePayment[];
  /** What came back and arrived. */
  readonly refundedSat: number;
  readonly ending: "expired" | "stopped" | "cut-short" | "failed" | "unanswered";
}
