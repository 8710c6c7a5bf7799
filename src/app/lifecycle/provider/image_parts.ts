/** Parts of images (manifests, configurations, layers), each by its SHA-256, for lessees. */
import { isSeedmintError, messageOf, SeedmintError } from "../../../core/errors.ts";
import type { Sha256 } from "../../../core/hash.ts";
import type { Clock } from "../../../core/ports.ts";
import { addFromOrigin } from "../../../../swarm/origin/mod.ts";
import type { Origin, ProviderHint } from "../../../../swarm/ports.ts";
import { sha256OfBlob } from "../../../../swarm/registry/images/mod.ts";
import { MANIFEST_BYTES_MAX } from "../../../../swarm/registry/manifest/mod.ts";
import { digestOf, type ImageName } from "../../../../swarm/registry/names.ts";
import type { SwarmFetch, Upstream } from "../../../../swarm/registry/ports.ts";
import type { BlobRecord, BlobStore } from "../../../../swarm/store/blob_store.ts";
import { HOLDERS_MAX, SETTLE_MS, SWARM_HEAD_START_MS } from "./limits.ts";
import type { PublicParts } from "./public_parts.ts";

/** What parts come from. */
export interface PartSources {
  readonly store: BlobStore;
  readonly known: PublicParts;
  /** Absent where libp2p or relays are: then only registries give anything. */
  readonly swarm?: SwarmFetch;
  /** A registry that lessees' images may come from, asked without a login; undefined for others. */
  readonly upstreamOf: (registry: string) => Upstream | undefined;
  /**
   * Whether a digest counts under a name only if that name's registry says so, since it is names that
   * the operator takes: peers give any image under any name. @default {none}
   */
  readonly mustBeNamed?: (digest: Sha256) => boolean;
  readonly clock: Clock;
}

/** One part. */
export interface PartRequest {
  readonly sha256: Sha256;
  /** As the manifest says; absent of a manifest itself. */
  readonly size?: number;
  readonly isManifest: boolean;
}

/** The parts of one image. Peers are searched for once. */
export class ImageParts {
  readonly #sources: PartSources;
  readonly #name: ImageName;
  readonly #root: Sha256;
  readonly #signal: AbortSignal;
  readonly #onBytes: (bytes: number) => void;
  #holders: Promise<readonly ProviderHint[]> | undefined;

  /** @param root SHA-256 of the manifest that adverts of the image name. */
  constructor(
    sources: PartSources,
    image: { readonly name: ImageName; readonly root: Sha256 },
    options: { readonly signal: AbortSignal; readonly onBytes: (bytes: number) => void },
  ) {
    this.#sources = sources;
    this.#name = image.name;
    this.#root = image.root;
    this.#signal = options.signal;
    this.#onBytes = options.onBytes;
  }

  /**
   * A part, whole and verified, that anybody may have.
   *
   * @throws {SeedmintError} `not-found`, `unavailable`, `no-space`.
   */
  async bring(part: PartRequest): Promise<BlobRecord> {
    const { store, known } = this.#sources;
    const { sha256 } = part;
    const here = store.findBySha256(sha256);
    if (here?.state === "complete") {
      const isFree = here.visibility === "public" || known.has(sha256) ||
        await this.#isAnybodys(part);
      if (isFree) {
        known.add(sha256);
        store.touch(here.hash);
        return here;
      }
    }
    const problems: string[] = [];
    const record = await this.#fromSwarm(part, problems) ??
      await this.#fromRegistry(part, problems);
    if (record !== undefined) {
      known.add(sha256);
      return record;
    }
    const why = problems.length === 0 ? "" : ` (${problems.slice(-3).join("; ")})`;
    throw new SeedmintError(
      "not-found",
      `Nobody gives ${part.isManifest ? "the manifest" : "the blob"} ${digestOf(sha256)} to ` +
        `anybody who asks: no peer announces it in public, and ${this.#registryWords()}${why}`,
    );
  }

  /** Whether a stranger would be given what is here. */
  async #isAnybodys(part: PartRequest): Promise<boolean> {
    const upstream = this.#upstream();
    if (upstream === undefined) return false;
    const { repository } = this.#name;
    const digest = digestOf(part.sha256);
    try {
      const options = { signal: this.#signal };
      const answer = part.isManifest
        ? await upstream.manifest(repository, { digest }, { ...options, isHead: true })
        : await upstream.blobSize(repository, digest, options);
      return answer.status === "found";
    } catch (error) {
      this.#signal.throwIfAborted();
      if (isSeedmintError(error)) return false;
      throw error;
    }
  }

  async #fromSwarm(part: PartRequest, problems: string[]): Promise<BlobRecord | undefined> {
    const { store, swarm, known } = this.#sources;
    const signal = this.#signal;
    if (swarm === undefined) return undefined;
    const holders = await (this.#holders ??= this.#search(swarm));
    for (const hint of holders) {
      try {
        const [mapping] = await swarm.ask(hint, [part.sha256], { signal });
        if (mapping === undefined) continue;
        const { hash, size } = mapping;
        const isWrongSize = part.size === undefined
          ? size > MANIFEST_BYTES_MAX
          : size !== part.size;
        if (isWrongSize) {
          swarm.ban(hint, `its blob ${hash} has another size than ${digestOf(part.sha256)}`);
          continue;
        }
        const here = store.status(hash);
        // Who knows its names need not have it: nothing would be asked of that peer.
        const isOurs = here?.state === "complete" && here.visibility !== "public";
        if (isOurs && !known.wasGiven(part.sha256)) continue;
        const wasHere = here !== undefined;
        // What lessees run is nobody's business: nothing of it is announced or seeded.
        const attributes = wasHere ? {} : { visibility: "private" as const };
        known.expect(part.sha256);
        try {
          await swarm.fetch({ hash, size, hints: holders, attributes, signal });
        } finally {
          if (store.status(hash)?.state !== "complete") known.expectNot(part.sha256);
        }
        if (await sha256OfBlob(store, hash, signal) === part.sha256) {
          this.#onBytes(size);
          return store.status(hash);
        }
        known.expectNot(part.sha256);
        swarm.ban(hint, `its blob ${hash} is not ${digestOf(part.sha256)}`);
        if (!wasHere) await store.remove(hash);
      } catch (error) {
        signal.throwIfAborted();
        if (!isSeedmintError(error)) throw error;
        if (isSeedmintError(error, "no-space") || isSeedmintError(error, "storage")) throw error;
        problems.push(messageOf(error));
      }
    }
    return undefined;
  }

  /** Peers that hold the image's manifest. Where a registry may have it they get a moment only. */
  async #search(swarm: SwarmFetch): Promise<readonly ProviderHint[]> {
    const enough = new AbortController();
    const signal = AbortSignal.any([this.#signal, enough.signal]);
    const hasRegistry = this.#upstream() !== undefined;
    const cancel = hasRegistry
      ? this.#sources.clock.timer(SWARM_HEAD_START_MS, () => enough.abort())
      : () => {};
    const found = new Map<string, Promise<ProviderHint | undefined>>();
    let settle: (() => void) | undefined;
    let isSearching = true;
    try {
      for await (const hint of swarm.find(this.#root, { signal })) {
        found.getOrInsertComputed(hint.peerId, async () => {
          const [mapping] = await swarm.ask(hint, [this.#root], { signal: this.#signal })
            .catch(() => []);
          // One that has it is enough to begin with.
          if (mapping !== undefined && isSearching) {
            settle ??= this.#sources.clock.timer(SETTLE_MS, () => enough.abort());
          }
          return mapping && hint;
        });
        if (found.size >= HOLDERS_MAX) break;
      }
    } catch (error) {
      if (!isSeedmintError(error) && !enough.signal.aborted) throw error;
    } finally {
      isSearching = false;
      cancel();
      settle?.();
    }
    this.#signal.throwIfAborted();
    return (await Promise.all(found.values())).filter((hint) => hint !== undefined);
  }

  async #fromRegistry(part: PartRequest, problems: string[]): Promise<BlobRecord | undefined> {
    const upstream = this.#upstream();
    if (upstream === undefined) return undefined;
    const { repository } = this.#name;
    const { store } = this.#sources;
    const signal = this.#signal;
    const digest = digestOf(part.sha256);
    const attributes = { visibility: "private" } as const;
    try {
      if (part.isManifest) {
        const answer = await upstream.manifest(repository, { digest }, { signal });
        if (answer.status !== "found") {
          problems.push(`${upstream.registry} says: ${answer.status}`);
          return undefined;
        }
        return await store.importBytes(answer.bytes, {
          ...attributes,
          mediaType: answer.mediaType,
          expected: { sha256: part.sha256 },
          signal,
        });
      }
      // It was asked already, and said no; what is here would be given without asking it again.
      if (store.findBySha256(part.sha256)?.state === "complete") return undefined;
      const origin = bounded(upstream.blobOrigin(repository, digest), part.size!);
      const record = await addFromOrigin({
        store,
        origin,
        sha256: part.sha256,
        attributes,
        signal,
      });
      this.#onBytes(record.size);
      return record;
    } catch (error) {
      signal.throwIfAborted();
      if (!isSeedmintError(error)) throw error;
      if (isSeedmintError(error, "no-space") || isSeedmintError(error, "storage")) throw error;
      problems.push(messageOf(error));
      return undefined;
    }
  }

  #upstream(): Upstream | undefined {
    return this.#sources.upstreamOf(this.#name.registry);
  }

  #registryWords(): string {
    const { registry } = this.#name;
    return this.#upstream() === undefined
      ? `images of ${registry} are taken from peers only`
      : `${registry} does not`;
  }
}

/** An origin that ends with an error once it sends more than a manifest said. */
function bounded(origin: Origin, size: number): Origin {
  return {
    id: origin.id,
    async open(options) {
      const opened = await origin.open(options);
      let left = size - opened.offset;
      const body = opened.body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(bytes, controller) {
            left -= bytes.length;
            if (left < 0) {
              controller.error(
                new SeedmintError("corrupt", `${origin.id} sends more than ${size} bytes`),
              );
            } else controller.enqueue(bytes);
          },
        }),
      );
      return { ...opened, body };
    },
  };
}
