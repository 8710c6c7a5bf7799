/**
 * Nothing is promised that cannot be kept: clients that were given a manifest by a mirror take its
 * blobs there or fail. So a manifest is answered only when each blob that it lists is complete here or
 * has a source that was confirmed within ten minutes.
 */
import type { Clock } from "../../../src/core/ports.ts";
import type { BlobStore } from "../../store/blob_store.ts";
import { type Digest, formatRepository, type RepositoryName, sha256Of } from "../names.ts";
import type { Descriptor } from "../ports.ts";
import type { Sha256 } from "../../../src/core/hash.ts";
import type { Access, Target } from "./access.ts";
import { Deadline, within } from "./deadline.ts";
import { CONFIRMED_MAX, CONFIRMING_MAX, type MirrorLimits } from "./limits.ts";
import type { Scouting } from "./scouting.ts";
import { abortable, SharedWork } from "./shared_work.ts";

/** What {@link Guarantee} works with. */
export interface GuaranteeOptions {
  readonly store: BlobStore;
  readonly access: Access;
  readonly scouting: Scouting;
  readonly clock: Clock;
  readonly limits: MirrorLimits;
  /** Ends all questions. */
  readonly signal: AbortSignal;
}

/** What was confirmed, and confirming. */
export class Guarantee {
  readonly #options: GuaranteeOptions;
  /** When a source was confirmed, on the monotonic clock: by digest for peers, else by repository, too. */
  readonly #confirmedMs = new Map<string, number>();
  readonly #sizes = new Map<string, number>();
  /** When a registry gave wrong bytes of a blob. */
  readonly #spoiledMs = new Map<string, number>();
  readonly #confirming = new SharedWork<void>();
  readonly #listeners = new Set<() => void>();

  constructor(options: GuaranteeOptions) {
    this.#options = options;
  }

  /** What a peer said proved false, or it lost what it had. */
  peerLacks(sha256: Sha256): void {
    this.#confirmedMs.delete(sha256);
  }

  /** A peer said that it holds this whole. */
  peerHas(sha256: Sha256): void {
    this.#confirm(sha256);
  }

  /** Upstream said that the repository has this. */
  upstreamHas(name: RepositoryName, digest: Digest, size?: number): void {
    const key = `${formatRepository(name)}@${digest}`;
    if (size !== undefined) this.#sizes.set(key, size);
    if (this.#sizes.size > CONFIRMED_MAX) this.#sizes.delete(this.#sizes.keys().next().value!);
    const { clock, limits } = this.#options;
    const spoiledMs = this.#spoiledMs.get(key) ?? -Infinity;
    if (spoiledMs <= clock.monotonicMs() - limits.spoiledMs) this.#confirm(key);
  }

  /** The size that upstream told of a blob; undefined if it was not asked lately. */
  sizeOf(name: RepositoryName, digest: Digest): number | undefined {
    const key = `${formatRepository(name)}@${digest}`;
    return this.#isFresh(key) ? this.#sizes.get(key) : undefined;
  }

  /** A source that was confirmed failed: it is asked again before it counts. */
  failed(name: RepositoryName, digest: Digest): void {
    this.#confirmedMs.delete(sha256Of(digest));
    this.#confirmedMs.delete(`${formatRepository(name)}@${digest}`);
  }

  /** What the registry has under this name are other bytes, whatever it says: peers count, it does not. */
  upstreamSpoils(name: RepositoryName, digest: Digest): void {
    this.failed(name, digest);
    const key = `${formatRepository(name)}@${digest}`;
    this.#spoiledMs.delete(key);
    this.#spoiledMs.set(key, this.#options.clock.monotonicMs());
    if (this.#spoiledMs.size > CONFIRMED_MAX) {
      this.#spoiledMs.delete(this.#spoiledMs.keys().next().value!);
    }
  }

  isConfirmed(name: RepositoryName, digest: Digest): boolean {
    return this.#isFresh(sha256Of(digest)) || this.#isFresh(`${formatRepository(name)}@${digest}`);
  }

  /**
   * Why a manifest's blobs cannot all be delivered; undefined when they can.
   *
   * @param image `digest` is that of the manifest, `blobs` what it lists.
   * @throws `signal.reason` once `signal` is aborted.
   */
  async faultOf(
    target: Target,
    image: { readonly digest: Digest; readonly blobs: readonly Descriptor[] },
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const missing = this.#unheld(image.blobs);
    const secret = await this.#secretOf(target, image.blobs, signal);
    if (secret !== undefined) return `blob ${secret}, which it lists, is private elsewhere`;
    const spaceFault = this.#spaceFault(missing);
    if (spaceFault !== undefined) return spaceFault;
    const unsure = () => missing.filter(({ digest }) => !this.isConfirmed(target.name, digest));
    if (unsure().length > 0) {
      const key = `${formatRepository(target.name)}@${image.digest}`;
      await this.#confirming.do(key, () => this.#confirmAll(target, image.digest, unsure), signal);
    }
    const [first] = unsure();
    return first === undefined
      ? undefined
      : `of blob ${first.digest}, which it lists, no source could be confirmed`;
  }

  /** Whether one blob can be delivered, asking whoever may have it. */
  async isDeliverable(
    target: Target,
    blob: Descriptor,
    options: { readonly parent?: Digest; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const digest = options.parent ?? blob.digest;
    return await this.faultOf(target, { digest, blobs: [blob] }, options.signal) === undefined;
  }

  /** Asks peers, and a moment later the registry, until all is confirmed or nobody is left to ask. */
  async #confirmAll(
    target: Target,
    digest: Digest,
    unsure: () => readonly Descriptor[],
  ): Promise<void> {
    const { clock, limits, scouting, signal } = this.#options;
    using deadline = new Deadline(clock, {
      ms: limits.confirmMs,
      what: "confirming an image's blobs",
      signals: [signal],
    });
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const listener = () => {
      if (unsure().length === 0) resolve();
    };
    this.#listeners.add(listener);
    try {
      const looking = scouting.look({
        anchors: [sha256Of(digest)],
        digests: [digest, ...unsure().map((blob) => blob.digest)].map(sha256Of),
      });
      const first = { clock, ms: limits.confirmFirstMs, signal };
      await within(Promise.race([looking, enough]), first);
      if (unsure().length === 0) return;
      const asking = target.mode === "miss-404"
        ? Promise.resolve()
        : this.#askUpstream(target, unsure(), deadline.signal);
      const all = Promise.race([enough, Promise.all([looking, asking])]);
      await within(all, { clock, ms: limits.confirmMs, signal });
    } finally {
      this.#listeners.delete(listener);
    }
  }

  /** What is not complete here, each once. */
  #unheld(blobs: readonly Descriptor[]): readonly Descriptor[] {
    const byDigest = new Map(blobs.map((blob) => [blob.digest, blob]));
    return [...byDigest.values()].filter(({ digest }) =>
      this.#options.store.findBySha256(sha256Of(digest))?.state !== "complete"
    );
  }

  /** A listed blob that may be somebody's secret, and that this repository may not show. */
  async #secretOf(
    target: Target,
    blobs: readonly Descriptor[],
    signal: AbortSignal,
  ): Promise<Digest | undefined> {
    const { access } = this.#options;
    const waiting = [...new Set(blobs.map(({ digest }) => digest))];
    let secret: Digest | undefined;
    const work = async () => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        if (await access.mayWith(target, one, signal)) continue;
        secret = one;
        waiting.length = 0;
      }
    };
    await Promise.all(Array.from({ length: CONFIRMING_MAX }, work));
    return secret;
  }

  #spaceFault(missing: readonly Descriptor[]): string | undefined {
    const { quotaBytes } = this.#options.store.usage();
    const bytes = missing.reduce((sum, { size }) => sum + size, 0);
    if (bytes <= quotaBytes) return undefined;
    return `its blobs need ${bytes} bytes, and the store may have ${quotaBytes}; raise its quota`;
  }

  /** Asks the registry for each blob, a few at a time; ends with the first that it does not have. */
  async #askUpstream(
    target: Target,
    blobs: readonly Descriptor[],
    signal: AbortSignal,
  ): Promise<void> {
    const waiting = [...blobs];
    const { name, upstream } = target;
    const work = async () => {
      for (let blob = waiting.shift(); blob !== undefined; blob = waiting.shift()) {
        const { digest } = blob;
        if (this.isConfirmed(name, digest)) continue;
        const asked = upstream.blobSize(name.repository, digest, { signal });
        const answer = await abortable(asked, signal).catch(() => undefined);
        if (answer?.status === "found" && answer.size === blob.size) {
          this.upstreamHas(name, digest, answer.size);
          const { access } = this.#options;
          // An open repository's blobs belong to it by being listed.
          if (access.isPrivate(target)) access.granted(target, [{ digest, kind: "blob" }]);
        } else if (answer?.status === "denied") this.#options.access.denied(target);
      }
    };
    await Promise.all(Array.from({ length: CONFIRMING_MAX }, work));
  }

  #isFresh(key: string): boolean {
    const { clock, limits } = this.#options;
    const sinceMs = clock.monotonicMs() - limits.confirmedMs;
    return (this.#confirmedMs.get(key) ?? -Infinity) > sinceMs;
  }

  #confirm(key: string): void {
    this.#confirmedMs.delete(key);
    this.#confirmedMs.set(key, this.#options.clock.monotonicMs());
    if (this.#confirmedMs.size > CONFIRMED_MAX) {
      this.#confirmedMs.delete(this.#confirmedMs.keys().next().value!);
    }
    for (const listener of [...this.#listeners]) listener();
  }
}
