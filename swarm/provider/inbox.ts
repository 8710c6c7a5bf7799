/**
 * What comes in on one stream, read while an answer is under way too. A top-up is handed on at once,
 * everything else waits for its turn: a few requests, then nothing more is read until one is taken.
 */
import { messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type {
  FrameReader,
  Have,
  Message,
  Payment,
  ReceiptAsk,
  ReceiptMessage,
  RefundAsk,
  Want,
} from "../protocol/mod.ts";
import { REQUESTS_AHEAD_BYTES_MAX, REQUESTS_AHEAD_MAX } from "./limits.ts";

/** A message that is answered in its turn. */
export type Request = Want | Have | ReceiptAsk | ReceiptMessage | RefundAsk;

/** Options of {@link Inbox}. */
export interface InboxOptions {
  readonly reader: Pick<FrameReader, "next" | "messageBytes">;
  readonly clock: Pick<Clock, "timer">;
  /** Milliseconds until the first message must be here. */
  readonly firstMs: number;
  /** Milliseconds until the next one must be, while nothing is under way. */
  readonly idleMs: number;
  /** Takes a top-up. What it returns is waited for before anything more is read. */
  readonly onTopUp: (payment: Payment) => Promise<void> | undefined;
  /** Whether a top-up is under way: then the stream is not idle. */
  readonly isPaying: () => boolean;
  /** Called once when the stream broke, or the requester broke the protocol. */
  readonly onFailure: (error: Error) => void;
}

/** The requester's direction of one stream, which is read from now on. Disposing stops no read. */
export class Inbox implements Disposable {
  readonly #options: InboxOptions;
  readonly #queue: { readonly request: Request; readonly bytes: number }[] = [];
  #queuedBytes = 0;
  #patienceMs: number;
  #cancelTimer: (() => void) | undefined;
  #waiting: PromiseWithResolvers<Request | undefined> | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #isEnded = false;
  #failure: Error | undefined;

  constructor(options: InboxOptions) {
    this.#options = options;
    this.#patienceMs = options.firstMs;
    this.#run().catch((error) => this.#fail(error));
  }

  /**
   * The next request in order; undefined once the requester finished. One call at a time.
   *
   * @throws {SeedmintError} `timeout` when none comes, `protocol` after a breach, `reset`.
   */
  next(): Promise<Request | undefined> {
    const first = this.#queue.shift();
    if (first !== undefined) {
      this.#queuedBytes -= first.bytes;
      if (!this.#isFull) this.#room?.resolve();
      return Promise.resolve(first.request);
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isEnded) return Promise.resolve(undefined);
    this.#waiting = Promise.withResolvers();
    this.#arm();
    return this.#waiting.promise;
  }

  [Symbol.dispose](): void {
    this.#isEnded = true;
    this.#cancelTimer?.();
    this.#room?.resolve();
  }

  get #isFull(): boolean {
    return this.#queue.length >= REQUESTS_AHEAD_MAX ||
      this.#queuedBytes >= REQUESTS_AHEAD_BYTES_MAX;
  }

  async #run(): Promise<void> {
    const { reader, idleMs, onTopUp } = this.#options;
    while (!this.#isEnded) {
      if (this.#isFull) {
        this.#room = Promise.withResolvers();
        await this.#room.promise;
        continue;
      }
      const message = await reader.next();
      if (message === undefined) return this.#end();
      this.#patienceMs = idleMs;
      if (!(message instanceof Uint8Array) && message.t === "top-up") {
        if (this.#waiting !== undefined) this.#arm();
        const room = onTopUp(message.payment);
        if (room !== undefined) await room;
      } else this.#take(requestOf(message));
    }
  }

  #take(request: Request): void {
    const waiting = this.#stopWaiting();
    if (waiting !== undefined) return waiting.resolve(request);
    const bytes = this.#options.reader.messageBytes;
    this.#queue.push({ request, bytes });
    this.#queuedBytes += bytes;
  }

  #end(): void {
    this.#isEnded = true;
    this.#stopWaiting()?.resolve(undefined);
  }

  #fail(thrown: unknown): void {
    if (this.#failure !== undefined || this.#isEnded) return;
    const error = thrown instanceof Error ? thrown : new Error(messageOf(thrown));
    this.#failure = error;
    this.#stopWaiting()?.reject(error);
    this.#options.onFailure(error);
  }

  #stopWaiting(): PromiseWithResolvers<Request | undefined> | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#cancelTimer?.();
    return waiting;
  }

  /** Begins to count the time in which the next message must come. */
  #arm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.clock.timer(this.#patienceMs, () => {
      if (this.#options.isPaying()) this.#arm();
      else this.#fail(new SeedmintError("timeout", "The requester sent nothing"));
    });
  }
}

function requestOf(message: Message | Uint8Array): Request {
  if (!(message instanceof Uint8Array)) {
    switch (message.t) {
      case "want":
      case "have":
      case "receipt-ask":
      case "receipt":
      case "refund-ask":
        return message;
    }
  }
  throw new SeedmintError("protocol", "A requester sent what only a provider may");
}
