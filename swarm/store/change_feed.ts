/** Tells listeners which blobs changed, once per blob however often it changed in one turn. */
import type { Hash } from "../../src/core/hash.ts";

/** Collects changes and hands each changed hash to every listener in the next microtask. */
export class ChangeFeed {
  readonly #listeners: Set<(hash: Hash) => void> = new Set();
  #changed: Set<Hash> = new Set();

  /** Adds a listener, which must not throw; the returned function removes it. */
  listen(listener: (hash: Hash) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Says that `hash` changed. */
  mark(hash: Hash): void {
    if (this.#listeners.size === 0) return;
    if (this.#changed.size === 0) queueMicrotask(() => this.#flush());
    this.#changed.add(hash);
  }

  #flush(): void {
    const changed = this.#changed;
    this.#changed = new Set();
    for (const hash of changed) {
      for (const listener of [...this.#listeners]) listener(hash);
    }
  }
}
