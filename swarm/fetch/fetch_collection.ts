/** Fetching a collection: its own blob, then its children. */
import { isSeedmintError, messageOf, SeedmintError } from "../../src/core/errors.ts";
import { type Hash, shortHash } from "../../src/core/hash.ts";
import { RangeSet } from "../../src/core/range_set.ts";
import { COLLECTION_BYTES_MAX, type CollectionChild } from "../collection.ts";
import { childAttributes } from "../narrowing.ts";
import type { Origin } from "../ports.ts";
import { readCollection } from "../read_whole.ts";
import { SCHEDULER_LIMITS } from "../scheduler/mod.ts";
import { ChildRuns } from "./child_runs.ts";
import { fetchBlob } from "./fetch_blob.ts";
import {
  LARGE_CHILDREN_MAX,
  PROGRESS_MS,
  SINGLE_CHILDREN_MAX,
  SMALL_CHILD_BYTES_MAX,
} from "./limits.ts";
import type { FetchContext } from "./options.ts";
import { type FetchFailure, type FetchProgress, type FetchReport, joinReports } from "./report.ts";
import { SourcePool } from "./source_pool.ts";

/** Options of {@link fetchCollection}. */
export interface FetchCollectionOptions extends FetchContext {
  /** The collection's own blob. */
  readonly hash: Hash;
  /** Where the collection's own blob may be had besides. */
  readonly origin?: Origin;
  /** Where a child may be had besides. */
  readonly originOf?: (child: CollectionChild, index: number) => Origin | undefined;
  readonly onProgress?: (progress: CollectionProgress) => void;
}

/** A moment of the fetch of a collection. `size` is the sum over all children. */
export interface CollectionProgress extends FetchProgress {
  readonly childrenDone: number;
  readonly childCount: number;
}

/** How it went. `size` is the sum over all children. */
export interface CollectionReport extends FetchReport {
  readonly children: readonly CollectionChild[];
}

/** The parts of a report. */
type Part = Pick<FetchReport, "sources" | "wastedBytes" | "failures" | "originReason">;

/**
 * Fetches a collection and everything in it. Small children come many in a request, split over the
 * providers; large ones each from several providers at once; what no provider has comes from the
 * origins. Children that are here already are not fetched again.
 *
 * @throws {SeedmintError} as `fetchBlob`; `protocol` if the blob is no collection. When children
 * fail, the others are fetched first, and the message counts the failed ones.
 * @throws `signal.reason` once `signal` is aborted.
 */
export async function fetchCollection(options: FetchCollectionOptions): Promise<CollectionReport> {
  const startMs = options.clock.monotonicMs();
  const signal = options.signal ?? new AbortController().signal;
  await using pool = new SourcePool(options.hash, options);
  const { onProgress: _told, originOf: _of, origin, ...context } = options;
  const attributes = { ...options.attributes, kind: "collection" } as const;
  const own = await fetchBlob({
    ...context,
    ...pool.contextOf(signal),
    hash: options.hash,
    attributes,
    limits: { ...options.limits, blobBytesMax: COLLECTION_BYTES_MAX },
    ...(origin === undefined ? {} : { origin }),
  });
  banFailed(pool, own.failures);
  const children = await readCollection(options.store, options.hash);
  const fetching = new ChildrenFetch({ options, pool, children, signal });
  await fetching.run();
  const size = children.reduce((sum, child) => sum + child.size, 0);
  const ms = options.clock.monotonicMs() - startMs;
  // What the root's blob itself cost is told of, but its bytes are no child's.
  const rootPart = { ...own, sources: [] };
  const parts: Part[] = [rootPart, ...fetching.parts, {
    sources: [],
    wastedBytes: 0,
    failures: pool.failures,
  }];
  return { ...joinReports({ hash: options.hash, size, ms }, parts), children };
}

/** The children of one collection on their way. */
class ChildrenFetch {
  readonly parts: Part[] = [];
  readonly #options: FetchCollectionOptions;
  readonly #pool: SourcePool;
  readonly #children: readonly CollectionChild[];
  readonly #size: number;
  readonly #signal: AbortSignal;
  readonly #abort = new AbortController();
  /** Bytes here of children that are under way or done, by index. */
  readonly #bytes = new Map<number, number>();
  readonly #failed: unknown[] = [];
  #doneCount = 0;
  #doneBytes = 0;
  #activeCount = 0;
  #toldMs = -Infinity;

  constructor(
    init: {
      readonly options: FetchCollectionOptions;
      readonly pool: SourcePool;
      readonly children: readonly CollectionChild[];
      readonly signal: AbortSignal;
    },
  ) {
    this.#options = init.options;
    this.#pool = init.pool;
    this.#children = init.children;
    this.#size = init.children.reduce((sum, child) => sum + child.size, 0);
    this.#signal = AbortSignal.any([init.signal, this.#abort.signal]);
  }

  async run(): Promise<void> {
    const { small, large, copies } = this.#sort();
    const largeWork = this.#eachOf(large, LARGE_CHILDREN_MAX);
    try {
      const left = await this.#fetchSmall(small);
      await this.#eachOf(indexesOf(left), SINGLE_CHILDREN_MAX);
      await largeWork;
    } catch (error) {
      this.#abort.abort(error);
      await largeWork.catch(() => {});
      throw error;
    }
    for (const index of copies) this.#done(index);
    if (this.#failed.length > 0) throw this.#error();
    this.#tell(true);
  }

  /** What is missing, by how it is fetched; a child listed twice is fetched once. */
  #sort(): { readonly small: RangeSet; readonly large: number[]; readonly copies: number[] } {
    const { store } = this.#options;
    const seen = new Set<Hash>();
    const small: number[] = [];
    const large: number[] = [];
    const copies: number[] = [];
    let heldBytes = 0;
    for (const [index, child] of this.#children.entries()) {
      if (store.status(child.hash)?.state === "complete") {
        this.#done(index);
        heldBytes += child.size;
      } else if (seen.has(child.hash)) copies.push(index);
      else (child.size <= SMALL_CHILD_BYTES_MAX ? small : large).push(index);
      seen.add(child.hash);
    }
    if (heldBytes > 0) {
      this.parts.push({
        sources: [{ kind: "store", id: "store", bytes: heldBytes }],
        wastedBytes: 0,
        failures: [],
      });
    }
    const runs = small.map((index) => ({ start: index, end: index + 1 }));
    return { small: RangeSet.from(runs), large, copies };
  }

  async #fetchSmall(wanted: RangeSet): Promise<RangeSet> {
    const { policy, thrift, originOf, limits, attributes, clock, hash } = this.#options;
    if (policy === "origin-first" && originOf !== undefined) return wanted;
    const patienceMs = limits?.originStartMs ?? SCHEDULER_LIMITS.originStartMs;
    const runs = new ChildRuns({
      root: hash,
      children: this.#children,
      wanted,
      pool: this.#pool,
      clock,
      thrift: thrift ?? "balanced",
      hasOrigin: (index) =>
        policy !== "swarm-only" && originOf?.(this.#children[index]!, index) !== undefined,
      isFleet: (id) => this.#options.herd?.isMember(id) === true,
      ...(attributes === undefined ? {} : { attributes }),
      signal: this.#signal,
      patienceMs: Math.max(0, patienceMs),
      onChild: (index) => {
        this.#done(index);
        this.#tell();
      },
    });
    try {
      return await runs.run();
    } finally {
      this.parts.push({
        sources: [...runs.from.values()],
        wastedBytes: runs.wastedBytes,
        failures: runs.failures,
      });
    }
  }

  /** Fetches children one by one, `countMax` at a time. */
  async #eachOf(indexes: Iterable<number>, countMax: number): Promise<void> {
    const iterator = indexes[Symbol.iterator]();
    const work = async () => {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
        await this.#fetchOne(next.value);
      }
    };
    await Promise.all(Array.from({ length: countMax }, work));
  }

  async #fetchOne(index: number): Promise<void> {
    const child = this.#children[index]!;
    const origin = this.#options.originOf?.(child, index);
    const { policy, limits, store, hash: root } = this.#options;
    // Wherever it comes from: a child of a fleet's collection is the fleet's, even from the origin.
    const attributes = childAttributes(
      store,
      { root, child: child.hash },
      this.#options.attributes,
    );
    this.#activeCount++;
    try {
      const report = await fetchBlob({
        ...this.#pool.contextOf(this.#signal),
        hash: child.hash,
        ...(policy === undefined ? {} : { policy }),
        ...(limits === undefined ? {} : { limits }),
        attributes,
        ...(origin === undefined ? {} : { origin }),
        onProgress: (now) => {
          this.#bytes.set(index, Math.min(now.bytes, child.size));
          this.#tell();
        },
      });
      this.parts.push(report);
      banFailed(this.#pool, report.failures);
      this.#done(index);
    } catch (error) {
      if (this.#signal.aborted) throw this.#signal.reason;
      const isOurs = isSeedmintError(error) &&
        (error.code === "no-space" || error.code === "storage" || error.code === "locked");
      if (isOurs) throw error;
      this.#failed.push(error);
    } finally {
      this.#activeCount--;
    }
  }

  #done(index: number): void {
    this.#bytes.delete(index);
    this.#doneCount++;
    this.#doneBytes += this.#children[index]!.size;
  }

  #tell(isLast: boolean = false): void {
    const { onProgress, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (onProgress === undefined || (!isLast && nowMs - this.#toldMs < PROGRESS_MS)) return;
    this.#toldMs = nowMs;
    let bytes = this.#doneBytes;
    for (const part of this.#bytes.values()) bytes += part;
    onProgress({
      bytes,
      size: this.#size,
      sources: Math.max(this.#activeCount, this.#pool.sources.length),
      childrenDone: this.#doneCount,
      childCount: this.#children.length,
    });
  }

  #error(): SeedmintError {
    const first = this.#failed[0];
    return new SeedmintError(
      isSeedmintError(first) ? first.code : "unavailable",
      `Cannot fetch collection ${shortHash(this.#options.hash)}: ` +
        `${this.#failed.length} of ${this.#children.length} children failed, the others are here; ` +
        `the first: ${messageOf(first)}`,
      { cause: first, retryable: true },
    );
  }
}

/** Who lied about one child, or was not paid for it, is asked for no other. */
function banFailed(pool: SourcePool, failures: readonly FetchFailure[]): void {
  for (const { id, code } of failures) {
    if (code === "corrupt" || code === "payment-required") pool.ban(id);
  }
}

function* indexesOf(set: RangeSet): Generator<number> {
  for (const range of set) {
    for (let index = range.start; index < range.end; index++) yield index;
  }
}
