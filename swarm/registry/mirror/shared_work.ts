/** Work that all who want the same thing at the same moment share. */
import { SeedmintError } from "../../../src/core/errors.ts";
import { SHARED_MAX } from "./limits.ts";

/**
 * One piece of work for each key at a time. It has a deadline of its own and goes on when those who
 * wait for it leave: what it finds is of use to the next.
 */
export class SharedWork<Value> {
  readonly #underWay = new Map<string, Promise<Value>>();

  /**
   * Joins the work for `key`, or begins it.
   *
   * @throws {SeedmintError} `busy` when too much is under way; what the work throws.
   * @throws `signal.reason` once `signal` is aborted; the work goes on.
   */
  async do(key: string, work: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
    signal.throwIfAborted();
    return await abortable(this.begin(key, work), signal);
  }

  /** As {@link do}, for who cannot leave. */
  begin(key: string, work: () => Promise<Value>): Promise<Value> {
    const known = this.#underWay.get(key);
    if (known !== undefined) return known;
    if (this.#underWay.size >= SHARED_MAX) {
      return Promise.reject(
        new SeedmintError("busy", "The mirror is asked for too many things at once; try again", {
          retryable: true,
        }),
      );
    }
    const working = work().finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, working);
    // Whoever waits hears of it; work that all have left fails unheard.
    working.catch(() => {});
    return working;
  }
}

/** What `promise` gives, unless `signal` is aborted first. @throws `signal.reason` */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw signal.reason;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    aborted.catch(() => {});
  }
}
