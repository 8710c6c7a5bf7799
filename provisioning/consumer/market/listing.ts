/** One provider as the market sees it: what it says of itself, and what was seen of it. */
import type { NostrEvent } from "../../../src/nostr/mod.ts";
import type {
  Heartbeat,
  OfferedIsolation,
  OfferTerms,
  Promotion,
  Revocation,
  Spec,
} from "../../wire/mod.ts";
import type { ProviderAddress } from "../ports.ts";

/** A tier on offer. */
export interface ListedSpec extends Spec {
  readonly diskMb?: number;
  /** How many could be had when it was last told; undefined if nobody told. */
  readonly slotCount?: number;
}

/** A provider on the market. */
export interface Listing {
  /** Nostr key, 64 hex digits. */
  readonly provider: string;
  /** For people, and by no means unique. */
  readonly name: string;
  readonly address: ProviderAddress;
  readonly location?: string;
  readonly capabilities: readonly string[];
  readonly isolation: OfferedIsolation;
  readonly specs: readonly ListedSpec[];
  readonly mints: readonly string[];
  /** Our additions; absent with providers of Paygress. */
  readonly terms?: OfferTerms;
  /** Whether it takes new leases. */
  readonly isDraining: boolean;
  /** Whether a heartbeat is younger than 120 s. */
  readonly isOnline: boolean;
  /** The last sign of life, in seconds since 1970. */
  readonly seenS?: number;
  /** The last heartbeat. */
  readonly heartbeat?: Heartbeat;
  /** Share of the looked-at minutes with a heartbeat, 0 to 100; undefined before anything was seen. */
  readonly uptimePercent?: number;
  /** What it says itself. */
  readonly claimed: { readonly uptimePercent?: number; readonly jobsCompletedCount?: number };
  /** See {@link ProviderScores}. */
  readonly score?: number;
  /** Whether its offer is of the oldest kind (999). */
  readonly isLegacy: boolean;
  /** Workloads that it gave up, and took over, lately. */
  readonly revocations: readonly Revocation[];
  readonly promotions: readonly Promotion[];
  readonly evidence: ListingEvidence;
}

/** The signed events that a listing was read from. */
export interface ListingEvidence {
  readonly offer: NostrEvent;
  /** The newest last. */
  readonly heartbeats: readonly NostrEvent[];
  readonly revocations: readonly NostrEvent[];
  readonly promotions: readonly NostrEvent[];
}
