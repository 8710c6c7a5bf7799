/** The running node: everything started in order, ended in the opposite order, within a deadline. */
import { dirname } from "node:path";
import { SeedmintError } from "../../core/errors.ts";
import type { HostPort } from "../config/values.ts";
import { LocalNode } from "../api/local.ts";
import { reportStatus } from "../api/handlers/node.ts";
import type { StatusReport } from "../api/methods.ts";
import type { BlobRecord, BlobStore } from "../../../swarm/store/blob_store.ts";
import type { Config } from "../config/settings.ts";
import {
  listenForMetrics,
  listenOnLoopback,
  listenOnSocket,
  openToken,
} from "../control/listen.ts";
import { isForeignSocket } from "../control/owner.ts";
import { socketPath } from "../control/paths.ts";
import { ControlServer } from "../control/server.ts";
import { logOf } from "../log.ts";
import { systemClock } from "../../host/system.ts";
import { VERSION } from "../version.ts";
import { compose, type Composition } from "./compose.ts";

/** A node that runs until {@link RunningNode.stop}. */
export interface RunningNode {
  readonly status: () => Promise<StatusReport>;
  /** Up to `countMax` things that somebody asked to be kept, and how many more there are. */
  readonly seeds: (countMax: number) => readonly [shown: readonly BlobRecord[], moreCount: number];
  /** URL of the relay inside this node. */
  readonly relayUrl?: string;
  /** URLs of control and of metrics on loopback, when they were asked for. */
  readonly controlUrl?: string;
  readonly metricsUrl?: string;
  /** URLs at which public blobs are served over HTTP. */
  readonly gatewayUrls: readonly string[];
  /** Ends everything. @returns Whether all of it ended within the deadline. */
  readonly stop: () => Promise<boolean>;
}

/** Starts a node. */
export async function runNode(config: Config): Promise<RunningNode> {
  await using stack = new AsyncDisposableStack();
  const composition = stack.use(await compose(config, "node"));
  const { parts } = composition;
  const server = await openControl(composition, config);
  await refuseForeignSocket(config.data);
  stack.use(await listenOnSocket(server, socketPath(config.data)));
  // Somebody may have made the directory in between.
  await refuseForeignSocket(config.data);
  const control = config.controlListen && stack.use(listenOnLoopback(server, config.controlListen));
  const metrics = config.metricsListen && stack.use(openMetrics(composition, config.metricsListen));
  const owned = stack.move();
  logOf("node")("info", "ready", { peerId: parts.peerId });
  return {
    status: () => reportStatus(parts),
    seeds: (countMax) => seedsOf(parts.store, countMax),
    ...(composition.embeddedRelayUrl ? { relayUrl: composition.embeddedRelayUrl } : {}),
    ...(control ? { controlUrl: control.address } : {}),
    ...(metrics ? { metricsUrl: metrics.address } : {}),
    gatewayUrls: composition.gatewayUrls,
    stop: () => stopWithin(owned, config.stopDeadline),
  };
}

async function refuseForeignSocket(data: string): Promise<void> {
  if (!await isForeignSocket(data)) return;
  const directory = dirname(socketPath(data));
  throw new SeedmintError(
    "storage",
    `Cannot open the control socket: ${directory} belongs to somebody else or is open to others; ` +
      "remove it, or choose a data directory with a shorter path (--data)",
  );
}

async function openControl(
  composition: Composition,
  config: Config,
): Promise<ControlServer> {
  const { parts, metrics } = composition;
  const log = logOf("control");
  return new ControlServer({
    node: new LocalNode(parts),
    identify: () => Promise.resolve({ version: VERSION, peerId: parts.peerId }),
    metrics: () => metrics!.text(),
    ...(config.controlListen === undefined ? {} : { token: await openToken(config.data) }),
    onError: (error, method) => log("error", "a request failed", { method, error }),
  });
}

/** Collections, and what is tagged or pinned: children of collections are not named one by one. */
function seedsOf(
  store: BlobStore,
  countMax: number,
): readonly [readonly BlobRecord[], number] {
  const shown: BlobRecord[] = [];
  let moreCount = 0;
  for (const record of store.list()) {
    const isKept = record.kind === "collection" || record.pinned || record.tags.length > 0;
    if (record.state !== "complete" || !isKept) continue;
    if (shown.length < countMax) shown.push(record);
    else moreCount++;
  }
  return [shown, moreCount];
}

function openMetrics(composition: Composition, address: HostPort) {
  return listenForMetrics(address, () => composition.metrics!.text());
}

async function stopWithin(
  stack: AsyncDisposableStack,
  deadlineMs: number,
): Promise<boolean> {
  const log = logOf("node");
  const late = Promise.withResolvers<boolean>();
  const cancel = systemClock.timer(deadlineMs, () => late.resolve(false));
  const ended = stack.disposeAsync().then(() => true, (error) => {
    log("error", "stopping failed", { error });
    return true;
  });
  const isInTime = await Promise.race([ended, late.promise]);
  cancel();
  if (isInTime) log("info", "stopped");
  else log("error", "stopping took too long, the process ends now", { deadlineMs });
  return isInTime;
}
