/**
 * What tells one provider's containers on an engine from another's: each numbers its leases by itself,
 * and what an engine lists is everybody's.
 */
import { createHash } from "node:crypto";
import { resolve } from "node:path";

/** Of the directory where a provider keeps its leases, which is never two providers'. */
export function providerTag(stateDir: string): string {
  return createHash("sha256").update(resolve(stateDir)).digest("hex").slice(0, 8);
}

/** What a lease's container is called on the engine. */
export function containerName(tag: string, leaseId: string): string {
  return `seedmint-${tag}-${leaseId}`;
}
