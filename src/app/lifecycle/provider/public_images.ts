/**
 * Images for lessees. Nothing of ours is used for them: no login, no blob of the fleet or of this node
 * alone, no payment. What anybody may have is brought: by digest from peers that announce it in public,
 * or from registries on the operator's list.
 */
import { isSeedmintError, messageOf, SeedmintError } from "../../../core/errors.ts";
import type { Sha256 } from "../../../core/hash.ts";
import type { Image, ImageConfig, ImageLayer, Images } from "../../../../provisioning/ports.ts";
import { readManifestBytes } from "../../../../swarm/registry/local/mod.ts";
import {
  formatPlatform,
  hostPlatform,
  matchesPlatform,
  type ParsedManifest,
  parseManifest,
} from "../../../../swarm/registry/manifest/mod.ts";
import {
  type Digest,
  formatImageName,
  type ImageName,
  parseImageName,
  sha256Of,
} from "../../../../swarm/registry/names.ts";
import { readWhole } from "../../../../swarm/read_whole.ts";
import type { BlobRecord } from "../../../../swarm/store/blob_store.ts";
import { readConfig } from "./image_config.ts";
import { ImageParts, type PartSources } from "./image_parts.ts";
import {
  CONFIG_BYTES_MAX,
  IMAGE_BYTES_MAX,
  LAYERS_AT_ONCE,
  LAYERS_MAX,
  REMEMBERED_MAX,
  TAG_KEPT_MS,
} from "./limits.ts";

/** How much of a layer is read at a time. */
const READ_BYTES: number = 1 << 20;

/** What became of bringing an image. */
type Outcome =
  | { readonly status: "brought"; readonly image: Image }
  | { readonly status: "failed" | "given-up"; readonly error: unknown };

/** {@link Images} of a provider. */
export class PublicImages implements Images {
  readonly #sources: PartSources;
  readonly #tags = new Map<string, { readonly digest: Digest; readonly atMs: number }>();
  /** Images that were whole here lately, by the digest that was asked for. */
  readonly #brought = new Map<Digest, readonly BlobRecord[]>();
  /** Digests that a registry has under a name, as {@link formatImageName} writes them. */
  readonly #named = new Map<string, true>();
  /** Images on their way: who asks for one that is joins. */
  readonly #running = new Map<string, Promise<Outcome>>();

  constructor(sources: PartSources) {
    this.#sources = sources;
  }

  async bring(
    reference: string,
    options: {
      readonly signal: AbortSignal;
      readonly onProgress?: (bytes: number, size: number | undefined) => void;
    },
  ): Promise<Image> {
    const name = nameOf(reference);
    const { signal } = options;
    for (;;) {
      signal.throwIfAborted();
      const running = this.#running.get(reference);
      if (running === undefined) break;
      // Who began it may be given up before us; then we begin anew.
      const outcome = await untilAborted(running, signal);
      if (outcome.status === "brought") return outcome.image;
      if (outcome.status === "failed") throw outcome.error;
    }
    const task = this.#outcome(name, options);
    this.#running.set(reference, task);
    try {
      const outcome = await task;
      if (outcome.status === "brought") return outcome.image;
      signal.throwIfAborted();
      throw outcome.error;
    } finally {
      this.#running.delete(reference);
    }
  }

  async #outcome(name: ImageName, options: Parameters<Images["bring"]>[1]): Promise<Outcome> {
    try {
      return { status: "brought", image: await this.#explained(name, options) };
    } catch (error) {
      return { status: options.signal.aborted ? "given-up" : "failed", error };
    }
  }

  async #explained(name: ImageName, options: Parameters<Images["bring"]>[1]): Promise<Image> {
    try {
      return await this.#bring(name, options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (!isSeedmintError(error)) throw error;
      // A registry's bytes that make no image are no fault of ours.
      const isBadImage = error.code === "invalid" || error.code === "corrupt";
      const code = isBadImage ? "unavailable" : error.code;
      throw new SeedmintError(
        code,
        `Cannot bring ${formatImageName(name)}: ${error.message}`,
        { cause: error, retryable: error.retryable },
      );
    }
  }

  has(reference: string): boolean {
    let name: ImageName;
    try {
      name = nameOf(reference);
    } catch {
      return false;
    }
    const digest = name.reference.digest ?? this.#knownTag(name);
    const parts = digest && this.#brought.get(digest);
    const { store } = this.#sources;
    return parts?.every(({ hash }) => store.status(hash)?.state === "complete") ?? false;
  }

  async #bring(
    name: ImageName,
    options: Parameters<Images["bring"]>[1],
  ): Promise<Image> {
    const { signal, onProgress } = options;
    const digest = name.reference.digest ?? await this.#resolve(name, signal);
    await this.#assertNamed(name, digest, signal);
    let bytes = 0;
    const whole: { size?: number } = {};
    const parts = new ImageParts(this.#sources, { name, root: sha256Of(digest) }, {
      signal,
      onBytes: (count) => onProgress?.(bytes += count, whole.size),
    });
    const records: BlobRecord[] = [];
    const manifestOf = async (digest: Digest) => {
      const record = await parts.bring({ sha256: sha256Of(digest), isManifest: true });
      records.push(record);
      const bytes = await readManifestBytes(this.#sources.store, record.hash);
      if (bytes === undefined) throw gone();
      return parseManifest(record.mediaType, bytes);
    };
    const manifest = await this.#platformOf(await manifestOf(digest), manifestOf);
    const { config, layers } = partsOf(manifest);
    whole.size = manifest.children.reduce((sum, child) => sum + child.size, 0);
    const configRecord = await parts.bring({
      sha256: sha256Of(config.digest),
      size: config.size,
      isManifest: false,
    });
    records.push(configRecord);
    const facts = readConfig(
      await readWhole(this.#sources.store, configRecord.hash, CONFIG_BYTES_MAX),
    );
    if (facts.diffIds.length !== layers.length) {
      throw new SeedmintError("invalid", "its configuration lists other layers than its manifest");
    }
    const layerRecords = await inLanes(
      layers,
      LAYERS_AT_ONCE,
      (layer) =>
        parts.bring({ sha256: sha256Of(layer.digest), size: layer.size, isManifest: false }),
    );
    this.#rememberNamed(name, manifest.digest);
    this.#remember(this.#brought, digest, [...records, ...layerRecords]);
    return imageOf(this.#sources, {
      name,
      digest: sha256Of(manifest.digest),
      ...(manifest.digest === digest ? {} : { listDigest: sha256Of(digest) }),
      config: facts.config,
      layers: layers.map((layer, index) => ({
        ...layer,
        record: layerRecords[index]!,
        diffId: facts.diffIds[index]!,
      })),
    });
  }

  /** The manifest for this machine. */
  async #platformOf(
    root: ParsedManifest,
    manifestOf: (digest: Digest) => Promise<ParsedManifest>,
  ): Promise<ParsedManifest> {
    if (root.kind !== "index") return root;
    const wanted = hostPlatform(Deno.build);
    const found = root.children.find(({ platform }) =>
      platform !== undefined && matchesPlatform(wanted, platform)
    );
    if (found === undefined) {
      throw new SeedmintError("not-found", `it is not there for ${formatPlatform(wanted)}`);
    }
    return await manifestOf(found.digest);
  }

  /** What a registry says that a tag means; peers are never asked. */
  async #resolve(name: ImageName, signal: AbortSignal): Promise<Digest> {
    const known = this.#knownTag(name);
    if (known !== undefined) return known;
    const upstream = this.#sources.upstreamOf(name.registry);
    if (upstream === undefined) {
      throw new SeedmintError(
        "denied",
        `images of ${name.registry} are taken by digest only here: NAME@sha256:…`,
      );
    }
    const answer = await upstream.manifest(name.repository, name.reference, { signal });
    switch (answer.status) {
      case "found": {
        this.#remember(this.#tags, formatImageName(name), {
          digest: answer.digest,
          atMs: this.#sources.clock.nowMs(),
        });
        return answer.digest;
      }
      case "limited":
        throw new SeedmintError("unavailable", `${name.registry} answers no more for now`, {
          retryable: true,
        });
      default:
        throw new SeedmintError("not-found", `${name.registry} gives it to nobody without a login`);
    }
  }

  /** @throws {SeedmintError} `denied` for what is not known to be of that name, where that matters. */
  async #assertNamed(name: ImageName, digest: Digest, signal: AbortSignal): Promise<void> {
    if (this.#sources.mustBeNamed?.(sha256Of(digest)) !== true) return;
    const { registry, repository, reference } = name;
    // A tag was asked of its registry.
    if (reference.digest === undefined) return this.#rememberNamed(name, digest);
    if (this.#named.has(formatImageName(name))) return;
    const upstream = this.#sources.upstreamOf(registry);
    const answer = await upstream?.manifest(repository, { digest }, { signal, isHead: true });
    if (answer?.status === "found") return this.#rememberNamed(name, digest);
    if (answer?.status === "limited") {
      throw new SeedmintError("unavailable", `${registry} answers no more for now`, {
        retryable: true,
      });
    }
    throw new SeedmintError(
      "denied",
      `only some names are taken here, and ${registry} does not say that this digest is of that name`,
    );
  }

  #rememberNamed({ registry, repository }: ImageName, digest: Digest): void {
    this.#remember(
      this.#named,
      formatImageName({ registry, repository, reference: { digest } }),
      true,
    );
  }

  #knownTag(name: ImageName): Digest | undefined {
    const known = this.#tags.get(formatImageName(name));
    return known !== undefined && this.#sources.clock.nowMs() - known.atMs < TAG_KEPT_MS
      ? known.digest
      : undefined;
  }

  #remember<K, V>(map: Map<K, V>, key: K, value: V): void {
    map.delete(key);
    map.set(key, value);
    if (map.size > REMEMBERED_MAX) map.delete(map.keys().next().value!);
  }
}

/** @throws {SeedmintError} `not-found` */
function nameOf(reference: string): ImageName {
  try {
    return parseImageName(reference);
  } catch (error) {
    throw new SeedmintError("not-found", messageOf(error), { cause: error });
  }
}

/** @throws {SeedmintError} `invalid` for what is no image that can be run. */
function partsOf(manifest: ParsedManifest) {
  const { kind, config, children, foreign } = manifest;
  if (kind !== "image" || config === undefined) {
    throw new SeedmintError("invalid", "it is no image that can be run");
  }
  if (foreign.length > 0) throw new SeedmintError("invalid", "a registry does not hold all of it");
  const layers = children.slice(1);
  const size = children.reduce((sum, child) => sum + child.size, 0);
  const isFine = children[0]?.digest === config.digest && layers.length <= LAYERS_MAX &&
    size <= IMAGE_BYTES_MAX && config.size <= CONFIG_BYTES_MAX;
  if (!isFine) {
    throw new SeedmintError(
      "invalid",
      `it has ${layers.length} layers of ${size} bytes; at most ${LAYERS_MAX} of ` +
        `${IMAGE_BYTES_MAX} are taken`,
    );
  }
  return { config, layers };
}

interface LayerPart {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly record: BlobRecord;
  readonly diffId: Sha256;
}

function imageOf(
  { store }: PartSources,
  image: {
    readonly name: ImageName;
    readonly digest: Sha256;
    readonly listDigest?: Sha256;
    readonly config: ImageConfig;
    readonly layers: readonly LayerPart[];
  },
): Image {
  return {
    digest: image.digest,
    ...(image.listDigest === undefined ? {} : { listDigest: image.listDigest }),
    name: formatImageName(image.name),
    config: image.config,
    layers: image.layers.map(({ digest, mediaType, size, record, diffId }): ImageLayer => ({
      sha256: sha256Of(digest),
      diffId,
      mediaType,
      size,
      open: async () => {
        const reader = await store.openReader(record.hash);
        let offset = 0;
        return new ReadableStream<Uint8Array<ArrayBuffer>>({
          async pull(controller) {
            const bytes = new Uint8Array(Math.min(READ_BYTES, size - offset));
            const count = bytes.length === 0 ? 0 : await reader.read(offset, bytes);
            offset += count;
            if (count > 0) return controller.enqueue(bytes.subarray(0, count));
            await reader[Symbol.asyncDispose]();
            if (offset < size) controller.error(gone());
            else controller.close();
          },
          async cancel() {
            await reader[Symbol.asyncDispose]();
          },
        });
      },
    })),
  };
}

async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function gone(): SeedmintError {
  return new SeedmintError("unavailable", "a part of it went away meanwhile", { retryable: true });
}

/** Runs `work` for each, a few at a time, in order of the results. */
async function inLanes<T, R>(
  items: readonly T[],
  laneCount: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(laneCount, items.length) }, lane));
  return results;
}
