/**
 * Small children of a collection, many in one request: runs of them are split over the providers
 * that have the collection. What nobody brings this way is left for fetches one by one.
 */
import { type ErrorCode, isSeedmintError, messageOf } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { Clock } from "../../src/core/ports.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import type { CollectionChild } from "../collection.ts";
import type { Source } from "../ports.ts";
import type { Thrift } from "../scheduler/mod.ts";
import type { BlobAttributes } from "../store/blob_store.ts";
import {
  CHILD_FAILURES_MAX,
  CHILD_PROGRESS_MS,
  CHILD_RUN_BYTES_MAX,
  CHILD_SOURCES_MAX,
  CHILDREN_PER_RUN_MAX,
  CHILDREN_PER_RUN_MIN,
} from "./limits.ts";
import type { FetchedFrom, FetchFailure } from "./report.ts";
import type { SourcePool } from "./source_pool.ts";
import { ChildThrift } from "./child_thrift.ts";

/** Options of {@link ChildRuns}. */
export interface ChildRunsOptions {
  readonly root: Hash;
  readonly children: readonly CollectionChild[];
  /** Indexes wanted. */
  readonly wanted: RangeSet;
  readonly pool: SourcePool;
  readonly clock: Clock;
  readonly thrift: Thrift;
  /** Whether a child may be had of an origin. */
  readonly hasOrigin: (index: number) => boolean;
  /** Whether a peer is of our fleet, which never charges us. */
  readonly isFleet: (peerId: string) => boolean;
  readonly attributes?: BlobAttributes;
  readonly signal: AbortSignal;
  /** How long to wait for a first provider before the rest is fetched one by one. */
  readonly patienceMs: number;
  readonly onChild: (index: number) => void;
}

/** What is known of a provider in this collection. */
export interface Worker {
  readonly source: Source;
  /** Children that it said it lacks. */
  lacks: RangeSet;
  failuresInRow: number;
  isBusy: boolean;
  isDropped: boolean;
}

/** See the head of this file. */
export class ChildRuns {
  readonly from = new Map<string, FetchedFrom>();
  readonly failures: FetchFailure[] = [];
  wastedBytes = 0;
  readonly #options: ChildRunsOptions;
  readonly #workers = new Map<string, Worker>();
  readonly #thrift: ChildThrift;
  readonly #ended = Promise.withResolvers<void>();
  #pending: RangeSet;
  #runningCount = 0;
  #lastProgressMs: number;
  #isOver = false;

  constructor(options: ChildRunsOptions) {
    this.#options = options;
    this.#thrift = new ChildThrift(options);
    this.#pending = options.wanted;
    this.#lastProgressMs = options.clock.monotonicMs();
  }

  /** Ends when all wanted children are here or no provider can bring more; @returns those left. */
  async run(): Promise<RangeSet> {
    const { pool, signal, clock, patienceMs } = this.#options;
    if (this.#pending.isEmpty) return this.#pending;
    const onAbort = () => this.#ended.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    const stopListening = pool.onChange(() => this.#fill());
    const stopThrift = this.#thrift.onEased(() => this.#fill());
    let stopTimer = () => {};
    const look = () => {
      const idleMs = clock.monotonicMs() - this.#lastProgressMs;
      if (this.#runningCount === 0 && idleMs >= patienceMs) this.#end();
      else stopTimer = clock.timer(Math.max(50, patienceMs - idleMs), look);
    };
    stopTimer = clock.timer(patienceMs, look);
    try {
      signal.throwIfAborted();
      this.#fill();
      await this.#ended.promise;
    } finally {
      this.#isOver = true;
      stopTimer();
      stopThrift();
      stopListening();
      signal.removeEventListener("abort", onAbort);
    }
    return this.#pending;
  }

  /** Gives every idle provider a run; ends when there is nothing to give and nothing under way. */
  #fill(): void {
    if (this.#isOver) return;
    for (const source of this.#options.pool.sources) {
      if (source.fetchChildren === undefined || this.#workers.has(source.id)) continue;
      this.#workers.set(source.id, {
        source,
        lacks: RangeSet.EMPTY,
        failuresInRow: 0,
        isBusy: false,
        isDropped: false,
      });
    }
    const live = [...this.#workers.values()].filter((worker) => this.#isLive(worker));
    for (const worker of this.#thrift.ordered(live)) {
      if (this.#runningCount >= CHILD_SOURCES_MAX) break;
      if (worker.isBusy) continue;
      const within = this.#thrift.within(worker, live);
      const run = this.#nextRun(this.#pending.subtract(worker.lacks).intersect(within));
      if (!run.isEmpty) void this.#work(worker, run);
    }
    if (this.#runningCount > 0) return;
    const isHopeless = this.#options.pool.isEnded;
    if (this.#pending.isEmpty || isHopeless) this.#end();
  }

  #end(): void {
    this.#isOver = true;
    this.#ended.resolve();
  }

  #isLive(worker: Worker): boolean {
    return !worker.isDropped && !this.#options.pool.isBanned(worker.source.id);
  }

  /** A fair half of what is left, so that runs shrink towards the end and all end together. */
  #nextRun(available: RangeSet): RangeSet {
    const { children } = this.#options;
    const liveCount = [...this.#workers.values()].filter((one) => this.#isLive(one)).length;
    const fair = liveCount <= 1 ? available.count : Math.ceil(available.count / (2 * liveCount));
    const countMax = Math.min(CHILDREN_PER_RUN_MAX, Math.max(CHILDREN_PER_RUN_MIN, fair));
    let bytes = 0;
    let count = 0;
    for (const range of available) {
      for (let index = range.start; index < range.end && count < countMax; index++) {
        bytes += children[index]!.size;
        if (count > 0 && bytes > CHILD_RUN_BYTES_MAX) return available.take(count);
        count++;
      }
    }
    return available.take(count);
  }

  async #work(worker: Worker, run: RangeSet): Promise<void> {
    this.#pending = this.#pending.subtract(run);
    this.#runningCount++;
    worker.isBusy = true;
    let left = run;
    try {
      await this.#ask(worker, run, (index) => {
        left = left.subtract(RangeSet.of(index, index + 1));
        worker.failuresInRow = 0;
      });
      // It ended well and left some out: it lacks them.
      worker.lacks = worker.lacks.union(left);
    } catch (error) {
      this.#noteFailure(worker, left, error);
    } finally {
      this.#pending = this.#pending.union(left);
      this.#runningCount--;
      worker.isBusy = false;
      this.#fill();
    }
  }

  async #ask(worker: Worker, run: RangeSet, onChild: (index: number) => void): Promise<void> {
    const { children, clock, root, attributes } = this.#options;
    const abort = new AbortController();
    let lastMs = clock.monotonicMs();
    let verifiedBytes = 0;
    let receivedBytes = 0;
    let stopTimer = () => {};
    const look = () => {
      const silentMs = clock.monotonicMs() - lastMs;
      if (silentMs >= CHILD_PROGRESS_MS) {
        abort.abort(new DOMException("no child came in time", "TimeoutError"));
      } else stopTimer = clock.timer(CHILD_PROGRESS_MS - silentMs + 1, look);
    };
    stopTimer = clock.timer(CHILD_PROGRESS_MS, look);
    const progress = () => {
      lastMs = clock.monotonicMs();
      this.#lastProgressMs = lastMs;
    };
    try {
      const result = await worker.source.fetchChildren!({
        root,
        children: run,
        ...(attributes === undefined ? {} : { attributes }),
        signal: AbortSignal.any([abort.signal, this.#options.signal]),
        onReceived: (bytes) => {
          receivedBytes += bytes;
          progress();
        },
        onChild: (index) => {
          progress();
          verifiedBytes += children[index]!.size;
          this.#credit(worker.source, children[index]!.size);
          onChild(index);
          this.#options.onChild(index);
        },
      });
      receivedBytes = Math.max(receivedBytes, result.receivedBytes);
    } finally {
      stopTimer();
      // Parents of children above 16 KiB are 1/256 of them, and no waste.
      const accounted = verifiedBytes * (1 + 1 / 256);
      this.wastedBytes += Math.max(0, Math.floor(receivedBytes - accounted));
    }
  }

  #credit(source: Source, bytes: number): void {
    const before = this.from.get(source.id)?.bytes ?? 0;
    this.from.set(source.id, { kind: source.kind, id: source.id, bytes: before + bytes });
  }

  #noteFailure(worker: Worker, left: RangeSet, error: unknown): void {
    const { signal } = this.#options;
    if (signal.aborted || this.#isOver) return;
    const code = codeOf(error);
    const { id } = worker.source;
    if (!this.failures.some((one) => one.id === id && one.code === code)) {
      this.failures.push({ id, code, message: messageOf(error) });
    }
    worker.failuresInRow++;
    if (OURS.includes(code)) {
      this.#isOver = true;
      this.#ended.reject(error);
    } else if (code === "corrupt") this.#options.pool.ban(id);
    else if (code === "not-found") worker.lacks = worker.lacks.union(left);
    const isFinal = worker.failuresInRow >= CHILD_FAILURES_MAX || FINAL.includes(code);
    if (isFinal) worker.isDropped = true;
  }
}

const OURS: readonly ErrorCode[] = ["no-space", "storage", "locked"];
const FINAL: readonly ErrorCode[] = ["corrupt", "denied", "payment-required", "protocol"];

function codeOf(error: unknown): ErrorCode {
  if (isSeedmintError(error)) return error.code;
  return error instanceof DOMException && error.name === "TimeoutError" ? "timeout" : "unavailable";
}
