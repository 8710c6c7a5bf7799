/**
 * Reading answers. As clients of Paygress do: an error is what has `error_type` and `message`; then
 * access, top-up and status by their members; then ours, which a member `seedmint` names.
 */
import type {
  AccessAnswer,
  Answer,
  ErrorAnswer,
  OwnAnswer,
  StatusAnswer,
  TopUpAnswer,
} from "./answer.ts";
import { errorTypeOf } from "./error_type.ts";
import { asAddress, asLease, asLongText, asName, asPort, asPorts, readRefund } from "./fields.ts";
import {
  asCount,
  asList,
  asText,
  complete,
  type Members,
  optional,
  parseMembers,
  present,
} from "./json.ts";
import { WIRE_LIMITS } from "./limits.ts";
import { OWN_ANSWER_READERS } from "./read_own_answer.ts";
import { parseTime } from "./time.ts";

/**
 * Reads what a provider sent.
 *
 * @returns The answer, or undefined for anything that is none. Never throws.
 */
export function readAnswer(text: string): Answer | undefined {
  const members = parseMembers(text, WIRE_LIMITS.messageCharsMax);
  if (members === undefined) return undefined;
  const answer = readError(members) ?? readAccess(members) ?? readTopUp(members) ??
    readStatus(members) ?? readOwn(members);
  const options = present({ requestId: optional(members.request_id, asName) });
  return answer === undefined || options === undefined ? undefined : { ...answer, ...options };
}

function readError(members: Members): ErrorAnswer | undefined {
  const known = complete({
    name: asName(members.error_type),
    message: asLongText(members.message),
  });
  const more = present({
    details: optional(members.details, asLongText),
    retryMs: optional(members.retry_ms, (value) => asCount(value)),
    refund: readRefund(members),
  });
  if (known === undefined || more === undefined) return undefined;
  const { name, message } = known;
  const error = errorTypeOf(name);
  return { type: "error", error, message, ...(error === name ? {} : { errorName: name }), ...more };
}

function readAccess(members: Members): AccessAnswer | undefined {
  const known = complete({
    lease: asLease(members.pod_npub),
    sshPort: asPort(members.node_port),
    expiresMs: parseTime(members.expires_at),
    cpuMillicores: asCount(members.cpu_millicores),
    memoryMb: asCount(members.memory_mb),
    specName: asText(members.pod_spec_name),
    specDescription: asText(members.pod_spec_description),
    instructions: asList(
      members.instructions,
      WIRE_LIMITS.instructionCountMax,
      (line) => asText(line),
    ),
  });
  const more = present({
    host: optional(members.host_address, asAddress),
    ports: optional(members.ports ?? members.template_ports, asPorts),
    readyMs: optional(members.ready_at, parseTime),
    sshUsername: optional(members.ssh_username, asName),
    refund: readRefund(members),
    ...readFacts(members),
  });
  return known && more && { type: "access", ...known, ...more };
}

function readTopUp(members: Members): TopUpAnswer | undefined {
  if (members.success !== true) return undefined;
  const known = complete({
    lease: asLease(members.pod_npub),
    extendedS: asCount(members.extended_duration_seconds),
    expiresMs: parseTime(members.new_expires_at),
    message: asLongText(members.message),
  });
  const more = present(readFacts(members));
  return known && more && { type: "topup", ...known, ...more };
}

function readStatus(members: Members): StatusAnswer | undefined {
  const known = complete({
    lease: asLease(members.pod_id),
    status: asName(members.status),
    expiresMs: parseTime(members.expires_at),
    remainingS: asCount(members.time_remaining_seconds),
    cpuMillicores: asCount(members.cpu_millicores),
    memoryMb: asCount(members.memory_mb),
    sshHost: asAddress(members.ssh_host),
    sshPort: asPort(members.ssh_port),
    sshUsername: asName(members.ssh_username),
  });
  const more = present({
    state: optional(members.state, asName),
    ports: optional(members.ports, asPorts),
    ...readFacts(members),
  });
  return known && more && { type: "status", ...known, ...more };
}

function readOwn(members: Members): OwnAnswer | undefined {
  const verb = members.seedmint;
  if (typeof verb !== "string" || !Object.hasOwn(OWN_ANSWER_READERS, verb)) return undefined;
  return OWN_ANSWER_READERS[verb as OwnAnswer["type"]](members);
}

function readFacts(members: Members) {
  return {
    leaseId: optional(members.lease_id, (value) => asText(value)),
    hostKeyFingerprint: optional(members.host_key_fingerprint, asName),
  };
}
