/** Which member of a fleet asks the origin first, when all of them want one blob at one moment. */
import { createHash } from "node:crypto";
import type { Hash } from "../../core/hash.ts";
import type { Herd } from "../../../swarm/fetch/mod.ts";

/**
 * Every member puts the members into the same order for one blob, and another order for the next, so
 * that nobody has to talk about it and the load is spread.
 *
 * @param options `self` is this node; `members` are the configured ones.
 */
export function fleetHerd(
  options: { readonly self: string; readonly members: readonly string[] },
): Herd | undefined {
  const members = new Set(options.members);
  if (members.size === 0) return undefined;
  return {
    isMember: (peerId) => members.has(peerId),
    comesBeforeUs: (peerId, hash) => rank(peerId, hash) < rank(options.self, hash),
  };
}

function rank(peerId: string, hash: Hash): string {
  return createHash("sha256").update(`${hash} ${peerId}`).digest("hex");
}
