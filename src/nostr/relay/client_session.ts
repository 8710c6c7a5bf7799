/**
 * One client of the relay: its subscriptions, the keys it has proven, its budget. Messages are taken
 * one after the other, and an answer is written no faster than the client reads it.
 */
import type { Clock } from "../../core/ports.ts";
import { TokenBucket } from "../../core/token_bucket.ts";
import { compileFilter, type Filter, readFilter, valueCountOf } from "../filter.ts";
import { KIND_AUTH, kindClass } from "../kinds.ts";
import { readClientMessage } from "../messages.ts";
import { expirationOf, type NostrEvent, readEvent, tagValue, verifyEvent } from "../nostr.ts";
import { CLOSE_CODE } from "../websocket/frames.ts";
import type { Socket } from "../websocket/socket.ts";
import type { RelayLimits } from "./limits.ts";
import { type EventStorage, indexedTags, maySee, type StorageViewer } from "./storage.ts";

/** What a session needs of its relay. */
export interface SessionContext {
  readonly storage: EventStorage;
  readonly limits: RelayLimits;
  readonly clock: Clock;
  readonly privateKinds: ReadonlySet<number>;
  /** Keys that may publish; everybody when undefined. */
  readonly writers: ReadonlySet<string> | undefined;
  /** Keys that may read, once proven; everybody when undefined. */
  readonly readers: ReadonlySet<string> | undefined;
  /** The budget for checking signatures that all connections share. */
  readonly allEvents: TokenBucket;
  /** The budget for searching, in milliseconds, that all connections share. */
  readonly allSearches: TokenBucket;
  /** Gives an accepted event to every subscription that wants it. */
  readonly broadcast: (event: NostrEvent) => void;
  /** Whether a signed relay address is this relay (NIP-42). */
  readonly isOwnUrl: (url: string) => boolean;
  /** Counts what happened, by name. */
  readonly count: (what: "accepted" | "refused" | "queries" | "sent") => void;
}

/** Below this many queued bytes the next stored event is written. */
const REFILL_BYTES = 64 * 1024;

interface OpenSubscription {
  readonly matchers: readonly ((event: NostrEvent) => boolean)[];
  readonly valueCount: number;
}

/** One connected client. */
export class ClientSession {
  readonly #socket: Socket;
  readonly #context: SessionContext;
  readonly #challenge: string;
  readonly #subscriptions = new Map<string, OpenSubscription>();
  readonly #keys = new Set<string>();
  readonly #messages: TokenBucket;
  readonly #events: TokenBucket;
  readonly #searches: TokenBucket;
  readonly #closing = new AbortController();
  #invalidCount = 0;

  constructor(socket: Socket, context: SessionContext, challenge: string) {
    const { limits, clock } = context;
    this.#socket = socket;
    this.#context = context;
    this.#challenge = challenge;
    this.#messages = new TokenBucket({
      perSecond: limits.messagesPerSecond,
      burst: limits.messagesBurst,
      clock,
    });
    this.#events = new TokenBucket({
      perSecond: limits.eventsPerSecond,
      burst: limits.eventsBurst,
      clock,
    });
    this.#searches = new TokenBucket({
      perSecond: limits.searchMsPerSecond,
      burst: limits.searchBurstMs,
      clock,
    });
    socket.ended.then(() => this.#closing.abort());
  }

  /** Subscriptions that are open. */
  get subscriptionCount(): number {
    return this.#subscriptions.size;
  }

  /** Serves the client until its connection ends. */
  async run(): Promise<void> {
    this.#send(["AUTH", this.#challenge]);
    for (;;) {
      const text = await this.#socket.receive();
      if (text === undefined) break;
      await this.#handle(text);
      await this.#pause(this.#messages.take(1));
    }
    this.#subscriptions.clear();
  }

  /** Sends a new event to each subscription that wants it; `json` is the event's. */
  offer(event: NostrEvent, json: string): void {
    if (this.#context.privateKinds.has(event.kind) && !maySee(this.#viewer(), event)) return;
    for (const [id, { matchers }] of this.#subscriptions) {
      if (!matchers.some((matches) => matches(event))) continue;
      this.#socket.send(`["EVENT",${JSON.stringify(id)},${json}]`);
      this.#context.count("sent");
    }
  }

  /** Says goodbye. */
  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  async #handle(text: string): Promise<void> {
    const message = readClientMessage(text);
    if (typeof message === "string") return this.#send(["NOTICE", `invalid: ${message}`]);
    switch (message.type) {
      case "EVENT":
        return this.#handleEvent(message.event);
      case "REQ":
        return await this.#handleRequest(message.subscription, message.filters);
      case "CLOSE":
        this.#subscriptions.delete(message.subscription);
        return;
      case "AUTH":
        return this.#handleAuth(message.event);
    }
  }

  #handleEvent(raw: unknown): void {
    const context = this.#context;
    const event = readEvent(raw, context.limits.event);
    if (event === undefined) return this.#invalid(raw, "invalid: not an event, or over a limit");
    const refusal = this.#refusal(event);
    if (refusal !== undefined) {
      context.count("refused");
      return this.#send(["OK", event.id, false, refusal]);
    }
    if (context.storage.has(event.id)) {
      return this.#send(["OK", event.id, true, "duplicate: it is here already"]);
    }
    if (!this.#events.tryTake(1) || !context.allEvents.tryTake(1)) {
      context.count("refused");
      return this.#send(["OK", event.id, false, "rate-limited: slow down"]);
    }
    if (verifyEvent(event, context.limits.event) === undefined) {
      return this.#invalid(raw, "invalid: wrong id or signature");
    }
    const [accepted, reason] = this.#keep(event);
    context.count(accepted ? "accepted" : "refused");
    this.#send(["OK", event.id, accepted, reason]);
  }

  /** Why an event is refused whatever its signature; undefined if it is not. */
  #refusal(event: NostrEvent): string | undefined {
    const { clock, limits, writers } = this.#context;
    const nowS = clock.nowMs() / 1000;
    if (event.kind === KIND_AUTH) return "invalid: send it as AUTH";
    if (writers !== undefined && !writers.has(event.pubkey)) {
      return "restricted: only members of this relay may publish";
    }
    if (event.created_at > nowS + limits.futureS) return "invalid: created_at is in the future";
    if ((expirationOf(event) ?? Infinity) <= nowS) return "invalid: it has expired";
    if (indexedTags(event).length > limits.indexedTagsMax) return "invalid: too many tags";
    return undefined;
  }

  #keep(event: NostrEvent): readonly [boolean, string] {
    const { storage, broadcast } = this.#context;
    if (kindClass(event.kind) === "ephemeral") {
      broadcast(event);
      return [true, ""];
    }
    let outcome;
    try {
      outcome = storage.save(event);
    } catch {
      // The disk's trouble is the operator's to see, not the client's.
      return [false, "error: it could not be stored"];
    }
    switch (outcome) {
      case "stored":
        broadcast(event);
        return [true, ""];
      case "duplicate":
        return [true, "duplicate: it is here already"];
      case "superseded":
        return [false, "replaced: a newer event of this address is here"];
      case "deleted":
        return [false, "blocked: its author asked for its deletion"];
      case "full":
        return [false, "blocked: this author has too many events here"];
    }
  }

  #invalid(raw: unknown, reason: string): void {
    this.#context.count("refused");
    const id = (raw as { id?: unknown } | null)?.id;
    if (typeof id === "string" && id.length <= 64) this.#send(["OK", id, false, reason]);
    else this.#send(["NOTICE", reason]);
    if (++this.#invalidCount >= this.#context.limits.invalidEventsMax) {
      this.#socket.close(CLOSE_CODE.policy, "too many invalid events");
    }
  }

  async #handleRequest(id: string, raw: readonly unknown[]): Promise<void> {
    const { storage } = this.#context;
    const filters = this.#readFilters(id, raw);
    if (typeof filters === "string") return this.#send(["CLOSED", id, filters]);
    this.#context.count("queries");
    // Open before the stored events are read, so that nothing falls between the two.
    this.#subscriptions.set(id, {
      matchers: filters.map(compileFilter),
      valueCount: filters.reduce((sum, filter) => sum + valueCountOf(filter), 0),
    });
    const handles = await this.#search(filters);
    for (const handle of handles) {
      if (this.#socket.queuedBytes > REFILL_BYTES && !await this.#drained()) return;
      const json = storage.read(handle);
      if (json === undefined) continue;
      this.#socket.send(`["EVENT",${JSON.stringify(id)},${json}]`);
      this.#context.count("sent");
    }
    this.#send(["EOSE", id]);
  }

  /** Finds stored events, and makes the client wait when its searches cost too much. */
  async #search(filters: readonly Filter[]): Promise<ReadonlySet<number>> {
    const { storage, limits, clock, allSearches } = this.#context;
    const handles = new Set<number>();
    const nowS = Math.floor(clock.nowMs() / 1000);
    for (const filter of filters) {
      const limit = Math.min(filter.limit ?? limits.limitMax, limits.limitMax);
      if (limit === 0) continue;
      const startedMs = clock.monotonicMs();
      for (const handle of storage.find(filter, { nowS, limit, viewer: this.#viewer() })) {
        handles.add(handle);
      }
      const costMs = clock.monotonicMs() - startedMs;
      await this.#pause(Math.max(this.#searches.take(costMs), allSearches.take(costMs)));
    }
    return handles;
  }

  /** Takes no message for a while, which holds the client back. */
  async #pause(ms: number): Promise<void> {
    if (ms <= 0) return;
    await this.#context.clock.sleep(ms, { signal: this.#closing.signal }).catch(() => {});
  }

  #readFilters(id: string, raw: readonly unknown[]): readonly Filter[] | string {
    const { limits, privateKinds, readers } = this.#context;
    if (readers !== undefined && !this.#keys.values().some((key) => readers.has(key))) {
      return this.#keys.size === 0
        ? "auth-required: only members of this relay may read"
        : "restricted: only members of this relay may read";
    }
    if (raw.length > limits.filtersMax) return `invalid: at most ${limits.filtersMax} filters`;
    if (!this.#subscriptions.has(id) && this.#subscriptions.size >= limits.subscriptionsMax) {
      return `error: at most ${limits.subscriptionsMax} subscriptions`;
    }
    const filters: Filter[] = [];
    for (const item of raw) {
      const filter = readFilter(item, limits.filter);
      if (typeof filter === "string") return `invalid: ${filter}`;
      filters.push(filter);
    }
    let openValueCount = filters.reduce((sum, filter) => sum + valueCountOf(filter), 0);
    for (const [other, { valueCount }] of this.#subscriptions) {
      if (other !== id) openValueCount += valueCount;
    }
    if (openValueCount > limits.openValuesMax) {
      return `error: at most ${limits.openValuesMax} values in all open filters`;
    }
    const asksPrivate = filters.some(({ kinds }) =>
      kinds !== undefined && kinds.some((kind) => privateKinds.has(kind))
    );
    if (asksPrivate && this.#keys.size === 0) {
      return "auth-required: private messages are shown to their author and addressees only";
    }
    return filters;
  }

  #handleAuth(raw: unknown): void {
    const { clock, limits, isOwnUrl } = this.#context;
    const event = readEvent(raw, limits.event);
    if (event === undefined) return this.#invalid(raw, "invalid: not an event");
    const ageS = Math.abs(clock.nowMs() / 1000 - event.created_at);
    const reason = event.kind !== KIND_AUTH
      ? `invalid: kind ${KIND_AUTH} wanted`
      : tagValue(event, "challenge") !== this.#challenge
      ? "invalid: wrong challenge"
      : !isOwnUrl(tagValue(event, "relay") ?? "")
      ? "invalid: signed for another relay"
      : ageS > limits.authAgeS
      ? "invalid: too old, or the clock is wrong"
      : this.#keys.size >= limits.authKeysMax && !this.#keys.has(event.pubkey)
      ? `restricted: at most ${limits.authKeysMax} keys`
      : undefined;
    if (reason !== undefined) return this.#send(["OK", event.id, false, reason]);
    if (!this.#events.tryTake(1) || !this.#context.allEvents.tryTake(1)) {
      return this.#send(["OK", event.id, false, "rate-limited: slow down"]);
    }
    if (verifyEvent(event, limits.event) === undefined) {
      return this.#invalid(raw, "invalid: wrong id or signature");
    }
    this.#keys.add(event.pubkey);
    this.#send(["OK", event.id, true, ""]);
  }

  /** Waits until the client has read; one that does not is cut off. */
  async #drained(): Promise<boolean> {
    const { clock, limits } = this.#context;
    const cancel = clock.timer(
      limits.stallMs,
      () => this.#socket.close(CLOSE_CODE.abnormal, "it reads too slowly"),
    );
    await this.#socket.drainedTo(REFILL_BYTES);
    cancel();
    return this.#socket.open;
  }

  #viewer(): StorageViewer {
    return { keys: [...this.#keys], privateKinds: this.#context.privateKinds };
  }

  #send(message: readonly unknown[]): void {
    this.#socket.send(JSON.stringify(message));
  }
}
