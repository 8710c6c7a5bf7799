/**
 * Heartbeats: a provider lives, and has so much left. The same content twice a minute apart: kind 38384,
 * which relays keep under `paygress:heartbeat:v1:<provider>:<minute>`, and kind 20384, which they pass on.
 */
import type { EventTemplate, NostrEvent } from "../../src/nostr/nostr.ts";
import {
  type EventFacts,
  type EventReading,
  factsOf,
  hasAddress,
  isSigner,
  openEvent,
  versionOf,
} from "./event.ts";
import { asCount, asFlag, asMembers, complete, type Members, optional, present } from "./json.ts";
import {
  HEARTBEAT_BUCKET_S,
  HEARTBEAT_TOPIC,
  KIND_HEARTBEAT,
  KIND_LIVE_HEARTBEAT,
  SCHEMA_VERSION,
} from "./kinds.ts";
import { WIRE_LIMITS } from "./limits.ts";

const ADDRESS = "paygress:heartbeat:v1:";

/** What we add: the member `swarm` {v:1, disk_mb, slots, draining, ssh_probe_ms}. */
export interface HeartbeatTerms {
  /** Free disk, in MiB. */
  readonly diskMb?: number;
  /** How many leases of each tier could begin now. */
  readonly slots: ReadonlyMap<string, number>;
  readonly isDraining: boolean;
  /** How long a connection to a lease's published port took when it was last tried. */
  readonly sshProbeMs?: number;
}

/** What a heartbeat says. */
export interface HeartbeatBody {
  /** Nostr key, 64 hex digits; always the signer's. */
  readonly provider: string;
  /** Seconds since 1970. */
  readonly timestampS: number;
  readonly activeCount: number;
  /** Paygress itself says here 100,000 times the idle share of the processor. */
  readonly cpuMillicores: number;
  readonly memoryMb: number;
  readonly diskGb: number;
  readonly terms?: HeartbeatTerms;
}

/** A heartbeat that was read. */
export interface Heartbeat extends HeartbeatBody, EventFacts {
  readonly isLive: boolean;
  readonly version: number;
}

/** What is to be signed for one heartbeat: what relays keep, and what they pass on. */
export function buildHeartbeat(
  heartbeat: HeartbeatBody,
): { readonly stored: EventTemplate; readonly live: EventTemplate } {
  const { provider, timestampS } = heartbeat;
  const content = JSON.stringify({
    provider_npub: provider,
    timestamp: timestampS,
    active_workloads: heartbeat.activeCount,
    available_capacity: {
      cpu_available: heartbeat.cpuMillicores,
      memory_mb_available: heartbeat.memoryMb,
      storage_gb_available: heartbeat.diskGb,
    },
    version: SCHEMA_VERSION,
    swarm: heartbeat.terms && termsMembers(heartbeat.terms),
  });
  const bucket = Math.floor(timestampS / HEARTBEAT_BUCKET_S);
  const base = [["t", HEARTBEAT_TOPIC], ["p", provider]];
  const version = ["v", String(SCHEMA_VERSION)];
  return {
    stored: {
      kind: KIND_HEARTBEAT,
      created_at: timestampS,
      tags: [...base, ["d", `${ADDRESS}${provider}:${bucket}`], version],
      content,
    },
    live: { kind: KIND_LIVE_HEARTBEAT, created_at: timestampS, tags: [...base, version], content },
  };
}

/**
 * Reads a heartbeat strictly: unreadable is also one that its body says to be someone else's, or that
 * is about another time than it was signed at.
 *
 * @param event Of a checked signature.
 */
export function readHeartbeat(event: NostrEvent, options: EventReading): Heartbeat | undefined {
  const members = openEvent(event, { ...options, kinds: [KIND_HEARTBEAT, KIND_LIVE_HEARTBEAT] });
  if (members === undefined || !isSigner(event, members.provider_npub)) return undefined;
  const timestampS = asCount(members.timestamp);
  if (timestampS === undefined) return undefined;
  if (Math.abs(timestampS - event.created_at) > WIRE_LIMITS.futureS) return undefined;
  const isLive = event.kind === KIND_LIVE_HEARTBEAT;
  const bucket = Math.floor(timestampS / HEARTBEAT_BUCKET_S);
  if (!isLive && !hasAddress(event, ADDRESS, `:${bucket}`)) return undefined;
  const capacity = asMembers(members.available_capacity);
  const known = complete({
    activeCount: asCount(members.active_workloads),
    cpuMillicores: asCount(capacity?.cpu_available),
    memoryMb: asCount(capacity?.memory_mb_available),
    diskGb: asCount(capacity?.storage_gb_available),
    version: versionOf(members),
  });
  const terms = readTerms(members.swarm);
  return known && {
    provider: event.pubkey,
    timestampS,
    isLive,
    ...known,
    ...factsOf(event),
    ...(terms === undefined ? {} : { terms }),
  };
}

function termsMembers(terms: HeartbeatTerms): Members {
  return {
    v: 1,
    disk_mb: terms.diskMb,
    slots: Object.fromEntries(terms.slots),
    draining: terms.isDraining ? true : undefined,
    ssh_probe_ms: terms.sshProbeMs,
  };
}

function readTerms(raw: unknown): HeartbeatTerms | undefined {
  const members = asMembers(raw);
  if (members?.v !== 1) return undefined;
  const known = complete({
    slots: readSlots(members.slots ?? {}),
    isDraining: asFlag(members.draining ?? false),
  });
  const more = present({
    diskMb: optional(members.disk_mb, (value) => asCount(value)),
    sshProbeMs: optional(members.ssh_probe_ms, (value) => asCount(value)),
  });
  return known && more && { ...known, ...more };
}

function readSlots(raw: unknown): ReadonlyMap<string, number> | undefined {
  const entries = Object.entries(asMembers(raw) ?? { wrong: -1 });
  if (entries.length > WIRE_LIMITS.specCountMax) return undefined;
  const slots = new Map<string, number>();
  for (const [id, value] of entries) {
    const count = asCount(value);
    if (count === undefined || id.length > WIRE_LIMITS.nameCharsMax) return undefined;
    slots.set(id, count);
  }
  return slots;
}
