/** `status`: who this node is and how it fares. */
import type { StatusReport } from "../../api/methods.ts";
import { formatBytes, formatDuration, formatMsat } from "../../output/format.ts";
import { openNode } from "../support.ts";
import type { VerbContext } from "../verb.ts";

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const [lease] = context.operands;
  if (lease !== undefined) return await statusOfLease(context, lease);
  await using node = await openNode(context, "store");
  const status = await node.call("status", {}, { signal });
  if (out.json) out.object(status);
  else for (const line of describeStatus(status, Date.now())) out.line(line);
  return 0;
}

/** How one lease is doing, as its provider says. */
async function statusOfLease(context: VerbContext, lease: string): Promise<number> {
  const { out, signal } = context;
  const { describeLease } = await import("./lease/support.ts");
  await using node = await openNode(context, "relays");
  const view = await node.call("lease.status", { lease }, { signal });
  if (out.json) out.object(view);
  else for (const line of describeLease(view)) out.line(line);
  return 0;
}

/** The report for people; `start` prints the same. */
export function describeStatus(status: StatusReport, nowMs: number): string[] {
  const since = status.startedMs === null
    ? ""
    : `, up ${formatDuration(Math.max(0, nowMs - status.startedMs))}`;
  const { store } = status;
  const relays = status.relays.map((relay) =>
    relay.connected ? relay.url : `${relay.url} (${relay.problem ?? "not connected"})`
  );
  return [
    `node       ${status.running ? `running${since}` : "not running"}, version ${status.version}`,
    `peer id    ${status.peerId}`,
    `npub       ${status.npub}`,
    `data       ${status.data}`,
    ...listed("addresses", status.addresses, status.running ? "none: nobody can connect" : "-"),
    ...listed("relays", relays, "none: name one with --relay"),
    `peers      ${status.peerCount} connected`,
    `seeding    ${
      store.blobCount - store.partialCount
    } blobs whole, ${store.partialCount} in part, ${formatBytes(store.bytes)} of ${
      formatBytes(store.quotaBytes)
    }`,
    ...describeWallet(status.wallet),
    ...describeSelling(status.selling),
    ...describeRegistry(status.registry, nowMs),
    ...status.problems.map((problem) => `problem    ${problem}`),
  ];
}

function describeWallet(wallet: StatusReport["wallet"]): string[] {
  if (wallet === null) return [];
  const { totalSat, pendingCount, attentionCount } = wallet;
  const attention = attentionCount === 0 ? "" : `, ${attentionCount} need you: wallet pending`;
  return [`wallet     ${totalSat} sat, ${pendingCount} operations under way${attention}`];
}

function describeSelling(selling: StatusReport["selling"]): string[] {
  if (selling === null) return [];
  const { pricedCount, earnedDayMsat, provisionalSat } = selling;
  const services = pricedCount === 1 ? "1 service" : `${pricedCount} services`;
  return [
    `selling    ${services}, ${formatMsat(earnedDayMsat)} earned in the last day, ` +
    `${provisionalSat} sat to be redeemed`,
  ];
}

function describeRegistry(registry: StatusReport["registry"], nowMs: number): string[] {
  if (registry === null) return [];
  const { mirrorUrl, pushUrl, imageCount, requestCount, sentBytes, lastRequestMs } = registry;
  const last = lastRequestMs === null
    ? "nobody asked yet"
    : `${requestCount} requests, ${formatBytes(sentBytes)} sent, the last ${
      formatDuration(Math.max(0, nowMs - lastRequestMs))
    } ago`;
  return [
    `images     ${imageCount}`,
    ...(mirrorUrl === null ? [] : [`mirror     ${mirrorUrl}, ${last}`]),
    ...(pushUrl === null ? [] : [`pushes     ${pushUrl}`]),
    ...registry.upstreams.flatMap(({ registry: name, remaining, problem }) => {
      const left = remaining === null ? [] : [`${remaining} requests left`];
      const told = [...left, ...(problem === null ? [] : [problem])].join("; ");
      return told === "" ? [] : [`registry   ${name}: ${told}`];
    }),
  ];
}

function listed(title: string, values: readonly string[], none: string): string[] {
  if (values.length === 0) return [`${title.padEnd(10)} ${none}`];
  return values.map((value, index) => `${(index === 0 ? title : "").padEnd(10)} ${value}`);
}
