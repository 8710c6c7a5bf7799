/**
 * One open connection to one relay, from handshake to end: what is asked over it, and what it may
 * answer. The relay is a stranger: an event is looked at in the order of cost (shape, filter, seen
 * before, signature), faults are counted, and a relay that sends too fast is read more slowly.
 */
import { SeedmintError } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import { TokenBucket } from "../../core/token_bucket.ts";
import { type Filter, matchesAny } from "../filter.ts";
import type { PoolLimits } from "../limits.ts";
import { readRelayMessage, reasonPrefix, type RelayMessage } from "../messages.ts";
import { type NostrEvent, readEvent, signAuth, verifyEvent } from "../nostr.ts";
import { CLOSE_CODE } from "../websocket/frames.ts";
import type { Socket } from "../websocket/socket.ts";

/** Why a subscription ended. */
export type SubscriptionEnd =
  /** All stored events came. Only for a subscription that wanted no more. */
  | { readonly why: "eose" }
  /** The relay closed it. */
  | { readonly why: "closed"; readonly reason: string }
  /** The relay gave more than it may; what came before stays good. */
  | { readonly why: "capped" }
  /** The connection ended. */
  | { readonly why: "lost"; readonly reason: string };

/** What a subscription wants. */
export interface SubscriptionOptions {
  readonly filters: readonly Filter[];
  /** Whether an event of this id was verified already, from any relay. */
  readonly isSeen: (id: string) => boolean;
  /** Called with each verified event that matches. */
  readonly onEvent: (event: NostrEvent) => void;
  /** Given for a live subscription: called at `EOSE`, and it goes on. */
  readonly onEose?: () => void;
  readonly eventsMax: number;
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

/** How a session ended. */
export interface SessionEnd {
  readonly reason: string;
  readonly blame: "nobody" | "network" | "relay";
}

/** The answer to an `EVENT` or an `AUTH`. */
export interface RelayAnswer {
  readonly accepted: boolean;
  readonly reason: string;
}

interface Subscription extends SubscriptionOptions {
  readonly id: string;
  readonly end: (end: SubscriptionEnd) => void;
  eventCount: number;
  byteCount: number;
}

const FAULT = { signature: 10, shape: 1 } as const;

/** Options of {@link RelaySession}. */
export interface RelaySessionOptions {
  readonly url: string;
  readonly limits: PoolLimits;
  readonly clock: Clock;
  readonly authSecretKey?: Uint8Array;
}

/** One connection; when it ends, everything asked over it ends. */
export class RelaySession {
  readonly #socket: Socket;
  readonly #options: RelaySessionOptions;
  readonly #bucket: TokenBucket;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #answers = new Map<string, ((answer: RelayAnswer) => void)[]>();
  readonly #closing = new AbortController();
  #serial = 0;
  #faults = 0;
  #strays = 0;
  #lostReason: string | undefined;
  #challenge = Promise.withResolvers<string>();
  #authentication: Promise<RelayAnswer> | undefined;
  readonly ended: Promise<SessionEnd>;
  #closed = false;

  constructor(socket: Socket, options: RelaySessionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#bucket = new TokenBucket({
      perSecond: options.limits.eventsPerSecond,
      burst: options.limits.eventsBurst,
      clock: options.clock,
    });
    this.ended = this.#run();
  }

  /** Whether anything is under way. */
  get busy(): boolean {
    return this.#subscriptions.size > 0 || this.#answers.size > 0;
  }

  /** Whether it can still be used. */
  get open(): boolean {
    return this.#lostReason === undefined && this.#socket.open;
  }

  /** Whether the relay took our answer to its challenge. */
  authenticated = false;

  /** Sends an event and waits for its `OK`. */
  publish(event: NostrEvent, signal: AbortSignal): Promise<RelayAnswer> {
    return this.#sendForAnswer("EVENT", event, signal);
  }

  /** Opens a subscription; resolves when it is over. Rejects only with `signal.reason`. */
  subscribe(options: SubscriptionOptions): Promise<SubscriptionEnd> {
    options.signal.throwIfAborted();
    const id = `s${++this.#serial}`;
    return new Promise<SubscriptionEnd>((resolve, reject) => {
      const onAbort = () => {
        if (this.#drop(id)) reject(options.signal.reason);
      };
      const end = (value: SubscriptionEnd) => {
        options.signal.removeEventListener("abort", onAbort);
        resolve(value);
      };
      if (!this.open) return end({ why: "lost", reason: this.#lostReason ?? "closing" });
      options.signal.addEventListener("abort", onAbort, { once: true });
      this.#subscriptions.set(id, { ...options, id, end, eventCount: 0, byteCount: 0 });
      this.#socket.send(JSON.stringify(["REQ", id, ...options.filters]));
    });
  }

  /**
   * Proves our key to the relay (NIP-42), once per session.
   *
   * @returns Whether the relay accepts it; false when there is no key to prove.
   */
  async authenticate(signal: AbortSignal): Promise<boolean> {
    const secretKey = this.#options.authSecretKey;
    if (secretKey === undefined) return false;
    const challenge = await abortable(this.#challenge.promise, signal);
    if (challenge === "") return false;
    this.#authentication ??= this.#sendForAnswer(
      "AUTH",
      signAuth({
        relayUrl: this.#options.url,
        challenge,
        secretKey,
        nowMs: this.#options.clock.nowMs(),
      }),
      this.#closing.signal,
    ).catch(() => ({ accepted: false, reason: "error: the connection ended" }));
    this.authenticated = (await abortable(this.#authentication, signal)).accepted;
    return this.authenticated;
  }

  /** Ends the session. */
  close(): void {
    this.#closed = true;
    this.#socket.close(CLOSE_CODE.normal);
  }

  #sendForAnswer(
    type: "EVENT" | "AUTH",
    event: NostrEvent,
    signal: AbortSignal,
  ): Promise<RelayAnswer> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        const left = (this.#answers.get(event.id) ?? []).filter((one) => one !== answer);
        if (left.length > 0) this.#answers.set(event.id, left);
        else this.#answers.delete(event.id);
        reject(signal.reason);
      };
      const answer = (value: RelayAnswer) => {
        signal.removeEventListener("abort", onAbort);
        resolve(value);
      };
      if (!this.open) return answer({ accepted: false, reason: "error: not connected" });
      signal.addEventListener("abort", onAbort, { once: true });
      this.#answers.set(event.id, [...this.#answers.get(event.id) ?? [], answer]);
      this.#socket.send(JSON.stringify([type, event]));
    });
  }

  async #run(): Promise<SessionEnd> {
    let misbehaved = false;
    let reason: string | undefined;
    try {
      for (;;) {
        const text = await this.#socket.receive();
        if (text === undefined) break;
        const message = readRelayMessage(text);
        if (message === undefined) this.#fault(FAULT.shape, "unreadable messages");
        else await this.#handle(message, text.length);
      }
    } catch (error) {
      misbehaved = true;
      reason = error instanceof SeedmintError ? error.message : String(error);
      this.#socket.close(CLOSE_CODE.policy);
    }
    const end = await this.#socket.ended;
    reason ??= end.reason || `closed with code ${end.code}`;
    misbehaved ||= end.code === CLOSE_CODE.tooBig || end.code === CLOSE_CODE.protocol ||
      end.code === CLOSE_CODE.policy;
    this.#lose(reason);
    return { reason, blame: misbehaved ? "relay" : this.#closed ? "nobody" : "network" };
  }

  async #handle(message: RelayMessage, size: number): Promise<void> {
    switch (message.type) {
      case "EVENT":
        return await this.#handleEvent(message.subscription, message.event, size);
      case "EOSE": {
        const subscription = this.#subscriptions.get(message.subscription);
        if (subscription?.onEose !== undefined) subscription.onEose();
        else if (this.#drop(message.subscription)) subscription!.end({ why: "eose" });
        return;
      }
      case "CLOSED": {
        const subscription = this.#subscriptions.get(message.subscription);
        this.#subscriptions.delete(message.subscription);
        subscription?.end({ why: "closed", reason: message.reason });
        return;
      }
      case "OK": {
        const waiting = this.#answers.get(message.id) ?? [];
        this.#answers.delete(message.id);
        for (const answer of waiting) answer(message);
        return;
      }
      case "AUTH":
        this.#authentication = undefined;
        this.#challenge.resolve(message.challenge);
        this.#challenge = Promise.withResolvers();
        this.#challenge.resolve(message.challenge);
        return;
      case "NOTICE":
        // For people only; a flood of them is a flood all the same.
        return await this.#slowDown();
    }
  }

  async #handleEvent(id: string, raw: unknown, size: number): Promise<void> {
    await this.#slowDown();
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) {
      if (++this.#strays > this.#options.limits.strayMessagesMax) {
        this.#fault(this.#options.limits.faultsMax, "events that nobody asked for");
      }
      return;
    }
    subscription.eventCount++;
    subscription.byteCount += size;
    if (
      subscription.eventCount > subscription.eventsMax ||
      subscription.byteCount > subscription.bytesMax
    ) {
      if (this.#drop(id)) subscription.end({ why: "capped" });
      return;
    }
    const event = readEvent(raw, this.#options.limits.event);
    if (event === undefined || !matchesAny(subscription.filters, event)) {
      return this.#fault(FAULT.shape, "events that do not match what was asked");
    }
    if (subscription.isSeen(event.id)) return;
    if (verifyEvent(event, this.#options.limits.event) === undefined) {
      return this.#fault(FAULT.signature, "events with wrong signatures");
    }
    subscription.onEvent(event);
  }

  /** Waits when the relay sends faster than allowed, which holds it back. */
  async #slowDown(): Promise<void> {
    const waitMs = this.#bucket.take(1);
    if (waitMs <= 0) return;
    try {
      await this.#options.clock.sleep(waitMs, { signal: this.#closing.signal });
    } catch {
      // The session is closing: what follows is read and dropped.
    }
  }

  #fault(weight: number, what: string): void {
    this.#faults += weight;
    if (this.#faults < this.#options.limits.faultsMax) return;
    throw new SeedmintError("protocol", `Left relay ${this.#options.url}: it sends ${what}`);
  }

  /** Forgets a subscription and tells the relay; false if it was forgotten already. */
  #drop(id: string): boolean {
    if (!this.#subscriptions.delete(id)) return false;
    this.#socket.send(JSON.stringify(["CLOSE", id]));
    return true;
  }

  #lose(reason: string): void {
    this.#lostReason = reason;
    this.#closing.abort(new SeedmintError("reset", reason));
    this.#challenge.resolve("");
    for (const subscription of this.#subscriptions.values()) {
      subscription.end({ why: "lost", reason });
    }
    this.#subscriptions.clear();
    for (const waiting of this.#answers.values()) {
      for (const answer of waiting) {
        answer({ accepted: false, reason: `error: the connection ended: ${reason}` });
      }
    }
    this.#answers.clear();
  }
}

/** Whether a relay's words ask for NIP-42. */
export function wantsAuthentication(reason: string): boolean {
  return reasonPrefix(reason) === "auth-required";
}

/** `promise`, unless `signal` is aborted first. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
