/** What is told of all leases on this machine. */
import type { InstanceSummary } from "../../ports.ts";
import { isLeaseId } from "./check_spec.ts";
import type { ListedContainer } from "./containers.ts";
import type { LeaseRecord } from "./records.ts";

/** Leases that have a folder here, and containers with our labels that have none. */
export async function summaries(
  leaseIds: readonly string[],
  { containers, recordOf }: {
    readonly containers: readonly ListedContainer[];
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
    if (owner === undefined || expiresMs === undefined || !isLeaseId(leaseId)) continue;
    found.push({ leaseId, owner, expiresMs, state });
  }
  return found;
}
