/**
 * Manifests by digest: from the store, else from peers, else from their registry. Whoever brings one,
 * its SHA-256 is checked here, and only its bytes in the store are ever answered.
 */
import { isSeedmintError } from "../../../src/core/errors.ts";
import type { Hash } from "../../../src/core/hash.ts";
import { readWhole } from "../../read_whole.ts";
import type { BlobStore } from "../../store/blob_store.ts";
import type { RegistryIndex } from "../index/mod.ts";
import { MANIFEST_BYTES_MAX, type ParsedManifest, parseManifest } from "../manifest/mod.ts";
import { type Digest, formatRepository, sha256Of } from "../names.ts";
import type { StoredManifest, SwarmFetch } from "../ports.ts";
import type { Access, Target } from "./access.ts";
import type { Candidate, Claims } from "./claims.ts";
import { fetchCandidate } from "./fetch_candidate.ts";
import { Deadline, within } from "./deadline.ts";
import { FALSE_HINTS_MAX, MANIFEST_CACHE_BYTES, type MirrorLimits } from "./limits.ts";
import type { MirrorEvent } from "./options.ts";
import type { Scouting } from "./scouting.ts";
import { abortable, SharedWork } from "./shared_work.ts";
import type { Visibilities } from "./visibilities.ts";
import type { Clock } from "../../../src/core/ports.ts";

/** A manifest that is here, understood. */
export interface HeldManifest extends StoredManifest {
  readonly parsed: ParsedManifest;
}

/** What {@link ManifestDesk} works with. */
export interface ManifestDeskOptions {
  readonly store: BlobStore;
  readonly index: RegistryIndex;
  readonly access: Access;
  readonly claims: Claims;
  readonly scouting: Scouting;
  readonly swarm: SwarmFetch;
  readonly visibilities: Visibilities;
  readonly clock: Clock;
  readonly limits: MirrorLimits;
  /** Ends all that is under way. */
  readonly signal: AbortSignal;
  readonly tell: (event: MirrorEvent) => void;
}

/** See the head of this file. */
export class ManifestDesk {
  readonly #options: ManifestDeskOptions;
  readonly #bringing = new SharedWork<HeldManifest | undefined>();
  /** Bytes of manifests, the one used last at the end. */
  readonly #cache = new Map<Digest, HeldManifest>();
  #cacheBytes = 0;

  constructor(options: ManifestDeskOptions) {
    this.#options = options;
  }

  /**
   * The manifest, if it may be answered for the repository and can be had.
   *
   * @throws `signal.reason` once `signal` is aborted.
   */
  async get(
    target: Target,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<HeldManifest | undefined> {
    const { access, tell } = this.#options;
    const held = await this.#held(digest);
    if (held !== undefined) {
      if (!await access.may(target, { digest, kind: "manifest" }, signal)) return undefined;
      tell({ type: "manifest", name: target.name, digest, from: "store" });
      return held;
    }
    const key = `${formatRepository(target.name)}@${digest}`;
    return await this.#bringing.do(key, () => this.#bring(target, digest), signal);
  }

  /** What the store holds; undefined also when it lost the bytes. */
  async #held(digest: Digest): Promise<HeldManifest | undefined> {
    const cached = this.#cache.get(digest);
    if (cached !== undefined) {
      this.#cache.delete(digest);
      this.#cache.set(digest, cached);
      return cached;
    }
    const { store, index } = this.#options;
    const entry = index.manifests.get(digest);
    const record = entry === undefined
      ? store.findBySha256(sha256Of(digest))
      : store.status(entry.hash);
    if (record?.state !== "complete" || record.size > MANIFEST_BYTES_MAX) return undefined;
    return await this.#read(digest, record.hash, entry?.manifest.mediaType ?? record.mediaType);
  }

  /** Reads and checks what lies in the store. */
  async #read(
    digest: Digest,
    hash: Hash,
    mediaType: string | undefined,
  ): Promise<HeldManifest | undefined> {
    const { store, index } = this.#options;
    try {
      const bytes = await readWhole(store, hash, MANIFEST_BYTES_MAX);
      const parsed = parseManifest(mediaType, bytes);
      if (parsed.digest !== digest) return undefined;
      index.manifests.put(parsed, hash);
      const held = { digest, mediaType: parsed.mediaType, bytes, parsed };
      this.#remember(held);
      return held;
    } catch (error) {
      // It is no manifest, or went while it was read: then it is not here.
      if (isSeedmintError(error)) return undefined;
      throw error;
    }
  }

  async #bring(target: Target, digest: Digest): Promise<HeldManifest | undefined> {
    const { access, clock, limits, signal } = this.#options;
    const abort = new AbortController();
    using deadline = new Deadline(clock, {
      ms: limits.upstreamMs,
      what: "bringing a manifest",
      signals: [signal, abort.signal],
    });
    const isWithUpstream = target.mode === "pull-through";
    const fromSwarm = this.#fromSwarm(target, digest, deadline.signal);
    try {
      if (!isWithUpstream) {
        const held = await fromSwarm;
        if (held === undefined) return undefined;
        const wanted = { digest, kind: "manifest" } as const;
        return await access.may(target, wanted, signal) ? held : undefined;
      }
      const fromUpstream = this.#fromUpstream(target, digest, {
        signal: deadline.signal,
        fromSwarm,
      });
      const allowed = fromSwarm.then(async (held) =>
        held !== undefined && await access.may(target, { digest, kind: "manifest" }, signal)
          ? held
          : undefined
      );
      return await firstOf([allowed, fromUpstream]);
    } finally {
      abort.abort(new DOMException("The manifest is here", "AbortError"));
    }
  }

  /** Never throws: peers are an optimisation. */
  async #fromSwarm(
    target: Target,
    digest: Digest,
    signal: AbortSignal,
  ): Promise<HeldManifest | undefined> {
    const { scouting, claims, tell } = this.#options;
    const sha256 = sha256Of(digest);
    try {
      await scouting.lookUntil({ anchors: [sha256], digests: [sha256] }, {
        // A pin alone says which blob it is, and not who has it.
        isEnough: () => claims.candidates(sha256).some(({ hints }) => hints.length > 0),
        ms: this.#options.limits.lookMs,
        signal,
      });
      for (const candidate of claims.candidates(sha256).slice(0, FALSE_HINTS_MAX)) {
        const held = await this.#take(target, digest, { candidate, signal });
        if (held !== undefined) return held;
      }
    } catch (error) {
      if (!signal.aborted) tell({ type: "trouble", what: "a manifest from peers", error });
    }
    return undefined;
  }

  /** Fetches what a mapping names, and looks whether it is the manifest. */
  async #take(
    target: Target,
    digest: Digest,
    options: { readonly candidate: Candidate; readonly signal: AbortSignal },
  ): Promise<HeldManifest | undefined> {
    const { access, store, claims, visibilities, index, tell } = this.#options;
    const { mapping, hints } = options.candidate;
    const { hash, size, sha256 } = mapping;
    if (hints.length === 0) return undefined;
    // Whoever asks for a layer as a manifest has not made a liar of those who hold it.
    if (size > MANIFEST_BYTES_MAX) return undefined;
    const wasHere = store.status(hash) !== undefined;
    try {
      const report = await fetchCandidate(this.#options, options.candidate, {
        // Nobody else may have it before it is known to be what it was asked for as.
        attributes: { visibility: "private" },
        signal: options.signal,
      });
      if (report === undefined) return undefined;
    } catch (error) {
      options.signal.throwIfAborted();
      claims.forget(sha256, hash);
      tell({ type: "trouble", what: "a manifest from peers", error });
      return undefined;
    }
    claims.learned(mapping);
    const held = await this.#read(digest, hash, index.manifests.get(digest)?.manifest.mediaType);
    if (held === undefined) return undefined;
    const visibility = visibilities.of(target);
    if (!wasHere) access.broughtByPeers(digest);
    if (!wasHere && visibility !== "private") store.setAttributes(hash, { visibility });
    tell({ type: "manifest", name: target.name, digest, from: "swarm" });
    return held;
  }

  async #fromUpstream(
    target: Target,
    digest: Digest,
    options: {
      readonly signal: AbortSignal;
      readonly fromSwarm: Promise<HeldManifest | undefined>;
    },
  ): Promise<HeldManifest | undefined> {
    const { access, clock, limits, tell } = this.#options;
    const { signal } = options;
    let isBrought = false;
    const swarm = options.fromSwarm.then((held) => void (isBrought = held !== undefined));
    await within(swarm, { clock, ms: limits.swarmFirstMs, signal }).catch(() => {});
    if (signal.aborted || isBrought) return undefined;
    const { name, upstream } = target;
    try {
      const asked = upstream.manifest(name.repository, { digest }, { signal });
      const answer = await abortable(asked, signal);
      if (answer.status === "denied") access.denied(target);
      if (answer.status !== "found") return undefined;
      if (answer.digest !== digest) return undefined;
      return await this.#keep(target, answer);
    } catch (error) {
      if (!signal.aborted) tell({ type: "trouble", what: "a manifest from its registry", error });
      return undefined;
    }
  }

  /** Checks a manifest and puts it into the store. @throws {SeedmintError} `invalid`, ours */
  async #keep(target: Target, manifest: StoredManifest): Promise<HeldManifest> {
    const { store, index, access, claims, visibilities, tell } = this.#options;
    const parsed = parseManifest(manifest.mediaType, manifest.bytes);
    const { digest } = parsed;
    const record = await store.importBytes(manifest.bytes, {
      mediaType: parsed.mediaType,
      visibility: visibilities.of(target),
      expected: { sha256: sha256Of(manifest.digest) },
    });
    index.manifests.put(parsed, record.hash);
    claims.learned({ sha256: sha256Of(digest), hash: record.hash, size: record.size });
    access.granted(target, [{ digest, kind: "manifest" }]);
    const held = { digest, mediaType: parsed.mediaType, bytes: manifest.bytes, parsed };
    this.#remember(held);
    tell({ type: "manifest", name: target.name, digest, from: "upstream" });
    return held;
  }

  #remember(held: HeldManifest): void {
    if (this.#cache.has(held.digest)) return;
    this.#cache.set(held.digest, held);
    this.#cacheBytes += held.bytes.length;
    while (this.#cacheBytes > MANIFEST_CACHE_BYTES) {
      const [digest, oldest] = this.#cache.entries().next().value!;
      this.#cache.delete(digest);
      this.#cacheBytes -= oldest.bytes.length;
    }
  }
}

/** The first that is something; undefined when none is. A failure counts as nothing. */
async function firstOf<T>(promises: readonly Promise<T | undefined>[]): Promise<T | undefined> {
  const found = promises.map(async (promise) => {
    const value = await promise;
    if (value === undefined) throw new Error("nothing");
    return value;
  });
  return await Promise.any(found).catch(() => undefined);
}
