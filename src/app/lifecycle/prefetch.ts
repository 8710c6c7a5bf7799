/**
 * Fetching what a catalog lists before anybody asks for it: what the selectors choose, each thing in the
 * wave that is this node's, so that a fleet does not stampede.
 */
import { isSeedmintError, messageOf } from "../../core/errors.ts";
import type { Clock, Random } from "../../core/ports.ts";
import type { BlobStore } from "../../../swarm/store/blob_store.ts";
import { parseSelector, select, type Selected } from "../../../trust/catalog/mod.ts";
import { type AcceptedCatalog, type Follow, waveDelayMs } from "../../../trust/follow/mod.ts";
import type { Hash } from "../../core/hash.ts";
import type { Log } from "../log.ts";
import { type CatalogFiles, catalogTag } from "./catalog_files.ts";

/** Things fetched at one time, over all catalogs. */
const AT_ONCE = 2;
/** Times that a thing is tried, the waits between them doubling from here. */
const ATTEMPTS_MAX = 6;
const RETRY_MS = 60_000;

/** Options of {@link Prefetcher}. */
export interface PrefetcherOptions {
  readonly store: BlobStore;
  readonly files: Pick<CatalogFiles, "file">;
  /** This node's peer id: its place in each wave. */
  readonly node: string;
  readonly clock: Clock;
  readonly random: Random;
  /** Pulls an image by its digest; absent while there is no registry. */
  readonly pullImage: (
    image: { readonly reference: string; readonly digest: string },
    platforms: readonly string[],
    signal: AbortSignal,
  ) => Promise<boolean>;
  readonly log: Log;
}

/** Prefetches for all catalogs that are followed. */
export class Prefetcher implements AsyncDisposable {
  readonly #options: PrefetcherOptions;
  readonly #plans = new Map<string, { readonly end: AbortController; done: Promise<unknown> }>();
  /** Who waits for one of the places. */
  readonly #waiting: (() => void)[] = [];
  #busyCount = 0;

  constructor(options: PrefetcherOptions) {
    this.#options = options;
  }

  /** Begins with what `follow` selects of a catalog, in place of what went on for it. */
  accepted(accepted: AcceptedCatalog, follow: Follow): void {
    const key = `${follow.root}/${follow.name}`;
    this.#plans.get(key)?.end.abort();
    if (follow.selectors.length === 0) {
      this.#plans.delete(key);
      return;
    }
    const end = new AbortController();
    const chosen = select(accepted.catalog, follow.selectors.map(parseSelector));
    const done = this.#run(accepted, follow, chosen, end.signal).catch((error) => {
      if (end.signal.aborted) return;
      this.#options.log("warning", "prefetching failed", { error: messageOf(error) });
    });
    this.#plans.set(key, { end, done });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const plans = [...this.#plans.values()];
    for (const { end } of plans) end.abort();
    await Promise.allSettled(plans.map(({ done }) => done));
  }

  async #run(
    accepted: AcceptedCatalog,
    follow: Follow,
    chosen: readonly Selected[],
    signal: AbortSignal,
  ): Promise<void> {
    const { log } = this.#options;
    const platforms = follow.selectors.map(parseSelector)
      .flatMap(({ platform }) => platform === undefined ? [] : [platform]);
    log("info", "prefetching", { catalog: follow.name, count: chosen.length });
    await Promise.all(
      chosen.map((one) => this.#patiently(one, { accepted, follow, platforms, signal })),
    );
    signal.throwIfAborted();
    this.#release(follow, new Set(chosen.flatMap(hashesOf)), accepted.seal.signed.blake3);
    log("info", "prefetched", { catalog: follow.name, count: chosen.length });
  }

  /** Waits for the wave, then fetches, and again after a while when that failed. */
  async #patiently(
    one: Selected,
    plan: {
      readonly accepted: AcceptedCatalog;
      readonly follow: Follow;
      readonly platforms: readonly string[];
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const { clock, random, node, store, log } = this.#options;
    const { signal } = plan;
    const isHere = hashesOf(one).length > 0 &&
      hashesOf(one).every((hash) => store.status(hash)?.state === "complete");
    const content = one.kind === "image" ? one.image.digest : hashesOf(one).join();
    if (!isHere) await clock.sleep(waveDelayMs({ node, content }, random), { signal });
    for (let attempt = 0;; attempt++) {
      try {
        await this.#placed(signal, () => this.#fetch(one, plan));
        return;
      } catch (error) {
        signal.throwIfAborted();
        log("warning", "prefetching failed", { name: nameOf(one), error: messageOf(error) });
        const isHopeless = isSeedmintError(error) && !error.retryable &&
          ["usage", "corrupt", "denied"].includes(error.code);
        if (isHopeless || attempt + 1 >= ATTEMPTS_MAX) return;
        await clock.sleep(RETRY_MS * 2 ** attempt * (0.5 + random.float()), { signal });
      }
    }
  }

  async #fetch(
    one: Selected,
    plan: {
      readonly follow: Follow;
      readonly platforms: readonly string[];
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const { files, pullImage, log } = this.#options;
    const { follow, platforms, signal } = plan;
    if (one.kind === "image") {
      const { reference, digest } = one.image;
      const isPulled = await pullImage({ reference, digest }, platforms, signal);
      if (!isPulled) log("info", "no registry is open: an image is left out", { reference });
      return;
    }
    const wanted = one.kind === "file" ? [one.file] : one.files;
    for (const file of wanted) {
      if ("price" in file && file.price === "priced") continue;
      await files.file(file, { signal, emit: () => {} }, catalogTag(follow));
    }
  }

  /** One of the places at which things are fetched. */
  async #placed<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#busyCount >= AT_ONCE) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    signal.throwIfAborted();
    this.#busyCount++;
    try {
      return await work();
    } finally {
      this.#busyCount--;
      this.#waiting.shift()?.();
    }
  }

  /** Lets go of what an older catalog made this node keep and the new one does not choose. */
  #release(follow: Follow, kept: ReadonlySet<Hash>, catalog: Hash): void {
    const { store } = this.#options;
    const tag = catalogTag(follow);
    const old = [...store.list()].filter(({ hash, tags }) =>
      tags.includes(tag) && !kept.has(hash) && hash !== catalog
    );
    for (const { hash } of old) store.untag(hash, tag);
  }
}

function hashesOf(one: Selected): readonly Hash[] {
  if (one.kind === "image") return [];
  return one.kind === "file" ? [one.file.blake3] : one.files.map(({ blake3 }) => blake3);
}

function nameOf(one: Selected): string {
  return one.kind === "image"
    ? one.image.reference
    : one.kind === "file"
    ? one.file.name
    : `${one.release.name}@${one.release.version}`;
}
