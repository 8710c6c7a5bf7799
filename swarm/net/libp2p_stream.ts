/**
 * A {@link ByteStream} on a libp2p stream, with the traps of js-libp2p 3.3 handled:
 *
 * - `onDrain()` never waits again after its first use, so writers wait for the `drain` *event*; the
 *   event comes before the queue is sent, so the flag is looked at again afterwards.
 * - The read queue has no bound of its own, so reading is paused above a mark. A paused yamux stream
 *   sends no window updates, but the rest of a granted window still arrives: `maxReadBufferLength`
 *   must exceed the window or libp2p aborts the stream.
 * - Messages are lists that may wrap Node Buffers of a shared pool, whose `.slice()` does not copy:
 *   what is handed out is a plain Uint8Array on the same memory, which nothing writes to again.
 * - `resume()` hands out what was buffered and only then tells the muxer to go on, so a `pause()` from
 *   inside the message event would be undone: the pause comes after `resume()` returned.
 * - `resume()` on a stream whose connection went away throws.
 * - A connection that goes away under a stream looks to the stream like a regular end (`end`, and a
 *   close without an error): only after `remoteCloseWrite` is an end an end.
 */
import type { Bytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import {
  type Stream,
  type StreamCloseEvent,
  type StreamMessageEvent,
  Uint8ArrayList,
} from "../libp2p.ts";
import type { ByteStream } from "../ports.ts";
import { FastYamuxStream, returnMemory } from "./fast/mod.ts";
import { READ_QUEUE_HIGH_BYTES, READ_QUEUE_LOW_BYTES, STREAM_READ_BUFFER_BYTES } from "./limits.ts";

/** What the adapter is told about its connection. */
export interface Libp2pStreamOptions {
  readonly peerId: string;
  readonly remoteAddr: string;
  readonly relayed: boolean;
  /** Called whenever bytes moved either way. */
  readonly onActivity: () => void;
}

/** Wraps `stream`, which must not be read or written by anybody else from now on. */
export class Libp2pByteStream implements ByteStream {
  readonly peerId: string;
  readonly remoteAddr: string;
  readonly relayed: boolean;
  readonly #stream: Stream;
  readonly #onActivity: () => void;
  readonly #queue: Uint8Array[] = [];
  #queueHead = 0;
  #queuedBytes = 0;
  #isPaused = false;
  #isResuming = false;
  #isEnded = false;
  #isRemoteFinished = false;
  #isWriteClosed = false;
  #writeError: SeedmintError | undefined;
  #error: SeedmintError | undefined;
  #reader: PromiseWithResolvers<Uint8Array | undefined> | undefined;
  #writer: PromiseWithResolvers<void> | undefined;
  readonly #finished = Promise.withResolvers<void>();

  constructor(stream: Stream, options: Libp2pStreamOptions) {
    this.peerId = options.peerId;
    this.remoteAddr = options.remoteAddr;
    this.relayed = options.relayed;
    this.#stream = stream;
    this.#onActivity = options.onActivity;
    stream.maxReadBufferLength = Math.max(stream.maxReadBufferLength, STREAM_READ_BUFFER_BYTES);
    stream.addEventListener("close", this.#onClose);
    stream.addEventListener("drain", this.#onDrain);
    stream.addEventListener("end", this.#onEnd);
    stream.addEventListener("remoteCloseWrite", this.#onRemoteCloseWrite);
    stream.addEventListener("message", this.#onMessage);
    if (stream.status !== "open" && stream.status !== "closing") {
      this.#fail(new Error("it was closed before it was used"));
      return;
    }
    this.#isRemoteFinished = stream.remoteWriteStatus === "closed";
    if (stream.readableEnded) this.#onEnd();
  }

  /** Resolves once both directions are over, for whatever reason. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  get copiesWrites(): boolean {
    return this.#stream instanceof FastYamuxStream && this.#stream.copiesWrites;
  }

  /** Bytes that were written and not yet taken by the connection. */
  get unsentBytes(): number {
    return this.#stream.writeBufferLength;
  }

  /** Bytes that arrived and were not yet read. */
  get unreadBytes(): number {
    return this.#queuedBytes + this.#stream.readBufferLength;
  }

  read(): Promise<Uint8Array | undefined> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#reader !== undefined) {
      return Promise.reject(new TypeError("Cannot read: another read is under way"));
    }
    const bytes = this.#take();
    if (bytes !== undefined) return Promise.resolve(bytes);
    if (this.#isEnded) return Promise.resolve(undefined);
    this.#reader = newWaiter();
    return this.#reader.promise;
  }

  release(bytes: Uint8Array): void {
    returnMemory(bytes.buffer, bytes.length);
  }

  write(...parts: Uint8Array[]): Promise<void> | undefined {
    // One list is one frame and one encryption, where many small sends would each be their own.
    const data = parts.length === 1 ? parts[0]! : new Uint8ArrayList(...parts);
    return this.#write(() => this.#stream.send(data));
  }

  writeOver(bytes: Bytes): Promise<void> | undefined {
    const stream = this.#stream;
    if (!(stream instanceof FastYamuxStream && stream.copiesWrites)) return this.write(bytes);
    return this.#write(() => stream.sendOver(bytes));
  }

  #write(send: () => void): Promise<void> | undefined {
    if (this.#writeError !== undefined) throw this.#writeError;
    if (this.#isWriteClosed) throw resetError("closeWrite was called before");
    try {
      send();
    } catch (error) {
      this.#fail(error);
      throw this.#writeError ?? resetError("it is closed", error);
    }
    if (!this.#stream.writableNeedsDrain) return undefined;
    this.#writer ??= newWaiter();
    return this.#writer.promise;
  }

  async closeWrite(): Promise<void> {
    if (this.#writeError !== undefined || this.#isWriteClosed) return;
    this.#isWriteClosed = true;
    try {
      await this.#stream.close();
    } catch (error) {
      this.#fail(error);
      throw this.#writeError ?? resetError("it is closed", error);
    }
    this.#checkFinished();
  }

  abort(reason: Error): void {
    this.#fail(reason);
    this.#stream.abort(reason);
  }

  readonly #onMessage = (event: StreamMessageEvent): void => {
    this.#onActivity();
    const data = event.data;
    if (data instanceof Uint8Array) this.#push(data);
    else for (const part of data) this.#push(part);
    if (this.#queuedBytes > READ_QUEUE_HIGH_BYTES && !this.#isResuming) this.#pause();
  };

  readonly #onDrain = (): void => {
    this.#onActivity();
    // The stream sends its queue in a microtask that was queued before this one, and may fill up again.
    if (this.#writer === undefined) return;
    queueMicrotask(() => {
      if (this.#stream.writableNeedsDrain) return;
      this.#writer?.resolve();
      this.#writer = undefined;
    });
  };

  readonly #onEnd = (): void => {
    // The event also comes when the connection goes away in the middle: only a stream whose other
    // side said that it finished has ended, anything else is cut off, as its close event will tell.
    if (!this.#isRemoteFinished || this.#isEnded || this.#error !== undefined) return;
    this.#isEnded = true;
    if (this.#queueHead === this.#queue.length) this.#settleReader(undefined);
    this.#checkFinished();
  };

  readonly #onRemoteCloseWrite = (): void => {
    this.#isRemoteFinished = true;
  };

  readonly #onClose = (event: StreamCloseEvent): void => {
    if (event.error !== undefined) return this.#fail(event.error);
    // The connection closed in good order under an open stream: what is unread is still good if the
    // other side had finished, and nothing more can be written.
    if (!this.#isRemoteFinished) return this.#fail(new Error("the connection was closed"));
    if (this.#isWriteClosed) return;
    this.#isWriteClosed = true;
    this.#failWriting(resetError("the connection was closed"));
    this.#checkFinished();
  };

  #push(part: Uint8Array): void {
    if (part.length === 0) return;
    const bytes = part.constructor === Uint8Array
      ? part
      : new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    if (this.#reader !== undefined) return this.#settleReader(bytes);
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  #take(): Uint8Array | undefined {
    if (this.#queueHead === this.#queue.length && this.#isPaused) this.#resume();
    const bytes = this.#queue[this.#queueHead];
    if (bytes === undefined) return undefined;
    this.#queueHead++;
    this.#queuedBytes -= bytes.length;
    if (this.#queueHead === this.#queue.length) {
      this.#queue.length = 0;
      this.#queueHead = 0;
    }
    if (this.#isPaused && this.#queuedBytes < READ_QUEUE_LOW_BYTES) this.#resume();
    return bytes;
  }

  #settleReader(bytes: Uint8Array | undefined): void {
    this.#reader?.resolve(bytes);
    this.#reader = undefined;
  }

  #pause(): void {
    if (this.#isPaused) return;
    const status = this.#stream.readStatus;
    if (status === "closed" || status === "closing") return;
    this.#isPaused = true;
    this.#stream.pause();
  }

  #resume(): void {
    this.#isPaused = false;
    const status = this.#stream.readStatus;
    if (status === "closed" || status === "closing") return;
    this.#isResuming = true;
    try {
      this.#stream.resume();
    } catch {
      // The window update found the connection gone; its close event tells the reader.
    }
    this.#isResuming = false;
    if (this.#queuedBytes > READ_QUEUE_HIGH_BYTES) this.#pause();
  }

  #checkFinished(): void {
    if (this.#isEnded && this.#isWriteClosed) this.#finished.resolve();
  }

  #fail(cause: unknown): void {
    if (this.#error !== undefined || (this.#isEnded && this.#isWriteClosed)) return;
    const why = cause instanceof Error ? cause.message : "the other side reset it";
    this.#error = resetError(why, cause);
    this.#queue.length = 0;
    this.#queueHead = 0;
    this.#queuedBytes = 0;
    this.#reader?.reject(this.#error);
    this.#reader = undefined;
    this.#failWriting(this.#error);
    this.#finished.resolve();
  }

  #failWriting(error: SeedmintError): void {
    this.#writeError = error;
    this.#writer?.reject(error);
    this.#writer = undefined;
  }
}

function resetError(why: string, cause?: unknown): SeedmintError {
  return new SeedmintError("reset", `The stream was aborted: ${why}`, { cause, retryable: true });
}

function newWaiter<T>(): PromiseWithResolvers<T> {
  const waiter = Promise.withResolvers<T>();
  // Nobody need look at it: a failed stream shows at the next call, too.
  waiter.promise.catch(() => {});
  return waiter;
}
