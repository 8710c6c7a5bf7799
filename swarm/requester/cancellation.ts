/** Waiting that ends at once when the caller gives up, whatever the other side does. */

/**
 * One signal for many waits. Unlike a race against one promise that lives as long as the signal, a
 * wait that is over leaves nothing behind.
 */
export class Cancellation implements Disposable {
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.#cancel();
  readonly #waits = new Set<(reason: unknown) => void>();
  #breakUp: ((reason: Error) => void) | undefined;
  #givenUp: Error | undefined;

  /** @throws `signal.reason` if it is aborted already. */
  constructor(signal: AbortSignal) {
    signal.throwIfAborted();
    this.#signal = signal;
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#signal;
  }

  /** What to break off when the caller gives up, such as a stream; replaces the one before. */
  breaks(breakUp: ((reason: Error) => void) | undefined): void {
    this.#breakUp = breakUp;
  }

  /**
   * Waits for `promise`.
   *
   * @throws `signal.reason` at once when the caller gives up; `promise` then settles unseen.
   */
  wait<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#signal.aborted || this.#givenUp !== undefined) {
        promise.catch(() => {});
        return reject(this.#signal.aborted ? this.#signal.reason : this.#givenUp);
      }
      this.#waits.add(reject);
      promise.then((value) => {
        this.#waits.delete(reject);
        resolve(value);
      }, (error) => {
        this.#waits.delete(reject);
        reject(error);
      });
    });
  }

  /** Why {@link giveUp} was called. */
  get givenUp(): Error | undefined {
    return this.#givenUp;
  }

  /** Ends every wait with `reason`, though the caller would go on. */
  giveUp(reason: Error): void {
    this.#givenUp ??= reason;
    this.#end(reason);
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#waits.clear();
    this.#breakUp = undefined;
  }

  #cancel(): void {
    this.#end(this.#signal.reason);
  }

  #end(reason: unknown): void {
    this.#breakUp?.(reason instanceof Error ? reason : new Error(String(reason)));
    for (const reject of this.#waits) reject(reason);
    this.#waits.clear();
  }
}
