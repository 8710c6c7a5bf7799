/** Pulling an image into the store, through the mirror as clients do, and keeping it. */
import { isSeedmintError, messageOf, SeedmintError } from "../../core/errors.ts";
import { type Digest, formatImageName, type ImageName } from "../../../swarm/registry/names.ts";
import type { StoredManifest } from "../../../swarm/registry/ports.ts";
import {
  formatPlatform,
  hostPlatform,
  matchesPlatform,
  type ParsedManifest,
  parseManifest,
  parsePlatform,
  type Platform,
} from "../../../swarm/registry/manifest/mod.ts";
import { systemClock } from "../../host/system.ts";
import type { PulledImage, PullParams } from "../api/image_methods.ts";
import type { ImageWork } from "../api/images.ts";
import { fetchImage } from "./image_fetch.ts";
import { isLocal } from "./image_names.ts";
import type { OpenRegistry } from "./registry.ts";

/** How many blobs are read at a time. */
const BLOBS_AT_ONCE = 4;

/** How many reasons a message repeats. */
const REFUSALS_TOLD_MAX = 3;

/** What came of a pull, besides how the image looks here. */
export interface Pulled extends Pick<PulledImage, "ms" | "stale" | "sources"> {
  readonly digest: Digest;
}

/** One pull. */
export interface PullRequest extends Omit<PullParams, "image"> {
  readonly name: ImageName;
}

/**
 * Pulls an image.
 *
 * @throws {SeedmintError} `not-found`, `unavailable`, `usage`.
 */
export async function pullImage(
  registry: OpenRegistry,
  request: PullRequest,
  work: ImageWork,
): Promise<Pulled> {
  const { name, visibility } = request;
  if (isLocal(name)) return await pullLocal(registry, request, work);
  const startMs = systemClock.monotonicMs();
  const sources = new Sources();
  const refusals = new Set<string>();
  const stop = registry.onMirror((event) => {
    if (event.type === "blob") sources.add(event.digest, event);
    const isOurs = event.type === "refused" && event.name.repository === name.repository;
    if (isOurs) refusals.add(event.reason);
    else if (event.type === "trouble") refusals.add(messageOf(event.error));
  });
  try {
    const root = await manifestOf(registry, name, work.signal);
    const parsed = parseManifest(root.mediaType, root.bytes);
    const manifests = await wantedManifests(registry, request, parsed, work.signal);
    const digests = await bringBlobs(registry, name, manifests, work);
    const platforms = parsed.kind === "index" && !wantsAll(request)
      ? { platforms: wantedPlatforms(request) }
      : {};
    await registry.images.collect(name, root.digest, {
      ...platforms,
      visibility: visibility ?? usualVisibility(registry, root.digest),
    });
    // Asked for here, it holds for an image that was there before, too.
    if (visibility !== undefined) {
      await registry.images.setVisibility(name, root.digest, visibility);
    }
    noteTag(registry, name, root.digest);
    return {
      digest: root.digest,
      stale: root.isStale ?? false,
      ms: systemClock.monotonicMs() - startMs,
      sources: sources.of(digests, name.registry),
    };
  } catch (error) {
    if (!isSeedmintError(error) || refusals.size === 0 || work.signal.aborted) throw error;
    // The mirror says no more than that it has nothing; why, it tells beside.
    const told = [...refusals].slice(-REFUSALS_TOLD_MAX);
    // One that says what to do is the whole story: a full store is no missing login.
    const remedy = error.code === "not-found" && told.find((reason) => reason.includes("; "));
    const message = remedy
      ? `Cannot pull ${formatImageName(name)}: ${remedy}`
      : `${error.message} (${[...registry.upstreams.problems(), ...told].join("; ")})`;
    throw new SeedmintError(error.code, message, { cause: error });
  } finally {
    stop();
  }
}

/** What was pushed to another node is pulled by its digest, from whoever announces it. */
async function pullLocal(
  registry: OpenRegistry,
  { name, visibility }: PullRequest,
  work: ImageWork,
): Promise<Pulled> {
  const { digest } = name.reference;
  if (digest === undefined) {
    throw new SeedmintError(
      "usage",
      `Cannot pull ${formatImageName(name)}: nobody resolves tags of what was pushed to a node; ` +
        "name it by the digest that image announce printed: NAME@sha256:…",
    );
  }
  const how = visibility === undefined ? {} : { visibility };
  return await fetchImage(registry, { name, digest, ...how }, work);
}

/** Who may have what was pulled, as the settings say; what only our login may pull is a case of its own. */
function usualVisibility(
  { index, options: { config } }: OpenRegistry,
  digest: Digest,
): "public" | "fleet" | "private" {
  if (config.mirrorVisibility === "none") return "private";
  return index.members.isPrivate(digest) ? config.mirrorPrivate : config.mirrorVisibility;
}

/** A tag that a signed catalog pins is not its registry's word: it is asked again the next time. */
function noteTag({ index }: OpenRegistry, name: ImageName, digest: Digest): void {
  const { tag } = name.reference;
  if (tag === undefined || index.tags.get(name, tag)?.digest === digest) return;
  index.tags.set(name, tag, { digest, checkedMs: 0 });
}

async function manifestOf(
  { mirror }: OpenRegistry,
  name: ImageName,
  signal: AbortSignal,
): Promise<StoredManifest> {
  const found = await mirror.manifest(name, name.reference, { signal, accept: [], isHead: false });
  if (found !== undefined) return found;
  throw new SeedmintError(
    "not-found",
    `Cannot pull ${
      formatImageName(name)
    }: neither ${name.registry} nor a peer has it, or the login ` +
      "that is needed is missing (docker login, or --registry-auth FILE)",
  );
}

/** The manifests of the platforms that are wanted, or the one that the image is. */
async function wantedManifests(
  registry: OpenRegistry,
  request: PullRequest,
  root: ParsedManifest,
  signal: AbortSignal,
): Promise<readonly ParsedManifest[]> {
  if (root.kind !== "index") return [root];
  const wanted = wantedPlatforms(request);
  const chosen = wantsAll(request)
    ? root.children
    : root.children.filter(({ platform }) =>
      platform !== undefined && wanted.some((one) => matchesPlatform(one, platform))
    );
  if (chosen.length === 0) {
    const had = root.children.flatMap(({ platform }) => platform ? [formatPlatform(platform)] : []);
    throw new SeedmintError(
      "not-found",
      `Cannot pull ${formatImageName(request.name)} for ${
        wanted.map(formatPlatform).join(", ")
      }: ` +
        `it is there for ${had.join(", ") || "none"}; choose with --platform`,
    );
  }
  const found = await Promise.all(chosen.map(async ({ digest }) => {
    const manifest = await manifestOf(registry, { ...request.name, reference: { digest } }, signal);
    return parseManifest(manifest.mediaType, manifest.bytes);
  }));
  return found.filter(({ kind }) => kind !== "index");
}

function wantsAll({ platforms }: PullRequest): boolean {
  return platforms.includes("all");
}

function wantedPlatforms({ platforms }: PullRequest): readonly Platform[] {
  return platforms.length === 0
    ? [hostPlatform(Deno.build)]
    : platforms.filter((one) => one !== "all").map(parsePlatform);
}

/** Brings every blob in. @returns Their digests. */
async function bringBlobs(
  { mirror }: OpenRegistry,
  name: ImageName,
  manifests: readonly ParsedManifest[],
  { signal, emit }: ImageWork,
): Promise<ReadonlySet<Digest>> {
  const foreign = new Set(manifests.flatMap((one) => one.foreign.map(({ digest }) => digest)));
  const sizes = new Map(
    manifests.flatMap(({ children }) => children)
      .filter(({ digest }) => !foreign.has(digest))
      .map(({ digest, size }) => [digest, size]),
  );
  const size = [...sizes.values()].reduce((sum, one) => sum + one, 0);
  let bytes = 0;
  const advance = (count: number) => {
    bytes += count;
    emit({ event: "progress", label: formatImageName(name), bytes, size });
  };
  const waiting = [...sizes.keys()];
  const bringNext = async () => {
    for (let digest = waiting.shift(); digest !== undefined; digest = waiting.shift()) {
      await using delivery = await mirror.blob(name, digest, { signal, isHead: false });
      if (delivery === undefined) {
        throw new SeedmintError(
          "unavailable",
          `Cannot pull ${formatImageName(name)}: nobody has its blob ${digest}; try again later`,
        );
      }
      if (delivery.record !== undefined) advance(delivery.size);
      else {
        const all = { start: 0, end: delivery.size };
        for await (const piece of delivery.read(all, signal)) advance(piece.length);
      }
    }
  };
  const outcomes = await Promise.allSettled(
    Array.from({ length: Math.min(BLOBS_AT_ONCE, waiting.length) }, bringNext),
  );
  const failed = outcomes.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return new Set(sizes.keys());
}

/** Who gave how much, by what the mirror tells meanwhile. */
class Sources {
  readonly #events = new Map<Digest, BlobArrival>();

  add(digest: Digest, arrival: BlobArrival): void {
    this.#events.set(digest, arrival);
  }

  of(digests: ReadonlySet<Digest>, registry: string): PulledImage["sources"] {
    const sums = new Map<string, { kind: "peer" | "origin"; id: string; bytes: number }>();
    const add = (kind: "peer" | "origin", id: string, bytes: number) => {
      const sum = sums.getOrInsertComputed(`${kind} ${id}`, () => ({ kind, id, bytes: 0 }));
      sum.bytes += bytes;
    };
    for (const [digest, { size, report }] of this.#events) {
      if (!digests.has(digest)) continue;
      if (report === undefined) add("origin", registry, size);
      for (const { kind, id, bytes } of report?.sources ?? []) {
        if (kind === "peer") add("peer", id, bytes);
        else if (kind === "origin") add("origin", registry, bytes);
      }
    }
    return [...sums.values()].filter(({ bytes }) => bytes > 0);
  }
}

interface BlobArrival {
  readonly size: number;
  readonly report?: {
    readonly sources: readonly {
      readonly kind: string;
      readonly id: string;
      readonly bytes: number;
    }[];
  };
}
