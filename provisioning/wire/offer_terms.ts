/**
 * What we add to an offer: the member `swarm`, which clients of Paygress ignore.
 *
 * | member | meaning |
 * |---|---|
 * | `v` | 1; of any other version nothing is read |
 * | `p2pk` | key that tokens are to be locked to, 66 hex digits |
 * | `locktime_min` | the least minutes that the lock must hold |
 * | `min_duration_s`, `max_duration_s` | what a lease may last when it is paid for |
 * | `specs` | by tier: `disk_mb`, and `slots`, how many could be had when this was written |
 * | `backend`, `arch` | engine, and machine of its images, as `amd64` |
 * | `ports_max` | ports that a lease may have besides SSH |
 * | `verbs` | of our own requests those that are answered |
 * | `draining` | true: no new leases at the moment |
 * | `peer` | libp2p peer that images can be fetched from and offered to |
 */
import { asCompressedKey, asName } from "./fields.ts";
import { asCount, asFlag, asList, asMembers, complete, optional, present } from "./json.ts";
import { WIRE_LIMITS } from "./limits.ts";

/** What is added to one tier. */
export interface SpecTerms {
  readonly diskMb?: number;
  readonly slotCount?: number;
}

/** What is added to an offer. */
export interface OfferTerms {
  readonly paymentKey: string;
  readonly locktimeMin?: number;
  readonly minDurationS?: number;
  readonly maxDurationS?: number;
  readonly specs: ReadonlyMap<string, SpecTerms>;
  readonly backend?: string;
  readonly arch?: string;
  readonly portCountMax?: number;
  readonly verbs: readonly string[];
  readonly isDraining: boolean;
  readonly peerId?: string;
}

/** Reads the member `swarm`. What is no such member makes no offer unreadable: it is left out. */
export function readOfferTerms(raw: unknown): OfferTerms | undefined {
  const members = asMembers(raw);
  if (members?.v !== 1) return undefined;
  const known = complete({
    paymentKey: asCompressedKey(members.p2pk),
    specs: readSpecs(members.specs ?? {}),
    verbs: asList(members.verbs ?? [], WIRE_LIMITS.capabilityCountMax, asName),
    isDraining: asFlag(members.draining ?? false),
  });
  const more = present({
    locktimeMin: optional(members.locktime_min, anyCount),
    minDurationS: optional(members.min_duration_s, anyCount),
    maxDurationS: optional(members.max_duration_s, anyCount),
    backend: optional(members.backend, asName),
    arch: optional(members.arch, asName),
    portCountMax: optional(members.ports_max, anyCount),
    peerId: optional(members.peer, asName),
  });
  return known && more && { ...known, ...more };
}

/** What {@link readOfferTerms} reads. */
export function offerTermsMembers(terms: OfferTerms): Record<string, unknown> {
  return {
    v: 1,
    p2pk: terms.paymentKey,
    locktime_min: terms.locktimeMin,
    min_duration_s: terms.minDurationS,
    max_duration_s: terms.maxDurationS,
    specs: Object.fromEntries(
      [...terms.specs].map((
        [id, spec],
      ) => [id, { disk_mb: spec.diskMb, slots: spec.slotCount }]),
    ),
    backend: terms.backend,
    arch: terms.arch,
    ports_max: terms.portCountMax,
    verbs: terms.verbs,
    draining: terms.isDraining ? true : undefined,
    peer: terms.peerId,
  };
}

function readSpecs(raw: unknown): ReadonlyMap<string, SpecTerms> | undefined {
  const members = asMembers(raw);
  if (members === undefined) return undefined;
  const entries = Object.entries(members);
  if (entries.length > WIRE_LIMITS.specCountMax) return undefined;
  const specs = new Map<string, SpecTerms>();
  for (const [id, value] of entries) {
    const spec = asMembers(value);
    const terms = spec && present({
      diskMb: optional(spec.disk_mb, anyCount),
      slotCount: optional(spec.slots, anyCount),
    });
    if (terms === undefined || asName(id) === undefined) return undefined;
    specs.set(id, terms);
  }
  return specs;
}

function anyCount(value: unknown): number | undefined {
  return asCount(value);
}
