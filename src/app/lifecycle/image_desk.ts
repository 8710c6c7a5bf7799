/** What can be done with the images of a node. */
import { SeedmintError } from "../../core/errors.ts";
import { type Digest, formatRepository, type ImageName } from "../../../swarm/registry/names.ts";
import type { ImageInfo } from "../../../swarm/registry/images/mod.ts";
import { formatPlatform } from "../../../swarm/registry/manifest/mod.ts";
import { systemRandom } from "../../host/system.ts";
import type {
  ImageMethods,
  ImageView,
  ProbeImage,
  PulledImage,
  PullParams,
} from "../api/image_methods.ts";
import type { ImageDesk, ImageWork } from "../api/images.ts";
import { exportImage, importLayout } from "./image_layouts.ts";
import { ImageNames, isLocal } from "./image_names.ts";
import { pullImage } from "./image_pull.ts";
import { pushImage } from "./image_push.ts";
import { isProbe, makeProbe, PROBE_REPOSITORY } from "./probe_image.ts";
import type { OpenRegistry } from "./registry.ts";

/** {@link ImageDesk} over an open registry. */
export class RegistryDesk implements ImageDesk {
  readonly #registry: OpenRegistry;
  readonly #names: ImageNames;

  constructor(registry: OpenRegistry) {
    this.#registry = registry;
    this.#names = new ImageNames(registry.options.config.pushListen);
  }

  list(): readonly ImageView[] {
    return this.#registry.images.list().flatMap(viewsOf);
  }

  async pull(params: PullParams, work: ImageWork): Promise<PulledImage> {
    const name = this.#names.read(params.image);
    const pulled = await pullImage(this.#registry, { ...params, name }, work);
    return { ...viewOf(this.#known(name, pulled.digest), name), ...pulled };
  }

  async push(
    { from, to }: ImageMethods["image.push"]["params"],
    work: ImageWork,
  ): Promise<ImageMethods["image.push"]["result"]> {
    const target = this.#names.readTarget(to);
    if (!from.startsWith("/")) {
      const { digest } = this.#found(from);
      return await pushImage(this.#registry, { digest, to, target }, work);
    }
    const { digest, forget } = await importLayout(this.#registry, from, work);
    try {
      return await pushImage(this.#registry, { digest, to, target }, work);
    } finally {
      await forget();
    }
  }

  async remove(images: readonly string[]): Promise<ImageMethods["image.remove"]["result"]> {
    const found = images.map((text) => {
      const name = this.#names.read(text);
      return { name: text, digest: this.#found(text).digest, image: name };
    });
    for (const { image, digest } of found) await this.#remove(image, digest);
    return { images: found.map(({ name, digest }) => ({ name, digest })) };
  }

  async export(
    { image, output, overwrite }: ImageMethods["image.export"]["params"],
    work: ImageWork,
  ): Promise<ImageMethods["image.export"]["result"]> {
    const name = this.#names.read(image);
    const { digest } = this.#found(image);
    return await exportImage(this.#registry, { name, digest, output, overwrite }, work);
  }

  async announce(
    { image, visibility }: ImageMethods["image.announce"]["params"],
    { emit }: ImageWork,
  ): Promise<ImageView> {
    const name = this.#names.read(image);
    const { digest } = this.#found(image);
    const { images, options } = this.#registry;
    const { config, announcer } = options;
    const info = images.find(name, { digest }) === undefined
      ? (await images.collect(name, digest, { visibility }), images.find(name, { digest })!)
      : await images.setVisibility(name, digest, visibility);
    announcer()?.announce(info.collection);
    if (visibility === "fleet" && config.fleetRelay.length === 0) {
      emit({
        event: "note",
        message: "no --fleet-relay is set: only members that are connected can find it",
      });
    }
    return viewOf(info, name);
  }

  async probe(architecture: string): Promise<ProbeImage> {
    const { index, options: { store } } = this.#registry;
    const parts = { store, index, random: systemRandom };
    return { repository: PROBE_REPOSITORY, digest: await makeProbe(parts, architecture) };
  }

  /** Takes a tag away, and the image with the last one. */
  async #remove(name: ImageName, digest: Digest): Promise<void> {
    const { images, index, local } = this.#registry;
    const { tag } = name.reference;
    if (tag !== undefined && index.tags.of(name, digest).length > 1) {
      index.tags.remove(name, tag);
      return;
    }
    await images.remove(name, digest);
    if (isLocal(name)) await local.removeImage(name.repository, digest);
  }

  /** What a name means here. @throws {SeedmintError} `not-found` */
  #found(text: string): { readonly name: ImageName; readonly digest: Digest } {
    const name = this.#names.read(text);
    const { index, images } = this.#registry;
    const { tag, digest } = name.reference;
    const found = digest ?? (tag === undefined ? undefined : index.tags.get(name, tag)?.digest);
    const isHere = found !== undefined && !isProbe(name) &&
      (images.find(name, { digest: found }) !== undefined ||
        index.members.has(name, found, "manifest"));
    if (isHere) return { name, digest: found };
    throw new SeedmintError(
      "not-found",
      `There is no image ${text.slice(0, 120)} here; image ls lists them, image pull brings one in`,
    );
  }

  #known(name: ImageName, digest: Digest): ImageInfo {
    const info = this.#registry.images.find(name, { digest });
    if (info !== undefined) return info;
    throw new SeedmintError(
      "no-space",
      `${formatRepository(name)} was pulled and is gone already: the quota has no room for it`,
    );
  }
}

/** An image under each of its tags, or under its digest. */
function viewsOf(info: ImageInfo): ImageView[] {
  const repository = formatRepository(info.name);
  const names = info.tags.length === 0
    ? [`${repository}@${info.digest}`]
    : info.tags.map((tag) => `${repository}:${tag}`);
  return names.map((name) => view(info, name));
}

function viewOf(info: ImageInfo, { reference, ...name }: ImageName): ImageView {
  const { tag } = reference;
  const end = tag === undefined ? `@${info.digest}` : `:${tag}`;
  return view(info, `${formatRepository(name)}${end}`);
}

function view(info: ImageInfo, name: string): ImageView {
  return {
    name,
    digest: info.digest,
    hash: info.collection,
    platforms: info.platforms.map(formatPlatform),
    size: info.size,
    visibility: info.visibility,
    usedMs: info.lastUsedMs,
  };
}
