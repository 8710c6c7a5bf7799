/** Writes one answer to a stream: frames, metering, and what a reader may cost. */
import { type Bytes, concatBytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { type ByteStream, WRITE_ROOM_BYTES } from "../ports.ts";
import {
  DATA_FRAME_BYTES_TARGET,
  dataFrameHead,
  FRAME_HEAD_BYTES_MAX,
  messageFrame,
  type ResponseMessage,
} from "../protocol/mod.ts";
import { withDeadline } from "./deadline.ts";
import { READER_JUDGED_AFTER_MS } from "./limits.ts";
import type { Account, Metering } from "./metering.ts";

/** Options of {@link Sender}. */
export interface SenderOptions {
  readonly stream: ByteStream;
  readonly account: Account;
  readonly metering: Metering;
  readonly clock: Clock;
  /** Aborted when the provider stops or the stream is dropped. */
  readonly signal: AbortSignal;
}

/** The provider's direction of one stream. */
export class Sender {
  readonly #options: SenderOptions;
  /** Payload bytes sent. */
  sentBytes = 0;
  #waitedMs = 0;
  #waitedBytes = 0;
  #small: Uint8Array[] = [];
  #smallBytes = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** Sends `message`, after data that was held back. */
  async message(message: ResponseMessage): Promise<void> {
    await this.flush();
    const room = this.#options.stream.write(messageFrame(message));
    if (room !== undefined) await this.#room(room);
  }

  /**
   * Sends `message` at once, between whatever frames an answer under way sends. Resolves when there
   * is room for more, so that who asks without reading is answered no further.
   */
  async interject(message: ResponseMessage): Promise<void> {
    const { stream, clock, metering: { limits } } = this.#options;
    const room = stream.write(messageFrame(message));
    if (room === undefined) return;
    await withDeadline(room, {
      clock,
      ms: limits.stallMs,
      onLate: () => stream.abort(slow(`it took nothing for ${limits.stallMs} ms`)),
    });
  }

  /** Sends `bytes` as they are, without a copy. */
  async data(bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.#frames(bytes, (frame) => this.#write(frame));
  }

  /** Room in front of the pieces for {@link ownData}, where the stream makes use of it. */
  get pieceRoom(): { readonly roomBytes?: number } {
    const { stream } = this.#options;
    const isUsed = stream.writeOver !== undefined && stream.copiesWrites === true;
    return isUsed ? { roomBytes: FRAME_HEAD_BYTES_MAX + WRITE_ROOM_BYTES } : {};
  }

  /**
   * As {@link data}, of bytes that nobody else uses, with {@link pieceRoom} in front: their memory is
   * written over while they are sent, and freed at once. With `isPart`, more of the same memory comes
   * later: a part's memory stays, and so does the room before the next, where this one was.
   */
  async ownData(bytes: Bytes, isPart = false): Promise<void> {
    const { roomBytes } = this.pieceRoom;
    // A reader that made no room is served all the same.
    if (roomBytes === undefined || bytes.byteOffset < roomBytes) return await this.data(bytes);
    await this.flush();
    await this.#frames(bytes, (frame) => {
      // The head lies in the room before the piece, or where the slice before this one ended.
      const head = dataFrameHead(frame.length);
      const start = frame.byteOffset - head.length;
      const whole = new Uint8Array(frame.buffer, start, head.length + frame.length);
      whole.set(head);
      return this.#options.stream.writeOver!(whole);
    });
    // Left to the garbage collector, a megabyte a millisecond makes it run all the time.
    if (!isPart) bytes.buffer.transfer(0);
  }

  /** Sends `bytes` together with others like it: a frame for each would cost more than the copy. */
  async smallData(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    this.#small.push(bytes);
    this.#smallBytes += bytes.length;
    if (this.#smallBytes >= DATA_FRAME_BYTES_TARGET) await this.flush();
  }

  /** Sends what {@link smallData} holds back. */
  async flush(): Promise<void> {
    if (this.#smallBytes === 0) return;
    const joined = concatBytes(...this.#small);
    this.#small = [];
    this.#smallBytes = 0;
    await this.#frames(joined, (frame) => this.#write(frame));
  }

  async #frames<T extends Uint8Array>(
    bytes: T,
    write: (frame: T) => Promise<void> | undefined,
  ): Promise<void> {
    const { metering, account, signal } = this.#options;
    const { sliceBytes } = metering;
    for (let at = 0; at < bytes.length; at += sliceBytes) {
      const frame = bytes.subarray(at, at + sliceBytes) as T;
      const paid = metering.charge(account, frame.length, signal);
      if (paid !== undefined) await paid;
      const room = write(frame);
      this.sentBytes += frame.length;
      if (room !== undefined) await this.#room(room, frame.length);
    }
  }

  #write(frame: Uint8Array): Promise<void> | undefined {
    return this.#options.stream.write(dataFrameHead(frame.length), frame);
  }

  /** Waits until the reader made room, and drops one that is too slow to be worth the memory. */
  async #room(room: Promise<void>, bytes = 0): Promise<void> {
    const { stream, clock, metering: { limits } } = this.#options;
    const startedMs = clock.monotonicMs();
    await withDeadline(room, {
      clock,
      ms: limits.stallMs,
      onLate: () => stream.abort(slow(`it took nothing for ${limits.stallMs} ms`)),
    });
    this.#waitedMs += clock.monotonicMs() - startedMs;
    this.#waitedBytes += bytes;
    if (this.#waitedMs < READER_JUDGED_AFTER_MS) return;
    const perSecond = (this.#waitedBytes * 1000) / this.#waitedMs;
    if (perSecond < limits.readerBytesPerSecondMin) {
      const error = slow(`it took ${Math.round(perSecond)} bytes a second`);
      stream.abort(error);
      throw error;
    }
  }
}

function slow(why: string): SeedmintError {
  return new SeedmintError("timeout", `Dropped a slow reader: ${why}`, { retryable: true });
}
