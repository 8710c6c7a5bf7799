/** The listeners of the registry: the mirror that clients pull through, and the one they push to. */
import { messageOf } from "../../core/errors.ts";
import {
  type RegistryEvent,
  RegistryServer,
  type RegistryServerOptions,
} from "../../../swarm/registry/http/mod.ts";
import { systemClock, systemRandom } from "../../host/system.ts";
import { logOf } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { imageFinder, openImagesOf } from "./image_server.ts";
import type { OpenRegistry } from "./registry.ts";

/** What they are told and tell. */
export interface ListenerOptions {
  readonly metrics: Metrics | undefined;
  readonly problems: string[];
}

/** What listens. */
export interface RegistryListeners extends AsyncDisposable {
  readonly mirrorUrl?: string;
  readonly pushUrl?: string;
  /** Requests of the mirror, the last one's time, and the bytes it sent. */
  readonly requestCount: number;
  readonly lastRequestMs: number | null;
  readonly sentBytes: number;
}

/** Starts what the settings ask for; what cannot listen is told in `problems`. */
export async function startListeners(
  registry: OpenRegistry,
  options: ListenerOptions,
): Promise<RegistryListeners> {
  await using stack = new AsyncDisposableStack();
  const { config } = registry.options;
  const seen = { requestCount: 0, lastRequestMs: null as number | null, sentBytes: 0 };
  const mirrored = new Set(config.mirrorRegistry);
  const isOpenImage = openImagesOf({ config, index: registry.index });
  const log = logOf("registry");
  // What members hold may be what only a login gives: then none is asked for anything by its hash alone.
  const findImage = config.mirrorPrivate === "fleet"
    ? undefined
    : imageFinder({ ...registry.options, isOpenImage, log });
  const mirror = config.mirrorListen && await start(stack, registry, options, {
    ...config.mirrorListen,
    reader: registry.mirror,
    naming: "mirror",
    mirrorOptions: {
      defaultRegistry: "docker.io",
      isMirrored: (name) => mirrored.has(name),
    },
    isOpenImage,
    ...(findImage === undefined ? {} : { findImage }),
    onServed: (event) => {
      seen.requestCount++;
      seen.lastRequestMs = systemClock.nowMs();
      seen.sentBytes += event.bytes;
      count(options.metrics, "mirror", event, mirrored);
    },
  });
  const push = config.pushListen && await start(stack, registry, options, {
    ...config.pushListen,
    reader: registry.local,
    writer: registry.local,
    naming: "local",
    onServed: (event) => count(options.metrics, "push", event, mirrored),
  });
  const owned = stack.move();
  return Object.assign(seen, {
    ...(mirror === undefined ? {} : { mirrorUrl: mirror }),
    ...(push === undefined ? {} : { pushUrl: push }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  });
}

async function start(
  stack: AsyncDisposableStack,
  registry: OpenRegistry,
  { problems }: ListenerOptions,
  settings: Omit<RegistryServerOptions, "clock" | "random" | "store" | "hosts">,
): Promise<string | undefined> {
  const { store, config } = registry.options;
  try {
    const server = stack.use(
      await RegistryServer.start({
        ...settings,
        clock: systemClock,
        random: systemRandom,
        store,
        hosts: config.mirrorHost,
      }),
    );
    return server.url;
  } catch (error) {
    const what = settings.naming === "mirror" ? "the mirror" : "the push registry";
    problems.push(`${what} does not listen: ${messageOf(error)}`);
    logOf("registry")("error", `${what} did not start`, { error });
    return undefined;
  }
}

function count(
  metrics: Metrics | undefined,
  listener: "mirror" | "push",
  event: RegistryEvent,
  mirrored: ReadonlySet<string>,
): void {
  const { registry, route, status, bytes, ms } = event;
  const isKnown = registry !== undefined && mirrored.has(registry);
  metrics?.images.requested({
    listener,
    route,
    status,
    registry: isKnown ? registry : listener === "push" ? "" : "other",
    bytes,
    ms,
  });
  logOf("registry")("debug", "served", { listener, ...event });
}
