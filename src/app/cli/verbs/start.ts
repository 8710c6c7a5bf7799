/** `start`: the node, until a signal ends it. */
import { formatBytes, formatDuration, printable } from "../../output/format.ts";
import { RemoteNode } from "../../api/remote.ts";
import { SeedmintError } from "../../../core/errors.ts";
import { shortHash } from "../../../core/hash.ts";
import { type RunningNode, runNode } from "../../lifecycle/run.ts";
import { whenUnlocked } from "../../lifecycle/lock_wait.ts";
import { systemClock } from "../../../host/system.ts";
import { startLog } from "../support.ts";
import type { VerbContext } from "../verb.ts";
import { describeStatus } from "./status.ts";

/** How much of what it seeds a node names when it starts. */
const SEEDS_SHOWN_MAX = 5;

/** Runs the verb. */
export async function run(context: VerbContext): Promise<number> {
  const { out, signal } = context;
  const config = context.config.values;
  await startLog(context);
  const startMs = performance.now();
  const node = await whenUnlocked(async () => {
    await refuseSecond(config.data);
    return await runNode(config);
  }, { clock: systemClock, signal });
  await announceReady(context, node, performance.now() - startMs);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  out.note("stopping");
  return await node.stop() ? 0 : 1;
}

/** A clear word at once instead of waiting for the store's lock, when the other is a node. */
async function refuseSecond(data: string): Promise<void> {
  await using other = await RemoteNode.of(data);
  if (other === undefined) return;
  throw new SeedmintError(
    "locked",
    `Cannot start: a node is running on ${data} already; see status, or use --data DIR for another`,
  );
}

async function announceReady(
  context: VerbContext,
  node: RunningNode,
  ms: number,
): Promise<void> {
  const { out } = context;
  const status = await node.status();
  const relays = status.relays.map((relay) => relay.url);
  if (out.json) {
    const { peerId, npub, addresses, data, registry } = status;
    const gateways = node.gatewayUrls;
    const listeners = {
      mirror: registry?.mirrorUrl ?? null,
      push: registry?.pushUrl ?? null,
      metrics: node.metricsUrl === undefined ? null : `${node.metricsUrl}/metrics`,
    };
    out.object({ event: "ready", peerId, npub, addresses, relays, gateways, ...listeners, data });
    return;
  }
  for (const line of describeStatus(status, Date.now())) out.line(line);
  const [shown, moreCount] = node.seeds(SEEDS_SHOWN_MAX);
  for (const blob of shown) {
    const name = printable(blob.name ?? blob.kind);
    out.line(`${" ".repeat(11)}${shortHash(blob.hash)}  ${formatBytes(blob.size)}  ${name}`);
  }
  if (moreCount > 0) out.line(`${" ".repeat(11)}and ${moreCount} more; see ls`);
  if (node.relayUrl !== undefined) out.line(`relay      ${node.relayUrl} (in this node)`);
  for (const url of node.gatewayUrls) out.line(`http       ${url}`);
  if (node.controlUrl !== undefined) out.line(`control    ${node.controlUrl}`);
  if (node.metricsUrl !== undefined) out.line(`metrics    ${node.metricsUrl}/metrics`);
  out.line(`ready in ${formatDuration(ms)}; stop with Ctrl-C`);
}
