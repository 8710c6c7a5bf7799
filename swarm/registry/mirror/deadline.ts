/** Signals that end by themselves. */
import { SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";

/** A signal that is aborted after a while, or with one of others. Dispose it when the work is over. */
export class Deadline implements Disposable {
  readonly signal: AbortSignal;
  readonly #cancel: () => void;

  /** @param options `what` stands in the message: "the registry's answer". */
  constructor(
    clock: Clock,
    options: {
      readonly ms: number;
      readonly what: string;
      readonly signals?: readonly AbortSignal[];
    },
  ) {
    const own = new AbortController();
    this.#cancel = clock.timer(options.ms, () => {
      own.abort(
        new SeedmintError("timeout", `${options.what} took longer than ${options.ms} ms`, {
          retryable: true,
        }),
      );
    });
    this.signal = AbortSignal.any([own.signal, ...(options.signals ?? [])]);
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}

/** Waits until `promise` settles, however it does, and no longer than `ms`. */
export async function within(
  promise: Promise<unknown>,
  options: { readonly clock: Clock; readonly ms: number; readonly signal: AbortSignal },
): Promise<void> {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const cancel = options.clock.timer(options.ms, resolve);
  const onAbort = () => resolve();
  options.signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise.then(() => {}, () => {}), over]);
  } finally {
    cancel();
    options.signal.removeEventListener("abort", onAbort);
  }
  options.signal.throwIfAborted();
}
