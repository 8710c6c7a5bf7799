/**
 * Images that clients pull: their blobs are fetched ahead, in the order of the manifest, and when all are
 * here the image is kept as a collection, which seeds and announces it.
 */
import type { Sha256 } from "../../../src/core/hash.ts";
import type { BlobStore } from "../../store/blob_store.ts";
import type { RegistryIndex } from "../index/mod.ts";
import type { ParsedManifest, Platform } from "../manifest/mod.ts";
import { type Digest, formatRepository, sha256Of } from "../names.ts";
import type { Descriptor } from "../ports.ts";
import type { Target } from "./access.ts";
import type { Flight } from "./flight.ts";
import type { Flights } from "./flights.ts";
import { PREFETCHES_MAX, PULLS_MAX } from "./limits.ts";
import type { ImageKeeper, MirrorEvent } from "./options.ts";
import type { Visibilities } from "./visibilities.ts";

/** What {@link Pulls} works with. */
export interface PullsOptions {
  readonly store: BlobStore;
  readonly index: RegistryIndex;
  readonly images: ImageKeeper;
  readonly visibilities: Visibilities;
  readonly flights: Flights;
  readonly prefetches: boolean;
  readonly tell: (event: MirrorEvent) => void;
}

interface Pull {
  readonly target: Target;
  readonly manifest: ParsedManifest;
  readonly missing: Set<Digest>;
  /** Blobs to be fetched ahead, the next one first. */
  readonly ahead: Descriptor[];
}

/** See the head of this file. */
export class Pulls implements AsyncDisposable {
  readonly #options: PullsOptions;
  /** By repository and digest, the newest at the end. */
  readonly #pulls = new Map<string, Pull>();
  readonly #collecting = new Map<string, Promise<void>>();
  #aheadCount = 0;
  #isOpen = true;

  constructor(options: PullsOptions) {
    this.#options = options;
  }

  /** A client was given an image's manifest. */
  begin(target: Target, manifest: ParsedManifest): void {
    if (!this.#isOpen) return;
    const key = `${formatRepository(target.name)}@${manifest.digest}`;
    const blobs = new Map(manifest.children.map((blob) => [blob.digest, blob]));
    const missing = [...blobs.values()].filter(({ digest }) => !this.#isHere(digest));
    this.#pulls.delete(key);
    const pull: Pull = {
      target,
      manifest,
      missing: new Set(missing.map(({ digest }) => digest)),
      ahead: this.#options.prefetches ? missing : [],
    };
    if (missing.length === 0) return this.#collect(key, pull);
    this.#pulls.set(key, pull);
    if (this.#pulls.size > PULLS_MAX) this.#pulls.delete(this.#pulls.keys().next().value!);
    this.#fetchAhead();
  }

  /** The manifest of an answered image that lists a blob, and what it says of it. */
  listing(
    target: Target,
    digest: Digest,
  ): { readonly parent: Digest; readonly blob: Descriptor } | undefined {
    const { index } = this.#options;
    for (const parent of index.manifests.parentsOf(digest)) {
      if (!index.members.has(target.name, parent, "manifest")) continue;
      const blob = index.manifests.get(parent)?.manifest.children
        .find((child) => child.digest === digest);
      if (blob !== undefined) return { parent, blob };
    }
    return undefined;
  }

  /** A flight ended. */
  over(flight: Flight): void {
    const { digest } = flight.request;
    for (const [key, pull] of [...this.#pulls]) {
      if (!pull.missing.has(digest)) continue;
      // Who asks for it again begins it again; ahead of that it is not tried a second time.
      if (flight.state !== "here") continue;
      pull.missing.delete(digest);
      if (pull.missing.size > 0) continue;
      this.#pulls.delete(key);
      this.#collect(key, pull);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false;
    this.#pulls.clear();
    await Promise.all(this.#collecting.values());
  }

  #fetchAhead(): void {
    while (this.#isOpen && this.#aheadCount < PREFETCHES_MAX) {
      const pull = [...this.#pulls.values()].find(({ ahead }) => ahead.length > 0);
      const blob = pull?.ahead.shift();
      if (pull === undefined || blob === undefined) return;
      if (!pull.missing.has(blob.digest) || this.#isHere(blob.digest)) continue;
      this.#aheadCount++;
      void this.#fetch(pull, blob).finally(() => {
        this.#aheadCount--;
        this.#fetchAhead();
      });
    }
  }

  async #fetch(pull: Pull, blob: Descriptor): Promise<void> {
    const { target, manifest } = pull;
    const { digest, size, mediaType } = blob;
    const { flights, tell } = this.#options;
    try {
      const { flight, release } = flights.join({
        target,
        digest,
        size,
        mediaType,
        parent: manifest.digest,
      });
      await flight.over;
      release();
    } catch (error) {
      tell({ type: "trouble", what: "fetching ahead", error });
    }
  }

  #collect(key: string, pull: Pull): void {
    if (this.#collecting.has(key) || this.#isKept(pull)) return;
    const collecting = this.#keep(pull).finally(() => this.#collecting.delete(key));
    this.#collecting.set(key, collecting);
  }

  /** Whether an image of the repository has the manifest and what it lists already. */
  #isKept({ target, manifest }: Pull): boolean {
    const { index, store } = this.#options;
    const { digest } = this.#whole(target, manifest);
    const { registry, repository } = target.name;
    return index.images.withManifest(manifest.digest).some(({ name, digest: root, collection }) =>
      name.registry === registry && name.repository === repository && root === digest &&
      store.status(collection)?.state === "complete"
    );
  }

  async #keep({ target, manifest }: Pull): Promise<void> {
    const { images, visibilities, tell } = this.#options;
    const { name } = target;
    const { digest, platforms } = this.#whole(target, manifest);
    try {
      const collection = await images.collect(name, digest, {
        ...(platforms === undefined ? {} : { platforms }),
        visibility: visibilities.of(target, manifest.digest),
      });
      if (collection !== undefined) tell({ type: "image", name, digest, collection });
    } catch (error) {
      tell({ type: "trouble", what: `keeping image ${formatRepository(name)}`, error });
    }
  }

  /** The index of the repository that lists the manifest, or the manifest alone. */
  #whole(
    target: Target,
    manifest: ParsedManifest,
  ): { readonly digest: Digest; readonly platforms?: readonly Platform[] } {
    const listing = this.listing(target, manifest.digest);
    const platform = listing?.blob.platform;
    if (listing === undefined || platform === undefined) return { digest: manifest.digest };
    return { digest: listing.parent, platforms: [platform] };
  }

  #isHere(digest: Digest): boolean {
    const sha256: Sha256 = sha256Of(digest);
    return this.#options.store.findBySha256(sha256)?.state === "complete";
  }
}
