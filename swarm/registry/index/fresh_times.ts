/** Moments that change at every request and matter little: kept in memory, written now and then. */
import { FRESH_MAX, FRESH_WRITE_MS } from "./limits.ts";

/** The latest moment of each key, and whether it is time to write it down. */
export class FreshTimes {
  readonly #times = new Map<string, number>();

  /** The later of what is remembered and what was written. */
  latest(key: string, writtenMs: number): number {
    return Math.max(this.#times.get(key) ?? -Infinity, writtenMs);
  }

  /** Remembers a moment. Returns whether it is to be written, since what is written is old. */
  note(key: string, nowMs: number, writtenMs: number): boolean {
    this.#times.delete(key);
    this.#times.set(key, nowMs);
    if (this.#times.size > FRESH_MAX) this.#times.delete(this.#times.keys().next().value!);
    return Math.abs(nowMs - writtenMs) >= FRESH_WRITE_MS;
  }

  forget(key: string): void {
    this.#times.delete(key);
  }
}
