/** Saying why a fetch failed, and what to do about it. */
import { shortHash } from "../../src/core/hash.ts";
import type { FetchBlobOptions } from "./options.ts";
import type { FetchFailure } from "./report.ts";

/** Failures told one by one; more are only counted. */
const TOLD_MAX = 4;

/** `Cannot fetch blob 3a7f…: all 4 providers failed (…) and no origin is set; pass --origin or add a peer`. */
export function failureMessage(
  options: Pick<FetchBlobOptions, "hash" | "origin" | "policy">,
  outcome: { readonly code: string; readonly reason: string },
  failures: readonly FetchFailure[],
): string {
  const start = `Cannot fetch blob ${shortHash(options.hash)}`;
  if (outcome.code === "no-space" || outcome.code === "storage" || outcome.code === "locked") {
    return `${start}: ${outcome.reason}`;
  }
  const originId = options.origin?.id;
  const isPart = (id: string) => id === "discovery" || id === "origin" || id === originId;
  const ofPeers = failures.filter((one) => !isPart(one.id));
  const peers = new Set(ofPeers.map((one) => one.id));
  const what = ofPeers.every((one) => one.code === "payment-required") ? "was not paid" : "failed";
  const tried = peers.size === 0
    ? "no provider was found"
    : peers.size === 1
    ? `the only provider ${what}`
    : `all ${peers.size} providers ${what.replace("was", "were")}`;
  const told = failures.slice(0, TOLD_MAX).map((one) => `${shortId(one.id)}: ${one.message}`);
  if (failures.length > TOLD_MAX) told.push(`and ${failures.length - TOLD_MAX} more`);
  const reasons = told.length === 0 ? "" : ` (${told.join("; ")})`;
  const stalled = outcome.code === "timeout" ? `${outcome.reason}; ` : "";
  const isUnpaid = failures.some((one) => one.code === "payment-required");
  const advice = isUnpaid ? ", or allow it to cost more" : "";
  return `${start}: ${stalled}${tried}${reasons} and ${originPart(options)}${advice}`;
}

function originPart(options: Pick<FetchBlobOptions, "origin" | "policy">): string {
  if (options.origin === undefined) return "no origin is set; pass --origin or add a peer";
  if (options.policy === "swarm-only") {
    return "the policy swarm-only forbids the origin; choose another policy or add a peer";
  }
  return "the origin failed as well; check its address or add a peer";
}

function shortId(id: string): string {
  return id.length > 64 ? `${id.slice(0, 63)}…` : id;
}
