/** Writing answers: Paygress' members with its own names and order, ours behind them. */
import type { AccessAnswer, Answer, LeaseFacts, Refund, StatusAnswer } from "./answer.ts";
import { fitAnswer } from "./fit_answer.ts";
import { leaseNumberOf } from "./lease_name.ts";
import { publishedPortMembers } from "./port.ts";
import { formatTime } from "./time.ts";

/** The text of an answer; what programs printed, and lists, are cut to what a private message takes. */
export function buildAnswer(answer: Answer): string {
  return fitAnswer(answer, write);
}

function write(answer: Answer): string {
  return JSON.stringify({ ...membersOf(answer), request_id: answer.requestId });
}

function membersOf(answer: Answer): Record<string, unknown> {
  switch (answer.type) {
    case "access":
      return accessMembers(answer);
    case "topup":
      return {
        success: true,
        pod_npub: answer.lease,
        extended_duration_seconds: answer.extendedS,
        new_expires_at: formatTime(answer.expiresMs),
        message: answer.message,
        ...factMembers(answer),
      };
    case "status":
      return statusMembers(answer);
    case "error":
      return {
        error_type: answer.errorName ?? answer.error,
        message: answer.message,
        details: answer.details ?? null,
        ...refundMembers(answer.refund),
        retry_ms: answer.retryMs,
      };
    default:
      return { seedmint: answer.type, ...ownMembers(answer) };
  }
}

function accessMembers(answer: AccessAnswer): Record<string, unknown> {
  const { ports } = answer;
  return {
    pod_npub: answer.lease,
    node_port: answer.sshPort,
    expires_at: formatTime(answer.expiresMs),
    cpu_millicores: answer.cpuMillicores,
    memory_mb: answer.memoryMb,
    pod_spec_name: answer.specName,
    pod_spec_description: answer.specDescription,
    instructions: answer.instructions,
    host_address: answer.host,
    // Paygress knows TCP alone here; the exact list follows under our own name.
    template_ports: ports?.filter((port) => port.protocol === "tcp").map(publishedPortMembers),
    ...factMembers(answer),
    ssh_username: answer.sshUsername,
    ready_at: timeText(answer.readyMs),
    ports: ports?.map(publishedPortMembers),
    ...refundMembers(answer.refund),
  };
}

function statusMembers(answer: StatusAnswer): Record<string, unknown> {
  return {
    pod_id: String(leaseNumberOf(answer.lease) ?? answer.lease),
    status: answer.status,
    expires_at: formatTime(answer.expiresMs),
    time_remaining_seconds: answer.remainingS,
    cpu_millicores: answer.cpuMillicores,
    memory_mb: answer.memoryMb,
    ssh_host: answer.sshHost,
    ssh_port: answer.sshPort,
    ssh_username: answer.sshUsername,
    ...factMembers(answer),
    state: answer.state,
    ports: answer.ports?.map(publishedPortMembers),
  };
}

function ownMembers(
  answer: Exclude<Answer, { type: "access" | "topup" | "status" | "error" }>,
): Record<string, unknown> {
  switch (answer.type) {
    case "quote":
      return {
        pod_spec_id: answer.specId,
        rate_msats_per_sec: answer.rateMsatPerS,
        duration_s: answer.durationS,
        amount_sat: answer.amountSat,
        min_duration_s: answer.minDurationS,
        max_duration_s: answer.maxDurationS,
        whitelisted_mints: answer.mints,
        p2pk: answer.paymentKey,
        locktime_min: answer.locktimeMin,
        available: answer.isAvailable,
        note: answer.note,
        image_here: answer.isImageHere,
      };
    case "stop":
      return {
        lease: answer.lease,
        ended_at: formatTime(answer.endedMs),
        ...factMembers(answer),
        ...refundMembers(answer.refund),
      };
    case "restart":
      return { lease: answer.lease, ready_at: formatTime(answer.readyMs) };
    case "logs":
      return { lease: answer.lease, text: answer.text, truncated: answer.isTruncated };
    case "exec":
      return {
        lease: answer.lease,
        stdout: answer.stdout,
        stderr: answer.stderr,
        exit_code: answer.exitCode,
        truncated: answer.isTruncated,
      };
    case "leases":
      return {
        leases: answer.leases.map((lease) => ({
          lease: lease.lease,
          lease_id: lease.leaseId,
          state: lease.state,
          pod_spec_id: lease.specId,
          pod_image: lease.image,
          expires_at: formatTime(lease.expiresMs),
          ssh_host: lease.sshHost,
          ssh_port: lease.sshPort,
          host_key_fingerprint: lease.hostKeyFingerprint,
        })),
        truncated: answer.isTruncated,
      };
    case "receipt":
      return { lease_id: answer.leaseId, receipt: answer.receipt };
    case "progress":
      return { state: answer.state, bytes: answer.bytes, size: answer.size };
    case "notice":
      return {
        lease: answer.lease,
        notice: answer.notice,
        expires_at: formatTime(answer.expiresMs),
        text: answer.message,
      };
    default:
      return answer satisfies never;
  }
}

function factMembers(facts: LeaseFacts): Record<string, unknown> {
  return { lease_id: facts.leaseId, host_key_fingerprint: facts.hostKeyFingerprint };
}

function refundMembers(refund: Refund | undefined): Record<string, unknown> {
  return { refund_token: refund?.token, refund_amount_sat: refund?.amountSat };
}

function timeText(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : formatTime(ms);
}
