/** Lists of a repository: its tags, what refers to a manifest, and which repositories there are. */
import type { Clock } from "../../../src/core/ports.ts";
import type { RegistryIndex } from "../index/mod.ts";
import { type Digest, formatRepository, type RepositoryName } from "../names.ts";
import type { Descriptor, Page, PageRequest } from "../ports.ts";
import type { Access, Target } from "./access.ts";
import { Deadline } from "./deadline.ts";
import { type MirrorLimits, REFERRERS_MAX } from "./limits.ts";
import type { MirrorEvent } from "./options.ts";
import { abortable } from "./shared_work.ts";

/** What {@link Listings} works with. */
export interface ListingsOptions {
  readonly index: RegistryIndex;
  readonly access: Access;
  readonly clock: Clock;
  readonly limits: MirrorLimits;
  /** Ends all questions. */
  readonly signal: AbortSignal;
  readonly tell: (event: MirrorEvent) => void;
}

/** See the head of this file. */
export class Listings {
  readonly #options: ListingsOptions;

  constructor(options: ListingsOptions) {
    this.#options = options;
  }

  /** Tags as the registry lists them; those that are known here when it cannot be asked. */
  async tags(target: Target, page: PageRequest, signal: AbortSignal): Promise<Page | undefined> {
    if (target.mode === "miss-404") return undefined;
    const { name, upstream } = target;
    const asked = await this.#ask(
      signal,
      (inTime) => upstream.tags(name.repository, page, { signal: inTime }),
    );
    if (asked !== "silent") return asked;
    if (!this.#options.access.mayList(target)) return undefined;
    const known = this.#options.index.tags.page(name, page);
    return known.items.length > 0 ? known : undefined;
  }

  /** What refers to a manifest, as its registry says and as is known here, each once. */
  async referrers(
    target: Target,
    digest: Digest,
    options: { readonly signal: AbortSignal; readonly artifactType?: string },
  ): Promise<readonly Descriptor[]> {
    const { index, access } = this.#options;
    const { name, upstream, mode } = target;
    const asked = mode === "miss-404"
      ? undefined
      : await this.#ask(options.signal, (signal) =>
        upstream.referrers(name.repository, digest, { ...options, signal }));
    const theirs = asked === undefined || asked === "silent" ? [] : asked;
    const ours = access.mayList(target) ? index.members.referrers(name, digest, options) : [];
    const all = new Map([...theirs, ...ours].map((one) => [one.digest, one]));
    return [...all.values()].slice(0, REFERRERS_MAX);
  }

  /** A page of the repositories that images are kept of and that may be told of. */
  repositories(
    { count, last }: PageRequest,
    targetOf: (name: RepositoryName) => Target | undefined,
  ): Page {
    const names = new Map<string, RepositoryName>();
    for (const { name } of this.#options.index.images.all()) {
      names.set(formatRepository(name), name);
    }
    const after = [...names.keys()].sort().filter((text) => {
      const target = targetOf(names.get(text)!);
      return text > (last ?? "") && target !== undefined && this.#options.access.mayList(target);
    });
    return { items: after.slice(0, count), hasMore: after.length > count };
  }

  async #ask<T>(
    signal: AbortSignal,
    ask: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | "silent"> {
    const { clock, limits, tell } = this.#options;
    using deadline = new Deadline(clock, {
      ms: limits.upstreamMs,
      what: "the registry's answer",
      signals: [signal, this.#options.signal],
    });
    try {
      return await abortable(ask(deadline.signal), deadline.signal);
    } catch (error) {
      signal.throwIfAborted();
      tell({ type: "trouble", what: "a registry's listing", error });
      return "silent";
    }
  }
}
