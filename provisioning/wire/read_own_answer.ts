/** Reading the answers that Paygress does not have. */
import type { LeaseSummary, OwnAnswer } from "./answer.ts";
import {
  asAddress,
  asCompressedKey,
  asLease,
  asLongText,
  asName,
  asPort,
  asReceipt,
  readRefund,
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
  present,
} from "./json.ts";
import { WIRE_LIMITS } from "./limits.ts";
import { parseTime } from "./time.ts";

/** A reader for each kind of answer; it gives undefined for anything that is none. */
export const OWN_ANSWER_READERS: {
  readonly [T in OwnAnswer["type"]]: (
    members: Members,
  ) => Extract<OwnAnswer, { type: T }> | undefined;
} = {
  quote: readQuote,
  stop: (members) => {
    const known = complete({ lease: asLease(members.lease), endedMs: parseTime(members.ended_at) });
    const more = present({
      leaseId: optional(members.lease_id, (value) => asText(value)),
      hostKeyFingerprint: optional(members.host_key_fingerprint, asName),
      refund: readRefund(members),
    });
    return known && more && { type: "stop", ...known, ...more };
  },
  restart: (members) => {
    const known = complete({ lease: asLease(members.lease), readyMs: parseTime(members.ready_at) });
    return known && { type: "restart", ...known };
  },
  logs: (members) => {
    const known = complete({
      lease: asLease(members.lease),
      text: asOutput(members.text),
      isTruncated: asFlag(members.truncated),
    });
    return known && { type: "logs", ...known };
  },
  exec: (members) => {
    const known = complete({
      lease: asLease(members.lease),
      stdout: asOutput(members.stdout),
      stderr: asOutput(members.stderr),
      exitCode: asExitCode(members.exit_code),
      isTruncated: asFlag(members.truncated),
    });
    return known && { type: "exec", ...known };
  },
  leases: (members) => {
    const known = complete({
      leases: asList(members.leases, WIRE_LIMITS.leaseCountMax, readSummary),
      isTruncated: asFlag(members.truncated),
    });
    return known && { type: "leases", ...known };
  },
  receipt: (members) => {
    const known = complete({
      leaseId: asText(members.lease_id),
      receipt: asReceipt(members.receipt),
    });
    return known && { type: "receipt", ...known };
  },
  progress: (members) => {
    const known = complete({ state: asName(members.state) });
    const more = present({
      bytes: optional(members.bytes, asCountOnly),
      size: optional(members.size, asCountOnly),
    });
    return known && more && { type: "progress", ...known, ...more };
  },
  notice: (members) => {
    const { notice } = members;
    if (notice !== "expiring" && notice !== "draining" && notice !== "ended") return undefined;
    const known = complete({
      lease: asLease(members.lease),
      expiresMs: parseTime(members.expires_at),
      message: asLongText(members.text),
    });
    return known && { type: "notice", notice, ...known };
  },
};

function readQuote(members: Members) {
  const known = complete({
    specId: asName(members.pod_spec_id),
    rateMsatPerS: asCount(members.rate_msats_per_sec),
    durationS: asCount(members.duration_s),
    amountSat: asCount(members.amount_sat),
    minDurationS: asCount(members.min_duration_s),
    mints: asList(members.whitelisted_mints, WIRE_LIMITS.mintCountMax, asAddress),
    paymentKey: asCompressedKey(members.p2pk),
    locktimeMin: asCount(members.locktime_min),
    isAvailable: asFlag(members.available),
  });
  const more = present({
    maxDurationS: optional(members.max_duration_s, asCountOnly),
    note: optional(members.note, asLongText),
    isImageHere: optional(members.image_here, asFlag),
  });
  return known && more && { type: "quote" as const, ...known, ...more };
}

function readSummary(raw: unknown): LeaseSummary | undefined {
  const members = asMembers(raw);
  if (members === undefined) return undefined;
  const known = complete({
    lease: asLease(members.lease),
    leaseId: asText(members.lease_id),
    state: asName(members.state),
    specId: asName(members.pod_spec_id),
    image: asAddress(members.pod_image),
    expiresMs: parseTime(members.expires_at),
    sshHost: asAddress(members.ssh_host),
    sshPort: asPort(members.ssh_port),
  });
  const more = present({ hostKeyFingerprint: optional(members.host_key_fingerprint, asName) });
  return known && more && { ...known, ...more };
}

/** Output of programs; what is longer was not made by a provider that follows the rules. */
function asOutput(value: unknown): string | undefined {
  return asRaw(value, 4 * WIRE_LIMITS.outputCharsMax);
}

/** Exit codes may be negative where a signal ended the program. */
function asExitCode(value: unknown): number | undefined {
  return typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= 65_535
    ? value
    : undefined;
}

function asCountOnly(value: unknown): number | undefined {
  return asCount(value);
}
