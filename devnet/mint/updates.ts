/** Who wants to hear of a change: WebSocket subscriptions (NUT-17) and the settlement loop. */

/** What can be watched. */
export type WatchedKind = "bolt11_mint_quote" | "bolt11_melt_quote" | "proof_state";

/** Listeners by what they listen to. They are called after the change is on disk. */
export class Updates {
  readonly #listeners = new Map<string, Set<() => void>>();
  #onWatch: () => void = () => {};

  /** Called whenever somebody starts to watch. */
  set onWatch(callback: () => void) {
    this.#onWatch = callback;
  }

  /** Calls `listener` after each change of the object until the returned function is called. */
  watch(kind: WatchedKind, id: string, listener: () => void): () => void {
    const key = `${kind} ${id}`;
    const listeners = this.#listeners.get(key) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(key, listeners);
    this.#onWatch();
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(key);
    };
  }

  publish(kind: WatchedKind, ids: Iterable<string>): void {
    for (const id of ids) {
      for (const listener of [...this.#listeners.get(`${kind} ${id}`) ?? []]) listener();
    }
  }

  /** The ids of `kind` that somebody watches. */
  watched(kind: WatchedKind): readonly string[] {
    return [...this.#listeners.keys()].filter((key) => key.startsWith(`${kind} `))
      .map((key) => key.slice(kind.length + 1));
  }
}
