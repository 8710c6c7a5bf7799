/** What a lease's namespace says of it: all that reconciliation and the reaper read. */
import type { InstanceSpec } from "../../ports.ts";
import type { V1Namespace } from "./client_node.d.ts";

/** Names the lease, on all of its objects. */
export const LEASE_LABEL = "seedmint.org/lease";
const MANAGED_BY = "app.kubernetes.io/managed-by";
const POOL = "seedmint.org/pool";
const OWNER = "seedmint.org/owner";
const EXPIRES = "seedmint.org/expires-ms";
const PHASE = "seedmint.org/phase";
const IMAGE = "seedmint.org/image";
const SSH_PORT = "seedmint.org/ssh-port";
const PAUSED = "seedmint.org/paused";
const ENDING = "seedmint.org/ending";

/** What is known of a lease from its namespace. */
export interface LeaseRecord {
  readonly leaseId: string;
  /** Empty if it cannot be read. */
  readonly owner: string;
  /** 0 if it cannot be read. */
  readonly expiresMs: number;
  /** Whether all of its objects were made. */
  readonly isMade: boolean;
  readonly isPaused: boolean;
  /** Whether it is on its way out, by our mark or by the cluster's. */
  readonly isEnding: boolean;
  readonly image: string;
  readonly sshPort: number;
  /** Changes with each change of the namespace. */
  readonly version: string;
}

/** @throws {RangeError} If a pool's name would not fit into those of namespaces. */
export function checkPool(pool: string): void {
  if (!/^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$/.test(pool)) {
    throw new RangeError(
      `Cannot use "${pool}" as pool: 1 to 20 small letters, digits and - are wanted`,
    );
  }
}

/** The namespace of a lease. */
export function namespaceOf(pool: string, leaseId: string): string {
  return `seedmint-${pool}-${leaseId}`;
}

/** Labels by which a lease's objects are found again. */
export function leaseLabels(pool: string, leaseId: string): Record<string, string> {
  return { [MANAGED_BY]: "seedmint", [POOL]: pool, [LEASE_LABEL]: leaseId };
}

/** Selects the objects of all leases of a pool. */
export function poolSelector(pool: string): string {
  return `${MANAGED_BY}=seedmint,${POOL}=${pool}`;
}

/** Selects what is not of our leases. */
export function othersSelector(pool: string): string {
  return `${POOL}!=${pool}`;
}

/** What a namespace keeps of its lease. */
export function recordAnnotations(
  spec: InstanceSpec,
  phase: "making" | "made",
): Record<string, string> {
  return {
    [OWNER]: spec.owner,
    [EXPIRES]: String(spec.expiresMs),
    [PHASE]: phase,
    [IMAGE]: spec.image.digest,
    [SSH_PORT]: String(spec.ssh.hostPort),
  };
}

/** That all objects were made. */
export const MADE: Readonly<Record<string, string>> = { [PHASE]: "made" };

/** That it is on its way out. */
export const ENDING_MARK: Readonly<Record<string, string>> = { [ENDING]: "true" };

/** A new end. */
export function endAnnotation(expiresMs: number): Record<string, string> {
  return { [EXPIRES]: String(expiresMs) };
}

/** Whether it is halted. */
export function pausedAnnotation(isPaused: boolean): Record<string, string> {
  return { [PAUSED]: String(isPaused) };
}

/**
 * Reads a namespace.
 *
 * @returns undefined if it is none of this pool's leases.
 */
export function recordOf(namespace: V1Namespace, pool: string): LeaseRecord | undefined {
  const { labels = {}, annotations = {}, deletionTimestamp, resourceVersion } =
    namespace.metadata ?? {};
  const leaseId = labels[LEASE_LABEL];
  if (labels[MANAGED_BY] !== "seedmint" || labels[POOL] !== pool || leaseId === undefined) {
    return undefined;
  }
  const expiresMs = Number(annotations[EXPIRES]);
  const owner = annotations[OWNER] ?? "";
  const isWhole = Number.isSafeInteger(expiresMs) && /^[0-9a-f]{64}$/.test(owner);
  return {
    leaseId,
    owner: isWhole ? owner : "",
    expiresMs: isWhole ? expiresMs : 0,
    isMade: annotations[PHASE] === "made",
    isPaused: annotations[PAUSED] === "true",
    isEnding: annotations[ENDING] === "true" || deletionTimestamp !== undefined ||
      namespace.status?.phase === "Terminating",
    image: annotations[IMAGE] ?? "",
    sshPort: Number(annotations[SSH_PORT]),
    version: resourceVersion ?? "",
  };
}

/** Whether a lease was made from this specification. */
export function isRecordOf(record: LeaseRecord, spec: InstanceSpec): boolean {
  return record.owner === spec.owner && record.image === spec.image.digest &&
    record.sshPort === spec.ssh.hostPort;
}
