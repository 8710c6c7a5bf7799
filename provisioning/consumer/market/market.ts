/**
 * The market: who offers what, as relays have it and as its signers say. Everything in it was said by
 * the provider that it is about; what a provider says of itself may be wrong all the same.
 */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import {
  type Filter,
  type NostrEvent,
  parsePublicKey,
  type RelayPool,
} from "../../../src/nostr/mod.ts";
import {
  HEARTBEAT_TOPIC,
  KIND_HEARTBEAT,
  KIND_LEGACY_OFFER,
  KIND_LIVE_HEARTBEAT,
  KIND_OFFER,
  KIND_PROMOTION,
  KIND_REVOCATION,
  readHeartbeat,
  readLegacyOffer,
  readOffer,
  readPromotion,
  readRevocation,
  TOPIC,
} from "../../wire/mod.ts";
import { MARKET_LIMITS } from "../limits.ts";
import type { ProviderScores } from "../ports.ts";
import { type Candidate, candidates, type ChoicePolicy } from "./choose.ts";
import { type AnyOffer, MarketEntry } from "./entry.ts";
import { type MarketFilter, type MarketSort, narrowed, sorted } from "./filter.ts";
import type { Listing } from "./listing.ts";

/** What a market needs. */
export interface MarketOptions {
  readonly pool: Pick<RelayPool, "query" | "subscribe">;
  readonly clock: Clock;
  readonly scores?: ProviderScores;
}

/** The market, as far as it was read. */
export class Market implements Disposable {
  readonly #options: MarketOptions;
  readonly #entries = new Map<string, MarketEntry>();
  #freshMs = -Infinity;
  #refreshing: Promise<void> | undefined;
  #unfollow: (() => void) | undefined;

  constructor(options: MarketOptions) {
    this.#options = options;
  }

  /** Reads offers and heartbeats anew; one provider's alone when it is named (64 hex digits). */
  async refresh(
    options: { readonly signal: AbortSignal; readonly provider?: string },
  ): Promise<void> {
    const { signal, provider } = options;
    const authors = provider === undefined ? {} : { authors: [provider] };
    // Apart, so that many of the old kind, which costs nothing to make, crowd out none of today's.
    await this.#readAll({ kinds: [KIND_OFFER], "#t": [TOPIC], ...authors }, signal);
    await this.#read([{ kinds: [KIND_LEGACY_OFFER], "#t": [TOPIC], ...authors }], signal);
    const providers = provider === undefined ? [...this.#entries.keys()] : [provider];
    const groups: string[][] = [];
    while (providers.length > 0) groups.push(providers.splice(0, MARKET_LIMITS.authorsMax));
    const ask = async () => {
      for (let group = groups.pop(); group !== undefined; group = groups.pop()) {
        await this.#read(this.#lifeFilters(group), signal);
      }
    };
    await Promise.all(Array.from({ length: MARKET_LIMITS.askedAtOnce }, ask));
    signal.throwIfAborted();
    if (provider === undefined) this.#freshMs = this.#options.clock.monotonicMs();
  }

  /** Refreshes unless that was done less than `maxAgeMs` ago. @default maxAgeMs {30000} */
  async ensureFresh(
    options: { readonly signal: AbortSignal; readonly maxAgeMs?: number },
  ): Promise<void> {
    const { signal, maxAgeMs = MARKET_LIMITS.freshMs } = options;
    if (this.#options.clock.monotonicMs() - this.#freshMs < maxAgeMs) return;
    this.#refreshing ??= this.refresh({ signal }).finally(() => this.#refreshing = undefined);
    try {
      await this.#refreshing;
    } catch (error) {
      signal.throwIfAborted();
      // Whoever began it went away: others want it still.
      if (error instanceof SeedmintError) throw error;
      await this.refresh({ signal });
    }
  }

  /** Keeps up with what is published from now on, until it is disposed of. */
  follow(): void {
    const since = this.#nowS();
    this.#unfollow ??= this.#options.pool.subscribe([
      { kinds: [KIND_OFFER, KIND_REVOCATION, KIND_PROMOTION], "#t": [TOPIC], since },
      { kinds: [KIND_HEARTBEAT, KIND_LIVE_HEARTBEAT], "#t": [HEARTBEAT_TOPIC], since },
    ], { onEvent: (event) => this.#take(event) });
  }

  /** Who fits, with the tiers that fit, in order. @default sort {"price"} */
  list(
    options: { readonly filter?: MarketFilter; readonly sort?: MarketSort } = {},
  ): readonly Listing[] {
    const { filter = {}, sort = "price" } = options;
    return sorted(
      this.#listings().flatMap((listing) => narrowed(listing, filter) ?? []),
      sort,
    );
  }

  /**
   * The provider that is meant by a key, `npub1…`, a unique beginning (8 digits or more) of a key, or a
   * unique name.
   *
   * @throws {SeedmintError} `not-found`, or `usage` if several are meant.
   */
  find(selector: string): Listing {
    const wanted = selector.trim().toLowerCase();
    const key = parsePublicKey(wanted);
    const isBeginning = /^[0-9a-f]{8,63}$/.test(wanted);
    // A name is whatever its provider says: what could be a key is never taken for a name.
    const listings = this.#listings().filter((listing) =>
      key !== undefined
        ? listing.provider === key
        : isBeginning
        ? listing.provider.startsWith(wanted)
        : listing.name.toLowerCase() === wanted && !wanted.startsWith("npub1")
    );
    if (listings.length === 1) return listings[0]!;
    const shown = selector.slice(0, 80);
    if (listings.length === 0) {
      throw new SeedmintError(
        "not-found",
        `Cannot find provider ${shown} on the market; look at \`market list\`, or add a relay that it uses`,
      );
    }
    const keys = listings.map((listing) => listing.provider.slice(0, 16)).join(", ");
    throw new SeedmintError(
      "usage",
      `Provider ${shown} is ambiguous: ${keys}; name one by its key`,
    );
  }

  /** Providers that fit a policy, each with its cheapest tier that does, the best first. */
  choose(policy: ChoicePolicy): readonly Candidate[] {
    return candidates(this.#listings(), policy);
  }

  [Symbol.dispose](): void {
    this.#unfollow?.();
    this.#unfollow = undefined;
  }

  #listings(): Listing[] {
    const nowS = this.#nowS();
    return [...this.#entries.values()].flatMap((entry) =>
      entry.listing(nowS, this.#options.scores?.scoreOf(entry.provider)) ?? []
    );
  }

  #lifeFilters(authors: readonly string[]): Filter[] {
    const nowS = this.#nowS();
    return [
      { kinds: [KIND_HEARTBEAT], authors, since: nowS - MARKET_LIMITS.heartbeatS },
      {
        kinds: [KIND_REVOCATION, KIND_PROMOTION],
        authors,
        since: nowS - MARKET_LIMITS.failoverS,
      },
    ];
  }

  /** Relays cut off at some hundred events, the newest first: what is older is asked for in turn. */
  async #readAll(filter: Filter, signal: AbortSignal): Promise<void> {
    let until: number | undefined;
    for (let page = 0; page < MARKET_LIMITS.pagesMax; page++) {
      const paged = until === undefined ? filter : { ...filter, until };
      const { count, oldestS } = await this.#read([paged], signal);
      if (count < MARKET_LIMITS.pageEvents || oldestS === until) return;
      until = oldestS;
    }
  }

  async #read(
    filters: readonly Filter[],
    signal: AbortSignal,
  ): Promise<{ readonly count: number; readonly oldestS: number }> {
    let count = 0;
    let oldestS = Infinity;
    for await (const event of this.#options.pool.query(filters, { signal })) {
      count++;
      oldestS = Math.min(oldestS, event.created_at);
      this.#take(event);
    }
    signal.throwIfAborted();
    return { count, oldestS };
  }

  #take(event: NostrEvent): void {
    const reading = { nowS: this.#nowS() };
    switch (event.kind) {
      case KIND_OFFER: {
        const offer = readOffer(event, reading);
        if (offer !== undefined) this.#offer(event, { isLegacy: false, offer });
        return;
      }
      case KIND_LEGACY_OFFER: {
        const offer = readLegacyOffer(event, reading);
        if (offer !== undefined) this.#offer(event, { isLegacy: true, offer });
        return;
      }
      case KIND_HEARTBEAT:
      case KIND_LIVE_HEARTBEAT: {
        const value = readHeartbeat(event, reading);
        if (value !== undefined) this.#entries.get(event.pubkey)?.addHeartbeat({ value, event });
        return;
      }
      case KIND_REVOCATION: {
        const value = readRevocation(event, reading);
        if (value !== undefined) this.#entries.get(event.pubkey)?.addRevocation({ value, event });
        return;
      }
      case KIND_PROMOTION: {
        const value = readPromotion(event, reading);
        if (value !== undefined) this.#entries.get(event.pubkey)?.addPromotion({ value, event });
        return;
      }
    }
  }

  #offer(event: NostrEvent, value: AnyOffer): void {
    const entry = this.#entries.get(event.pubkey);
    if (entry !== undefined) return entry.addOffer({ value, event });
    this.#entries.set(event.pubkey, new MarketEntry(event.pubkey, { value, event }));
    if (this.#entries.size > MARKET_LIMITS.providersMax * 1.1) this.#shrink();
  }

  /**
   * Anybody makes keys by the thousand and dates what they say. So those go first that give no sign of
   * life, and of the others the newcomers: no flood takes the place of who was here before it.
   */
  #shrink(): void {
    const nowS = this.#nowS();
    const worth = (entry: MarketEntry) =>
      this.#options.scores?.scoreOf(entry.provider) !== undefined
        ? 2
        : entry.isOnline(nowS)
        ? 1
        : 0;
    // A map keeps its order, and sorting the order of equals: the one known longest comes first.
    const ranked = [...this.#entries.values()]
      .map((entry) => ({ entry, worth: worth(entry) }))
      .sort((a, b) => b.worth - a.worth);
    for (const { entry } of ranked.slice(MARKET_LIMITS.providersMax)) {
      this.#entries.delete(entry.provider);
    }
  }

  #nowS(): number {
    return Math.floor(this.#options.clock.nowMs() / 1000);
  }
}
