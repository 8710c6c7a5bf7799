/** The registry of a node while it runs: opened when needed, listened for when asked, told of in status. */
import { messageOf } from "../../core/errors.ts";
import type { Hash, Sha256 } from "../../core/hash.ts";
import type { BlobRecord } from "../../../swarm/store/blob_store.ts";
import type { RegistrySummary } from "../api/image_methods.ts";
import type { ImageAccess, ImageDesk } from "../api/images.ts";
import type { UpstreamFigures } from "../image_metrics.ts";
import { logOf } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { OpenRegistry, RegistryOptions } from "./registry.ts";
import { type RegistryListeners, startListeners } from "./registry_listeners.ts";

/** Options of {@link RegistryHost}. */
export interface RegistryHostOptions extends RegistryOptions {
  readonly metrics: Metrics | undefined;
  readonly problems: string[];
}

/** {@link ImageAccess} of a node. */
export class RegistryHost implements ImageAccess, AsyncDisposable {
  readonly #options: RegistryHostOptions;
  #opening: Promise<OpenRegistry> | undefined;
  #opened: OpenRegistry | undefined;
  #listeners: RegistryListeners | undefined;
  #isClosed = false;

  constructor(options: RegistryHostOptions) {
    this.#options = options;
  }

  readonly open = async (): Promise<ImageDesk> => {
    const registry = await this.registry();
    const { RegistryDesk } = await import("./image_desk.ts");
    return new RegistryDesk(registry);
  };

  /** The open registry. @throws {SeedmintError} `storage` if it cannot be opened; it is tried again. */
  async registry(): Promise<OpenRegistry> {
    this.#opening ??= this.#open().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return await this.#opening;
  }

  /** Opens it for a node that has images or shall mirror, and listens; problems are told. */
  async start(): Promise<void> {
    const { config, metrics, problems } = this.#options;
    const isWanted = config.mirrorListen !== undefined || config.pushListen !== undefined;
    if (!isWanted && !await hasIndex(this.#options)) return;
    try {
      const registry = await this.registry();
      this.#listeners = await startListeners(registry, { metrics, problems });
    } catch (error) {
      problems.push(`container images: ${messageOf(error)}`);
      logOf("registry")("error", "the registry did not open", { error });
    }
  }

  readonly summary = (): RegistrySummary | null => {
    const registry = this.#opened;
    if (registry === undefined) return null;
    const listeners = this.#listeners;
    return {
      mirrorUrl: listeners?.mirrorUrl ?? null,
      pushUrl: listeners?.pushUrl ?? null,
      imageCount: registry.index.images.all().length,
      requestCount: listeners?.requestCount ?? 0,
      lastRequestMs: listeners?.lastRequestMs ?? null,
      sentBytes: listeners?.sentBytes ?? 0,
      upstreams: registry.upstreams.figures().map(({ registry, remaining, limitedMs }) => ({
        registry,
        remaining: remaining ?? null,
        problem: limitedMs === 0
          ? null
          : `it limits this host for ${Math.ceil(limitedMs / 1000)} s more`,
      })),
    };
  };

  /** Digests by which others may look for a collection; none while no registry is open. */
  digestsOf(hash: Hash): readonly Sha256[] {
    return this.#opened?.digestsOf(hash) ?? [];
  }

  /** Whether an image's advert stands for a blob; no while no registry is open. */
  isPart(record: BlobRecord): boolean {
    return this.#opened?.images.isPart(record) ?? false;
  }

  /** What registries say of their limits. */
  upstreams(): readonly UpstreamFigures[] {
    return this.#opened?.upstreams.figures() ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#listeners?.[Symbol.asyncDispose]();
    const opened = await this.#opening?.catch(() => undefined);
    await opened?.[Symbol.asyncDispose]();
  }

  async #open(): Promise<OpenRegistry> {
    const { OpenRegistry } = await import("./registry.ts");
    const registry = await OpenRegistry.open(this.#options);
    if (this.#isClosed) {
      await registry[Symbol.asyncDispose]();
      throw new DOMException("The node is stopping", "AbortError");
    }
    watch(registry, this.#options.metrics);
    this.#opened = registry;
    return registry;
  }
}

/** Logs and counts what the mirror does. */
function watch(registry: OpenRegistry, metrics: Metrics | undefined): void {
  const log = logOf("registry");
  const mirrored = new Set(registry.options.config.mirrorRegistry);
  registry.onMirror((event) => {
    if (event.type === "tag" || event.type === "manifest" || event.type === "blob") {
      const { type: kind, name } = event;
      metrics?.images.answered({
        registry: mirrored.has(name.registry) ? name.registry : "other",
        kind,
        from: event.type === "tag" ? event.by : event.from,
        bytes: event.type === "blob" ? event.size : 0,
      });
    }
    const { type, ...fields } = event;
    if (type === "trouble" || type === "banned") log("warning", type, fields);
    else log("debug", type, fields);
  });
}

async function hasIndex({ config }: RegistryHostOptions): Promise<boolean> {
  const { indexPath } = await import("./registry.ts");
  return await Deno.stat(indexPath(config)).then(() => true, () => false);
}
