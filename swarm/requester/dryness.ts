/**
 * Ends the requests that cost something when what was paid is used up and the payer declines to pay more.
 * What the seller has counted and sent is waited for; what it says is left is counted down by what
 * comes.
 */
import type { Clock } from "../../src/core/ports.ts";
import type { Cancellation } from "./cancellation.ts";
import { CREDIT_FLOW_MS, DRY_END_MS } from "./limits.ts";

/** Bytes in a MiB. */
const MIB = 1_048_576;

/** Options of {@link Dryness}. */
export interface DrynessOptions {
  readonly clock: Pick<Clock, "timer" | "monotonicMs">;
  /** The error that requests end with, for the payer's reason. */
  readonly failure: (reason: string) => Error;
}

/** See the head of this file. */
export class Dryness implements Disposable {
  readonly #options: DrynessOptions;
  readonly #watched = new Set<Cancellation>();
  /** Why no more is paid; undefined while it may be. */
  #declined: string | undefined;
  /** About what is left at the seller, in msat. */
  #leftMsat = Infinity;
  #movedMs = -Infinity;
  #stop: (() => void) | undefined;

  constructor(options: DrynessOptions) {
    this.#options = options;
  }

  /** Ends `cancel` when it is time, until the watch is disposed. */
  watch(cancel: Cancellation): Disposable {
    this.#watched.add(cancel);
    this.#look();
    return { [Symbol.dispose]: () => void this.#watched.delete(cancel) };
  }

  /** The seller says what is left. */
  told(creditMsat: number): void {
    this.#leftMsat = creditMsat;
  }

  /** Bytes came, at a price; they verify later, many at a time. */
  received(bytes: number, priceMsatPerMiB: number): void {
    this.#leftMsat -= bytes * priceMsatPerMiB / MIB;
    this.#movedMs = this.#options.clock.monotonicMs();
  }

  /** The payer declines, or `undefined`: it pays. */
  declined(reason: string | undefined): void {
    this.#declined = reason;
    this.#look();
  }

  [Symbol.dispose](): void {
    this.#stop?.();
    this.#stop = undefined;
    this.#watched.clear();
  }

  #look(): void {
    if (this.#declined === undefined || this.#watched.size === 0) return;
    this.#stop ??= this.#options.clock.timer(DRY_END_MS, () => {
      this.#stop = undefined;
      this.#judge();
    });
  }

  #judge(): void {
    const { clock, failure } = this.#options;
    const stillMs = clock.monotonicMs() - this.#movedMs;
    // A path that holds the last bytes back until it may send more shows in nothing but its silence.
    const isOver = stillMs >= (this.#leftMsat > 0 ? CREDIT_FLOW_MS : DRY_END_MS);
    if (this.#declined === undefined || !isOver) return this.#look();
    const error = failure(this.#declined);
    for (const cancel of [...this.#watched]) cancel.giveUp(error);
    this.#watched.clear();
  }
}
