/** What a container's description says of its lease: all that reconciliation and the reaper read. Pure. */
import type { InstanceSpec, PublishedPort } from "../../ports.ts";

/** One lease's record. */
export interface LeaseRecord {
  readonly version: 1;
  readonly leaseId: string;
  readonly owner: string;
  readonly expiresMs: number;
  /** `making` until all of it is there, `ending` once it goes. */
  readonly phase: "making" | "made" | "ending";
  readonly isPaused: boolean;
  readonly image: string;
  readonly hostPort: number;
  readonly ports: readonly PublishedPort[];
}

/** The first record of an instance. */
export function recordOf(spec: InstanceSpec): LeaseRecord {
  return {
    version: 1,
    leaseId: spec.leaseId,
    owner: spec.owner,
    expiresMs: spec.expiresMs,
    phase: "making",
    isPaused: false,
    image: spec.image.digest,
    hostPort: spec.ssh.hostPort,
    ports: spec.ports,
  };
}

/** Whether a record was made from this specification. */
export function isRecordOf(record: LeaseRecord, spec: InstanceSpec): boolean {
  return record.owner === spec.owner && record.image === spec.image.digest &&
    record.hostPort === spec.ssh.hostPort;
}

/** As it is written into a description. */
export function writeRecord(record: LeaseRecord): string {
  return `seedmint ${JSON.stringify(record)}`;
}

/** Reads a description; undefined if it holds no record, or one that was tampered with. */
export function readRecord(description: string | undefined): LeaseRecord | undefined {
  const [, text] = /^seedmint (\{.*\})\s*$/.exec(description ?? "") ?? [];
  if (text === undefined) return undefined;
  try {
    const record = JSON.parse(text) as LeaseRecord;
    const isWhole = record.version === 1 && typeof record.leaseId === "string" &&
      /^[0-9a-f]{64}$/.test(record.owner) && Number.isSafeInteger(record.expiresMs) &&
      Number.isInteger(record.hostPort) && Array.isArray(record.ports);
    return isWhole ? record : undefined;
  } catch {
    return undefined;
  }
}
