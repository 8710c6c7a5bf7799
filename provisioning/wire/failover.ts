/**
 * Workloads that change their provider: a primary gives one up (kind 38385), a standby has taken one
 * over (kind 38386). Who may say so is the signer alone, so both are bound to their signatures; that a
 * standby was one of the set is for the reader to know.
 */
import { type EventTemplate, type NostrEvent, tagValue } from "../../src/nostr/nostr.ts";
import {
  type EventFacts,
  type EventReading,
  factsOf,
  hasAddress,
  isSigner,
  openEvent,
  versionOf,
} from "./event.ts";
import { asAddress, asName, asNostrKey } from "./fields.ts";
import { asCount, asList, complete, optional, present } from "./json.ts";
import { KIND_PROMOTION, KIND_REVOCATION, SCHEMA_VERSION, TOPIC } from "./kinds.ts";
import { WIRE_LIMITS } from "./limits.ts";

const REVOCATION_ADDRESS = "paygress:revocation:v1:";
const PROMOTION_ADDRESS = "paygress:promoted:v1:";

/** A primary gives a workload up. */
export interface RevocationBody {
  /** Chosen by the lessee. */
  readonly workloadId: string;
  /** Nostr key, 64 hex digits; always the signer's. */
  readonly primary: string;
  /** Nostr keys, 64 hex digits each. */
  readonly standbys: readonly string[];
  readonly reason: string;
  /** Seconds since 1970. */
  readonly revokedAtS: number;
  /** Where the workload's state lies, as `blossom://host/<sha256>`. */
  readonly stateUri?: string;
}

/** A revocation that was read. */
export interface Revocation extends RevocationBody, EventFacts {
  readonly version: number;
}

/** A standby has taken a workload over. */
export interface PromotionBody {
  readonly workloadId: string;
  /** Nostr key, 64 hex digits; always the signer's. */
  readonly primary: string;
  /** Seconds since 1970. */
  readonly promotedAtS: number;
}

/** A promotion that was read. */
export interface Promotion extends PromotionBody, EventFacts {
  readonly version: number;
}

/** What is to be signed to give a workload up. */
export function buildRevocation(
  revocation: RevocationBody,
  options: { readonly createdAtS: number },
): EventTemplate {
  const { workloadId, primary, standbys } = revocation;
  return {
    kind: KIND_REVOCATION,
    created_at: options.createdAtS,
    tags: [
      ["t", TOPIC],
      ["t", "paygress-revocation"],
      ["d", `${REVOCATION_ADDRESS}${primary}:${workloadId}`],
      ["v", String(SCHEMA_VERSION)],
      ["workload", workloadId],
      ...standbys.map((standby) => ["p", standby]),
    ],
    content: JSON.stringify({
      workload_id: workloadId,
      primary_provider_npub: primary,
      standby_providers: standbys,
      reason: revocation.reason,
      revoked_at: revocation.revokedAtS,
      state_uri: revocation.stateUri,
      version: SCHEMA_VERSION,
    }),
  };
}

/**
 * Reads a revocation strictly; one that its primary did not sign is none.
 *
 * @param event Of a checked signature.
 */
export function readRevocation(event: NostrEvent, options: EventReading): Revocation | undefined {
  const members = openEvent(event, { ...options, kinds: [KIND_REVOCATION] });
  if (members === undefined || !isSigner(event, members.primary_provider_npub)) return undefined;
  const known = complete({
    workloadId: asName(members.workload_id),
    standbys: asList(members.standby_providers, WIRE_LIMITS.standbyCountMax, asNostrKey),
    reason: asName(members.reason),
    revokedAtS: asCount(members.revoked_at),
    version: versionOf(members),
  });
  const more = present({ stateUri: optional(members.state_uri, asAddress) });
  if (known === undefined || more === undefined) return undefined;
  if (!isAbout(event, known.workloadId)) return undefined;
  if (!hasAddress(event, REVOCATION_ADDRESS, `:${known.workloadId}`)) return undefined;
  return { primary: event.pubkey, ...known, ...more, ...factsOf(event) };
}

/** What is to be signed to announce that a workload was taken over. */
export function buildPromotion(
  promotion: PromotionBody,
  options: { readonly createdAtS: number },
): EventTemplate {
  const { workloadId } = promotion;
  return {
    kind: KIND_PROMOTION,
    created_at: options.createdAtS,
    tags: [
      ["t", TOPIC],
      ["t", "paygress-promoted"],
      ["d", `${PROMOTION_ADDRESS}${workloadId}`],
      ["v", String(SCHEMA_VERSION)],
      ["workload", workloadId],
    ],
    content: JSON.stringify({
      workload_id: workloadId,
      new_primary_npub: promotion.primary,
      promoted_at: promotion.promotedAtS,
      version: SCHEMA_VERSION,
    }),
  };
}

/**
 * Reads a promotion strictly; one that the new primary did not sign is none.
 *
 * @param event Of a checked signature.
 * @param options `standbys`: who may take the workload over, as hex; anybody else's is none.
 */
export function readPromotion(
  event: NostrEvent,
  options: EventReading & { readonly standbys?: readonly string[] },
): Promotion | undefined {
  const members = openEvent(event, { ...options, kinds: [KIND_PROMOTION] });
  if (members === undefined || !isSigner(event, members.new_primary_npub)) return undefined;
  if (options.standbys?.includes(event.pubkey) === false) return undefined;
  const known = complete({
    workloadId: asName(members.workload_id),
    promotedAtS: asCount(members.promoted_at),
    version: versionOf(members),
  });
  if (known === undefined || !isAbout(event, known.workloadId)) return undefined;
  if (tagValue(event, "d") !== `${PROMOTION_ADDRESS}${known.workloadId}`) return undefined;
  return { primary: event.pubkey, ...known, ...factsOf(event) };
}

/** Relays find events by their tags: one that says something else than the body is a trap. */
function isAbout(event: NostrEvent, workloadId: string): boolean {
  return tagValue(event, "workload") === workloadId;
}
