/** So many at a time; the others wait in order. */
import { SeedmintError } from "../../src/core/errors.ts";

/** Lanes for all, of which each key has so many. */
export class SharedLanes {
  readonly #all: Lanes;
  readonly #perKeyMax: number;
  readonly #keys = new Map<string, { readonly lanes: Lanes; userCount: number }>();

  constructor(options: { readonly countMax: number; readonly perKeyMax: number }) {
    this.#all = new Lanes(options);
    this.#perKeyMax = options.perKeyMax;
  }

  /**
   * Runs `work` when the turn of `key` comes.
   *
   * @throws `signal.reason`; whatever `work` throws.
   */
  async run<T>(
    key: string,
    work: () => Promise<T>,
    options: { readonly signal: AbortSignal },
  ): Promise<T> {
    const own = this.#keys.get(key) ??
      { lanes: new Lanes({ countMax: this.#perKeyMax }), userCount: 0 };
    this.#keys.set(key, own);
    own.userCount++;
    try {
      return await own.lanes.run(() => this.#all.run(work, options), options);
    } finally {
      if (--own.userCount === 0) this.#keys.delete(key);
    }
  }
}

/** A bounded number of lanes. */
export class Lanes {
  readonly #countMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #count = 0;

  constructor(options: { readonly countMax: number; readonly waitingMax?: number }) {
    this.#countMax = options.countMax;
    this.#waitingMax = options.waitingMax ?? Infinity;
  }

  /**
   * Runs `work` when its turn comes.
   *
   * @throws {SeedmintError} `busy` if too many wait; `signal.reason`; whatever `work` throws.
   */
  async run<T>(work: () => Promise<T>, { signal }: { readonly signal: AbortSignal }): Promise<T> {
    signal.throwIfAborted();
    if (this.#count >= this.#countMax) await this.#turn(signal);
    else this.#count++;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The lane goes over to the next without being free in between.
      if (next === undefined) this.#count--;
      else next();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) {
      throw new SeedmintError(
        "busy",
        "Too many such requests wait already; try again in a moment",
        {
          retryable: true,
        },
      );
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(go), 1);
        reject(signal.reason);
      };
      const go = () => {
        signal.removeEventListener("abort", onAbort);
        resolve();
      };
      this.#waiting.push(go);
      signal.addEventListener("abort", onAbort, { once: true });
    });
  }
}
