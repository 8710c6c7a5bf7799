/**
 * Offers (kind 38383): what a provider has, for how much, and on which terms. Addressable by
 * `paygress:offer:v1:<provider>`; the newest of a provider counts.
 */
import type { EventTemplate, NostrEvent } from "../../src/nostr/nostr.ts";
import { expirationOf } from "../../src/nostr/nostr.ts";
import type { IsolationLevel } from "../ports.ts";
import {
  type EventFacts,
  type EventReading,
  factsOf,
  hasAddress,
  isSigner,
  openEvent,
  versionOf,
} from "./event.ts";
import { asAddress, asName } from "./fields.ts";
import { asCount, asList, asNumber, complete, optional, present } from "./json.ts";
import { KIND_OFFER, SCHEMA_VERSION, TOPIC } from "./kinds.ts";
import { WIRE_LIMITS } from "./limits.ts";
import { type OfferTerms, offerTermsMembers, readOfferTerms } from "./offer_terms.ts";
import { readSpec, type Spec, specMembers } from "./spec.ts";
import { readStakeProof, type StakeProof, stakeProofMembers } from "./stake_proof.ts";

const ADDRESS = "paygress:offer:v1:";

/** How a provider keeps leases apart; `unknown` is a word that we do not know, and worth nothing. */
export type OfferedIsolation = IsolationLevel | "unknown";

const ISOLATIONS: ReadonlySet<unknown> = new Set<IsolationLevel>([
  "shared-kernel",
  "dedicated-host",
  "attested-research-tier",
]);

/** What a provider says of itself. */
export interface OfferBody {
  /** Nostr key, 64 hex digits; always the signer's. */
  readonly provider: string;
  /** For people; `hostname` on the wire. */
  readonly name: string;
  /** Coarse, as `EU`. */
  readonly location?: string;
  readonly capabilities: readonly string[];
  readonly specs: readonly Spec[];
  readonly mints: readonly string[];
  /** Claimed, and by Paygress always 100. */
  readonly uptimePercent: number;
  /** Claimed. */
  readonly jobsCompletedCount: number;
  /** Base address of the HTTP mode. */
  readonly apiEndpoint?: string;
  readonly isolation: OfferedIsolation;
  readonly stakeProof?: StakeProof;
  /** Our additions; absent with providers of Paygress. */
  readonly terms?: OfferTerms;
}

/** An offer that was read. */
export interface Offer extends OfferBody, EventFacts {
  readonly version: number;
  /** Seconds since 1970 (NIP-40). */
  readonly expiresS?: number;
}

/**
 * What is to be signed to publish an offer.
 *
 * @param options `expiresS`: when relays may forget it (NIP-40), in seconds since 1970.
 * @throws {RangeError} If a tier costs nothing or is named twice, or the isolation is `unknown`.
 */
export function buildOffer(
  offer: OfferBody,
  options: { readonly createdAtS: number; readonly expiresS?: number },
): EventTemplate {
  checkOffer(offer);
  return {
    kind: KIND_OFFER,
    created_at: options.createdAtS,
    tags: [
      ["t", TOPIC],
      ["t", "compute"],
      ["d", `${ADDRESS}${offer.provider}`],
      ["v", String(SCHEMA_VERSION)],
      ...options.expiresS === undefined ? [] : [["expiration", String(options.expiresS)]],
    ],
    content: JSON.stringify({
      provider_npub: offer.provider,
      hostname: offer.name,
      location: offer.location ?? null,
      capabilities: offer.capabilities,
      specs: offer.specs.map(specMembers),
      whitelisted_mints: offer.mints,
      uptime_percent: offer.uptimePercent,
      total_jobs_completed: offer.jobsCompletedCount,
      api_endpoint: offer.apiEndpoint ?? null,
      version: SCHEMA_VERSION,
      isolation_level: offer.isolation,
      stake_proof: offer.stakeProof && stakeProofMembers(offer.stakeProof),
      swarm: offer.terms && offerTermsMembers(offer.terms),
    }),
  };
}

/**
 * Reads an offer strictly: unreadable is also one that its body says to be someone else's, or that has
 * run out. A tier that costs nothing is left out, since no payment could tell how long it lasts.
 *
 * @param event Of a checked signature.
 */
export function readOffer(event: NostrEvent, options: EventReading): Offer | undefined {
  const members = openEvent(event, { ...options, kinds: [KIND_OFFER] });
  if (members === undefined || !isSigner(event, members.provider_npub)) return undefined;
  if (!hasAddress(event, ADDRESS)) return undefined;
  const expiresS = expirationOf(event);
  if (expiresS !== undefined && expiresS <= options.nowS) return undefined;
  const known = complete({
    name: asName(members.hostname),
    capabilities: asList(members.capabilities ?? ["lxc"], WIRE_LIMITS.capabilityCountMax, asName),
    specs: asList(members.specs, WIRE_LIMITS.specCountMax, readSpec),
    mints: asList(members.whitelisted_mints, WIRE_LIMITS.mintCountMax, asAddress),
    uptimePercent: asNumber(members.uptime_percent),
    jobsCompletedCount: asCount(members.total_jobs_completed),
    version: versionOf(members),
    isolation: readIsolation(members.isolation_level),
  });
  const more = present({
    location: optional(members.location, asName),
    apiEndpoint: optional(members.api_endpoint, asAddress),
    stakeProof: optional(members.stake_proof, readStakeProof),
  });
  if (known === undefined || more === undefined) return undefined;
  const terms = readOfferTerms(members.swarm);
  return {
    provider: event.pubkey,
    ...known,
    specs: known.specs.filter((spec) => spec.rateMsatPerS > 0),
    ...more,
    ...factsOf(event),
    ...(terms === undefined ? {} : { terms }),
    ...(expiresS === undefined ? {} : { expiresS }),
  };
}

function readIsolation(value: unknown): OfferedIsolation | undefined {
  if (value === undefined) return "shared-kernel";
  if (ISOLATIONS.has(value)) return value as IsolationLevel;
  return typeof value === "string" ? "unknown" : undefined;
}

function checkOffer(offer: OfferBody): void {
  const ids = new Set(offer.specs.map((spec) => spec.id));
  const free = offer.specs.find((spec) => !(spec.rateMsatPerS > 0));
  const problem = free !== undefined
    ? `tier ${free.id} costs ${free.rateMsatPerS} msat a second, at least 1 wanted`
    : ids.size !== offer.specs.length
    ? "two tiers have the same id"
    : offer.isolation === "unknown"
    ? "its isolation is unknown, which would make it unreadable for others"
    : undefined;
  if (problem !== undefined) throw new RangeError(`Cannot publish this offer: ${problem}`);
}
