/**
 * A pair of {@link ByteStream}s joined in memory, with the manners of a real one: a window per
 * direction, half closing, and an abort that both ends notice.
 */
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { ByteStream } from "../ports.ts";

/** One end of a pair, as the other side is named and reached. */
export interface MemoryStreamEnd {
  readonly peerId: string;
  readonly remoteAddr: string;
  readonly relayed: boolean;
}

/** How a pair of streams behaves. */
export interface MemoryPairOptions {
  /** What the opener sees of the other side. */
  readonly opener: MemoryStreamEnd;
  /** What the side that accepts sees of the opener. */
  readonly acceptor: MemoryStreamEnd;
  readonly windowBytes: number;
  readonly clock: Pick<Clock, "monotonicMs" | "timer">;
  /** One-way delay in milliseconds, asked once for each write. */
  readonly latencyMs: () => number;
}

/** A stream whose end others may wait for. */
export interface MemoryStream extends ByteStream {
  /** Calls `listener` once both directions are over, for whatever reason. */
  onEnd(listener: () => void): void;
}

/** Joins two ends; what one writes the other reads. */
export function memoryStreamPair(options: MemoryPairOptions): [MemoryStream, MemoryStream] {
  const pair = new Pair(options);
  return [
    new End(options.opener, pair, pair.forth, pair.back),
    new End(options.acceptor, pair, pair.back, pair.forth),
  ];
}

/** What the two ends share. */
class Pair {
  readonly forth: Pipe;
  readonly back: Pipe;
  readonly #endListeners: (() => void)[] = [];
  #isEnded = false;

  constructor(options: MemoryPairOptions) {
    this.forth = new Pipe(options, () => this.#check());
    this.back = new Pipe(options, () => this.#check());
  }

  onEnd(listener: () => void): void {
    if (this.#isEnded) listener();
    else this.#endListeners.push(listener);
  }

  reset(reason: Error): void {
    if (this.#isEnded) return;
    const error = new SeedmintError("reset", `The stream was aborted: ${reason.message}`, {
      cause: reason,
      retryable: true,
    });
    this.forth.fail(error);
    this.back.fail(error);
    this.#end();
  }

  #check(): void {
    if (this.forth.isDrained && this.back.isDrained) this.#end();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const listener of this.#endListeners) listener();
  }
}

class End implements MemoryStream {
  readonly peerId: string;
  readonly remoteAddr: string;
  readonly relayed: boolean;
  readonly #pair: Pair;
  readonly #outgoing: Pipe;
  readonly #incoming: Pipe;

  constructor(end: MemoryStreamEnd, pair: Pair, outgoing: Pipe, incoming: Pipe) {
    this.peerId = end.peerId;
    this.remoteAddr = end.remoteAddr;
    this.relayed = end.relayed;
    this.#pair = pair;
    this.#outgoing = outgoing;
    this.#incoming = incoming;
  }

  onEnd(listener: () => void): void {
    this.#pair.onEnd(listener);
  }

  read(): Promise<Uint8Array | undefined> {
    return this.#incoming.read();
  }

  write(...parts: Uint8Array[]): Promise<void> | undefined {
    return this.#outgoing.write(parts);
  }

  closeWrite(): Promise<void> {
    return this.#outgoing.close();
  }

  abort(reason: Error): void {
    this.#pair.reset(reason);
  }
}

/** A promise that can be settled from outside, and that never counts as unhandled. */
interface Waiter<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

/** One direction: a queue whose writer is asked to wait above the window. */
class Pipe {
  readonly #windowBytes: number;
  readonly #clock: Pick<Clock, "monotonicMs" | "timer">;
  readonly #latencyMs: () => number;
  readonly #onDrained: () => void;
  readonly #queue: { readonly bytes: Uint8Array; readonly dueMs: number }[] = [];
  #queuedBytes = 0;
  #lastDueMs = 0;
  #isClosed = false;
  #closedDueMs = 0;
  #isDrained = false;
  #error: Error | undefined;
  #reader: Waiter<Uint8Array | undefined> | undefined;
  #writer: Waiter<void> | undefined;
  #cancelTimer: (() => void) | undefined;

  constructor(options: MemoryPairOptions, onDrained: () => void) {
    this.#windowBytes = options.windowBytes;
    this.#clock = options.clock;
    this.#latencyMs = options.latencyMs;
    this.#onDrained = onDrained;
  }

  /** Closed, and its end was read. */
  get isDrained(): boolean {
    return this.#isDrained;
  }

  write(parts: readonly Uint8Array[]): Promise<void> | undefined {
    if (this.#error !== undefined) throw this.#error;
    if (this.#isClosed) throw new SeedmintError("reset", "Cannot write: closeWrite was called");
    const dueMs = this.#nextDueMs();
    for (const bytes of parts) {
      if (bytes.length === 0) continue;
      this.#queue.push({ bytes, dueMs });
      this.#queuedBytes += bytes.length;
    }
    this.#deliver();
    if (this.#queuedBytes <= this.#windowBytes) return undefined;
    this.#writer ??= newWaiter();
    return this.#writer.promise;
  }

  async close(): Promise<void> {
    // As with a socket, closing what is broken already is no error: the reader gets to know.
    if (this.#error !== undefined || this.#isClosed) return;
    this.#isClosed = true;
    this.#closedDueMs = this.#nextDueMs();
    this.#deliver();
    if (this.#queuedBytes > this.#windowBytes) {
      this.#writer ??= newWaiter();
      await this.#writer.promise;
    }
  }

  read(): Promise<Uint8Array | undefined> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#reader !== undefined) {
      return Promise.reject(new TypeError("Cannot read: another read is under way"));
    }
    const reader = newWaiter<Uint8Array | undefined>();
    this.#reader = reader;
    this.#deliver();
    return reader.promise;
  }

  fail(error: Error): void {
    if (this.#isDrained) return;
    this.#error = error;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#reader?.reject(error);
    this.#reader = undefined;
    this.#writer?.reject(error);
    this.#writer = undefined;
  }

  /** Hands the next bytes, or the end, to a waiting reader once they are due. */
  #deliver(): void {
    const reader = this.#reader;
    if (reader === undefined || this.#cancelTimer !== undefined) return;
    const next = this.#queue[0];
    if (next === undefined && !this.#isClosed) return;
    const waitMs = (next?.dueMs ?? this.#closedDueMs) - this.#clock.monotonicMs();
    if (waitMs > 0) {
      this.#cancelTimer = this.#clock.timer(waitMs, () => {
        this.#cancelTimer = undefined;
        this.#deliver();
      });
      return;
    }
    this.#reader = undefined;
    if (next === undefined) {
      reader.resolve(undefined);
      if (!this.#isDrained) {
        this.#isDrained = true;
        this.#onDrained();
      }
      return;
    }
    this.#queue.shift();
    this.#queuedBytes -= next.bytes.length;
    if (this.#queuedBytes <= this.#windowBytes) {
      this.#writer?.resolve();
      this.#writer = undefined;
    }
    reader.resolve(next.bytes);
  }

  /** Bytes never overtake earlier ones, whatever the latency does. */
  #nextDueMs(): number {
    const dueMs = this.#clock.monotonicMs() + this.#latencyMs();
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs);
    return this.#lastDueMs;
  }
}

function newWaiter<T>(): Waiter<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  promise.catch(() => {});
  return { promise, resolve, reject };
}
