/** One ingest's way to its worker: copies pushed bytes into slabs and counts those under way. */
import type { Clock } from "../../src/core/ports.ts";
import type { Range } from "../../src/core/range_set.ts";
import type { ChannelListener, DeskPort, SlabPool } from "./ingest_pool.ts";
import { fromSent, type IngestAnswer } from "./ingest_protocol.ts";
import { SLAB_BYTES, SLABS_PER_INGEST_MAX } from "./limits.ts";

/** A slab with less room than this is not lent for reading, but sent: a read of so little costs more. */
const LENT_BYTES_MIN = SLAB_BYTES / 16;

/** A slab this full goes to an idle worker at once… */
const WORTH_SENDING_BYTES = SLAB_BYTES / 4;

/** …and a less full one after so many milliseconds, in which more bytes may come. */
const LINGER_MS = 2;

/** What a channel is made of. */
interface ChannelOptions {
  readonly job: number;
  readonly port: DeskPort;
  readonly slabs: SlabPool;
  readonly clock: Pick<Clock, "timer">;
  /** All that the channel will carry, as far as its source is honest. */
  readonly bytesMax: number;
  readonly listener: ChannelListener;
}

/** Sends the bytes of one ingest. */
export class IngestChannel {
  readonly job: number;
  readonly #options: ChannelOptions;
  #slab: Uint8Array<ArrayBuffer> | undefined;
  #filled = 0;
  /** Up to where the slab's bytes were sent already, as a copy. */
  #sentTo = 0;
  /** Somebody writes behind what is filled: the slab must stay where it is. */
  #isLent = false;
  #takenBytes = 0;
  #sentCount = 0;
  #underWayCount = 0;
  #cancelLinger: (() => void) | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #closing: PromiseWithResolvers<void> | undefined;
  #finishing: PromiseWithResolvers<void> | undefined;
  #failure: Error | undefined;
  #isBroken = false;
  #isOpened = false;

  constructor(options: ChannelOptions) {
    this.job = options.job;
    this.#options = options;
  }

  /** Copies `bytes`. The promise, if there is one, resolves when there is room for more. */
  push(bytes: Uint8Array): Promise<void> | undefined {
    for (let done = 0; done < bytes.length;) {
      this.#slab ??= new Uint8Array(this.#options.slabs.take(this.#slabBytes(bytes.length - done)));
      const part = bytes.subarray(done, done + this.#slab.length - this.#filled);
      this.#slab.set(part, this.#filled);
      this.#filled += part.length;
      this.#takenBytes += part.length;
      done += part.length;
      if (this.#filled === this.#slab.length) this.#send();
    }
    return this.#waitForRoom();
  }

  /** Room in a slab for the next bytes, for who reads them there; {@link filled} says how many came. */
  lend(): Uint8Array<ArrayBuffer> {
    const leftBytes = this.#options.bytesMax - this.#takenBytes;
    if (this.#slab !== undefined && leftBytes > this.#slab.length - this.#filled) {
      if (this.#slab.length - this.#filled < LENT_BYTES_MIN) this.#send();
    }
    this.#slab ??= new Uint8Array(this.#options.slabs.take(this.#slabBytes(1)));
    this.#isLent = true;
    return this.#slab.subarray(this.#filled);
  }

  /** Takes what was written to the room that was lent. As {@link push} otherwise. */
  filled(count: number): Promise<void> | undefined {
    this.#isLent = false;
    this.#filled += count;
    this.#takenBytes += count;
    if (this.#filled === this.#slab?.length) this.#send();
    return this.#waitForRoom();
  }

  /** Resolves when all that was pushed is handled and nothing is missing. */
  finish(): Promise<void> {
    this.#isLent = false;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#send();
    this.#finishing = Promise.withResolvers();
    this.#options.port.send({ type: "finish", job: this.job });
    return this.#finishing.promise;
  }

  /** Resolves when all that was pushed is handled and the worker has closed its files. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      this.#closing = Promise.withResolvers();
      if (this.#isBroken) this.#closing.resolve();
      else {
        this.#send();
        this.#options.port.send({ type: "close", job: this.job });
      }
    }
    return this.#closing.promise;
  }

  /** Takes the worker's answer to the oldest request. */
  answered(answer: IngestAnswer): void {
    if (answer.slab !== undefined) {
      this.#underWayCount--;
      this.#options.slabs.underWayCount--;
      this.#options.slabs.give(answer.slab);
    }
    if (answer.type === "open") this.#markOpened(answer.isLaneGone === true);
    const runs = runsOf(answer.verified ?? []);
    if (runs.length > 0) this.#options.listener.verified(runs);
    if (answer.failure !== undefined) this.#fail(fromSent(answer.failure));
    if (answer.type === "finish") {
      if (this.#failure === undefined) this.#finishing?.resolve();
      else this.#finishing?.reject(this.#failure);
    }
    if (answer.type === "close") this.#closing?.resolve();
    this.#sendIfWorthwhile();
    if (!this.#isFull) this.#releaseRoom();
  }

  /** The worker is gone. */
  broken(error: Error): void {
    this.#isBroken = true;
    this.#markOpened(false);
    this.#cancelLinger?.();
    this.#options.slabs.underWayCount -= this.#underWayCount;
    this.#underWayCount = 0;
    this.#fail(error);
    this.#finishing?.reject(error);
    this.#closing?.resolve();
  }

  get #isFull(): boolean {
    return this.#underWayCount >= SLABS_PER_INGEST_MAX ||
      (this.#underWayCount > 0 && this.#options.slabs.isExhausted);
  }

  /** A full slab, unless less is still to come. */
  #slabBytes(pendingBytes: number): number {
    const expectedBytes = Math.max(pendingBytes, this.#options.bytesMax - this.#takenBytes);
    return Math.min(SLAB_BYTES, expectedBytes);
  }

  #waitForRoom(): Promise<void> | undefined {
    this.#sendIfWorthwhile();
    if (!this.#isFull) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** The first bytes go at once, so that what they prove is known early. */
  #sendIfWorthwhile(): void {
    const pendingBytes = this.#filled - this.#sentTo;
    if (pendingBytes === 0 || this.#underWayCount > 0) return;
    const isWorthIt = this.#sentCount === 0 || pendingBytes >= WORTH_SENDING_BYTES;
    // More may come into a lent slab in a moment, and then nothing need be copied.
    if (isWorthIt && !this.#isLent) return this.#send();
    this.#cancelLinger ??= this.#options.clock.timer(LINGER_MS, () => this.#send());
  }

  #send(): void {
    this.#cancelLinger?.();
    this.#cancelLinger = undefined;
    const slab = this.#slab;
    const start = this.#sentTo;
    const length = this.#filled - start;
    if (slab === undefined || length === 0) return;
    if (this.#isLent) this.#sentTo = this.#filled;
    else {
      this.#slab = undefined;
      this.#filled = 0;
      this.#sentTo = 0;
    }
    if (this.#failure !== undefined) return;
    this.#sentCount++;
    this.#underWayCount++;
    this.#options.slabs.underWayCount++;
    const sent = this.#isLent
      ? { slab: slab.buffer.slice(start, start + length), start: 0 }
      : { slab: slab.buffer, start };
    this.#options.port.send({ type: "push", job: this.job, length, ...sent });
  }

  #markOpened(isLaneGone: boolean): void {
    if (this.#isOpened) return;
    this.#isOpened = true;
    this.#options.listener.opened(isLaneGone);
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#releaseRoom();
    this.#options.listener.failed(error);
  }

  #releaseRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}

function runsOf(boundaries: readonly number[]): Range[] {
  const runs: Range[] = [];
  for (let index = 0; index < boundaries.length; index += 2) {
    runs.push({ start: boundaries[index]!, end: boundaries[index + 1]! });
  }
  return runs;
}
