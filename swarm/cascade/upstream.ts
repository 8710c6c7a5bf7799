/** Reading a part from upstream, over as many attempts as it takes, with a watchdog on each. */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import type { Clock, Random } from "../../src/core/ports.ts";
import type { Origin } from "../ports.ts";
import {
  UPSTREAM_ATTEMPTS_MAX,
  UPSTREAM_FIRST_MS,
  UPSTREAM_PAUSE_MS,
  UPSTREAM_SILENCE_MS,
} from "./limits.ts";

/** What of an origin is read, and where it goes. */
export interface UpstreamStretch {
  readonly origin: Origin;
  /** Bytes of the whole content. */
  readonly size: number;
  /** The first byte that is still wanted. */
  readonly position: () => number;
  readonly end: number;
  /** Takes the bytes at the position, which moves on by them. */
  readonly append: (bytes: Uint8Array) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/**
 * Reads the stretch to its end.
 *
 * @throws {SeedmintError} What the origin throws; `timeout` if it stays silent; `corrupt` if it has
 * another size.
 */
export async function readUpstream(stretch: UpstreamStretch): Promise<void> {
  const { signal, clock, random } = stretch;
  let attemptCount = 0;
  while (stretch.position() < stretch.end) {
    const before = stretch.position();
    try {
      await readOnce(stretch);
    } catch (error) {
      signal.throwIfAborted();
      if (stretch.position() > before) attemptCount = 0;
      attemptCount++;
      if (isFinal(error) || attemptCount >= UPSTREAM_ATTEMPTS_MAX) throw error;
      const pauseMs = UPSTREAM_PAUSE_MS * 2 ** (attemptCount - 1);
      await clock.sleep(pauseMs * (0.5 + random.float()), { signal });
    }
  }
}

function isFinal(error: unknown): boolean {
  // What is no error of ours came from the connection.
  return isSeedmintError(error) && !error.retryable;
}

async function readOnce(stretch: UpstreamStretch): Promise<void> {
  const { origin, size, end } = stretch;
  using watch = new Watch(stretch);
  const from = stretch.position();
  const isWhole = from === 0 && end === size;
  const opened = await watch.during(
    origin.open({ offset: from, ...(isWhole ? {} : { end }), signal: watch.signal }),
    UPSTREAM_FIRST_MS,
  );
  const reader = opened.body.getReader();
  try {
    if (opened.size !== undefined && opened.size !== size) {
      throw new SeedmintError(
        "corrupt",
        `Cannot fetch from origin ${origin.id}: it has ${opened.size} bytes, ${size} are wanted`,
      );
    }
    let skip = from - opened.offset;
    if (skip < 0) {
      throw new SeedmintError(
        "protocol",
        `Cannot fetch from origin ${origin.id}: it left out bytes`,
      );
    }
    while (stretch.position() < end) {
      const isFirst = stretch.position() === from;
      const ms = isFirst ? UPSTREAM_FIRST_MS : UPSTREAM_SILENCE_MS;
      const read = await watch.during(reader.read(), ms);
      if (read.done) {
        throw new SeedmintError(
          "reset",
          `Cannot fetch from origin ${origin.id}: it ended at byte ${stretch.position()} of ${end}`,
          { retryable: true },
        );
      }
      const skipped = Math.min(skip, read.value.length);
      skip -= skipped;
      const wanted = read.value.subarray(skipped).subarray(0, end - stretch.position());
      if (wanted.length > 0) stretch.append(wanted);
    }
  } finally {
    watch.abort();
    await reader.cancel().catch(() => {});
  }
}

/** Ends an attempt in which nothing happens. */
class Watch implements Disposable {
  readonly #abort = new AbortController();
  readonly #options: UpstreamStretch;
  readonly signal: AbortSignal;

  constructor(options: UpstreamStretch) {
    this.#options = options;
    this.signal = AbortSignal.any([options.signal, this.#abort.signal]);
  }

  /** Waits for one step; the origin need not listen to the signal. */
  async during<T>(step: Promise<T>, ms: number): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const { origin, clock, signal } = this.#options;
    const stop = clock.timer(
      ms,
      () =>
        reject(
          new SeedmintError(
            "timeout",
            `Cannot fetch from origin ${origin.id}: it sent nothing for ${ms} ms`,
            { retryable: true },
          ),
        ),
    );
    const onAbort = () => reject(asError(signal.reason));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    late.catch(() => {});
    step.catch(() => {});
    try {
      return await Promise.race([step, late]);
    } catch (error) {
      this.abort();
      throw error;
    } finally {
      stop();
      signal.removeEventListener("abort", onAbort);
    }
  }

  abort(): void {
    this.#abort.abort(new SeedmintError("aborted", "The bytes are not wanted any more"));
  }

  [Symbol.dispose](): void {
    this.abort();
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new SeedmintError("aborted", messageOf(reason));
}
