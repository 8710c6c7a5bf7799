/** Finding out what an image is made of, and whether it is here. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { BlobStore } from "../../store/blob_store.ts";
import type { ManifestEntry } from "../index/mod.ts";
import {
  formatPlatform,
  INDEX_DEPTH_MAX,
  isManifestType,
  isSamePlatform,
  matchesPlatform,
  parseConfigPlatform,
  type Platform,
} from "../manifest/mod.ts";
import { type Digest, sha256Of } from "../names.ts";
import type { Descriptor } from "../ports.ts";
import type { LayoutBlob } from "./layout.ts";
import { IMAGE_BLOBS_MAX } from "./limits.ts";
import type { Shelf } from "./shelf.ts";

/** A blob of an image; manifests and indexes are marked. */
export interface AssembledBlob extends LayoutBlob {
  readonly isManifest: boolean;
}

/** An image that is here. */
export interface Assembled {
  readonly root: ManifestEntry;
  /** All that it is made of, each blob once; the root first. */
  readonly blobs: readonly AssembledBlob[];
  /** What it can run on, each once. */
  readonly platforms: readonly Platform[];
}

/** What {@link assemble} is given. */
export interface AssembleOptions {
  readonly store: Pick<BlobStore, "findBySha256">;
  readonly shelf: Shelf;
  /** Wanted platforms of an index; by default each that is here whole. */
  readonly platforms?: readonly Platform[];
  /** Platforms that are taken along where they are here whole. */
  readonly alsoPlatforms?: readonly Platform[];
}

/** A part of an image that is here, or the first digest of it that is not. */
type Part =
  | { readonly blobs: readonly AssembledBlob[]; readonly platforms: readonly Platform[] }
  | { readonly missing: Digest };

/**
 * Puts an image together from what the store holds.
 *
 * @throws {SeedmintError} `not-found` if a blob of a wanted platform is not here, or no platform is;
 * `invalid` if a manifest is none.
 */
export async function assemble(digest: Digest, options: AssembleOptions): Promise<Assembled> {
  const root = await options.shelf.find(digest);
  if (root === undefined) throw missingError(digest, digest);
  const part = await new Assembly(options).partOf(root, INDEX_DEPTH_MAX);
  if ("missing" in part) throw missingError(digest, part.missing);
  const blobs = new Map(part.blobs.map((blob) => [blob.digest, blob]));
  return { root, blobs: [...blobs.values()], platforms: unique(part.platforms) };
}

class Assembly {
  readonly #options: AssembleOptions;
  #count = 0;

  constructor(options: AssembleOptions) {
    this.#options = options;
  }

  async partOf(entry: ManifestEntry, depth: number, said?: Platform): Promise<Part> {
    const { manifest } = entry;
    const own = this.#blob(
      { mediaType: manifest.mediaType, digest: manifest.digest, size: manifest.size },
      true,
    );
    if (own === undefined) return { missing: manifest.digest };
    if (manifest.kind === "index") return await this.#indexPart(entry, own, depth);
    const blobs = [own];
    for (const child of manifest.children) {
      const blob = this.#blob(child, false);
      if (blob === undefined) return { missing: child.digest };
      blobs.push(blob);
    }
    const platform = manifest.kind === "image"
      ? said ?? await this.#platformOf(manifest.config)
      : undefined;
    return { blobs, platforms: platform === undefined ? [] : [platform] };
  }

  async #indexPart(entry: ManifestEntry, own: AssembledBlob, depth: number): Promise<Part> {
    if (depth === 0) {
      throw new SeedmintError(
        "invalid",
        `Cannot read the index ${own.digest}: indexes lie in indexes more than ${INDEX_DEPTH_MAX} deep`,
      );
    }
    const wanted = this.#wantedOf(entry);
    const { alsoPlatforms = [] } = this.#options;
    const blobs = [own];
    const platforms: Platform[] = [];
    let missing: Digest | undefined;
    for (const child of entry.manifest.children) {
      const isWanted = wanted === undefined || wanted.has(child.digest);
      if (!isWanted && !alsoPlatforms.some((one) => isFor(child, one))) continue;
      const part = await this.#childPart(child, depth);
      if (!("missing" in part)) {
        blobs.push(...part.blobs);
        platforms.push(...part.platforms);
        continue;
      }
      missing ??= part.missing;
      if (wanted !== undefined && isWanted) return part;
    }
    // An index that lists nothing is whole; one of whose manifests none is here is not.
    if (blobs.length === 1 && missing !== undefined) return { missing };
    return { blobs, platforms };
  }

  async #childPart(child: Descriptor, depth: number): Promise<Part> {
    if (!isManifestType(child.mediaType)) {
      const blob = this.#blob(child, false);
      return blob === undefined ? { missing: child.digest } : { blobs: [blob], platforms: [] };
    }
    const entry = await this.#options.shelf.find(child.digest, child.mediaType);
    if (entry === undefined) return { missing: child.digest };
    return await this.partOf(entry, depth - 1, child.platform);
  }

  /**
   * Digests of the manifests for the wanted platforms; undefined when all that are here are.
   *
   * @throws {SeedmintError} `not-found` if the index has no manifest for one of them.
   */
  #wantedOf({ manifest }: ManifestEntry): ReadonlySet<Digest> | undefined {
    const { platforms } = this.#options;
    if (platforms === undefined) return undefined;
    const wanted = new Set<Digest>();
    for (const platform of platforms) {
      const found = manifest.children.filter((child) => isFor(child, platform));
      if (found.length === 0) {
        const there = unique(manifest.children.flatMap((child) => child.platform ?? []));
        throw new SeedmintError(
          "not-found",
          `Cannot find ${formatPlatform(platform)} in ${manifest.digest}: it has ${
            there.map(formatPlatform).join(", ").slice(0, 400) || "no platforms"
          }`,
        );
      }
      for (const { digest } of found) wanted.add(digest);
    }
    return wanted;
  }

  #blob(descriptor: Descriptor, isManifest: boolean): AssembledBlob | undefined {
    const { digest, mediaType } = descriptor;
    const record = this.#options.store.findBySha256(sha256Of(digest));
    if (record?.state !== "complete") return undefined;
    if (record.size !== descriptor.size) {
      throw new SeedmintError(
        "invalid",
        `Cannot use the image: it lists ${digest} with ${descriptor.size} bytes, and it has ${record.size}`,
      );
    }
    if (++this.#count > IMAGE_BLOBS_MAX) {
      throw new SeedmintError(
        "invalid",
        `Cannot use the image: it is made of more than ${IMAGE_BLOBS_MAX} blobs`,
      );
    }
    return { digest, hash: record.hash, size: record.size, mediaType, isManifest };
  }

  async #platformOf(config: Descriptor | undefined): Promise<Platform | undefined> {
    const bytes = config && await this.#options.shelf.bytesOf(config.digest);
    return bytes && parseConfigPlatform(bytes);
  }
}

function isFor({ platform }: Descriptor, wanted: Platform): boolean {
  return platform !== undefined && matchesPlatform(wanted, platform);
}

/** Platforms that an index says nothing useful of, as those of attestations, are left out. */
function unique(platforms: readonly Platform[]): readonly Platform[] {
  return platforms.filter((platform, index) =>
    platform.os !== "unknown" &&
    platforms.findIndex((other) => isSamePlatform(platform, other)) === index
  );
}

function missingError(root: Digest, missing: Digest): SeedmintError {
  return new SeedmintError(
    "not-found",
    `Cannot put the image ${root} together: ${missing} is not here whole; pull the image first`,
  );
}
