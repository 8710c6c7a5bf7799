/**
 * The offer of Paygress' earliest providers (kind 999): no name, no address of its own, no heartbeat.
 * Read, so that such a provider is found; never written.
 */
import type { NostrEvent } from "../../src/nostr/nostr.ts";
import { type EventFacts, type EventReading, factsOf, openEvent } from "./event.ts";
import { asAddress } from "./fields.ts";
import { asCount, asList, complete } from "./json.ts";
import { KIND_LEGACY_OFFER, TOPIC } from "./kinds.ts";
import { WIRE_LIMITS } from "./limits.ts";
import { readSpec, type Spec } from "./spec.ts";

/** An offer of kind 999. */
export interface LegacyOffer extends EventFacts {
  /** The signer, 64 hex digits. */
  readonly provider: string;
  readonly minDurationS: number;
  readonly mints: readonly string[];
  readonly specs: readonly Spec[];
}

/**
 * Reads `{"minimum_duration_seconds","whitelisted_mints","pod_specs"}`; many programs use the kind, so
 * both tags must be there.
 *
 * @param event Of a checked signature.
 */
export function readLegacyOffer(event: NostrEvent, options: EventReading): LegacyOffer | undefined {
  const members = openEvent(event, { ...options, kinds: [KIND_LEGACY_OFFER] });
  const topics = event.tags.filter((tag) => tag[0] === "t").map((tag) => tag[1]);
  if (members === undefined || !topics.includes(TOPIC) || !topics.includes("offer")) {
    return undefined;
  }
  const known = complete({
    minDurationS: asCount(members.minimum_duration_seconds),
    mints: asList(members.whitelisted_mints, WIRE_LIMITS.mintCountMax, asAddress),
    specs: asList(members.pod_specs, WIRE_LIMITS.specCountMax, readSpec),
  });
  return known && {
    provider: event.pubkey,
    ...known,
    specs: known.specs.filter((spec) => spec.rateMsatPerS > 0),
    ...factsOf(event),
  };
}
