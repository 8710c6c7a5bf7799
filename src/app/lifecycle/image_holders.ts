/**
 * Fetching an image from peers that hold it and tell nobody, as members of a fleet without relays do:
 * each part is asked for by its digest, fetched by the BLAKE3 that a holder names, and checked.
 */
import { SeedmintError } from "../../core/errors.ts";
import type { FetchReport } from "../../../swarm/fetch/mod.ts";
import type { ProviderHint } from "../../../swarm/ports.ts";
import { type Digest, digestOf, formatImageName, sha256Of } from "../../../swarm/registry/names.ts";
import { sha256OfBlob } from "../../../swarm/registry/images/mod.ts";
import type { MemberKind } from "../../../swarm/registry/index/mod.ts";
import { readManifestBytes } from "../../../swarm/registry/local/mod.ts";
import {
  hostPlatform,
  matchesPlatform,
  type ParsedManifest,
  parseManifest,
} from "../../../swarm/registry/manifest/mod.ts";
import type { BlobRecord } from "../../../swarm/store/blob_store.ts";
import type { ImageWork } from "../api/images.ts";
import type { FetchImageRequest } from "./image_fetch.ts";
import type { OpenRegistry } from "./registry.ts";

/** The most peers that are asked for one image. */
const HOLDERS_MAX = 8;

/**
 * Fetches an image into this node's own registry.
 *
 * @returns What each fetch did; undefined if nobody holds its manifest.
 * @throws {SeedmintError} `unavailable` if a part of it cannot be had.
 */
export async function fetchFromHolders(
  registry: OpenRegistry,
  request: FetchImageRequest,
  work: ImageWork,
): Promise<readonly FetchReport[] | undefined> {
  const holders = await holdersOf(registry, request.digest, work.signal);
  if (holders.length === 0) return undefined;
  return await new HolderFetch(registry, request, holders, work).run();
}

/** Peers that say that they hold the manifest, those that are believed first. */
async function holdersOf(
  { options: { swarm } }: OpenRegistry,
  digest: Digest,
  signal: AbortSignal,
): Promise<readonly ProviderHint[]> {
  const asked = new Map<string, Promise<ProviderHint | undefined>>();
  for await (const hint of swarm.find(sha256Of(digest), { signal })) {
    asked.getOrInsertComputed(hint.peerId, async () => {
      const [mapping] = await swarm.ask?.(hint, [sha256Of(digest)], { signal })
        .catch(() => []) ?? [];
      return mapping && hint;
    });
    if (asked.size >= HOLDERS_MAX) break;
  }
  signal.throwIfAborted();
  const found = (await Promise.all(asked.values())).filter((hint) => hint !== undefined);
  const rank = (hint: ProviderHint) => swarm.isTrusted(hint) ? 0 : 1;
  return found.sort((a, b) => rank(a) - rank(b));
}

/** One image on its way in. */
class HolderFetch {
  readonly #registry: OpenRegistry;
  readonly #request: FetchImageRequest;
  readonly #holders: readonly ProviderHint[];
  readonly #work: ImageWork;
  readonly #reports: FetchReport[] = [];
  readonly #members = new Map<Digest, MemberKind>();

  constructor(
    registry: OpenRegistry,
    request: FetchImageRequest,
    holders: readonly ProviderHint[],
    work: ImageWork,
  ) {
    this.#registry = registry;
    this.#request = request;
    this.#holders = holders;
    this.#work = work;
  }

  async run(): Promise<readonly FetchReport[]> {
    const { index, images } = this.#registry;
    const { name, digest, visibility = "fleet" } = this.#request;
    const root = await this.#manifest(digest);
    const wanted = hostPlatform(Deno.build);
    const manifests = root.kind !== "index" ? [root] : await Promise.all(
      root.children
        .filter(({ platform }) => platform !== undefined && matchesPlatform(wanted, platform))
        .map((child) => this.#manifest(child.digest)),
    );
    for (const { children, foreign, kind } of manifests) {
      const elsewhere = new Set(foreign.map((one) => one.digest));
      if (kind === "index") continue;
      for (const child of children) {
        if (elsewhere.has(child.digest)) continue;
        await this.#blob(child.digest);
        this.#members.set(child.digest, "blob");
      }
    }
    index.transaction(() => {
      for (const [member, kind] of this.#members) index.members.add(name, member, { kind });
    });
    await images.collect(name, digest, {
      visibility,
      ...(root.kind === "index" ? { platforms: [wanted] } : {}),
    });
    return this.#reports;
  }

  async #manifest(digest: Digest): Promise<ParsedManifest> {
    const { index, options: { store } } = this.#registry;
    const { hash } = await this.#blob(digest);
    const bytes = await readManifestBytes(store, hash);
    if (bytes === undefined) throw this.#missing(digest);
    const parsed = parseManifest(undefined, bytes);
    index.manifests.put(parsed, hash);
    this.#members.set(digest, "manifest");
    return parsed;
  }

  /** A part that is here whole, fetched if it was not. */
  async #blob(digest: Digest): Promise<BlobRecord> {
    const { options: { store, swarm } } = this.#registry;
    const { signal, emit } = this.#work;
    const sha256 = sha256Of(digest);
    const known = store.findBySha256(sha256);
    if (known?.state === "complete") return known;
    for (const hint of this.#holders) {
      const [mapping] = await swarm.ask?.(hint, [sha256], { signal }).catch(() => []) ?? [];
      signal.throwIfAborted();
      if (mapping === undefined) continue;
      const { hash, size } = mapping;
      const wasHere = store.status(hash) !== undefined;
      const attributes = wasHere ? {} : { visibility: "private" as const };
      const hints = this.#holders;
      this.#reports.push(await swarm.fetch({ hash, size, hints, attributes, signal }));
      emit({ event: "progress", label: digestOf(sha256).slice(0, 19), bytes: size, size });
      if (await sha256OfBlob(store, hash, signal) === sha256) return store.status(hash)!;
      swarm.ban?.(hint, `its blob ${hash} is not ${digest}`);
      if (!wasHere) await store.remove(hash);
    }
    throw this.#missing(digest);
  }

  #missing(digest: Digest): SeedmintError {
    return new SeedmintError(
      "unavailable",
      `Cannot pull ${formatImageName(this.#request.name)}: nobody gave ${digest} of it; try again`,
    );
  }
}
