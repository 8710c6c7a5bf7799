/** Writes one answer to a stream: frames, metering, and what a reader may cost. */
import { concatBytes, freeBytes } from "../../src/core/bytes.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { ByteStream } from "../ports.ts";
import {
  DATA_FRAME_BYTES_TARGET,
  dataFrameHead,
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

  /** Sends `bytes` as they are, without a copy. */
  async data(bytes: Uint8Array): Promise<void> {
    await this.flush();
    await this.#frames(bytes);
  }

  /** As {@link data}, of bytes that nobody else uses: their memory is freed as soon as may be. */
  async ownData(bytes: Uint8Array): Promise<void> {
    await this.data(bytes);
    if (this.#options.stream.copiesWrites === true) freeBytes(bytes);
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
    await this.#frames(joined);
  }

  async #frames(bytes: Uint8Array): Promise<void> {
    const { sliceBytes } = this.#options.metering;
    for (let at = 0; at < bytes.length; at += sliceBytes) {
      await this.#frame(bytes.subarray(at, at + sliceBytes));
    }
  }

  async #frame(bytes: Uint8Array): Promise<void> {
    const { stream, metering, account, signal } = this.#options;
    const paid = metering.charge(account, bytes.length, signal);
    if (paid !== undefined) await paid;
    const room = stream.write(dataFrameHead(bytes.length), bytes);
    this.sentBytes += bytes.length;
    if (room !== undefined) await this.#room(room, bytes.length);
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
