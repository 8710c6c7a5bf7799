/** One at a time, in the order of coming. */

/** Hands out turns. Whoever has one gives it back by disposing it, once or more. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /**
   * Resolves when every turn taken before was given back.
   *
   * @param wait How to wait; when it throws, the place in the row is given up.
   */
  async take(wait: (turn: Promise<void>) => Promise<void> = (turn) => turn): Promise<Disposable> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = before.then(() => promise);
    try {
      await wait(before);
    } catch (error) {
      resolve();
      throw error;
    }
    return { [Symbol.dispose]: resolve };
  }
}
