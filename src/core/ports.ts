/** Time and chance come in through these, so that a simulator can own them. */

/** Two clocks and a timer. */
export interface Clock {
  /** Wall-clock time in milliseconds since 1970, for what is stored or signed. May jump. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start that never run backwards: for deadlines and rates. */
  monotonicMs(): number;
  /**
   * Resolves after `ms` milliseconds.
   *
   * @throws `signal.reason` once `signal` is aborted.
   */
  sleep(ms: number, options?: { readonly signal?: AbortSignal }): Promise<void>;
  /** Calls `callback` once after `ms` milliseconds unless the returned function is called first. */
  timer(ms: number, callback: () => void): () => void;
}

/** A source of chance. */
export interface Random {
  /** `count` unpredictable bytes. */
  bytes(count: number): Uint8Array<ArrayBuffer>;
  /** A number from 0 up to, never including, 1. */
  float(): number;
}

/** An integer from 0 up to, never including, `end`. */
export function randomBelow(random: Random, end: number): number {
  return Math.floor(random.float() * end);
}
