/** One thing at a time with each of many. */

/** Turns, by name. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /**
   * Runs `work` when what came before under `name` is done.
   *
   * @throws `signal.reason` if it is aborted before its turn; whatever `work` throws.
   */
  async take<T>(
    name: string,
    work: () => Promise<T>,
    options: { readonly signal: AbortSignal },
  ): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const mine = before.then(() => {
      options.signal.throwIfAborted();
      return work();
    });
    const settled = mine.catch(() => {});
    this.#last.set(name, settled);
    settled.then(() => {
      if (this.#last.get(name) === settled) this.#last.delete(name);
    });
    return await mine;
  }
}
