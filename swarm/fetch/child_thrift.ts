/**
 * What a price does to who is asked for small children: as `swarm/scheduler/thrift.ts` for blobs, in
 * terms of children and without measured rates. A provider is asked for what every cheaper one that is
 * alive said it lacks; `balanced` eases that for all after a while, `cheapest` for none, and `fastest`
 * does not look at prices. Runs of two providers never overlap, so nothing is bought twice.
 */
import { RangeSet } from "../../src/core/range_set.ts";
import type { Source } from "../ports.ts";
import { SCHEDULER_LIMITS } from "../scheduler/mod.ts";
import type { ChildRunsOptions, Worker } from "./child_runs.ts";
import { CHILD_CHEAPER_FIRST_MS } from "./limits.ts";

/** See the head of this file. */
export class ChildThrift {
  readonly #options: ChildRunsOptions;
  readonly #startMs: number;
  #withoutOrigin: RangeSet | undefined;

  constructor(options: ChildRunsOptions) {
    this.#options = options;
    this.#startMs = options.clock.monotonicMs();
  }

  /** Cheaper providers first; those that ask the same in the order in which they were found. */
  ordered(live: readonly Worker[]): readonly Worker[] {
    if (this.#options.thrift === "fastest") return live;
    return [...live].sort((a, b) => this.#priceOf(a.source) - this.#priceOf(b.source));
  }

  /** Children that `worker` may be asked for now, out of all. */
  within(worker: Worker, live: readonly Worker[]): RangeSet {
    const { thrift } = this.#options;
    const price = this.#priceOf(worker.source);
    if (price === 0 || thrift === "fastest") return RangeSet.ALL;
    if (thrift === "balanced" && this.#hasWaited(CHILD_CHEAPER_FIRST_MS)) return RangeSet.ALL;
    let within = thrift === "cheapest" ? this.#onlyPaid() : RangeSet.ALL;
    for (const other of live) {
      if (this.#priceOf(other.source) < price) within = within.intersect(other.lacks);
    }
    return within;
  }

  /** Calls `listener` at the times when {@link within} may give more than before. */
  onEased(listener: () => void): () => void {
    const { clock, thrift } = this.#options;
    if (thrift === "fastest") return () => {};
    const waitMs = thrift === "cheapest" ? SCHEDULER_LIMITS.freeFirstMs : CHILD_CHEAPER_FIRST_MS;
    return clock.timer(waitMs, listener);
  }

  /** With `cheapest`: what no origin has, once free providers had the time to be found. */
  #onlyPaid(): RangeSet {
    const { hasOrigin, pool, wanted } = this.#options;
    if (!pool.isEnded && !this.#hasWaited(SCHEDULER_LIMITS.freeFirstMs)) return RangeSet.EMPTY;
    if (this.#withoutOrigin !== undefined) return this.#withoutOrigin;
    const runs: { start: number; end: number }[] = [];
    for (const { start, end } of wanted) {
      for (let index = start; index < end; index++) {
        if (!hasOrigin(index)) runs.push({ start: index, end: index + 1 });
      }
    }
    return this.#withoutOrigin = RangeSet.from(runs);
  }

  #hasWaited(ms: number): boolean {
    return this.#options.clock.monotonicMs() - this.#startMs >= ms;
  }

  #priceOf(source: Source): number {
    return this.#options.isFleet(source.id) ? 0 : Math.max(0, source.priceMsatPerMiB ?? 0);
  }
}
