/**
 * Several relays used as one: an event is published when one of them took it, a query gives what any
 * of them has, a subscription outlives each of them. Relays may be dead, slow, lying or flooding;
 * each has its own deadline, and none can make the pool wait, grow or throw.
 */
import type { Clock, Random } from "../core/ports.ts";
import type { Filter } from "./filter.ts";
import { POOL_LIMITS, type PoolLimits } from "./limits.ts";
import type { NostrEvent } from "./nostr.ts";
import { type PublishOutcome, RelayConnection, type RelayStatus } from "./pool/relay_connection.ts";
import { parseRelayUrl } from "./relay_url.ts";

export type { PublishOutcome, RelayStatus };

/** How an event was taken. */
export interface PublishReport {
  /** Relays that took it; it is published when this is above 0. */
  readonly acceptedCount: number;
  readonly outcomes: readonly PublishOutcome[];
}

/** Options of {@link RelayPool}. */
export interface RelayPoolOptions {
  /** `ws:` and `wss:` addresses; may be empty, then nothing is found and nothing published. */
  readonly relays: readonly string[];
  readonly clock: Clock;
  readonly random: Random;
  readonly limits?: Partial<PoolLimits>;
  /** The 32-byte secret that is proven to a relay which insists (NIP-42). */
  readonly authSecretKey?: Uint8Array;
}

/** Options of {@link RelayPool.query}. */
export interface QueryOptions {
  readonly signal?: AbortSignal;
  /** Events from one relay, below the pool's own limit. */
  readonly eventsMax?: number;
}

/** Options of {@link RelayPool.subscribe}. */
export interface SubscribeOptions {
  /** Called with each verified event, once as far as the pool remembers. It must not throw. */
  readonly onEvent: (event: NostrEvent) => void;
  /** Called with the relay's address each time it has given its stored events. */
  readonly onEose?: (relay: string) => void;
}

/** Relays, used as one. */
export class RelayPool implements AsyncDisposable {
  readonly #limits: PoolLimits;
  readonly #relays: readonly RelayConnection[];
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  readonly #clock: Clock;
  #liveCount = 0;

  /**
   * @throws {SyntaxError} If an address is not one of a relay.
   * @throws {RangeError} If there are more than the limit.
   */
  constructor(options: RelayPoolOptions) {
    this.#limits = { ...POOL_LIMITS, ...options.limits };
    this.#clock = options.clock;
    const urls = [...new Set(options.relays.map(parseRelayUrl))];
    if (urls.length > this.#limits.relayCountMax) {
      throw new RangeError(
        `Cannot use ${urls.length} relays: at most ${this.#limits.relayCountMax}; remove some`,
      );
    }
    this.#relays = urls.map((url) =>
      new RelayConnection(url, {
        clock: options.clock,
        random: options.random,
        limits: this.#limits,
        ...(options.authSecretKey === undefined ? {} : { authSecretKey: options.authSecretKey }),
      })
    );
  }

  /** Addresses of the relays, in one form. */
  get urls(): readonly string[] {
    return this.#relays.map((relay) => relay.url);
  }

  /** What each relay is doing. */
  status(): readonly RelayStatus[] {
    return this.#relays.map((relay) => relay.status());
  }

  /**
   * Sends an event to every relay.
   *
   * @param options `graceMs`: how long the others may still answer once one has taken the event;
   * who has not by then is reported as `pending`. Without it the last answer or deadline is waited for.
   * @returns How each took it. Never throws for a relay.
   * @throws `signal.reason` once `signal` is aborted.
   */
  async publish(
    event: NostrEvent,
    options: { readonly signal?: AbortSignal; readonly graceMs?: number } = {},
  ): Promise<PublishReport> {
    const signal = this.#signal(options.signal);
    const outcomes: PublishOutcome[] = this.#relays.map((relay) => ({
      relay: relay.url,
      accepted: false,
      code: "pending",
      reason: "no answer yet",
    }));
    const grace = Promise.withResolvers<void>();
    let cancelGrace: (() => void) | undefined;
    const all = Promise.all(this.#relays.map(async (relay, index) => {
      outcomes[index] = await relay.publish(event, signal);
      if (outcomes[index].accepted && options.graceMs !== undefined) {
        cancelGrace ??= this.#clock.timer(options.graceMs, grace.resolve);
      }
    }));
    this.#track(all);
    try {
      await Promise.race([all, grace.promise]);
    } finally {
      cancelGrace?.();
    }
    const acceptedCount = outcomes.filter((outcome) => outcome.accepted).length;
    return { acceptedCount, outcomes: [...outcomes] };
  }

  /**
   * Asks every relay for stored events and yields each once, verified, as it comes; ends after the
   * last relay's end or deadline. Leaving the loop early, or aborting, ends it at once and quietly.
   */
  async *query(
    filters: readonly Filter[],
    options: QueryOptions = {},
  ): AsyncGenerator<NostrEvent, void, void> {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#signal(options.signal), stop.signal]);
    if (signal.aborted) return;
    const ready: NostrEvent[] = [];
    const seen = new Set<string>();
    let wake: () => void = () => {};
    let running = this.#relays.length;
    const ask = async (relay: RelayConnection) => {
      try {
        await relay.query({
          filters,
          signal,
          eventsMax: Math.min(options.eventsMax ?? Infinity, this.#limits.queryEventsMax),
          bytesMax: this.#limits.queryBytesMax,
          isSeen: (id) => seen.has(id),
          onEvent: (event) => {
            seen.add(event.id);
            ready.push(event);
            wake();
          },
        });
      } catch {
        // Only an abort comes here; the loop below sees it too.
      }
      running--;
      wake();
    };
    const asking = this.#relays.map(ask);
    try {
      for (;;) {
        const event = ready.shift();
        if (event !== undefined) yield event;
        else if (running === 0 || signal.aborted) return;
        else await new Promise<void>((resolve) => wake = resolve);
      }
    } finally {
      stop.abort();
      await Promise.all(asking);
    }
  }

  /**
   * Follows what the filters ask for, on every relay, through every reconnection.
   *
   * @returns What ends it.
   * @throws {RangeError} If too many are open.
   */
  subscribe(filters: readonly Filter[], options: SubscribeOptions): () => void {
    if (this.#liveCount >= this.#limits.liveSubscriptionsMax) {
      throw new RangeError(
        `Cannot follow more than ${this.#limits.liveSubscriptionsMax} subscriptions at a time`,
      );
    }
    this.#liveCount++;
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, stop.signal]);
    const seen = new Set<string>();
    const onEvent = (event: NostrEvent) => {
      // Sets keep the order of insertion, so the first is the oldest.
      if (seen.size >= this.#limits.seenIdsMax) seen.delete(seen.values().next().value!);
      seen.add(event.id);
      options.onEvent(event);
    };
    for (const relay of this.#relays) {
      const following = relay.follow({
        filters,
        signal,
        eventsMax: Infinity,
        bytesMax: Infinity,
        isSeen: (id) => seen.has(id),
        onEvent,
        onEose: () => options.onEose?.(relay.url),
      });
      this.#track(following);
    }
    return () => {
      if (stop.signal.aborted) return;
      stop.abort();
      this.#liveCount--;
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DOMException("The relay pool was closed", "AbortError"));
    await Promise.all(this.#relays.map((relay) => relay.close()));
    await Promise.all(this.#running);
  }

  /** Remembers what may outlive the call that began it, for {@link Symbol.asyncDispose} to await. */
  #track(work: Promise<unknown>): void {
    const tracked = work.catch(() => {}).finally(() => this.#running.delete(tracked));
    this.#running.add(tracked);
  }

  #signal(outer?: AbortSignal): AbortSignal {
    return outer === undefined
      ? this.#closing.signal
      : AbortSignal.any([outer, this.#closing.signal]);
  }
}
