/**
 * Sends one answer that costs something: every chunk group is charged before its first byte goes, and
 * pieces are cut where the credit ends. The hash tree is free. Whatever data path is taken, this
 * decides what may go.
 */
import type { Bytes } from "../../src/core/bytes.ts";
import type { Clock } from "../../src/core/ports.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import { PARENT_BYTES } from "../bao/geometry.ts";
import { type EncodedItem, encodedItems } from "../bao/mod.ts";
import type { Meter } from "../ports.ts";
import { AnswerFailure } from "./answer_failure.ts";
import { LOST_RACE_MS, LOW_AGAIN_MS, UNSENT_GROUPS_KEPT } from "./limits.ts";
import type { Account, Metering } from "./metering.ts";
import { msatOf } from "./till.ts";

/** The data path. */
export interface MeteredSink {
  /** Payload bytes that were handed to the network, from any moment on. */
  readonly sentBytes: () => number;
  /** Sends a part of a piece of an encoding; the last part gives the piece's memory up. */
  readonly write: (part: Bytes, isLast: boolean) => Promise<void>;
  /** Sends what is held back. */
  readonly flush: () => Promise<void>;
  /** Tells the payer that its credit runs out, where that can be told. */
  readonly low?: (creditMsat: number) => Promise<void>;
}

/** Options of {@link MeteredSending}. */
export interface MeteredSendingOptions {
  readonly meter: Meter;
  readonly sink: MeteredSink;
  readonly metering: Metering;
  readonly account: Account;
  readonly clock: Pick<Clock, "timer" | "sleep" | "monotonicMs">;
  readonly signal: AbortSignal;
}

/** A group that is charged, and where its first byte lies among all payload bytes of the answer. */
interface ChargedGroup {
  readonly start: number;
  readonly size: number;
}

/** What a piece holds: the groups that begin in it, where they begin, and where they end at most. */
interface PiecePlan {
  readonly sizes: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** Bytes at its front that belong to a group which was charged with an earlier piece. */
  readonly paidBytes: number;
}

/** One answer as it is charged. Dispose it, however the answer ended. */
export class MeteredSending implements AsyncDisposable {
  readonly #options: MeteredSendingOptions;
  readonly #sentBefore: number;
  #items: Iterator<EncodedItem> = [][Symbol.iterator]();
  /** Bytes of the last group that go beyond the last piece. */
  #aheadBytes = 0;
  /** Payload bytes that were handed to the sink. */
  #givenBytes = 0;
  /** What is charged and may not be sent yet, in order. */
  #unsent: ChargedGroup[] = [];
  #forgetAtCount = UNSENT_GROUPS_KEPT;
  #chargedBytes = 0;
  /** The least credit that was seen since the payer was told that it runs out. */
  #toldMsat: number | undefined;
  /** When the wait for credit is over; undefined while there is some. */
  #dryUntilMs: number | undefined;

  constructor(options: MeteredSendingOptions) {
    this.#options = options;
    this.#sentBefore = options.sink.sentBytes();
  }

  /** Content bytes that were charged, without what was given back. */
  get chargedBytes(): number {
    return this.#chargedBytes;
  }

  /** Says that the pieces that follow are the encoding of `ranges` of a blob of `size` bytes. */
  begin(size: number, ranges: RangeSet): void {
    this.#items = encodedItems(size, ranges);
    this.#aheadBytes = 0;
  }

  /**
   * Charges and sends the next piece.
   *
   * @throws {AnswerFailure} `unpaid` when the credit ended and none came; `internal` when the meter
   * failed: then nothing more may be sent. Or what the sink throws.
   */
  async piece(piece: Bytes): Promise<void> {
    const { sizes, starts, ends, paidBytes } = this.#plan(piece.length);
    const base = this.#givenBytes;
    let paidCount = 0;
    let sentBytes = 0;
    while (sentBytes < piece.length) {
      const count = this.#take(paidCount === 0 ? sizes : sizes.slice(paidCount));
      for (let index = paidCount; index < paidCount + count; index++) {
        this.#unsent.push({ start: base + starts[index]!, size: sizes[index]! });
      }
      paidCount += count;
      const isAllPaid = paidCount === sizes.length;
      const end = isAllPaid ? piece.length : paidCount === 0 ? paidBytes : ends[paidCount - 1]!;
      await this.#tellLow(!isAllPaid);
      if (end > sentBytes) {
        const part = piece.subarray(sentBytes, end);
        this.#givenBytes += part.length;
        sentBytes = end;
        await this.#options.sink.write(part, end === piece.length);
        this.#unsent = [];
      }
      if (!isAllPaid) await this.#more();
    }
  }

  /** Charges a small child of a collection, which `send` sends or holds back. */
  async small(bytes: Uint8Array, send: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    while (this.#take([bytes.length]) === 0) {
      // What is paid for goes before the wait.
      await this.#options.sink.flush();
      await this.#tellLow(true);
      await this.#more();
    }
    this.#unsent.push({ start: this.#givenBytes, size: bytes.length });
    if (this.#unsent.length >= this.#forgetAtCount) {
      this.#unsent = this.#notBegun();
      this.#forgetAtCount = Math.max(UNSENT_GROUPS_KEPT, 2 * this.#unsent.length);
    }
    this.#givenBytes += bytes.length;
    await this.#tellLow(false);
    await send(bytes);
  }

  /** Gives back what was charged and not begun to be sent, and closes the meter. Never throws. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { meter } = this.#options;
    let unsentBytes = 0;
    for (const group of this.#notBegun()) unsentBytes += group.size;
    this.#unsent = [];
    try {
      if (unsentBytes > 0) {
        meter.giveBack(unsentBytes);
        this.#chargedBytes -= unsentBytes;
      }
    } catch {
      // What a broken meter does not take back is lost to the payer, as after a crash.
    }
    try {
      await meter[Symbol.asyncDispose]();
    } catch {
      // Every byte that went was charged before: there is nothing to undo.
    }
  }

  #notBegun(): ChargedGroup[] {
    const sentBytes = this.#options.sink.sentBytes() - this.#sentBefore;
    return this.#unsent.filter(({ start }) => start >= sentBytes);
  }

  #plan(pieceBytes: number): PiecePlan {
    const sizes: number[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    const paidBytes = Math.min(this.#aheadBytes, pieceBytes);
    let at = this.#aheadBytes;
    while (at < pieceBytes) {
      const next = this.#items.next();
      // A reader that gives more than its encoding: nobody knows what that would cost.
      if (next.done) throw new AnswerFailure("internal");
      if (next.value.kind === "parent") {
        at += PARENT_BYTES;
        continue;
      }
      const { size } = next.value;
      sizes.push(size);
      starts.push(at);
      at += size;
      ends.push(Math.min(at, pieceBytes));
    }
    this.#aheadBytes = at - pieceBytes;
    return { sizes, starts, ends, paidBytes };
  }

  /** How many groups of `sizes` may go. */
  #take(sizes: readonly number[]): number {
    if (sizes.length === 0) return 0;
    let count: number;
    try {
      count = this.#options.meter.take(sizes);
    } catch (cause) {
      throw new AnswerFailure("internal", cause);
    }
    if (!Number.isInteger(count) || count < 0 || count > sizes.length) {
      throw new AnswerFailure("internal", new RangeError(`A meter took ${count} groups`));
    }
    for (let index = 0; index < count; index++) this.#chargedBytes += sizes[index]!;
    if (count > 0) this.#dryUntilMs = undefined;
    return count;
  }

  /** Says that the credit runs out, and that nothing is left: each once, until it has grown. */
  async #tellLow(isDry: boolean): Promise<void> {
    const creditMsat = this.#lowCredit(isDry);
    if (creditMsat === undefined) {
      this.#toldMsat = undefined;
      return;
    }
    const toldMsat = this.#toldMsat;
    const isNews = toldMsat === undefined || creditMsat > toldMsat ||
      (isDry && creditMsat === 0 && toldMsat > 0);
    // That nothing is left is no news before the answer has to stop for it.
    if (isNews || creditMsat > 0) this.#toldMsat = creditMsat;
    if (isNews) await this.#options.sink.low?.(creditMsat);
  }

  /** What is left, in msat, when that is little; undefined when it is not. */
  #lowCredit(isDry: boolean): number | undefined {
    const { meter } = this.#options;
    try {
      return isDry || meter.isLow ? msatOf(meter.creditMsat) : undefined;
    } catch (cause) {
      throw new AnswerFailure("internal", cause);
    }
  }

  /** Waits for credit, as long as that may take since it ended. */
  async #more(): Promise<void> {
    const { meter, sink, metering, account, clock, signal } = this.#options;
    const nowMs = clock.monotonicMs();
    const isLostRace = this.#dryUntilMs !== undefined;
    this.#dryUntilMs ??= nowMs + metering.limits.unpaidMs;
    if (nowMs >= this.#dryUntilMs || !metering.unpaid.open(account)) {
      throw new AnswerFailure("unpaid");
    }
    const stop = new AbortController();
    const stopped = Promise.withResolvers<never>();
    stopped.promise.catch(() => {});
    const end = (reason: unknown) => {
      stop.abort(reason);
      stopped.reject(reason);
    };
    const onAbort = () => end(signal.reason);
    const cancel = clock.timer(this.#dryUntilMs - nowMs, () => end(new AnswerFailure("unpaid")));
    // Another answer may have used up a top-up before this one saw it: the payer waits for a word.
    const cancelAgain = clock.timer(LOW_AGAIN_MS, () => sink.low?.(0).catch(() => {}));
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      signal.throwIfAborted();
      if (isLostRace) await clock.sleep(LOST_RACE_MS, { signal });
      await Promise.race([meter.more(stop.signal), stopped.promise]);
      this.#toldMsat = undefined;
    } catch (cause) {
      signal.throwIfAborted();
      if (cause instanceof AnswerFailure) throw cause;
      throw new AnswerFailure("internal", cause);
    } finally {
      cancel();
      cancelAgain();
      signal.removeEventListener("abort", onAbort);
      metering.unpaid.close(account);
    }
  }
}
