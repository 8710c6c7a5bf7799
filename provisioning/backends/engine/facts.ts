/** What is told of leases on an engine: all of them, and what one uses. */
import { diskOf } from "../../machine/mod.ts";
import type { InstanceStats, InstanceSummary } from "../../ports.ts";
import { isLeaseId, type LeaseRecord, trafficOf } from "../host/mod.ts";
import { groupFacts } from "./cgroups.ts";
import type { ContainerSummary } from "./engine.ts";

const MIB = 1024 * 1024;

/** Leases that have a folder here, and containers with our labels that have none. */
export async function summaries(
  leaseIds: readonly string[],
  { containers, recordOf }: {
    readonly containers: readonly ContainerSummary[];
    readonly recordOf: (leaseId: string) => Promise<LeaseRecord | undefined>;
  },
): Promise<InstanceSummary[]> {
  const left = new Map(containers.map((container) => [container.leaseId, container]));
  const found: InstanceSummary[] = [];
  for (const leaseId of leaseIds) {
    let record: LeaseRecord | undefined;
    try {
      record = await recordOf(leaseId);
    } catch {
      // Whose it is cannot be told; that it is here must be.
      found.push({ leaseId, owner: "", expiresMs: 0, state: "unknown" });
      left.delete(leaseId);
      continue;
    }
    if (record === undefined) continue;
    const state = left.get(leaseId)?.state ?? "stopped";
    found.push({ leaseId, owner: record.owner, expiresMs: record.expiresMs, state });
    left.delete(leaseId);
  }
  // What has our labels and no record is told with what the labels say.
  for (const { leaseId, owner, expiresMs, state } of left.values()) {
    if (isLeaseId(leaseId)) found.push({ leaseId, owner, expiresMs, state });
  }
  return found;
}

/** What a lease uses. */
export async function statsOf(
  record: LeaseRecord,
  { pid, mount }: {
    /** Of its first process, if it runs. */
    readonly pid: number | undefined;
    /** Where its disk is. */
    readonly mount: string;
  },
): Promise<InstanceStats> {
  const [used, traffic, disk] = await Promise.all([
    pid === undefined ? { cpuMs: 0, memoryBytes: 0, pidCount: 0 } : groupFacts(pid),
    trafficOf(record.hostPort),
    diskOf(mount),
  ]);
  return {
    cpuMs: used.cpuMs,
    memoryMb: Math.ceil(used.memoryBytes / MIB),
    pidCount: used.pidCount,
    diskMb: Math.ceil(disk.usedBytes / MIB),
    ...traffic,
  };
}
