/** Those who wait for a change on disk. */
import type { Clock } from "../../src/core/ports.ts";

/** Watchers of a book. */
export class Watchers {
  readonly #looks = new Set<() => void>();
  readonly #clock: Pick<Clock, "timer">;
  readonly #closing: AbortSignal;

  constructor(clock: Pick<Clock, "timer">, closing: AbortSignal) {
    this.#clock = clock;
    this.#closing = closing;
  }

  /** Something changed: everybody looks. */
  wake(): void {
    for (const look of [...this.#looks]) look();
  }

  /**
   * Resolves with what `look` finds as soon as it finds something, or with undefined after `ms`.
   *
   * @throws `signal.reason`
   */
  until<T>(
    look: () => T | undefined,
    options: { readonly signal: AbortSignal; readonly ms?: number },
  ): Promise<T | undefined> {
    const signal = AbortSignal.any([options.signal, this.#closing]);
    return new Promise((resolve, reject) => {
      const end = () => {
        this.#looks.delete(check);
        cancel?.();
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        end();
        reject(signal.reason);
      };
      const check = () => {
        try {
          const found = look();
          if (found === undefined) return;
          end();
          resolve(found);
        } catch (error) {
          end();
          reject(error);
        }
      };
      const cancel = options.ms === undefined ? undefined : this.#clock.timer(options.ms, () => {
        end();
        resolve(undefined);
      });
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      this.#looks.add(check);
      check();
    });
  }
}
