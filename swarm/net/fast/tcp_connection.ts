/** One TCP connection on Deno's own sockets as a libp2p `MultiaddrConnection`. */
import {
  type AbortOptions,
  AbstractMultiaddrConnection,
  type AbstractMultiaddrConnectionInit,
  type SendResult,
  StreamStateError,
  TimeoutError,
  type Uint8ArrayList,
} from "../../libp2p.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { BlockPool } from "./block_pool.ts";
import type { DirectConsumer, DirectSink, DirectSource } from "./direct.ts";
import {
  CLOSE_LINGER_MS,
  READ_BUSY_BYTES,
  READ_IDLE_BYTES,
  READ_SMALL_COUNT_MAX,
  WRITE_QUEUE_BYTES_MAX,
} from "./limits.ts";
import { SocketWriter } from "./socket_writer.ts";

const busyBuffers = new BlockPool(READ_BUSY_BYTES);

/** What a {@link DenoTcpConnection} is made of. */
export interface DenoTcpConnectionInit extends AbstractMultiaddrConnectionInit {
  readonly socket: Deno.TcpConn;
  readonly clock: Clock;
  readonly inactivityMs: number;
}

/** Reads in large pieces into a buffer that is used again, writes in large blocks. */
export class DenoTcpConnection extends AbstractMultiaddrConnection
  implements DirectSource, DirectSink {
  readonly #socket: Deno.TcpConn;
  readonly #writer: SocketWriter;
  readonly #clock: Clock;
  readonly #inactivityMs: number;
  readonly #ended = Promise.withResolvers<void>();
  #consumer: DirectConsumer | undefined;
  #isSocketClosed = false;
  #resume: (() => void) | undefined;
  #isPaused = false;
  #lastActiveMs: number;
  #stopTimer: (() => void) | undefined;

  // The read buffer: bytes kept from before are in front.
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(READ_IDLE_BYTES);
  #keptBytes = 0;
  #smallReadCount = 0;
  #leftover: Uint8Array | undefined;

  constructor(init: DenoTcpConnectionInit) {
    super(init);
    this.#socket = init.socket;
    this.#clock = init.clock;
    this.#inactivityMs = init.inactivityMs;
    this.#lastActiveMs = init.clock.monotonicMs();
    this.#writer = new SocketWriter((bytes) => this.#socket.write(bytes), {
      onProgress: () => this.#lastActiveMs = this.#clock.monotonicMs(),
      onDrain: () => this.safeDispatchEvent("drain"),
      onError: (error) => this.#onSocketError(error),
    });
    this.#watchInactivity();
    this.#read().catch((error) => this.#onSocketError(error));
  }

  override get writeBufferLength(): number {
    return this.#writer.queuedBytes;
  }

  /** Resolves once the socket is closed. */
  get socketClosed(): Promise<void> {
    return this.#ended.promise;
  }

  attach(consumer: DirectConsumer): void {
    const buffered = this.readBuffer.slice();
    this.readBuffer.consume(buffered.length);
    this.#consumer = consumer;
    if (buffered.length === 0) return;
    // A read into the buffer may be under way, so what is left over waits beside it.
    const used = this.#consume(buffered);
    if (used < buffered.length) this.#leftover = buffered.subarray(used);
  }

  reserve(count: number): Uint8Array {
    this.#assertWritable();
    return this.#writer.reserve(count);
  }

  commit(count: number): void {
    this.#writer.commit(count);
    this.#checkQueue();
  }

  get needsDrain(): boolean {
    const needsDrain = this.#writer.needsDrain;
    if (needsDrain) this.writableNeedsDrain = true;
    return needsDrain;
  }

  override send(data: Uint8Array | Uint8ArrayList): boolean {
    this.#assertWritable();
    if (data instanceof Uint8Array) this.#writer.append(data);
    else for (const part of data) this.#writer.append(part);
    this.#checkQueue();
    return !this.needsDrain;
  }

  sendData(data: Uint8ArrayList): SendResult {
    const sentBytes = data.byteLength;
    return { sentBytes, canSendMore: this.send(data) };
  }

  sendPause(): void {
    this.#isPaused = true;
  }

  sendResume(): void {
    this.#isPaused = false;
    this.#resume?.();
    this.#resume = undefined;
  }

  sendReset(): void {
    this.#closeSocket();
  }

  async sendClose(options?: AbortOptions): Promise<void> {
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(options?.signal?.reason);
    options?.signal?.addEventListener("abort", onAbort);
    const stopLinger: (() => void)[] = [];
    try {
      if (options?.signal?.aborted) onAbort();
      await Promise.race([this.#writer.flushed(), aborted.promise]);
      if (this.#isSocketClosed) return;
      await Promise.race([this.#socket.closeWrite(), aborted.promise]);
      // Closing with unread bytes in the kernel resets the connection, and the reset may
      // overtake what we sent last: the other side ends first, or we waited long enough.
      const linger = new Promise<void>((resolve) => {
        stopLinger.push(this.#clock.timer(CLOSE_LINGER_MS, resolve));
      });
      await Promise.race([this.#ended.promise, linger, aborted.promise]);
    } catch (error) {
      if (!this.#isSocketClosed) throw error;
    } finally {
      aborted.promise.catch(() => {});
      options?.signal?.removeEventListener("abort", onAbort);
      for (const stop of stopLinger) stop();
      this.#closeSocket();
    }
  }

  #assertWritable(): void {
    if (this.writeStatus === "closed" || this.writeStatus === "closing") {
      throw new StreamStateError(`Cannot write to a connection that is ${this.writeStatus}`);
    }
  }

  #checkQueue(): void {
    if (this.#writer.queuedBytes > WRITE_QUEUE_BYTES_MAX) {
      this.abort(
        new Error(
          `Ended the connection to ${this.remoteAddr}: ${this.#writer.queuedBytes} bytes wait to be read by it`,
        ),
      );
    }
  }

  async #read(): Promise<void> {
    while (!this.#isSocketClosed) {
      if (this.#isPaused) await new Promise<void>((resolve) => this.#resume = resolve);
      const buffer = this.#buffer;
      const count = await this.#socket.read(
        this.#keptBytes === 0 ? buffer : buffer.subarray(this.#keptBytes),
      );
      if (this.#isSocketClosed) return;
      if (count === null) return this.#onEnd();
      this.#lastActiveMs = this.#clock.monotonicMs();
      if (this.#consumer === undefined) this.onData(buffer.slice(0, count));
      else this.#deliver(this.#withLeftover(this.#keptBytes + count));
      this.#adapt(count);
    }
  }

  /** Puts what was left over when the consumer attached before the bytes just read. */
  #withLeftover(length: number): number {
    const leftover = this.#leftover;
    if (leftover === undefined) return length;
    this.#leftover = undefined;
    const read = this.#buffer.slice(0, length);
    this.#makeRoom(leftover.length + length);
    this.#buffer.set(leftover, 0);
    this.#buffer.set(read, leftover.length);
    return leftover.length + length;
  }

  /** Gives the first `length` bytes of the buffer to the consumer and moves the rest in front. */
  #deliver(length: number): void {
    const used = this.#consume(this.#buffer.subarray(0, length));
    if (used > 0 && used < length) this.#buffer.copyWithin(0, used, length);
    this.#keptBytes = length - used;
  }

  #consume(bytes: Uint8Array): number {
    if (this.status !== "open" && this.status !== "closing") return bytes.length;
    try {
      const used = this.#consumer!.onBytes(bytes);
      this.#consumer!.onBatchEnd();
      return used;
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error(String(error)));
      return bytes.length;
    }
  }

  #adapt(count: number): void {
    const size = this.#buffer.length;
    if (size < READ_BUSY_BYTES && (this.#keptBytes + count >= size || this.#keptBytes > size / 2)) {
      this.#makeRoom(READ_BUSY_BYTES);
      this.#smallReadCount = 0;
    } else if (size > READ_IDLE_BYTES && count < size / 8 && this.#keptBytes === 0) {
      this.#smallReadCount += 1;
      if (this.#smallReadCount < READ_SMALL_COUNT_MAX) return;
      this.#smallReadCount = 0;
      busyBuffers.give(this.#buffer);
      this.#buffer = new Uint8Array(READ_IDLE_BYTES);
    } else {
      this.#smallReadCount = 0;
    }
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#buffer.length) return;
    const larger = bytes <= READ_BUSY_BYTES ? busyBuffers.take() : new Uint8Array(bytes);
    larger.set(this.#buffer.subarray(0, this.#keptBytes));
    busyBuffers.give(this.#buffer);
    this.#buffer = larger;
  }

  #onEnd(): void {
    this.#ended.resolve();
    if (this.status === "closing") return; // sendClose() does the rest
    this.onTransportClosed();
    this.#writer.flushed().finally(() => this.#closeSocket());
    this.#stopTimer?.();
    this.#stopTimer = this.#clock.timer(CLOSE_LINGER_MS, () => this.#closeSocket());
  }

  #onSocketError(error: unknown): void {
    if (this.#isSocketClosed) return;
    this.#closeSocket();
    if (this.status === "closing") return;
    this.abort(error instanceof Error ? error : new Error(String(error)));
  }

  #closeSocket(): void {
    if (this.#isSocketClosed) return;
    this.#isSocketClosed = true;
    this.#stopTimer?.();
    this.#writer.close();
    try {
      this.#socket.close();
    } catch {
      // The runtime closed it already after an error.
    }
    this.#resume?.();
    this.#ended.resolve();
  }

  #watchInactivity(): void {
    const idleMs = this.#clock.monotonicMs() - this.#lastActiveMs;
    if (idleMs >= this.#inactivityMs) {
      this.abort(new TimeoutError(`No byte from or to ${this.remoteAddr} for ${idleMs | 0} ms`));
      return;
    }
    this.#stopTimer = this.#clock.timer(this.#inactivityMs - idleMs, () => {
      if (!this.#isSocketClosed) this.#watchInactivity();
    });
  }
}
