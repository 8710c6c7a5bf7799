/** What a lease comes to in answers: read from the journal, so the same question has the same answer. */
import { isLive, isOver, type Lease } from "../leases/mod.ts";
import {
  type AccessAnswer,
  accessInstructions,
  type Answer,
  type ErrorAnswer,
  errorTypeOf,
  formatLeaseId,
  leaseNameOf,
  type LeaseSummary,
  type Refund,
  type StatusAnswer,
} from "../wire/mod.ts";
import type { ProviderContext } from "./context.ts";

/** `<provider>:container-<n>:<second of its creation>`. */
export function leaseIdOf(lease: Lease, provider: string): string {
  const createdAtS = Math.floor(lease.createdMs / 1000);
  return formatLeaseId({ provider, lease: leaseNameOf(lease.number), createdAtS });
}

/** The answer to the request that the lease came from, when it is known. */
export function spawnAnswer(lease: Lease, context: ProviderContext): Answer | undefined {
  switch (lease.state) {
    case "ready":
    case "grace":
    case "expiring":
    case "destroyed":
      return accessAnswer(lease, context);
    case "refunded":
      return failedAnswer(lease);
    default:
      return undefined;
  }
}

/** The answer while the refund is still on its way. */
export function pendingAnswer(lease: Lease): ErrorAnswer {
  return {
    ...failedAnswer(lease),
    details: "What was paid comes back: ask again under the same request id",
    retryMs: 30_000,
  };
}

function failedAnswer(lease: Lease): ErrorAnswer {
  const error = errorTypeOf(lease.ending?.error ?? "");
  const refund = refundOf(lease);
  return {
    type: "error",
    error: error === "unknown" ? "provisioning_error" : error,
    message: lease.ending?.message ?? "The lease failed",
    ...(refund === undefined ? {} : { refund }),
  };
}

/** What was paid back. */
export function refundOf(lease: Lease): Refund | undefined {
  if (lease.refund?.status !== "refunded") return undefined;
  const { token, amountSat } = lease.refund;
  return { token, amountSat };
}

function accessAnswer(lease: Lease, context: ProviderContext): AccessAnswer {
  const { terms } = lease;
  const host = context.backend.publicHost;
  const expiresMs = lease.expiresMs ?? lease.changedMs;
  return {
    type: "access",
    lease: leaseNameOf(lease.number),
    sshPort: terms.sshPort,
    expiresMs,
    cpuMillicores: terms.spec.cpuMillicores,
    memoryMb: terms.spec.memoryMb,
    specName: terms.spec.name,
    specDescription: terms.spec.description,
    instructions: accessInstructions({
      host,
      sshPort: terms.sshPort,
      username: terms.sshUser,
      expiresMs,
      hostKeyFingerprint: terms.hostKeyFingerprint,
      ...(terms.password === undefined ? {} : { password: terms.password }),
    }),
    host,
    ports: terms.ports,
    sshUsername: terms.sshUser,
    leaseId: leaseIdOf(lease, context.provider),
    hostKeyFingerprint: terms.hostKeyFingerprint,
    ...(lease.readyMs === undefined ? {} : { readyMs: lease.readyMs }),
  };
}

/** How a lease is doing. */
export function statusAnswer(lease: Lease, context: ProviderContext): StatusAnswer {
  const { terms } = lease;
  const nowMs = context.time.nowMs();
  const expiresMs = lease.expiresMs ?? nowMs;
  const isRunning = isLive(lease) && lease.state === "ready";
  return {
    type: "status",
    lease: leaseNameOf(lease.number),
    status: isRunning ? "Running" : lease.readyMs === undefined ? "Starting" : "Expired",
    expiresMs,
    remainingS: isRunning ? Math.max(0, Math.floor((expiresMs - nowMs) / 1000)) : 0,
    cpuMillicores: terms.spec.cpuMillicores,
    memoryMb: terms.spec.memoryMb,
    sshHost: context.backend.publicHost,
    sshPort: terms.sshPort,
    sshUsername: terms.sshUser,
    state: lease.state,
    ports: terms.ports,
    leaseId: leaseIdOf(lease, context.provider),
    hostKeyFingerprint: terms.hostKeyFingerprint,
  };
}

/** One line of a list. */
export function leaseSummary(lease: Lease, context: ProviderContext): LeaseSummary {
  return {
    lease: leaseNameOf(lease.number),
    leaseId: leaseIdOf(lease, context.provider),
    state: lease.state,
    specId: lease.terms.spec.id,
    image: lease.terms.image,
    expiresMs: lease.expiresMs ?? lease.changedMs,
    sshHost: context.backend.publicHost,
    sshPort: lease.terms.sshPort,
    hostKeyFingerprint: lease.terms.hostKeyFingerprint,
  };
}

/** The answer to the wish to end a lease, once it has ended. */
export function stopAnswer(lease: Lease, context: ProviderContext): Answer {
  const refund = refundOf(lease);
  return {
    type: "stop",
    lease: leaseNameOf(lease.number),
    endedMs: lease.ending?.atMs ?? lease.changedMs,
    leaseId: leaseIdOf(lease, context.provider),
    ...(refund === undefined ? {} : { refund }),
  };
}

/** Whether the request that it came from can be answered. */
export function isAnswerable(lease: Lease): boolean {
  return lease.readyMs !== undefined || isOver(lease);
}
