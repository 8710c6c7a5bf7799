/**
 * Messages in the form that Paygress writes them, member by member, and what its own parser would take:
 * all members that are required, each of its type, whatever else there is.
 */
import { nostrPublicKey } from "../../../src/nostr/nostr.ts";

/** Keys of a provider, two standbys and somebody else. */
export const SECRETS = {
  provider: new Uint8Array(32).fill(1),
  standby: new Uint8Array(32).fill(2),
  otherStandby: new Uint8Array(32).fill(3),
  stranger: new Uint8Array(32).fill(4),
} as const;

/** Their public keys, 64 hex digits. */
export const KEYS = {
  provider: nostrPublicKey(SECRETS.provider),
  standby: nostrPublicKey(SECRETS.standby),
  otherStandby: nostrPublicKey(SECRETS.otherStandby),
  stranger: nostrPublicKey(SECRETS.stranger),
} as const;

/** Seconds since 1970 at which the events are written. */
export const AT_S = 1_785_400_000;

/** Contents of events. */
export const CONTENTS = {
  offer:
    `{"provider_npub":"${KEYS.provider}","hostname":"SwiftGoldenOwl","location":"EU","capabilities":["lxc"],"specs":[{"id":"basic","name":"Basic","description":"1 vCPU, 1GB RAM","cpu_millicores":1000,"memory_mb":1024,"rate_msats_per_sec":50}],"whitelisted_mints":["https://mint.example"],"uptime_percent":100.0,"total_jobs_completed":0,"api_endpoint":null,"version":1,"isolation_level":"shared-kernel"}`,
  heartbeat:
    `{"provider_npub":"${KEYS.provider}","timestamp":1785400020,"active_workloads":1,"available_capacity":{"cpu_available":3000,"memory_mb_available":2048,"storage_gb_available":40},"version":1}`,
  revocation:
    `{"workload_id":"wl-1","primary_provider_npub":"${KEYS.provider}","standby_providers":["${KEYS.standby}","${KEYS.otherStandby}"],"reason":"heartbeat-quorum-lost-past-t2","revoked_at":1785400300,"version":1}`,
  promotion:
    `{"workload_id":"wl-1","new_primary_npub":"${KEYS.standby}","promoted_at":1785400331,"version":1}`,
  legacyOffer:
    `{"minimum_duration_seconds":60,"whitelisted_mints":["https://mint.example"],"pod_specs":[{"id":"basic","name":"Basic","description":"Basic VPS","cpu_millicores":1000,"memory_mb":1024,"rate_msats_per_sec":100}]}`,
} as const;

/** Requests. */
export const REQUESTS = {
  spawn:
    `{"cashu_token":"cashuBo2F0","pod_spec_id":"basic","pod_image":"ubuntu:22.04","ssh_username":"user","ssh_password":"W9ZG2GIUOWiPkYID"}`,
  template:
    `{"cashu_token":"cashuBo2F0","pod_spec_id":"basic","pod_image":"ubuntu:22.04","ssh_username":"user","ssh_password":"W9ZG2GIUOWiPkYID","template_slug":"agent-sandbox"}`,
  warmStandby:
    `{"cashu_token":"cashuBo2F0","pod_spec_id":"basic","pod_image":"ubuntu:22.04","ssh_username":"user","ssh_password":"W9ZG2GIUOWiPkYID","template_slug":"nostr-relay","replication":{"mode":"warm-standby","standby_providers":["${KEYS.standby}","${KEYS.otherStandby}"]},"primary_npub":"${KEYS.provider}","workload_id":"4b1c","volume_encryption":{"version":1,"algorithm":"luks2-aes-xts","key_b64":"6GZEqdMmNsHZyal29e3doPP_43nX7rdcVUeEkxCaQvI"}}`,
  topUp: `{"pod_npub":"container-1000","cashu_token":"cashuBo2F0"}`,
  status: `{"pod_id":"1000"}`,
} as const;

/** Answers. */
export const ANSWERS = {
  access:
    `{"pod_npub":"container-1000","node_port":31000,"expires_at":"2026-07-30T12:00:00+00:00","cpu_millicores":1000,"memory_mb":1024,"pod_spec_name":"Basic","pod_spec_description":"1 vCPU, 1GB RAM","instructions":["🚀 Workload provisioned successfully!","👤 Username: root","🔑 Password: W9ZG2GIUOWiPkYID","⌛ Expires: 2026-07-30 12:00:00 UTC","Access: You can connect to the container using SSH.","  ssh -p 31000 root@203.0.113.5"],"host_address":"203.0.113.5","template_ports":[{"host_port":31001,"container_port":8080,"protocol":"tcp","label":"sandbox-exec"}]}`,
  standby:
    `{"pod_npub":"standby-slot-4b1c","node_port":0,"expires_at":"2026-07-30T12:00:00+00:00","cpu_millicores":1000,"memory_mb":1024,"pod_spec_name":"Basic","pod_spec_description":"1 vCPU, 1GB RAM","instructions":[]}`,
  topUp:
    `{"success":true,"pod_npub":"container-1000","extended_duration_seconds":3600,"new_expires_at":"2026-07-30T13:00:00+00:00","message":"Lease extended by 3600s (180000 msats @ 50 msats/sec)"}`,
  status:
    `{"pod_id":"1000","status":"Running","expires_at":"2026-07-30T13:00:00+00:00","time_remaining_seconds":3600,"cpu_millicores":1000,"memory_mb":1024,"ssh_host":"203.0.113.5","ssh_port":31000,"ssh_username":"root"}`,
  error:
    `{"error_type":"insufficient_payment","message":"Insufficient payment for minimum duration. Required: 3000 msats for 60s","details":null}`,
} as const;

type Shape = Readonly<Record<string, string>>;

/** Types that Paygress' parser insists on: `?` may be missing or null. */
const SHAPES = {
  offer: {
    provider_npub: "string",
    hostname: "string",
    location: "string?",
    capabilities: "strings",
    specs: "specs",
    whitelisted_mints: "strings",
    uptime_percent: "number",
    total_jobs_completed: "count",
    api_endpoint: "string?",
    version: "count?",
    isolation_level: "isolation?",
  },
  heartbeat: {
    provider_npub: "string",
    timestamp: "count",
    active_workloads: "count",
    available_capacity: "capacity",
    version: "count?",
  },
  revocation: {
    workload_id: "string",
    primary_provider_npub: "string",
    standby_providers: "strings",
    reason: "string",
    revoked_at: "count",
    state_uri: "string?",
    version: "count?",
  },
  promotion: {
    workload_id: "string",
    new_primary_npub: "string",
    promoted_at: "count",
    version: "count?",
  },
  spawn: {
    cashu_token: "string",
    pod_image: "string",
    ssh_username: "string",
    ssh_password: "string",
    pod_spec_id: "string?",
    template_slug: "string?",
    primary_npub: "string?",
    workload_id: "string?",
  },
  topUp: { pod_npub: "string", cashu_token: "string" },
  status: { pod_id: "string" },
  error: { error_type: "string", message: "string", details: "string?" },
  access: {
    pod_npub: "string",
    node_port: "count",
    expires_at: "string",
    cpu_millicores: "count",
    memory_mb: "count",
    pod_spec_name: "string",
    pod_spec_description: "string",
    instructions: "strings",
    host_address: "string?",
    template_ports: "ports?",
  },
  topUpAnswer: {
    success: "boolean",
    pod_npub: "string",
    extended_duration_seconds: "count",
    new_expires_at: "string",
    message: "string",
  },
  statusAnswer: {
    pod_id: "string",
    status: "string",
    expires_at: "string",
    time_remaining_seconds: "count",
    cpu_millicores: "count",
    memory_mb: "count",
    ssh_host: "string",
    ssh_port: "count",
    ssh_username: "string",
  },
} as const satisfies Record<string, Shape>;

const SPEC: Shape = {
  id: "string",
  name: "string",
  description: "string",
  cpu_millicores: "count",
  memory_mb: "count",
  rate_msats_per_sec: "count",
};
const CAPACITY: Shape = {
  cpu_available: "count",
  memory_mb_available: "count",
  storage_gb_available: "count",
};
const PORT: Shape = {
  host_port: "count",
  container_port: "count",
  protocol: "string",
  label: "string",
};

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  boolean: (value) => typeof value === "boolean",
  number: (value) => typeof value === "number",
  count: isCount,
  strings: (value) => Array.isArray(value) && value.every((item) => typeof item === "string"),
  specs: (value) => Array.isArray(value) && value.every((item) => hasShape(item, SPEC)),
  ports: (value) => Array.isArray(value) && value.every((item) => hasShape(item, PORT)),
  capacity: (value) => hasShape(value, CAPACITY),
  isolation: (value) =>
    ["shared-kernel", "dedicated-host", "attested-research-tier"].includes(value as string),
};

function hasShape(value: unknown, shape: Shape): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.entries(shape).every(([name, type]) => {
    const member = (value as Record<string, unknown>)[name];
    if (type.endsWith("?") && (member === undefined || member === null)) return true;
    return TYPES[type.replace("?", "")]!(member);
  });
}

/** Whether Paygress' parser would take the text for this. */
export function paygressReads(what: keyof typeof SHAPES, text: string): boolean {
  return hasShape(JSON.parse(text), SHAPES[what]);
}

/** As which request a provider of Paygress would take the text. */
export function paygressRequest(text: string): "spawn" | "topUp" | "status" | undefined {
  return (["spawn", "topUp", "status"] as const).find((what) => paygressReads(what, text));
}

/** As which answer a client of Paygress would take the text. */
export function paygressAnswer(text: string): string | undefined {
  return (["error", "access", "topUpAnswer", "statusAnswer"] as const)
    .find((what) => paygressReads(what, text));
}
