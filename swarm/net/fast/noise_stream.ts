/** The encrypted data phase of a Noise connection as a libp2p `MessageStream`. */
import {
  type AbortOptions,
  AbstractMessageStream,
  type MessageStream,
  type SendResult,
  StreamStateError,
  Uint8ArrayList,
} from "../../libp2p.ts";
import type { CipherState } from "./cipher_state.ts";
import { type DirectConsumer, type DirectSink, isDirectSink, isDirectSource } from "./direct.ts";
import { NOISE_PLAINTEXT_BYTES_MAX, NOISE_TAG_BYTES } from "./limits.ts";
import { lendMemory } from "./plaintext_memory.ts";

const LENGTH_BYTES = 2;

/** From this size on a frame is worth a message of its own, which saves a copy. */
const OWN_MESSAGE_BYTES_MIN = 32 * 1024;

/** What a layer above does with decrypted bytes. */
export interface PlaintextConsumer {
  /** Takes all of `plaintext`, which nobody changes later: it may be kept. */
  onPlaintext(plaintext: Uint8Array): void;
  /** Called after the bytes of one read were handed over. */
  onBatchEnd(): void;
}

/** Ciphers of an established connection. */
export interface NoiseStreamInit {
  readonly inner: MessageStream;
  readonly sending: CipherState;
  readonly receiving: CipherState;
  /** Bytes that came after the handshake's last message. */
  readonly leftover: Uint8Array;
}

/**
 * Gathers what is sent in one turn of the event loop into messages of up to 65,535 bytes, encrypts
 * each straight into the socket's block, and decrypts straight from its read buffer.
 */
export class NoiseStream extends AbstractMessageStream {
  readonly #inner: MessageStream;
  readonly #sink: DirectSink | undefined;
  readonly #sending: CipherState;
  readonly #receiving: CipherState;
  #consumer: PlaintextConsumer | undefined;

  // Plaintext that waits for the end of the turn or for a full message.
  #staged: Uint8Array | undefined;
  #stagedBytes = 0;
  #isFlushScheduled = false;

  // Only above a stock layer: bytes of an incomplete message.
  #partial: Uint8Array = new Uint8Array(0);

  constructor(init: NoiseStreamInit) {
    const { inner } = init;
    super({
      log: inner.log.newScope("noise"),
      inactivityTimeout: inner.inactivityTimeout,
      maxReadBufferLength: inner.maxReadBufferLength,
      direction: inner.direction,
    });
    this.#inner = inner;
    this.#sink = isDirectSink(inner) ? inner : undefined;
    this.#sending = init.sending;
    this.#receiving = init.receiving;
    inner.addEventListener("close", (event) => {
      if (event.error === undefined) this.onTransportClosed();
      else if (event.local === true) this.abort(event.error);
      else this.onRemoteReset();
    });
    inner.addEventListener("drain", () => this.safeDispatchEvent("drain"));
    inner.addEventListener("remoteCloseWrite", () => this.onRemoteCloseWrite());
    this.#listen(init.leftover);
  }

  /** Hands decrypted bytes to `consumer` from now on, beginning with what is buffered. */
  attachPlaintext(consumer: PlaintextConsumer): void {
    this.#consumer = consumer;
    const buffered = this.readBuffer.slice();
    this.readBuffer.consume(buffered.length);
    if (buffered.length === 0) return;
    consumer.onPlaintext(buffered);
    consumer.onBatchEnd();
  }

  override get writeBufferLength(): number {
    return this.#stagedBytes + this.#inner.writeBufferLength;
  }

  override send(data: Uint8Array | Uint8ArrayList): boolean {
    if (data instanceof Uint8Array) this.write(data);
    else for (const part of data) this.write(part);
    return !this.needsDrain;
  }

  /** Queues bytes; ask {@link needsDrain} afterwards. */
  write(bytes: Uint8Array): void {
    this.#assertWritable();
    let offset = 0;
    while (offset < bytes.length) {
      const rest = bytes.length - offset;
      if (this.#stagedBytes === 0 && rest >= NOISE_PLAINTEXT_BYTES_MAX) {
        this.#seal(bytes.subarray(offset, offset + NOISE_PLAINTEXT_BYTES_MAX));
        offset += NOISE_PLAINTEXT_BYTES_MAX;
        continue;
      }
      const count = Math.min(rest, NOISE_PLAINTEXT_BYTES_MAX - this.#stagedBytes);
      this.#staged ??= new Uint8Array(NOISE_PLAINTEXT_BYTES_MAX);
      this.#staged.set(bytes.subarray(offset, offset + count), this.#stagedBytes);
      this.#stagedBytes += count;
      offset += count;
      if (this.#stagedBytes === NOISE_PLAINTEXT_BYTES_MAX) this.#sealStaged();
    }
    if (this.#stagedBytes > 0) this.#scheduleFlush();
  }

  /**
   * Queues a header and what follows it. Large ones become a message of their own, encrypted from
   * where they lie; up to {@link NOISE_PLAINTEXT_BYTES_MAX} together fit.
   */
  writeFrame(header: Uint8Array, parts: readonly Uint8Array[], length: number): void {
    const total = header.length + length;
    if (total < OWN_MESSAGE_BYTES_MIN || total > NOISE_PLAINTEXT_BYTES_MAX) {
      this.write(header);
      for (const part of parts) this.write(part);
      return;
    }
    this.#assertWritable();
    this.#sealStaged();
    const target = this.#messageSpace(total);
    this.#sending.sealParts([header, ...parts], target.subarray(LENGTH_BYTES));
    this.#send(target);
  }

  /** As {@link write}; what is large and fits becomes a message of its own, without a copy. */
  writeWhole(frame: Uint8Array): void {
    if (frame.length < OWN_MESSAGE_BYTES_MIN || frame.length > NOISE_PLAINTEXT_BYTES_MAX) {
      return this.write(frame);
    }
    this.#assertWritable();
    this.#sealStaged();
    this.#seal(frame);
  }

  /** Whether a writer should wait for the `drain` event. */
  get needsDrain(): boolean {
    const needsDrain = this.#sink?.needsDrain ?? this.#inner.writableNeedsDrain;
    if (needsDrain) this.writableNeedsDrain = true;
    return needsDrain;
  }

  sendData(data: Uint8ArrayList): SendResult {
    return { sentBytes: data.byteLength, canSendMore: this.send(data) };
  }

  async close(options?: AbortOptions): Promise<void> {
    this.#sealStaged();
    await this.#inner.close(options);
  }

  sendPause(): void {
    this.#inner.pause();
  }

  sendResume(): void {
    this.#inner.resume();
  }

  sendReset(error: Error): void {
    this.#stagedBytes = 0;
    this.#inner.abort(error);
  }

  #scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    queueMicrotask(() => {
      this.#isFlushScheduled = false;
      try {
        this.#sealStaged();
      } catch (error) {
        this.abort(error as Error);
      }
    });
  }

  #sealStaged(): void {
    const count = this.#stagedBytes;
    if (count === 0) return;
    this.#stagedBytes = 0;
    if (this.#inner.status !== "open") return;
    this.#seal(this.#staged!.subarray(0, count));
    // A connection that only answers now and then keeps no 64 KiB for it.
    if (count < NOISE_PLAINTEXT_BYTES_MAX / 16) this.#staged = undefined;
  }

  #assertWritable(): void {
    if (this.writeStatus === "closed" || this.writeStatus === "closing") {
      throw new StreamStateError(`Cannot write to a connection that is ${this.writeStatus}`);
    }
  }

  #seal(plaintext: Uint8Array): void {
    const target = this.#messageSpace(plaintext.length);
    this.#sending.seal(plaintext, target.subarray(LENGTH_BYTES));
    this.#send(target);
  }

  /** Space for a message of `count` bytes of plaintext, its length written. */
  #messageSpace(count: number): Uint8Array {
    const length = count + NOISE_TAG_BYTES;
    const target = this.#sink?.reserve(LENGTH_BYTES + length) ??
      new Uint8Array(LENGTH_BYTES + length);
    target[0] = length >>> 8;
    target[1] = length;
    return target;
  }

  #send(message: Uint8Array): void {
    if (this.#sink !== undefined) this.#sink.commit(message.length);
    else this.#inner.send(message);
  }

  #listen(leftover: Uint8Array): void {
    if (isDirectSource(this.#inner)) {
      if (leftover.length > 0) this.#inner.unshift(leftover);
      const consumer: DirectConsumer = {
        onBytes: (bytes) => this.#onBytes(bytes),
        onBatchEnd: () => this.#consumer?.onBatchEnd(),
      };
      this.#inner.attach(consumer);
      return;
    }
    const onChunk = (chunk: Uint8Array) => {
      const bytes = this.#partial.length === 0 ? chunk : joined(this.#partial, chunk);
      const used = this.#onBytes(bytes);
      this.#partial = bytes.slice(used);
      this.#consumer?.onBatchEnd();
    };
    this.#inner.addEventListener("message", (event) => {
      try {
        onChunk(event.data instanceof Uint8Array ? event.data : event.data.subarray());
      } catch (error) {
        this.abort(error as Error);
      }
    });
    if (leftover.length > 0) onChunk(leftover);
  }

  /** Decrypts every whole message in `bytes`. @returns How many bytes they took. */
  #onBytes(bytes: Uint8Array): number {
    let offset = 0;
    while (bytes.length - offset >= LENGTH_BYTES) {
      const length = bytes[offset]! * 256 + bytes[offset + 1]!;
      const start = offset + LENGTH_BYTES;
      if (length < NOISE_TAG_BYTES) throw new RangeError("A Noise message is shorter than its tag");
      if (bytes.length - start < length) break;
      const plaintext = this.#receiving.open(bytes.subarray(start, start + length));
      offset = start + length;
      if (plaintext.length === 0) continue;
      if (this.#consumer !== undefined) {
        lendMemory(plaintext);
        this.#consumer.onPlaintext(plaintext);
      } else this.onData(plaintext);
      if (this.status !== "open") return bytes.length;
    }
    return offset;
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  return new Uint8ArrayList(first, second).subarray();
}
