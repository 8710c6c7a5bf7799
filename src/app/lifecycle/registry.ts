/**
 * The registry of a node: its index, its images, what was pushed, and the mirror of other registries.
 * It is opened when it is first needed: a node that mirrors nothing and has no image pays nothing.
 */
import { join } from "node:path";
import { messageOf } from "../../core/errors.ts";
import type { Sha256 } from "../../core/hash.ts";
import type { Announcer } from "../../../swarm/ports.ts";
import { Images } from "../../../swarm/registry/images/mod.ts";
import { RegistryIndex } from "../../../swarm/registry/index/mod.ts";
import { LocalRegistry, type PushedManifest } from "../../../swarm/registry/local/mod.ts";
import { Mirror, type MirrorEvent } from "../../../swarm/registry/mirror/mod.ts";
import type { DigestIntake, SignedPins, SwarmFetch } from "../../../swarm/registry/ports.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import { systemClock, systemRandom } from "../../host/system.ts";
import type { Transfers } from "../api/transfers.ts";
import type { Config } from "../config/settings.ts";
import { logOf } from "../log.ts";
import { isProbe } from "./probe_image.ts";
import { Upstreams } from "./upstreams.ts";

/** What a registry is made over. */
export interface RegistryOptions {
  readonly config: Config;
  readonly store: BlobStore;
  readonly swarm: SwarmFetch;
  readonly transfers: Transfers;
  /** Brings in what nobody here knows the BLAKE3 of; opened when the registry is. */
  readonly intake: () => Promise<DigestIntake>;
  /** What followed catalogs pin. */
  readonly pins?: SignedPins;
  /** Told when an image is there, or may be seen by others than before. */
  readonly announcer: () => Announcer | undefined;
}

/** The file of the index in a data directory. */
export function indexPath(config: Pick<Config, "data">): string {
  return join(config.data, "registry.sqlite");
}

/** The open registry. */
export class OpenRegistry implements AsyncDisposable {
  readonly index: RegistryIndex;
  readonly images: Images;
  readonly local: LocalRegistry;
  readonly mirror: Mirror;
  readonly upstreams: Upstreams;
  readonly options: RegistryOptions;
  readonly #owned: AsyncDisposableStack;
  readonly #listeners: Set<(event: MirrorEvent) => void>;

  private constructor(
    options: RegistryOptions,
    parts: Pick<OpenRegistry, "index" | "images" | "local" | "mirror" | "upstreams">,
    owned: AsyncDisposableStack,
    listeners: Set<(event: MirrorEvent) => void>,
  ) {
    this.options = options;
    this.index = parts.index;
    this.images = parts.images;
    this.local = parts.local;
    this.mirror = parts.mirror;
    this.upstreams = parts.upstreams;
    this.#owned = owned;
    this.#listeners = listeners;
  }

  /** Opens all of it, in order. @throws {SeedmintError} `storage` */
  static async open(options: RegistryOptions): Promise<OpenRegistry> {
    const { config, store } = options;
    const log = logOf("registry");
    const clock = systemClock;
    await using stack = new AsyncDisposableStack();
    const listeners = new Set<(event: MirrorEvent) => void>();
    const upstreams = await Upstreams.open(config, clock);
    for (const problem of upstreams.problems()) log("warning", "logins", { problem });
    const index = stack.use(RegistryIndex.open({ path: indexPath(config), clock }));
    const images = stack.use(
      await Images.open({
        store,
        index,
        clock,
        onBroken: ({ name, digest }) => log("info", "an image went", { ...name, digest }),
        onError: (error) => log("warning", "an image could not be kept", { error }),
      }),
    );
    const local = stack.use(
      await LocalRegistry.open({
        store,
        index,
        directory: join(config.data, "uploads"),
        clock,
        random: systemRandom,
        visibility: "private",
        onPushed: (pushed) => void keepPushed(images, pushed, log),
      }),
    );
    const mirror = stack.use(
      await openMirror(options, { index, images, upstreams }, (event) => {
        for (const listener of listeners) listener(event);
      }),
    );
    const parts = { index, images, local, mirror, upstreams };
    return new OpenRegistry(options, parts, stack.move(), listeners);
  }

  /** Calls `listener` for what the mirror does, until the function returned is called. */
  onMirror(listener: (event: MirrorEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Digests by which others may look for an image's collection. */
  digestsOf(hash: Parameters<Images["digestsOf"]>[0]): readonly Sha256[] {
    return this.images.digestsOf(hash);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}

type Log = ReturnType<typeof logOf>;

async function openMirror(
  options: RegistryOptions,
  parts: Pick<OpenRegistry, "index" | "images" | "upstreams">,
  onEvent: (event: MirrorEvent) => void,
): Promise<Mirror> {
  const { config, store, swarm, pins } = options;
  const { index, images, upstreams } = parts;
  const common = { store, clock: systemClock, random: systemRandom };
  const intake = await options.intake();
  const mirrored = new Set(config.mirrorRegistry);
  const modes = new Map(config.mirrorMode.map(({ registry, value }) => [registry, value]));
  return new Mirror({
    ...common,
    index,
    images: {
      // What shows whom a client asks is no image to keep.
      collect: async (name, digest, how) =>
        isProbe(name) ? index.manifests.get(digest)!.hash : await images.collect(name, digest, how),
      used: (digest) => images.used(digest),
    },
    // Catalogs name images, too: no publisher is to make the node ask a host of its choice.
    upstreamOf: (registry) => mirrored.has(registry) ? upstreams.of(registry) : undefined,
    swarm,
    intake,
    ...(pins === undefined ? {} : { pins }),
    policy: {
      modeOf: (registry) => modes.get(registry) ?? "pull-through",
      visibility: config.mirrorVisibility,
      privateVisibility: config.mirrorPrivate,
      tagCacheMs: config.mirrorTagCache,
    },
    onEvent,
  });
}

/** What was pushed under a tag is an image, which its owner may announce. */
async function keepPushed(
  images: Images,
  { repository, digest, tag }: PushedManifest,
  log: Log,
): Promise<void> {
  if (tag === undefined) return;
  const { LOCAL_REGISTRY } = await import("../../../swarm/registry/index/mod.ts");
  const name = { registry: LOCAL_REGISTRY, repository };
  const known = images.find(name, { digest });
  try {
    await images.collect(name, digest, known === undefined ? { visibility: "private" } : {});
  } catch (error) {
    log("debug", "what was pushed is no image", { repository, digest, error: messageOf(error) });
  }
}
