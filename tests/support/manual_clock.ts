/** A clock that stands still until a test moves it. */
import type { Clock } from "../../src/core/ports.ts";
import { sleepBy } from "./sleep_by.ts";

interface Timer {
  readonly atMs: number;
  readonly callback: () => void;
}

/** Time under a test's control; both clocks run together. */
export class ManualClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;
  readonly #timers = new Set<Timer>();

  constructor(nowMs = 1_800_000_000_000) {
    this.#nowMs = nowMs;
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(ms: number, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    return sleepBy(this, ms, options);
  }

  timer(ms: number, callback: () => void): () => void {
    const timer = { atMs: this.#monotonicMs + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Moves time, calling what falls due in order and letting its consequences happen. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await this.settle();
    for (;;) {
      const [next] = [...this.#timers].filter((timer) => timer.atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#moveTo(Math.max(next.atMs, this.#monotonicMs));
      this.#timers.delete(next);
      next.callback();
      await this.settle();
    }
    this.#moveTo(endMs);
    await this.settle();
  }

  /** Lets promises that are ready run, those of the event loop's next turns included. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
  }

  /** Sets the wall clock alone, as a correction of the system's time does. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  #moveTo(monotonicMs: number): void {
    this.#nowMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}
