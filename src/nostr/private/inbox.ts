/**
 * Receives what is addressed to one key: each message once, also what came while it was away.
 *
 *     relays -> queue -> opened -> sender's rate -> seen? -> handled -> seen
 *
 * A message counts as seen only after its handler is done, so a crash gives it again: handlers must be
 * idempotent. What found no room in the queue is asked for again later. Nothing here ever answers.
 */
import { messageOf } from "../../core/errors.ts";
import type { Clock } from "../../core/ports.ts";
import { TokenBucket } from "../../core/token_bucket.ts";
import type { Filter } from "../filter.ts";
import { type NostrEvent, nostrPublicKey } from "../nostr.ts";
import type { RelayPool } from "../relay_pool.ts";
import { catchUp } from "./catch_up.ts";
import { PRIVATE_LIMITS, type PrivateLimits } from "./limits.ts";
import { KIND_GIFT_WRAP, KIND_NIP04, type PrivateKind, type PrivateMessage } from "./message.ts";
import { ConversationKeys, openPrivate } from "./open.ts";
import { MemorySeenIds, type SeenIds } from "./seen.ts";
import { SenderRates } from "./sender_rates.ts";

/** Options of {@link PrivateInbox.open}. */
export interface PrivateInboxOptions {
  readonly pool: Pick<RelayPool, "subscribe" | "query">;
  /** 32 bytes. */
  readonly secretKey: Uint8Array;
  readonly clock: Clock;
  /** What was handled already, kept across restarts. */
  readonly seen: SeenIds;
  /**
   * Called with each message, several at a time. It resolves as soon as the message is safe in the
   * handler's own journal, not when all its consequences have come: {@link PrivateLimits.handlingMax}
   * may be under way. If it rejects, the message is given again later, three times in all.
   */
  readonly onMessage: (message: PrivateMessage) => Promise<void> | void;
  /** Whose messages are wanted; by default everybody's. */
  readonly isWanted?: (sender: string) => boolean;
  /** @default {["nip04", "nip17"]} */
  readonly kinds?: readonly PrivateKind[];
  /** Told what failed here, in one line without content of messages. */
  readonly onProblem?: (problem: string) => void;
  readonly limits?: Partial<PrivateLimits>;
}

/** Counts since the start. */
export interface InboxStatus {
  /** Messages handled. */
  readonly handledCount: number;
  /** Events that were no message to us, or too old, or from senders not wanted. */
  readonly ignoredCount: number;
  /** Messages over a sender's rate: left out until the next start. */
  readonly overRateCount: number;
  /** Events that found no room; they are asked for again. */
  readonly overflowCount: number;
  /** Handlers that failed. */
  readonly failedCount: number;
  /** Events that wait to be opened. */
  readonly queuedCount: number;
}

/** A message is given this often to a handler that fails. */
const ATTEMPTS_MAX = 3;

/** An open inbox; dispose of it to end it. */
export class PrivateInbox implements AsyncDisposable {
  readonly #options: PrivateInboxOptions;
  readonly #limits: PrivateLimits;
  readonly #self: string;
  readonly #filters: (sinceS: number) => readonly Filter[];
  readonly #keys: ConversationKeys;
  readonly #rates: SenderRates;
  readonly #opens: TokenBucket;
  /** Events looked at in vain; forgotten with the process. */
  readonly #skipped: MemorySeenIds;
  readonly #attempts = new Map<string, number>();
  readonly #queue: NostrEvent[] = [];
  #queueChars = 0;
  /** Events that are queued or being opened. */
  readonly #queued = new Set<string>();
  /** Messages that are being handled. */
  readonly #handled = new Set<string>();
  readonly #handling = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #wakePump: () => void = () => {};
  #room = Promise.withResolvers<void>();
  #unsubscribe: () => void = () => {};
  #cancelRenewal: () => void = () => {};
  #cancelCatchUp: (() => void) | undefined;
  #lastCatchUpMs = -Infinity;
  #pumping: Promise<void> = Promise.resolve();
  #catchingUp: Promise<void> = Promise.resolve();
  readonly #counts = { handled: 0, ignored: 0, overRate: 0, overflow: 0, failed: 0 };

  private constructor(options: PrivateInboxOptions) {
    const limits = { ...PRIVATE_LIMITS, ...options.limits };
    this.#options = options;
    this.#limits = limits;
    this.#self = nostrPublicKey(options.secretKey);
    const kinds = (options.kinds ?? ["nip04", "nip17"])
      .map((kind) => kind === "nip04" ? KIND_NIP04 : KIND_GIFT_WRAP);
    this.#filters = (since) => [{ kinds, "#p": [this.#self], since }];
    this.#keys = new ConversationKeys({ countMax: limits.sendersMax });
    this.#rates = new SenderRates({ limits, clock: options.clock });
    this.#opens = new TokenBucket({
      perSecond: limits.opensPerSecond,
      burst: limits.opensBurst,
      clock: options.clock,
    });
    this.#skipped = new MemorySeenIds({ countMax: limits.catchUpEventsMax * 2 });
  }

  /** Begins to receive. */
  static open(options: PrivateInboxOptions): PrivateInbox {
    const inbox = new PrivateInbox(options);
    inbox.#renew();
    inbox.#pumping = inbox.#pump();
    return inbox;
  }

  /** What happened so far. */
  status(): InboxStatus {
    const { handled, ignored, overRate, overflow, failed } = this.#counts;
    return {
      handledCount: handled,
      ignoredCount: ignored,
      overRateCount: overRate,
      overflowCount: overflow,
      failedCount: failed,
      queuedCount: this.#queue.length,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DOMException("The inbox was closed", "AbortError"));
    this.#unsubscribe();
    this.#cancelRenewal();
    this.#cancelCatchUp?.();
    this.#wakePump();
    this.#room.resolve();
    await Promise.all([this.#pumping, this.#catchingUp, ...this.#handling]);
  }

  /** Puts the question anew, from a later start on; what is stored comes again and is known. */
  #renew(): void {
    if (this.#closing.signal.aborted) return;
    this.#unsubscribe();
    this.#attempt("forget old messages", () => this.#options.seen.prune(this.#forgetBeforeS()));
    const finished = new Set<string>();
    let count = 0;
    this.#unsubscribe = this.#options.pool.subscribe(this.#filters(this.#sinceS()), {
      onEvent: (event) => {
        // Relays cut off at some hundred events; what is older has to be asked for in parts.
        if (++count === this.#limits.pageEventsMax) this.#scheduleCatchUp();
        if (this.#receive(event)) return;
        this.#counts.overflow++;
        this.#scheduleCatchUp();
      },
      onEose: (relay) => {
        // A second end means that it was away for a while.
        if (finished.has(relay)) this.#scheduleCatchUp();
        finished.add(relay);
        count = 0;
      },
    });
    this.#cancelRenewal = this.#options.clock.timer(this.#limits.renewMs, () => this.#renew());
  }

  #nowS(): number {
    return Math.floor(this.#options.clock.nowMs() / 1000);
  }

  #sinceS(): number {
    return this.#nowS() - this.#limits.lookBackS;
  }

  /** Ids are kept for longer than a message with such an id is accepted. */
  #forgetBeforeS(): number {
    return this.#sinceS() - this.#limits.lookBackS;
  }

  /** @returns Whether there was room for it, or no need. */
  #receive(event: NostrEvent): boolean {
    if (this.#closing.signal.aborted || this.#isKnown(event)) return true;
    const chars = event.content.length;
    if (chars > this.#limits.contentCharsMax) return this.#ignore(event.id);
    if (event.kind === KIND_NIP04 && !this.#isTimely(event.created_at)) {
      return this.#ignore(event.id);
    }
    if (
      this.#queue.length >= this.#limits.queueCountMax ||
      this.#queueChars + chars > this.#limits.queueCharsMax
    ) return false;
    this.#queued.add(event.id);
    this.#queue.push(event);
    this.#queueChars += chars;
    this.#wakePump();
    return true;
  }

  #isKnown(event: NostrEvent): boolean {
    return this.#queued.has(event.id) || this.#handled.has(event.id) ||
      this.#skipped.has(event.id) ||
      this.#attempt("look up a message", () => this.#options.seen.has(event.id)) === true;
  }

  #ignore(eventId: string): true {
    this.#counts.ignored++;
    this.#skipped.add([eventId], 0);
    return true;
  }

  #isTimely(sentAtS: number): boolean {
    return sentAtS >= this.#sinceS() && sentAtS <= this.#nowS() + this.#limits.futureS;
  }

  async #pump(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const event = this.#queue.shift();
      if (event === undefined) {
        await new Promise<void>((resolve) => this.#wakePump = resolve);
        continue;
      }
      this.#queueChars -= event.content.length;
      this.#room.resolve();
      const waitMs = this.#opens.take(1);
      try {
        if (waitMs > 0) await this.#options.clock.sleep(waitMs, { signal });
        // Opening is pure computing: others on this thread get their turn between two.
        await new Promise((resolve) => setTimeout(resolve, 0));
        await this.#open(event);
      } catch (error) {
        if (!signal.aborted) this.#report("open a message", error);
      } finally {
        this.#queued.delete(event.id);
      }
    }
  }

  async #open(event: NostrEvent): Promise<void> {
    // Of NIP-04 the sender is known before anything costs.
    if (event.kind === KIND_NIP04 && !this.#admits(event.pubkey, event.id)) return;
    const message = await openPrivate(event, {
      secretKey: this.#options.secretKey,
      publicKey: this.#self,
      conversationKeys: this.#keys,
    });
    if (message === undefined || !this.#isTimely(message.sentAtS)) {
      this.#ignore(event.id);
      return;
    }
    if (this.#options.seen.has(message.id)) {
      this.#options.seen.add([event.id], this.#nowS());
      return;
    }
    if (this.#handled.has(message.id)) return;
    if (event.kind !== KIND_NIP04 && !this.#admits(message.sender, event.id)) return;
    while (this.#handling.size >= this.#limits.handlingMax) {
      await Promise.race([...this.#handling, aborted(this.#closing.signal)]);
      this.#closing.signal.throwIfAborted();
    }
    const handling = this.#handle(message, event.id).finally(() => this.#handling.delete(handling));
    this.#handling.add(handling);
  }

  #admits(sender: string, eventId: string): boolean {
    if (sender === this.#self || this.#options.isWanted?.(sender) === false) {
      this.#ignore(eventId);
      return false;
    }
    if (this.#rates.admits(sender)) return true;
    this.#counts.overRate++;
    this.#skipped.add([eventId], 0);
    return false;
  }

  async #handle(message: PrivateMessage, eventId: string): Promise<void> {
    this.#handled.add(message.id);
    try {
      await this.#options.onMessage(message);
      this.#options.seen.add([...new Set([message.id, eventId])], this.#nowS());
      this.#attempts.delete(message.id);
      this.#counts.handled++;
    } catch (error) {
      this.#counts.failed++;
      this.#report("handle a message", error);
      const attempts = (this.#attempts.get(message.id) ?? 0) + 1;
      if (attempts >= ATTEMPTS_MAX) {
        this.#attempts.delete(message.id);
        this.#skipped.add([eventId], 0);
      } else {
        if (this.#attempts.size < this.#limits.queueCountMax) {
          this.#attempts.set(message.id, attempts);
        }
        this.#scheduleCatchUp();
      }
    } finally {
      this.#handled.delete(message.id);
    }
  }

  #scheduleCatchUp(): void {
    if (this.#closing.signal.aborted || this.#cancelCatchUp !== undefined) return;
    const { clock } = this.#options;
    const sinceLastMs = clock.monotonicMs() - this.#lastCatchUpMs;
    const waitMs = Math.max(0, this.#limits.catchUpPauseMs - sinceLastMs);
    this.#cancelCatchUp = clock.timer(waitMs, () => {
      this.#catchingUp = this.#catchUp().finally(() => {
        this.#lastCatchUpMs = clock.monotonicMs();
        this.#cancelCatchUp = undefined;
      });
    });
  }

  async #catchUp(): Promise<void> {
    const { signal } = this.#closing;
    try {
      await catchUp({
        pool: this.#options.pool,
        filters: this.#filters(this.#sinceS()),
        sinceS: this.#sinceS(),
        untilS: this.#nowS() + this.#limits.futureS,
        limits: this.#limits,
        signal,
        onEvent: async (event) => {
          while (!this.#receive(event) && !signal.aborted) {
            this.#room = Promise.withResolvers();
            await this.#room.promise;
          }
        },
      });
    } catch (error) {
      if (!signal.aborted) this.#report("ask for earlier messages", error);
    }
  }

  #attempt<T>(what: string, action: () => T): T | undefined {
    try {
      return action();
    } catch (error) {
      this.#report(what, error);
      return undefined;
    }
  }

  #report(what: string, error: unknown): void {
    this.#options.onProblem?.(`Cannot ${what}: ${messageOf(error)}`);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
