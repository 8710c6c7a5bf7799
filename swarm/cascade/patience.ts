/** When a parent is left. Pure. */
import {
  BYTELESS_MS,
  BYTELESS_PER_STEP_MS,
  JUDGED_MS,
  LAG_BYTES_MIN,
  LAG_FACTOR_MAX,
  LOOK_GAP_MS_MAX,
  RATE_FLOOR,
  SILENCE_MS,
  STARVING_MS,
} from "./limits.ts";

/** What a child knows of its parent's manners. All times are of one monotonic clock. */
export class Patience {
  #heardMs: number;
  #byteMs: number;
  #lookedMs: number;
  /** Where parent and child were when judging began. */
  #judged: { readonly atMs: number; readonly tip: number; readonly position: number } | undefined;
  #isTooSlow = false;

  constructor(nowMs: number) {
    this.#heardMs = nowMs;
    this.#byteMs = nowMs;
    this.#lookedMs = nowMs;
  }

  /** Anything came, a tick or bytes. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  /** Bytes came. */
  gained(nowMs: number): void {
    this.#heardMs = nowMs;
    this.#byteMs = nowMs;
  }

  /** The parent has the part up to `tip`, this node up to `position`. */
  told(tip: number, position: number, nowMs: number): void {
    const before = this.#judged ??= { atMs: nowMs, tip, position };
    const ms = nowMs - before.atMs;
    if (ms < JUDGED_MS) return;
    this.#judged = { atMs: nowMs, tip, position };
    const rate = ((position - before.position) * 1000) / ms;
    const tipRate = ((tip - before.tip) * 1000) / ms;
    // What it has not got itself it cannot be blamed for.
    this.#isTooSlow = tip - position >= LAG_BYTES_MIN &&
      (rate < RATE_FLOOR || rate * LAG_FACTOR_MAX < tipRate);
  }

  /** Whether there is nothing to pass on to anybody. */
  isStarving(nowMs: number): boolean {
    return nowMs - this.#byteMs >= STARVING_MS;
  }

  /**
   * Why the parent is to be left now; undefined if it is not. To be asked every {@link WATCH_MS}:
   * a process that did not ask for long was itself too busy to hear.
   *
   * @param stepCount Members between this node and upstream.
   */
  reasonToLeave(nowMs: number, stepCount: number): string | undefined {
    const gapMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    if (gapMs > LOOK_GAP_MS_MAX) {
      this.#heardMs = Math.min(nowMs, this.#heardMs + gapMs);
      this.#byteMs = Math.min(nowMs, this.#byteMs + gapMs);
    }
    if (gapMs > LOOK_GAP_MS_MAX) this.#judged = undefined;
    else if (this.#isTooSlow) return "it has much more than it sends";
    const silentMs = nowMs - this.#heardMs;
    if (silentMs >= SILENCE_MS) return `it said nothing for ${Math.round(silentMs)} ms`;
    const bytelessMs = nowMs - this.#byteMs;
    if (bytelessMs >= BYTELESS_MS + stepCount * BYTELESS_PER_STEP_MS) {
      return `it sent no byte for ${Math.round(bytelessMs)} ms`;
    }
    return undefined;
  }
}
