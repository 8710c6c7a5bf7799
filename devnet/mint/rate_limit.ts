/** Requests a minute, as public mints limit them. */

/** How many requests are taken in a minute. */
export interface RateLimit {
  readonly perMinute: number;
  /** Limits only requests that change something, as nutshell counts transactions. */
  readonly transactionsOnly?: boolean;
  /** Whether the refusal says when to come again. @default {true} */
  readonly saysWhen?: boolean;
}

/** Counts the requests of the last minute. */
export class RateLimiter {
  readonly #startsMs: number[] = [];
  #limit: RateLimit | undefined;

  set limit(limit: RateLimit | undefined) {
    this.#limit = limit;
    this.#startsMs.length = 0;
  }

  /** Milliseconds until the next may come, or undefined if this one may. */
  refuse(request: { readonly isTransaction: boolean; readonly nowMs: number }): number | undefined {
    if (!this.#limit || (this.#limit.transactionsOnly && !request.isTransaction)) return undefined;
    while (this.#startsMs.length > 0 && this.#startsMs[0]! <= request.nowMs - 60_000) {
      this.#startsMs.shift();
    }
    if (this.#startsMs.length >= this.#limit.perMinute) {
      return (this.#startsMs[0] ?? request.nowMs) + 60_000 - request.nowMs;
    }
    this.#startsMs.push(request.nowMs);
    return undefined;
  }

  get saysWhen(): boolean {
    return this.#limit?.saysWhen ?? true;
  }
}
