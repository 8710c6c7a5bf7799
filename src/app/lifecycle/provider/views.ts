/** Leases as the provider's own people see them: no password, key or token is in any view. */
import { type Lease, leftMsat, type StoryEntry } from "../../../../provisioning/leases/mod.ts";
import { leaseIdOf } from "../../../../provisioning/provider/mod.ts";
import { leaseNameOf } from "../../../../provisioning/wire/mod.ts";
import type { LentLease } from "../../api/provider_methods.ts";

/** One lease. */
export function lentLease(
  lease: Lease,
  context: {
    readonly provider: string;
    readonly nowMs: number;
    readonly story?: readonly StoryEntry[];
  },
): LentLease {
  const { terms, ending, refund, imageDigest } = lease;
  return {
    number: lease.number,
    name: leaseNameOf(lease.number),
    leaseId: leaseIdOf(lease, context.provider),
    owner: lease.owner,
    state: lease.state,
    tier: terms.spec.id,
    image: terms.image,
    imageDigest: imageDigest === undefined ? null : `sha256:${imageDigest}`,
    sshPort: terms.sshPort,
    ports: terms.ports.map(({ hostPort, containerPort }) => ({ hostPort, containerPort })),
    createdMs: lease.createdMs,
    readyMs: lease.readyMs ?? null,
    expiresMs: lease.expiresMs ?? null,
    creditMsat: lease.creditMsat,
    spentMsat: lease.creditMsat - leftMsat(lease, context.nowMs),
    ending: ending === undefined
      ? null
      : { reason: ending.reason, message: ending.message, atMs: ending.atMs },
    refundedSat: refund?.status === "refunded" ? refund.amountSat : 0,
    story: (context.story ?? []).map(({ atMs, event, detail }) => ({
      atMs,
      text: detail === undefined || detail === "" ? event : `${event}: ${detail}`,
    })),
  };
}
