/** Finding peers that have content known by its SHA-256, and asking them what they hold of it. */
import type { Sha256 } from "../../../src/core/hash.ts";
import type { Clock } from "../../../src/core/ports.ts";
import type { ProviderHint } from "../../ports.ts";
import type { SwarmFetch } from "../ports.ts";
import type { Claims } from "./claims.ts";
import { Deadline, within } from "./deadline.ts";
import {
  ASKED_DIGESTS_MAX,
  ASKING_MAX,
  CLAIMED_DIGESTS_MAX,
  HINTS_MAX,
  type MirrorLimits,
} from "./limits.ts";
import { abortable } from "./shared_work.ts";

/** What {@link Scouting} works with. */
export interface ScoutingOptions {
  readonly swarm: SwarmFetch;
  readonly claims: Claims;
  readonly clock: Clock;
  readonly limits: MirrorLimits;
  /** Ends all searches. */
  readonly signal: AbortSignal;
  /** A peer said that it holds this whole. */
  readonly onHolder: (sha256: Sha256) => void;
}

/** What to look for. */
export interface Wanted {
  /** Digests that adverts may list: the content's own, or its image's, since those have one advert. */
  readonly anchors: readonly Sha256[];
  /** What the peers found are asked for. */
  readonly digests: readonly Sha256[];
}

interface Search {
  readonly over: Promise<void>;
  untilMs: number;
}

/** Searches, each digest at most once in a while. What they find stands in {@link Claims}. */
export class Scouting {
  readonly #options: ScoutingOptions;
  /** Searches by digest, the newest at the end. */
  readonly #searches = new Map<Sha256, Search>();
  readonly #listeners = new Set<() => void>();

  constructor(options: ScoutingOptions) {
    this.#options = options;
  }

  /** Looks for who has `digests`. Resolves when the search is over; never throws. */
  look({ anchors, digests }: Wanted): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    const isFresh = (search: Search | undefined) => search !== undefined && search.untilMs > nowMs;
    const fresh = digests.filter((digest) => !isFresh(this.#searches.get(digest)));
    const known = [...new Set(digests.map((digest) => this.#searches.get(digest)))]
      .filter((search) => search !== undefined && isFresh(search)).map((search) => search!.over);
    if (fresh.length === 0) return settled(known);
    const over = this.#search(anchors, fresh.slice(0, ASKED_DIGESTS_MAX));
    const search: Search = { over, untilMs: Infinity };
    void over.then(() => {
      search.untilMs = this.#options.clock.monotonicMs() + this.#options.limits.lookAgainMs;
    });
    for (const digest of fresh) {
      this.#searches.delete(digest);
      this.#searches.set(digest, search);
      if (this.#searches.size > CLAIMED_DIGESTS_MAX) {
        this.#searches.delete(this.#searches.keys().next().value!);
      }
    }
    return settled([over, ...known]);
  }

  /**
   * Looks, and waits until `isEnough`, the end of the search, or `ms`, whatever is first.
   *
   * @throws `signal.reason` once `signal` is aborted.
   */
  async lookUntil(
    wanted: Wanted,
    options: {
      readonly isEnough: () => boolean;
      readonly ms: number;
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    if (options.isEnough()) return;
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const listener = () => {
      if (options.isEnough()) resolve();
    };
    this.#listeners.add(listener);
    try {
      const over = Promise.race([this.look(wanted), enough]);
      await within(over, { ...options, clock: this.#options.clock });
    } finally {
      this.#listeners.delete(listener);
    }
  }

  async #search(anchors: readonly Sha256[], digests: readonly Sha256[]): Promise<void> {
    const { clock, limits, signal } = this.#options;
    using deadline = new Deadline(clock, {
      ms: limits.lookMs,
      what: "looking for peers",
      signals: [signal],
    });
    const seen = new Set<string>();
    const asking = new Asking(ASKING_MAX);
    const find = async (anchor: Sha256) => {
      for await (const hint of this.#options.swarm.find(anchor, { signal: deadline.signal })) {
        if (deadline.signal.aborted || seen.size >= HINTS_MAX) break;
        if (seen.has(hint.peerId) || this.#options.claims.isBanned(hint)) continue;
        seen.add(hint.peerId);
        asking.add(() => this.#ask(hint, digests, deadline.signal));
      }
    };
    // A search that breaks found nobody more; the origin is there for that.
    const finding = Promise.allSettled(new Set(anchors).values().map(find).toArray());
    // Discovery that does not listen to its signal must not hold anybody up.
    await within(finding, { clock, ms: limits.lookMs, signal }).catch(() => {});
    await asking.over();
  }

  async #ask(
    hint: ProviderHint,
    digests: readonly Sha256[],
    signal: AbortSignal,
  ): Promise<void> {
    const { swarm, claims, clock, limits, onHolder } = this.#options;
    if (signal.aborted) return;
    using deadline = new Deadline(clock, {
      ms: limits.askMs,
      what: "a peer's answer",
      signals: [signal],
    });
    const asked = swarm.ask(hint, digests, { signal: deadline.signal });
    const answers = await abortable(asked, deadline.signal);
    for (const [index, sha256] of digests.entries()) {
      const mapping = answers[index];
      if (mapping?.sha256 !== sha256 || claims.isBanned(hint)) continue;
      claims.note(hint, mapping);
      onHolder(sha256);
    }
    for (const listener of [...this.#listeners]) listener();
  }
}

/** A few questions at a time. */
class Asking {
  readonly #countMax: number;
  readonly #waiting: (() => Promise<void>)[] = [];
  readonly #underWay = new Set<Promise<void>>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  add(question: () => Promise<void>): void {
    this.#waiting.push(question);
    this.#begin();
  }

  /** Resolves when all were answered or failed. */
  async over(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #begin(): void {
    while (this.#underWay.size < this.#countMax) {
      const question = this.#waiting.shift();
      if (question === undefined) return;
      // A peer that does not answer has nothing for us.
      const asking = question().catch(() => {}).finally(() => {
        this.#underWay.delete(asking);
        this.#begin();
      });
      this.#underWay.add(asking);
    }
  }
}

async function settled(promises: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(promises);
}
