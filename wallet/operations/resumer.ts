/**
 * Drives every open operation to its end in the background: at start what a crash left behind, and
 * then whatever falls due.
 */
import { ENGINE_CONCURRENCY } from "./limits.ts";
import type { Engine } from "./engine.ts";
import { type Backoff, backoffMs } from "./backoff.ts";

/** Never looks at the journal more often than this without being woken. */
const TICK_MS = 500;
/** Looks again after this long, should a clock have jumped. */
const LOOK_MS = 60_000;
/** After an operation that could not even be noted down, as when the disk is full. */
const BROKEN: Backoff = { firstMs: 1000, capMs: 60_000 };

/** The loop. Dispose it before the engine and the store. */
export class Resumer implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #concurrency: number;
  readonly #stop = new AbortController();
  readonly #running = new Map<string, Promise<void>>();
  /** Operations whose driver threw, and when to try again. */
  readonly #broken = new Map<string, { readonly count: number; readonly untilMs: number }>();
  #wake = Promise.withResolvers<void>();
  readonly #loop: Promise<void>;

  constructor(engine: Engine, options: { readonly concurrency?: number } = {}) {
    this.#engine = engine;
    this.#concurrency = options.concurrency ?? ENGINE_CONCURRENCY;
    this.#loop = this.#run();
  }

  /** Looks at the journal now: something was begun or changed. */
  wake(): void {
    this.#wake.resolve();
  }

  /** Lets go of every operation, wherever it is; the next start goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    await Promise.allSettled(this.#running.values());
  }

  async #run(): Promise<void> {
    await this.#lookAtQuiet();
    while (!this.#stop.signal.aborted) {
      this.#wake = Promise.withResolvers<void>();
      try {
        this.#launchDue();
      } catch {
        // A database that cannot be read now may be readable later.
      }
      await this.#pause(this.#pauseMs());
    }
  }

  /** What waits for an event that may have happened while nobody ran is looked at once. */
  async #lookAtQuiet(): Promise<void> {
    let quiet: string[] = [];
    try {
      quiet = this.#engine.context.store.operations({ status: "open" })
        .filter(({ nextAtMs }) => nextAtMs === undefined).map(({ id }) => id);
    } catch {
      // As in the loop: what cannot be read now is due again at the next start.
    }
    for (const id of quiet) {
      if (this.#stop.signal.aborted) return;
      if (this.#running.size >= this.#concurrency) await Promise.race(this.#running.values());
      this.#launch(id);
    }
  }

  #launchDue(): void {
    const { store, clock } = this.#engine.context;
    const nowMs = clock.nowMs();
    const limit = this.#concurrency + this.#running.size + this.#broken.size;
    for (const { id } of store.operations({ status: "open", dueMs: nowMs, limit })) {
      if (this.#running.size >= this.#concurrency) return;
      if (this.#running.has(id) || nowMs < (this.#broken.get(id)?.untilMs ?? 0)) continue;
      this.#launch(id);
    }
  }

  #launch(id: string): void {
    const { clock, random } = this.#engine.context;
    const done = this.#engine.drive(id, { signal: this.#stop.signal }).then(
      () => void this.#broken.delete(id),
      () => {
        const count = (this.#broken.get(id)?.count ?? 0) + 1;
        this.#broken.set(id, { count, untilMs: clock.nowMs() + backoffMs(BROKEN, count, random) });
      },
    ).finally(() => {
      this.#running.delete(id);
      this.wake();
    });
    this.#running.set(id, done);
  }

  #pauseMs(): number {
    if (this.#running.size >= this.#concurrency) return LOOK_MS;
    try {
      const { store, clock } = this.#engine.context;
      const dueMs = store.nextDueMs();
      if (dueMs === undefined) return LOOK_MS;
      return Math.min(LOOK_MS, Math.max(TICK_MS, dueMs - clock.nowMs()));
    } catch {
      return LOOK_MS;
    }
  }

  async #pause(ms: number): Promise<void> {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#stop.signal]);
    const slept = this.#engine.context.clock.sleep(ms, { signal }).catch(() => {});
    await Promise.race([slept, this.#wake.promise]);
    stop.abort();
    await slept;
  }
}
