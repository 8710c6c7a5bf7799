/** Reads and writes the two-byte-length messages of a handshake on any libp2p `MessageStream`. */
import type { MessageStream } from "../../libp2p.ts";
import { concatBytes } from "../../../src/core/bytes.ts";
import { HANDSHAKE_MESSAGE_BYTES_MAX, HANDSHAKE_RECEIVED_BYTES_MAX } from "./limits.ts";

/** Takes the stream's messages until {@link release}. */
export class HandshakeFrames {
  readonly #stream: MessageStream;
  readonly #signal: AbortSignal | undefined;
  readonly #stop = new AbortController();
  #received: Uint8Array = new Uint8Array(0);
  #waiting: PromiseWithResolvers<void> | undefined;
  #failure: Error | undefined;
  #isPaused = false;

  constructor(stream: MessageStream, signal: AbortSignal | undefined) {
    this.#stream = stream;
    this.#signal = signal;
    const { signal: stop } = this.#stop;
    stream.addEventListener("message", (event) => {
      const bytes = event.data instanceof Uint8Array ? event.data : event.data.subarray();
      this.#received = concatBytes(this.#received, bytes);
      // Whoever sends this much before the handshake ended must not make us hold more.
      if (this.#received.length > HANDSHAKE_RECEIVED_BYTES_MAX && !this.#isPaused) {
        this.#isPaused = true;
        stream.pause();
      }
      this.#wake();
    }, { signal: stop });
    const onEnd = (error?: Error) => {
      this.#failure ??= error ?? new Error("The connection ended during the handshake");
      this.#wake();
    };
    stream.addEventListener("close", (event) => onEnd(event.error), { signal: stop });
    stream.addEventListener("remoteCloseWrite", () => onEnd(), { signal: stop });
    if (signal?.aborted) onEnd(asError(signal.reason));
    else signal?.addEventListener("abort", () => onEnd(asError(signal.reason)), { signal: stop });
  }

  /** Sends one message. */
  write(message: Uint8Array): void {
    this.#signal?.throwIfAborted();
    this.#stream.send(
      concatBytes(Uint8Array.of(message.length >>> 8, message.length & 0xff), message),
    );
  }

  /**
   * The next message.
   *
   * @throws {Error} If the connection ends, the signal aborts, or the message exceeds its limit.
   */
  async read(): Promise<Uint8Array> {
    while (true) {
      if (this.#received.length >= 2) {
        const length = this.#received[0]! * 256 + this.#received[1]!;
        if (length > HANDSHAKE_MESSAGE_BYTES_MAX) {
          throw new RangeError(`A handshake message claims ${length} bytes`);
        }
        if (this.#received.length >= 2 + length) {
          const message = this.#received.slice(2, 2 + length);
          this.#received = this.#received.subarray(2 + length);
          return message;
        }
      }
      if (this.#failure !== undefined) throw this.#failure;
      this.#waiting = Promise.withResolvers<void>();
      await this.#waiting.promise;
    }
  }

  /** Stops listening. @returns Bytes that came after the last message read. */
  release(): Uint8Array {
    this.#stop.abort();
    if (this.#isPaused && this.#stream.status === "open") this.#stream.resume();
    this.#isPaused = false;
    return this.#received;
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = undefined;
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
