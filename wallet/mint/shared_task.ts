/** One run for all who ask at the same time: a thousand operations resume with one question. */

/** See the head of this file. */
export class SharedTask<Result> {
  #running: {
    readonly promise: Promise<Result>;
    readonly controller: AbortController;
    waiterCount: number;
  } | undefined;

  /**
   * Joins the run that is under way, or begins one. It is cancelled when the last who waits leaves.
   *
   * @throws `signal.reason` once `signal` is aborted, and what `task` throws.
   */
  async run(
    task: (signal: AbortSignal) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    signal?.throwIfAborted();
    const run = this.#running ??= this.#begin(task);
    run.waiterCount++;
    const left = Promise.withResolvers<never>();
    const onAbort = () => {
      // The last one waits for the task itself, so that nothing is left running behind it.
      if (--run.waiterCount === 0) run.controller.abort(signal!.reason);
      else left.reject(signal!.reason);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([run.promise, left.promise]);
    } finally {
      signal?.removeEventListener("abort", onAbort);
      if (!signal?.aborted) run.waiterCount--;
    }
  }

  #begin(task: (signal: AbortSignal) => Promise<Result>) {
    const controller = new AbortController();
    const run = {
      controller,
      waiterCount: 0,
      promise: task(controller.signal).finally(() => {
        if (this.#running === run) this.#running = undefined;
      }),
    };
    return run;
  }
}
