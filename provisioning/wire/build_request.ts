/** Writing requests: Paygress' members in its own order, ours behind them. */
import type { Request, SpawnRequest } from "./request.ts";
import { leaseNumberOf } from "./lease_name.ts";
import { wantedPortMembers } from "./port.ts";

/** What Paygress takes for a password; with any other it makes one of its own. */
const PASSWORD = /^[A-Za-z0-9]{12,64}$/;

/**
 * The text of a request.
 *
 * @throws {RangeError} If the password of a spawn request is none that every provider takes.
 */
export function buildRequest(request: Request): string {
  return JSON.stringify({ ...membersOf(request), ...optionMembers(request) });
}

function membersOf(request: Request): Record<string, unknown> {
  switch (request.type) {
    case "spawn":
      return spawnMembers(request);
    case "topup":
      return { pod_npub: request.lease, cashu_token: request.token };
    case "status":
      // Providers of Paygress take nothing but the number here.
      return { pod_id: String(leaseNumberOf(request.lease) ?? request.lease) };
    case "quote":
      return {
        seedmint: "quote",
        pod_spec_id: request.specId,
        pod_image: request.image,
        image_digest: digestText(request.imageDigest),
        duration_s: request.durationS,
        port_count: request.portCount,
      };
    case "stop":
      return { seedmint: "stop", lease: request.lease };
    case "restart":
      return { seedmint: "restart", lease: request.lease };
    case "logs":
      return { seedmint: "logs", lease: request.lease, line_count: request.lineCount };
    case "exec":
      return {
        seedmint: "exec",
        lease: request.lease,
        command: request.command,
        timeout_ms: request.timeoutMs,
      };
    case "leases":
      return { seedmint: "leases" };
    case "receipt":
      return { seedmint: "receipt", lease_id: request.leaseId, receipt: request.receipt };
    default:
      return request satisfies never;
  }
}

function spawnMembers(request: SpawnRequest): Record<string, unknown> {
  if (!PASSWORD.test(request.sshPassword)) {
    throw new RangeError(
      "Cannot ask for a lease with this SSH password: 12 to 64 letters and digits wanted",
    );
  }
  const { replication, volumeEncryption } = request;
  return {
    cashu_token: request.token,
    pod_spec_id: request.specId,
    pod_image: request.image,
    ssh_username: request.sshUsername,
    ssh_password: request.sshPassword,
    template_slug: request.template,
    replication: replication?.mode === "warm-standby"
      ? { mode: replication.mode, standby_providers: replication.standbys }
      : replication,
    primary_npub: request.primary,
    workload_id: request.workloadId,
    volume_encryption: volumeEncryption && {
      version: volumeEncryption.version,
      algorithm: volumeEncryption.algorithm,
      key_b64: volumeEncryption.keyB64,
    },
    ssh_public_key: request.sshPublicKey,
    image_digest: digestText(request.imageDigest),
    env: request.env,
    ports: request.ports?.map(wantedPortMembers),
  };
}

function optionMembers(request: Request): Record<string, unknown> {
  return {
    request_id: request.requestId,
    refund_pubkey: "refundKey" in request ? request.refundKey : undefined,
    progress: request.wantsProgress,
  };
}

function digestText(digest: string | undefined): string | undefined {
  return digest === undefined ? undefined : `sha256:${digest}`;
}
