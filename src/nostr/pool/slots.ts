/** A counting semaphore whose capacity may change: so many may be inside, the rest wait in order. */
export class Slots {
  #capacity: number;
  #taken = 0;
  readonly #waiting = new Set<() => void>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Sets how many may be inside; who is inside stays. */
  resize(capacity: number): void {
    this.#capacity = Math.max(1, capacity);
    this.#admit();
  }

  /**
   * Waits for a place.
   *
   * @returns What gives the place back; calling it again does nothing.
   * @throws `signal.reason` once `signal` is aborted.
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken >= this.#capacity || this.#waiting.size > 0) await this.#wait(signal);
    else this.#taken++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#taken--;
      this.#admit();
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      const onAbort = () => {
        this.#waiting.delete(enter);
        reject(signal.reason);
      };
      this.#waiting.add(enter);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }

  #admit(): void {
    for (const enter of this.#waiting) {
      if (this.#taken >= this.#capacity) return;
      this.#waiting.delete(enter);
      this.#taken++;
      enter();
    }
  }
}
