/**
 * Reading requests. Like Paygress, by the members that are there, in this order: spawn, top-up, status;
 * then our own verbs, which a member `seedmint` names. What does not read as one is tried as the next;
 * members that are not known are ignored.
 */
import { parsePublicKey } from "../../src/nostr/nostr.ts";
import {
  asAddress,
  asCompressedKey,
  asDigest,
  asLease,
  asName,
  asReceipt,
  asRequestId,
  asToken,
} from "./fields.ts";
import {
  asCount,
  asFlag,
  asList,
  asMembers,
  asRaw,
  asText,
  complete,
  type Members,
  optional,
  parseMembers,
  present,
} from "./json.ts";
import { parseLeaseId } from "./lease_name.ts";
import { WIRE_LIMITS } from "./limits.ts";
import { readWantedPort } from "./port.ts";
import type {
  OwnRequest,
  Replication,
  Request,
  SpawnRequest,
  StatusRequest,
  TopUpRequest,
  VolumeEncryption,
} from "./request.ts";

/** What reading gave. */
export type RequestReading =
  | { readonly ok: true; readonly request: Request }
  /** A sentence for the `invalid_request` that answers it, and the request's id if it has one. */
  | { readonly ok: false; readonly problem: string; readonly requestId?: string };

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** Reads a request that a stranger sent. Never throws, and repeats nothing of what was sent. */
export function readRequest(text: string): RequestReading {
  const members = parseMembers(text, WIRE_LIMITS.messageCharsMax);
  if (members === undefined) {
    return { ok: false, problem: "A request is a JSON object of limited size; this is none" };
  }
  const request = readSpawn(members) ?? readTopUp(members) ?? readStatus(members) ??
    readOwn(members);
  if (request !== undefined) return { ok: true, request };
  const requestId = asRequestId(members.request_id);
  return {
    ok: false,
    problem: problemOf(members),
    ...(requestId === undefined ? {} : { requestId }),
  };
}

function problemOf(members: Members): string {
  if (members.seedmint !== undefined) {
    return `This verb is not known here, or a member of it is wrong; known are ${
      Object.keys(OWN_READERS).join(", ")
    }`;
  }
  const has = (...names: string[]) => names.every((name) => members[name] !== undefined);
  if (has("cashu_token", "pod_image")) {
    return "A spawn request has cashu_token, pod_image, ssh_username and ssh_password, all strings; " +
      "one is missing, or another member is wrong";
  }
  if (has("pod_npub") || has("cashu_token")) {
    return "A top-up request has pod_npub and cashu_token, both strings; one is missing or wrong";
  }
  return "Not a request: a spawn has cashu_token, pod_image, ssh_username and ssh_password, a top-up " +
    "pod_npub and cashu_token, a status pod_id";
}

function readSpawn(members: Members): SpawnRequest | undefined {
  const known = complete({
    token: asToken(members.cashu_token),
    image: asAddress(members.pod_image),
    sshUsername: asName(members.ssh_username),
    sshPassword: asName(members.ssh_password),
  });
  const payment = paymentOptions(members);
  const more = present({
    specId: optional(members.pod_spec_id, asName),
    template: optional(members.template_slug, asName),
    replication: optional(members.replication, readReplication),
    primary: optional(members.primary_npub, asKeyOrText),
    workloadId: optional(members.workload_id, asName),
    volumeEncryption: optional(members.volume_encryption, readVolumeEncryption),
    sshPublicKey: optional(members.ssh_public_key, asSshKey),
    imageDigest: optional(members.image_digest, asDigest),
    env: optional(members.env, readEnv),
    ports: optional(
      members.ports,
      (value) => asList(value, WIRE_LIMITS.portCountMax, readWantedPort),
    ),
  });
  return known && payment && more && { type: "spawn", ...known, ...payment, ...more };
}

function readTopUp(members: Members): TopUpRequest | undefined {
  const known = complete({
    lease: asLease(members.pod_npub),
    token: asToken(members.cashu_token),
  });
  const payment = paymentOptions(members);
  return known && payment && { type: "topup", ...known, ...payment };
}

function readStatus(members: Members): StatusRequest | undefined {
  const known = complete({ lease: asLease(members.pod_id) });
  const options = requestOptions(members);
  return known && options && { type: "status", ...known, ...options };
}

/** The verbs, each reading what is its own; {@link readOwn} reads what they share. */
const OWN_READERS: {
  readonly [T in OwnRequest["type"]]: (
    members: Members,
  ) => Omit<Extract<OwnRequest, { type: T }>, "requestId" | "wantsProgress"> | undefined;
} = {
  quote: (members) => {
    const more = present({
      specId: optional(members.pod_spec_id, asName),
      image: optional(members.pod_image, asAddress),
      imageDigest: optional(members.image_digest, asDigest),
      durationS: optional(members.duration_s, (value) => asCount(value)),
      portCount: optional(members.port_count, (value) => asCount(value, WIRE_LIMITS.portCountMax)),
    });
    return more === undefined ? undefined : { type: "quote", ...more };
  },
  stop: (members) => {
    const known = complete({ lease: asLease(members.lease) });
    const payment = paymentOptions(members);
    return known && payment && { type: "stop", ...known, ...payment };
  },
  restart: (members) => {
    const known = complete({ lease: asLease(members.lease) });
    return known && { type: "restart", ...known };
  },
  logs: (members) => {
    const known = complete({
      lease: asLease(members.lease),
      lineCount: asCount(members.line_count ?? 100, WIRE_LIMITS.logLineCountMax),
    });
    return known && { type: "logs", ...known };
  },
  exec: (members) => {
    const known = complete({
      lease: asLease(members.lease),
      command: asCommand(members.command),
      timeoutMs: asCount(members.timeout_ms ?? 10_000, WIRE_LIMITS.execMsMax),
    });
    return known && { type: "exec", ...known };
  },
  leases: () => ({ type: "leases" }),
  receipt: (members) => {
    const leaseId = asText(members.lease_id);
    const more = present({ receipt: optional(members.receipt, asReceipt) });
    if (leaseId === undefined || parseLeaseId(leaseId) === undefined || more === undefined) {
      return undefined;
    }
    return { type: "receipt", leaseId, ...more };
  },
};

function readOwn(members: Members): OwnRequest | undefined {
  const verb = members.seedmint;
  if (typeof verb !== "string" || !Object.hasOwn(OWN_READERS, verb)) return undefined;
  const options = requestOptions(members);
  const request = OWN_READERS[verb as OwnRequest["type"]](members);
  return options === undefined || request === undefined ? undefined : { ...request, ...options };
}

function requestOptions(members: Members) {
  return present({
    requestId: optional(members.request_id, asRequestId),
    wantsProgress: optional(members.progress, asFlag),
  });
}

function paymentOptions(members: Members) {
  const options = requestOptions(members);
  const more = present({ refundKey: optional(members.refund_pubkey, asCompressedKey) });
  return options === undefined || more === undefined ? undefined : { ...options, ...more };
}

function asKeyOrText(value: unknown): string | undefined {
  const text = asName(value);
  return text === undefined ? undefined : parsePublicKey(text) ?? text;
}

function asSshKey(value: unknown): string | undefined {
  const text = asRaw(value, WIRE_LIMITS.sshKeyCharsMax)?.trim();
  // deno-lint-ignore no-control-regex
  if (text === undefined || text === "" || /[\x00-\x08\x0b-\x1f\x7f]/.test(text)) return undefined;
  return text;
}

function asCommand(value: unknown): readonly string[] | undefined {
  const words = asList(
    value,
    WIRE_LIMITS.commandWordCountMax,
    (word) => asRaw(word, WIRE_LIMITS.commandCharsMax),
  );
  if (words === undefined || words.length === 0 || words[0] === "") return undefined;
  if (words.join("").length > WIRE_LIMITS.commandCharsMax) return undefined;
  return words.some((word) => word.includes("\0")) ? undefined : words;
}

function readEnv(value: unknown): Readonly<Record<string, string>> | undefined {
  const members = asMembers(value);
  if (members === undefined) return undefined;
  const entries = Object.entries(members);
  if (entries.length > WIRE_LIMITS.envCountMax) return undefined;
  const isGood = entries.every(([name, item]) =>
    ENV_NAME.test(name) && typeof item === "string" &&
    item.length <= WIRE_LIMITS.envValueCharsMax && !item.includes("\0")
  );
  // Not by assignment: a name like __proto__ would be more than a name.
  return isGood ? Object.fromEntries(entries) as Record<string, string> : undefined;
}

function readReplication(value: unknown): Replication | undefined {
  const members = asMembers(value);
  if (members?.mode === "none" || members?.mode === "checkpointed") return { mode: members.mode };
  if (members?.mode !== "warm-standby") return undefined;
  const standbys = asList(members.standby_providers, WIRE_LIMITS.standbyCountMax, asKeyOrText);
  return standbys === undefined ? undefined : { mode: "warm-standby", standbys };
}

function readVolumeEncryption(value: unknown): VolumeEncryption | undefined {
  const members = asMembers(value);
  return complete({
    version: asCount(members?.version, 255),
    algorithm: asName(members?.algorithm),
    keyB64: asName(members?.key_b64),
  });
}
