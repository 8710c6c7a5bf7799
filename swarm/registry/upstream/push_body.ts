/** The body of a push: read as it is sent, watched, and ended with its request. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { PUSH_FINISH_MS_MAX, PUSH_STALL_MS_MAX } from "./limits.ts";

/** Reads a stretch of what is pushed. */
export type ReadStretch = (
  range: { readonly start: number; readonly end: number },
  signal: AbortSignal,
) => AsyncIterable<Uint8Array<ArrayBuffer>>;

/** See the head of this file. */
export class PushBody implements AsyncDisposable {
  /** Aborted when the connection takes no byte for too long, or no answer follows the last one. */
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #clock: Clock;
  readonly #iterators = new Set<AsyncIterator<Uint8Array<ArrayBuffer>>>();
  #stop: () => void = () => {};
  #isOver = false;

  constructor(options: { readonly clock: Clock; readonly signal: AbortSignal }) {
    this.#clock = options.clock;
    this.signal = AbortSignal.any([options.signal, this.#abort.signal]);
    this.#watch(PUSH_STALL_MS_MAX);
  }

  /** A stream of `range`, counted by `onSent`. */
  stream(
    read: ReadStretch,
    range: { readonly start: number; readonly end: number },
    onSent: (bytes: number) => void,
  ): ReadableStream<Uint8Array<ArrayBuffer>> {
    const iterator = read(range, this.signal)[Symbol.asyncIterator]();
    this.#iterators.add(iterator);
    return new ReadableStream({
      pull: async (controller) => {
        const next = await iterator.next();
        if (next.done) {
          this.#watch(PUSH_FINISH_MS_MAX);
          return controller.close();
        }
        this.#watch(PUSH_STALL_MS_MAX);
        onSent(next.value.length);
        // What was read is valid until the next reading only.
        controller.enqueue(next.value.slice());
      },
    }, { highWaterMark: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#stop();
    this.#abort.abort();
    for (const iterator of this.#iterators) await iterator.return?.().catch(() => {});
  }

  #watch(ms: number): void {
    this.#stop();
    // A connection may ask for more after its answer came.
    if (this.#isOver) return;
    this.#stop = this.#clock.timer(ms, () => {
      this.#abort.abort(
        new SeedmintError("timeout", `Cannot push: the registry took nothing for ${ms} ms`, {
          retryable: true,
        }),
      );
    });
  }
}
