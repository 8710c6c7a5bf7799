/** The running node: everything started in order, ended in the opposite order, within a deadline. */
import type { HostPort } from "../config/values.ts";
import { LocalNode } from "../api/local.ts";
import { statusOf } from "../api/handlers/node.ts";
import type { StatusReport } from "../api/methods.ts";
import type { Config } from "../config/settings.ts";
import {
  listenForMetrics,
  listenOnLoopback,
  listenOnSocket,
  openToken,
} from "../control/listen.ts";
import { socketPath } from "../control/paths.ts";
import { ControlServer } from "../control/server.ts";
import { logOf } from "../log.ts";
import { systemClock } from "../system.ts";
import { VERSION } from "../version.ts";
import { compose, type Composition } from "./compose.ts";

/** A node that runs until {@link RunningNode.stop}. */
export interface RunningNode {
  readonly status: () => StatusReport;
  /** URL of the relay inside this node. */
  readonly relayUrl?: string;
  /** URLs of control and of metrics on loopback, when they were asked for. */
  readonly controlUrl?: string;
  readonly metricsUrl?: string;
  /** Ends everything. @returns Whether all of it ended within the deadline. */
  readonly stop: () => Promise<boolean>;
}

/** Starts a node. */
export async function runNode(config: Config): Promise<RunningNode> {
  await using stack = new AsyncDisposableStack();
  const composition = stack.use(await compose(config, "node"));
  const { parts } = composition;
  const server = await openControl(composition, config);
  stack.use(await listenOnSocket(server, socketPath(config.data)));
  const control = config.controlListen && stack.use(listenOnLoopback(server, config.controlListen));
  const metrics = config.metricsListen && stack.use(openMetrics(composition, config.metricsListen));
  const owned = stack.move();
  logOf("node")("info", "ready", { peerId: parts.peerId });
  return {
    status: () => statusOf(parts),
    ...(composition.embeddedRelayUrl ? { relayUrl: composition.embeddedRelayUrl } : {}),
    ...(control ? { controlUrl: control.address } : {}),
    ...(metrics ? { metricsUrl: metrics.address } : {}),
    stop: () => stopWithin(owned, config.stopDeadline),
  };
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
