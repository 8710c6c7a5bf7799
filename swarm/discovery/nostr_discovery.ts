/** Finding who has a blob by asking relays for adverts, and for nodes that can be asked. */
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import { type Clock, type Random, randomBelow } from "../../src/core/ports.ts";
import type { Filter } from "../../src/nostr/filter.ts";
import type { NostrEvent } from "../../src/nostr/nostr.ts";
import type { Discovery, ProviderHint } from "../ports.ts";
import {
  type Advert,
  ADVERT_KIND,
  NewestPerAuthor,
  NODE_ADVERT_KIND,
  readAdvert,
  readNodeAdvert,
  TOPIC,
} from "./advert.ts";
import { verifyBinding } from "./binding.ts";
import { combineDiscoveries } from "./combine.ts";
import { DISCOVERY_LIMITS, type DiscoveryLimits } from "./limits.ts";
import { type PeerOffer, termsOf } from "./peer_offer.ts";

/** What discovery needs of a pool of relays. */
export interface EventSource {
  query(
    filters: readonly Filter[],
    options?: { readonly signal?: AbortSignal; readonly eventsMax?: number },
  ): AsyncIterable<NostrEvent>;
}

/** Options of {@link NostrDiscovery}. */
export interface NostrDiscoveryOptions {
  readonly pool: EventSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<DiscoveryLimits>;
  /** Our own peer, which is never a hint. */
  readonly selfPeerId?: string;
}

interface Remembered<T> {
  readonly untilMs: number;
  readonly value: T;
}

/** {@link Discovery} by Nostr adverts. */
export class NostrDiscovery implements Discovery {
  readonly #options: NostrDiscoveryOptions;
  readonly #limits: DiscoveryLimits;
  readonly #cache = new Map<string, Remembered<readonly ProviderHint[]>>();
  #nodes: Remembered<readonly ProviderHint[]> | undefined;

  constructor(options: NostrDiscoveryOptions) {
    this.#options = options;
    this.#limits = { ...DISCOVERY_LIMITS, ...options.limits };
  }

  /**
   * Peers that advertise the blob as they come, and other nodes that may be asked for it. The nodes
   * follow the adverts, but wait no longer than a moment for a relay that does not answer.
   */
  find(
    query: { readonly hash: Hash } | { readonly sha256: Sha256 },
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncIterable<ProviderHint> {
    const advertised = Promise.withResolvers<void>();
    const adverts = (signal: AbortSignal | undefined) =>
      finishing(this.#advertised(query, signal), advertised.resolve);
    const nodes = (signal: AbortSignal | undefined) => this.#afterwards(advertised.promise, signal);
    return combineDiscoveries([
      { find: (_query, { signal } = {}) => adverts(signal) },
      { find: (_query, { signal } = {}) => nodes(signal) },
    ]).find(query, options);
  }

  async *#afterwards(
    advertised: Promise<void>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ProviderHint, void, void> {
    const asking = this.#askableNodes(signal);
    const grace = Promise.withResolvers<void>();
    const cancel = this.#options.clock.timer(this.#limits.advertsFirstMs, grace.resolve);
    await Promise.race([advertised, grace.promise]);
    cancel();
    const hints = shuffled(await asking, this.#options.random);
    yield* hints.slice(0, this.#limits.nodeHintsMax);
  }

  async *#advertised(
    query: { readonly hash: Hash } | { readonly sha256: Sha256 },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ProviderHint, void, void> {
    const key = "hash" in query ? `d:${query.hash}` : `x:${query.sha256}`;
    const remembered = this.#cache.get(key);
    if (remembered !== undefined && remembered.untilMs > this.#options.clock.monotonicMs()) {
      yield* remembered.value;
      return;
    }
    const found = new Map<string, ProviderHint>();
    for await (const hint of this.#ask(query, signal)) {
      const known = found.get(hint.peerId);
      // Of two adverts that name one peer, the one that the peer itself signed counts.
      if (known !== undefined && (known.bound || !hint.bound) && known.nostrKey !== hint.nostrKey) {
        continue;
      }
      found.set(hint.peerId, hint);
      yield hint;
    }
    if (!signal?.aborted) this.#remember(key, [...found.values()]);
  }

  async *#ask(
    query: { readonly hash: Hash } | { readonly sha256: Sha256 },
    signal: AbortSignal | undefined,
  ): AsyncGenerator<ProviderHint, void, void> {
    const { eventsMax, hashesPerDigestMax, authorsMax } = this.#limits;
    const filter: Filter = {
      kinds: [ADVERT_KIND],
      limit: eventsMax,
      ...("hash" in query ? { "#d": [query.hash] } : { "#x": [query.sha256] }),
    };
    const newestByHash = new Map<string, NewestPerAuthor>();
    for await (const event of this.#query(filter, signal)) {
      const d = event.tags.find((tag) => tag[0] === "d")?.[1] ?? "";
      let newest = newestByHash.get(d);
      if (newest === undefined) {
        if (newestByHash.size >= ("hash" in query ? 1 : hashesPerDigestMax)) continue;
        newestByHash.set(d, newest = new NewestPerAuthor(authorsMax));
      }
      if (!newest.take(event)) continue;
      const advert = readAdvert(event, { nowS: this.#nowS() });
      if (advert === undefined || !answers(advert, query)) continue;
      if (advert.peerId === this.#options.selfPeerId) continue;
      yield {
        ...await this.#hint(advert, "advert"),
        hash: advert.hash,
        ...(advert.size === undefined ? {} : { size: advert.size }),
      };
    }
  }

  /** Nodes that said lately that they can be asked. */
  async #askableNodes(signal: AbortSignal | undefined): Promise<readonly ProviderHint[]> {
    const { clock } = this.#options;
    if (this.#nodes !== undefined && this.#nodes.untilMs > clock.monotonicMs()) {
      return this.#nodes.value;
    }
    const newest = new NewestPerAuthor(this.#limits.nodesMax);
    const hints = new Map<string, ProviderHint>();
    const filter: Filter = {
      kinds: [NODE_ADVERT_KIND],
      "#t": [TOPIC],
      limit: this.#limits.nodesMax,
    };
    // One relay that does not answer must not hold back what the others know.
    const enough = new AbortController();
    const cancel = clock.timer(this.#limits.gatherNodesMs, () => enough.abort());
    const both = signal === undefined ? enough.signal : AbortSignal.any([signal, enough.signal]);
    for await (const event of this.#query(filter, both)) {
      if (!newest.take(event)) continue;
      const advert = readNodeAdvert(event, { nowS: this.#nowS() });
      if (advert === undefined || advert.peerId === this.#options.selfPeerId) continue;
      const hint = await this.#hint(advert, "node-advert");
      if (hint.bound || !hints.has(hint.peerId)) hints.set(hint.peerId, hint);
    }
    cancel();
    const value = [...hints.values()];
    const { nodesMs, nothingMs } = this.#limits;
    if (!signal?.aborted) {
      const keptMs = value.length > 0 ? nodesMs : nothingMs;
      this.#nodes = { untilMs: clock.monotonicMs() + keptMs, value };
    }
    return value;
  }

  #query(filter: Filter, signal: AbortSignal | undefined): AsyncIterable<NostrEvent> {
    return this.#options.pool.query([filter], {
      eventsMax: filter.limit!,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async #hint(
    advert: PeerOffer & { readonly nostrKey: string },
    via: "advert" | "node-advert",
  ): Promise<ProviderHint> {
    const { peerId, addrs, p2pk, nostrKey, binding } = advert;
    const bound = binding !== undefined &&
      await verifyBinding(binding, { nostrKey, peerId, p2pk }, { nowS: this.#nowS() });
    return {
      peerId,
      addrs,
      via,
      bound,
      nostrKey,
      // That a blob's advert names no price is said, so that no node's advert fills it in.
      ...(via === "advert" ? { priceMsatPerMiB: 0 } : {}),
      ...termsOf(advert),
    };
  }

  #remember(key: string, value: readonly ProviderHint[]): void {
    const { foundMs, nothingMs, cacheEntriesMax } = this.#limits;
    this.#cache.delete(key);
    if (this.#cache.size >= cacheEntriesMax) {
      this.#cache.delete(this.#cache.keys().next().value!);
    }
    const keptMs = value.length > 0 ? foundMs : nothingMs;
    this.#cache.set(key, { untilMs: this.#options.clock.monotonicMs() + keptMs, value });
  }

  #nowS(): number {
    return Math.floor(this.#options.clock.nowMs() / 1000);
  }
}

function answers(
  advert: Advert,
  query: { readonly hash: Hash } | { readonly sha256: Sha256 },
): boolean {
  return "hash" in query ? advert.hash === query.hash : advert.sha256s.includes(query.sha256);
}

/** `items`, and `onEnd` however they end. */
async function* finishing<T>(items: AsyncIterable<T>, onEnd: () => void): AsyncGenerator<T> {
  try {
    yield* items;
  } finally {
    onEnd();
  }
}

/** A copy in random order, so that not every host asks the same node first. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const copy = [...items];
  for (let index = copy.length - 1; index > 0; index--) {
    const other = randomBelow(random, index + 1);
    [copy[index], copy[other]] = [copy[other]!, copy[index]!];
  }
  return copy;
}
