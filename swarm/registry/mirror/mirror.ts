/** The mirror: see `mod.ts`. */
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import { LOCAL_REGISTRY } from "../index/mod.ts";
import { accepts } from "../manifest/mod.ts";
import { type Digest, formatRepository, type Reference, type RepositoryName } from "../names.ts";
import type {
  AskOptions,
  BlobDelivery,
  Descriptor,
  Page,
  PageRequest,
  RegistryReader,
  StoredManifest,
} from "../ports.ts";
import { Access, type Target } from "./access.ts";
import { Claims } from "./claims.ts";
import { Deliveries } from "./deliveries.ts";
import type { Flight } from "./flight.ts";
import { Flights } from "./flights.ts";
import { Guarantee } from "./guarantee.ts";
import { MIRROR_LIMITS } from "./limits.ts";
import { Listings } from "./listings.ts";
import { type HeldManifest, ManifestDesk } from "./manifests.ts";
import type { MirrorEvent, MirrorOptions } from "./options.ts";
import { Pulls } from "./pulls.ts";
import { Scouting } from "./scouting.ts";
import { TagDesk } from "./tags.ts";
import { Visibilities } from "./visibilities.ts";

/** How long a tag's answer counts where the operator says nothing. */
const TAG_CACHE_MS = 60_000;

/** Why nothing of a registry is answered that the operator did not list. */
const NOT_MIRRORED = "its registry is not mirrored here; add it with --mirror-registry";

/** See `mod.ts`. */
export class Mirror implements RegistryReader, AsyncDisposable {
  readonly #options: MirrorOptions;
  readonly #stop = new AbortController();
  readonly #access: Access;
  readonly #tags: TagDesk;
  readonly #manifests: ManifestDesk;
  readonly #guarantee: Guarantee;
  readonly #flights: Flights;
  readonly #pulls: Pulls;
  readonly #deliveries: Deliveries;
  readonly #listings: Listings;

  constructor(options: MirrorOptions) {
    this.#options = options;
    const { policy = {}, pins, swarm, intake, store, index, clock, images } = options;
    const limits = { ...MIRROR_LIMITS, ...options.limits };
    const tell = (event: MirrorEvent) => options.onEvent?.(event);
    const common = { store, index, clock, limits, signal: this.#stop.signal, tell };
    const claims = new Claims({
      ...common,
      pins,
      swarm,
      banMs: limits.banMs,
      onBan: ({ peerId }, reason) => tell({ type: "banned", peerId, reason }),
      onGone: (sha256) => this.#guarantee.peerLacks(sha256),
    });
    const scouting = new Scouting({
      ...common,
      swarm,
      claims,
      onHolder: (sha256) => this.#guarantee.peerHas(sha256),
    });
    this.#access = new Access({
      ...common,
      sharesPrivate: policy.privateVisibility === "fleet",
      onUpstream: (name, digest, size) => this.#guarantee.upstreamHas(name, digest, size),
    });
    const access = this.#access;
    const visibilities = new Visibilities(access, policy);
    this.#guarantee = new Guarantee({ ...common, access, scouting });
    this.#tags = new TagDesk({
      ...common,
      access,
      pins,
      cacheMs: policy.tagCacheMs ?? TAG_CACHE_MS,
    });
    const parts = { ...common, swarm, claims, scouting, visibilities };
    this.#manifests = new ManifestDesk({ ...parts, access });
    this.#flights = new Flights({ ...parts, access, intake }, (flight) => this.#over(flight));
    this.#pulls = new Pulls({
      ...common,
      images,
      visibilities,
      flights: this.#flights,
      prefetches: policy.prefetches ?? true,
    });
    this.#deliveries = new Deliveries({
      ...parts,
      guarantee: this.#guarantee,
      flights: this.#flights,
      pulls: this.#pulls,
    });
    this.#listings = new Listings({ ...common, access });
  }

  /** Blobs on their way in. */
  get fetchingCount(): number {
    return this.#flights.count;
  }

  async manifest(
    name: RepositoryName,
    reference: Reference,
    options: AskOptions & { readonly accept: readonly string[]; readonly isHead: boolean },
  ): Promise<StoredManifest | undefined> {
    return await this.#answered(name, options.signal, async (target) => {
      const resolved = reference.tag === undefined
        ? { digest: reference.digest, isStale: false }
        : await this.#tags.resolve(target, reference.tag, options.signal);
      if (resolved === undefined) return this.#refused(name, "nobody says where the tag points");
      const held = await this.#manifests.get(target, resolved.digest, options.signal);
      if (held === undefined) return this.#refused(name, "its manifest cannot be had");
      return await this.#promised(target, held, { ...options, isStale: resolved.isStale });
    });
  }

  async blob(
    name: RepositoryName,
    digest: Digest,
    options: AskOptions & { readonly isHead: boolean },
  ): Promise<BlobDelivery | undefined> {
    return await this.#answered(name, options.signal, async (target) => {
      const { signal } = options;
      const isAllowed = await this.#access.may(target, { digest, kind: "blob" }, signal);
      if (!isAllowed) return this.#refused(name, `blob ${digest} is not its, or private`);
      return await this.#deliveries.open(target, digest, options) ??
        this.#refused(name, `blob ${digest} cannot be had`);
    });
  }

  async tags(
    name: RepositoryName,
    page: PageRequest,
    options: AskOptions,
  ): Promise<Page | undefined> {
    return await this.#answered(
      name,
      options.signal,
      (target) => this.#listings.tags(target, page, options.signal),
    );
  }

  async referrers(
    name: RepositoryName,
    digest: Digest,
    options: AskOptions & { readonly artifactType?: string },
  ): Promise<readonly Descriptor[]> {
    return await this.#answered(
      name,
      options.signal,
      (target) => this.#listings.referrers(target, digest, options),
    ) ?? [];
  }

  /** Repositories that images are kept of, each with its registry before it. */
  repositories(page: PageRequest): Promise<Page> {
    return Promise.resolve(
      this.#listings.repositories(page, (name) => this.#targetOf(name)),
    );
  }

  /** Ends all that is under way. What came in verified stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SeedmintError("aborted", "The mirror is stopping"));
    await this.#flights[Symbol.asyncDispose]();
    await this.#pulls[Symbol.asyncDispose]();
  }

  /** A flight ended: what failed for wrong bytes failed at the registry, after all others. */
  #over(flight: Flight): void {
    const { target, digest } = flight.request;
    if (isSeedmintError(flight.error, "corrupt")) {
      this.#guarantee.upstreamSpoils(target.name, digest);
    }
    this.#pulls.over(flight);
  }

  /** Answers only what can be kept: an index its own bytes, anything else with all its blobs. */
  async #promised(
    target: Target,
    held: HeldManifest,
    options: AskOptions & {
      readonly accept: readonly string[];
      readonly isHead: boolean;
      readonly isStale: boolean;
    },
  ): Promise<StoredManifest | undefined> {
    const { parsed, digest, mediaType, bytes } = held;
    const { name } = target;
    if (!accepts(options.accept, mediaType)) {
      return this.#refused(name, `the client does not take ${mediaType}`);
    }
    if (parsed.kind !== "index") {
      const image = { digest, blobs: parsed.children };
      const fault = await this.#guarantee.faultOf(target, image, options.signal);
      if (fault !== undefined) return this.#refused(name, fault);
      if (!options.isHead) this.#pulls.begin(target, parsed);
    }
    this.#options.images.used?.(digest);
    return { digest, mediaType, bytes, ...(options.isStale ? { isStale: true } : {}) };
  }

  /**
   * What goes wrong on the way is a 404 to the client, which then asks its registry itself: that can do
   * no less than this node could.
   */
  async #answered<T>(
    name: RepositoryName,
    signal: AbortSignal,
    answer: (target: Target) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    signal.throwIfAborted();
    const target = this.#targetOf(name);
    if (target === undefined) return this.#refused(name, NOT_MIRRORED);
    try {
      return await answer(target);
    } catch (error) {
      signal.throwIfAborted();
      const what = `answering for ${formatRepository(name)}`;
      this.#options.onEvent?.({ type: "trouble", what, error });
      return undefined;
    }
  }

  #targetOf(name: RepositoryName): Target | undefined {
    if (name.registry === LOCAL_REGISTRY) return undefined;
    const { upstreamOf, policy } = this.#options;
    const upstream = upstreamOf(name.registry);
    if (upstream === undefined) return undefined;
    return { name, upstream, mode: policy?.modeOf?.(name.registry) ?? "pull-through" };
  }

  #refused(name: RepositoryName, reason: string): undefined {
    this.#options.onEvent?.({ type: "refused", name, reason });
  }
}
