/** What is kept of each lease beside its files: the labels that reconciliation and the watchdog read. */
import { SeedmintError } from "../../../src/core/errors.ts";
import { isSha256, type Sha256 } from "../../../src/core/hash.ts";
import { readIfThere, writeWhole } from "../../machine/mod.ts";
import type { InstanceSpec, PublishedPort } from "../../ports.ts";
import { RECORD_BYTES_MAX } from "./limits.ts";

/** One lease's record. */
export interface LeaseRecord {
  readonly version: 1;
  readonly leaseId: string;
  readonly owner: string;
  readonly expiresMs: number;
  /** `making` until all of it is on the disk: what stays so is rubbish of a crash. */
  readonly phase: "making" | "made";
  readonly image: Sha256;
  readonly hostPort: number;
  readonly ports: readonly PublishedPort[];
  readonly workingDir: string;
  readonly hasCommand: boolean;
}

/** The first record of an instance. */
export function recordOf(spec: InstanceSpec): LeaseRecord {
  return {
    version: 1,
    leaseId: spec.leaseId,
    owner: spec.owner,
    expiresMs: spec.expiresMs,
    phase: "making",
    image: spec.image.digest,
    hostPort: spec.ssh.hostPort,
    ports: spec.ports,
    workingDir: "/",
    hasCommand: false,
  };
}

/** Whether a record was made from this specification. */
export function isRecordOf(record: LeaseRecord, spec: InstanceSpec): boolean {
  return record.owner === spec.owner && record.image === spec.image.digest &&
    record.hostPort === spec.ssh.hostPort;
}

/** Keeps a record. */
export async function writeRecord(folder: string, record: LeaseRecord): Promise<void> {
  await writeWhole(`${folder}/lease.json`, `${JSON.stringify(record)}\n`);
}

/**
 * The record in a lease's folder; undefined if there is none.
 *
 * @throws {SeedmintError} `storage` if it cannot be read.
 */
export async function readRecord(folder: string): Promise<LeaseRecord | undefined> {
  const text = await readIfThere(`${folder}/lease.json`);
  if (text === undefined) return undefined;
  try {
    if (text.length <= RECORD_BYTES_MAX) {
      const record = JSON.parse(text) as LeaseRecord;
      if (isRecord(record)) return record;
    }
  } catch {
    // Told below.
  }
  throw new SeedmintError(
    "storage",
    `Cannot read ${folder}/lease.json: it is damaged; stop the lease by hand and remove its folder`,
  );
}

function isRecord(record: LeaseRecord): boolean {
  return record.version === 1 && typeof record.leaseId === "string" &&
    typeof record.owner === "string" && Number.isSafeInteger(record.expiresMs) &&
    isSha256(record.image) && Number.isInteger(record.hostPort) && Array.isArray(record.ports);
}
