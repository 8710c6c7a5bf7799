/** One blob being fetched: the scheduler with real sources, a real clock and a real store. */
import { type ErrorCode, messageOf, SeedmintError } from "../../src/core/errors.ts";
import { type Range, RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf, groupSizeAt, PARENT_BYTES } from "../bao/geometry.ts";
import { OriginSource } from "../origin/origin_source.ts";
import type { ProviderHint, Source } from "../ports.ts";
import { Scheduler, type SchedulerEffect, type SchedulerEvent } from "../scheduler/mod.ts";
import { withoutFleetTerms } from "./fleet_hints.ts";
import { failureMessage } from "./failure_message.ts";
import {
  DISCOVERY_MS_MAX,
  FETCH_SOURCES_MAX,
  PROGRESS_MS,
  STOP_MS_MAX,
  TICK_MS,
} from "./limits.ts";
import type { FetchBlobOptions } from "./options.ts";
import type { FetchedFrom, FetchFailure, FetchProgress, FetchReport } from "./report.ts";
import { Transfer, type TransferHost } from "./transfer.ts";

/** How a round of a fetch ended. */
type Outcome = { readonly code: ErrorCode; readonly reason: string } | "done";

/** See the head of this file. Runs once. */
export class BlobFetch implements TransferHost {
  readonly #options: FetchBlobOptions;
  readonly #scheduler: Scheduler;
  readonly #sources = new Map<string, Source>();
  readonly #transfers = new Map<number, Transfer>();
  /** Prices that the scheduler knows. */
  readonly #prices = new Map<string, number>();
  readonly #from = new Map<string, FetchedFrom>();
  readonly #failures: FetchFailure[] = [];
  readonly #ended = Promise.withResolvers<Outcome>();
  readonly #discovery = new AbortController();
  readonly #queue: SchedulerEvent[] = [];
  readonly #onProgress: (progress: FetchProgress) => void;
  /** Groups whose bytes some source was credited with. */
  #counted = RangeSet.EMPTY;
  #settling: Promise<void>[] = [];
  #isDispatching = false;
  #isOver = false;
  #stopTick: () => void = () => {};
  #startMs = 0;
  #toldMs = -Infinity;
  #readingGroup: number | undefined;
  #wastedBytes = 0;
  #originReason: string | undefined;

  constructor(options: FetchBlobOptions, onProgress: (progress: FetchProgress) => void) {
    this.#options = options;
    this.#onProgress = onProgress;
    this.#scheduler = new Scheduler({
      policy: options.policy ?? "swarm-first",
      thrift: options.thrift ?? "balanced",
      hasOrigin: options.origin !== undefined,
      seed: Math.floor(options.random.float() * 2 ** 32),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
  }

  /**
   * @throws {SeedmintError} `not-found` or `unavailable` when all sources failed, `timeout`, or ours:
   * `no-space`, `storage`, `aborted`.
   */
  async run(signal: AbortSignal): Promise<FetchReport> {
    const { store, hash, clock } = this.#options;
    this.#startMs = clock.monotonicMs();
    const held = store.status(hash);
    if (held?.state === "complete") {
      this.#count({ kind: "store", id: "store" }, held.size);
      return this.#report(held.size);
    }
    if (held !== undefined) {
      this.#count({ kind: "store", id: "store" }, bytesOfGroups(held.groups, held.size));
      this.#counted = held.groups;
    }
    const onAbort = () => this.#ended.resolve({ code: "aborted", reason: "it was cancelled" });
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      if (!signal.aborted) this.#begin(held);
      const outcome = await this.#ended.promise;
      await this.#stop();
      this.#teach();
      if (outcome !== "done") throw this.#error(outcome, signal);
      this.#tellProgress(true);
      return this.#report(store.status(hash)?.size ?? this.#scheduler.progress().size ?? 0);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  dispatch(event: SchedulerEvent): void {
    if (this.#isOver) return;
    // Before more is asked of who granted, it must be known what that costs.
    if (event.type === "granted") this.#tellPrices();
    if (event.type === "received") this.#options.onReceived?.(event.bytes);
    this.#queue.push(event);
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const effects = this.#scheduler.step(next, this.#options.clock.monotonicMs());
        for (const effect of effects) this.#perform(effect);
      }
    } catch (error) {
      // A mistake of ours must end the fetch, not leave it waiting for ever.
      this.#isOver = true;
      this.#ended.reject(error);
    } finally {
      this.#isDispatching = false;
    }
  }

  verified(transfer: Transfer, groups: Range): void {
    const { size } = this.#scheduler.progress();
    const run = RangeSet.of(groups.start, groups.end);
    const fresh = bytesOfGroups(run.subtract(this.#counted), size);
    this.#counted = this.#counted.union(run);
    transfer.verifiedBytes += bytesOfGroups(run, size);
    transfer.newBytes += fresh;
    this.#count(transfer.source, fresh);
    // The store proves a size when a last group is written, and keeps no group of any other size.
    // Asked only while that matters: reading a large bitfield every megabyte takes time.
    const { isSizeProven } = this.#scheduler.progress();
    if (!isSizeProven && this.#options.store.status(this.#options.hash) !== undefined) {
      this.#resyncUnproven();
    }
    this.#tellProgress(false);
  }

  ended(transfer: Transfer): void {
    this.#transfers.delete(transfer.requestId);
    const duplicateBytes = transfer.verifiedBytes - transfer.newBytes;
    this.#wastedBytes += duplicateBytes + unverifiedBytes(transfer);
    if (transfer.isIngesting) this.#resyncUnproven();
  }

  #begin(held: { readonly groups: RangeSet; readonly size: number } | undefined): void {
    const { clock } = this.#options;
    this.dispatch(
      held === undefined ? { type: "start", missing: RangeSet.ALL } : {
        type: "start",
        missing: RangeSet.of(0, groupCountOf(held.size)).subtract(held.groups),
        size: held.size,
      },
    );
    this.#tellReading();
    for (const source of this.#options.sources ?? []) this.#addSource(source);
    for (const peer of this.#options.peers ?? []) this.#addPeer(peer);
    this.#discover();
    const tick = () => {
      if (this.#isOver) return;
      for (const transfer of [...this.#transfers.values()]) transfer.flush();
      this.#tellPrices();
      this.#tellReading();
      this.dispatch({ type: "tick" });
      this.#tellProgress(false);
      if (!this.#isOver) this.#stopTick = clock.timer(TICK_MS, tick);
    };
    if (!this.#isOver) this.#stopTick = clock.timer(TICK_MS, tick);
  }

  #perform(effect: SchedulerEffect): void {
    switch (effect.type) {
      case "request":
        return this.#request(effect);
      case "cancel":
        return this.#transfers.get(effect.requestId)?.cancel(effect.reason);
      case "wind-up":
        return this.#transfers.get(effect.requestId)?.windUp();
      case "ask-holdings":
        return this.#track(this.#askHoldings(effect.sourceId));
      case "start-origin":
        return this.#startOrigin(effect.reason);
      case "done":
        return this.#end("done");
      case "fail":
        return this.#end({ code: effect.code, reason: effect.reason });
      default:
        effect satisfies never;
    }
  }

  #end(outcome: Outcome): void {
    this.#isOver = true;
    this.#ended.resolve(outcome);
  }

  #request(effect: Extract<SchedulerEffect, { readonly type: "request" }>): void {
    const { hash, attributes } = this.#options;
    const transfer = new Transfer(this, {
      requestId: effect.requestId,
      source: this.#sources.get(effect.sourceId)!,
      fetch: {
        hash,
        groups: effect.groups,
        ...(effect.size === undefined ? {} : { size: effect.size }),
        ...(attributes === undefined ? {} : { attributes }),
      },
    });
    this.#transfers.set(effect.requestId, transfer);
    this.#track(transfer.settled);
  }

  async #askHoldings(sourceId: string): Promise<void> {
    const source = this.#sources.get(sourceId);
    try {
      const holdings = await source?.holdings?.(this.#options.hash, {
        signal: this.#discovery.signal,
      });
      this.dispatch({ type: "holdings", sourceId, holdings });
    } catch {
      // Not answering is no answer; whether it can serve shows when it is asked for groups.
      this.dispatch({ type: "holdings", sourceId, holdings: undefined });
    }
  }

  #startOrigin(reason: string): void {
    const { store, originSourceOf } = this.#options;
    const origin = this.#options.origin!;
    this.#originReason = reason;
    this.#addSource(originSourceOf?.(origin) ?? new OriginSource({ origin, store }));
  }

  #addPeer(peer: ProviderHint): void {
    // Whoever floods a discovery with hints gets no more than this many looked at.
    if (!this.#sources.has(peer.peerId) && this.#sources.size >= FETCH_SOURCES_MAX) return;
    let source: Source | undefined;
    try {
      source = this.#sources.get(peer.peerId) ??
        this.#options.sourceOf?.(withoutFleetTerms(peer, this.#options.herd));
    } catch (error) {
      this.#noteFailure({
        id: peer.peerId,
        code: error instanceof SeedmintError ? error.code : "unavailable",
        message: messageOf(error),
      });
      return;
    }
    if (source !== undefined) this.#addSource(source);
  }

  #addSource(source: Source): void {
    const { scores, herd, hash } = this.#options;
    // A peer that is announced with new addresses is asked there from now on.
    this.#sources.set(source.id, source);
    const isPeer = source.kind === "peer";
    const prior = isPeer ? scores?.priorOf(source.id) : undefined;
    const isFleet = isPeer && herd?.isMember(source.id) === true;
    const { priceMsatPerMiB } = source;
    if (priceMsatPerMiB !== undefined) this.#prices.set(source.id, priceMsatPerMiB);
    this.dispatch({
      type: "source-added",
      sourceId: source.id,
      kind: source.kind,
      tellsHoldings: source.holdings !== undefined,
      ...(prior === undefined ? {} : { prior }),
      ...(priceMsatPerMiB === undefined ? {} : { priceMsatPerMiB }),
      ...(isFleet ? { isFleet, fetchesBeforeUs: herd!.comesBeforeUs(source.id, hash) } : {}),
    });
  }

  /** A source often learns its price when it is asked for the first time. */
  #tellPrices(): void {
    for (const { id, priceMsatPerMiB } of this.#sources.values()) {
      if (priceMsatPerMiB === undefined || priceMsatPerMiB === this.#prices.get(id)) continue;
      this.#prices.set(id, priceMsatPerMiB);
      this.dispatch({ type: "priced", sourceId: id, priceMsatPerMiB });
    }
  }

  /** Where somebody reads the blob as it arrives. */
  #tellReading(): void {
    const position = this.#options.position?.();
    const group = position === undefined ? undefined : Math.floor(position / GROUP_BYTES);
    if (group === this.#readingGroup) return;
    this.#readingGroup = group;
    this.dispatch({ type: "reading", group });
  }

  /** Runs discovery beside the fetch; whatever breaks in it is told and hinders nothing. */
  #discover(): void {
    const { discovery, hash, clock } = this.#options;
    const end = () => this.dispatch({ type: "discovery-ended" });
    if (discovery === undefined) return end();
    const { signal } = this.#discovery;
    const search = async () => {
      try {
        for await (const hint of discovery.find({ hash }, { signal })) {
          if (this.#isOver) break;
          this.#addPeer(hint);
        }
      } catch (error) {
        if (!signal.aborted) {
          this.#noteFailure({ id: "discovery", code: "unavailable", message: messageOf(error) });
        }
      }
      end();
    };
    const stopWaiting = clock.timer(DISCOVERY_MS_MAX, end);
    this.#track(search().finally(stopWaiting));
    signal.addEventListener("abort", stopWaiting, { once: true });
  }

  /** Ends all that is under way and waits until it has let go. */
  async #stop(): Promise<void> {
    this.#isOver = true;
    this.#stopTick();
    this.#discovery.abort(new DOMException("The fetch is over", "AbortError"));
    for (const transfer of this.#transfers.values()) transfer.cancel("the fetch is over");
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const stopTimer = this.#options.clock.timer(STOP_MS_MAX, resolve);
    await Promise.race([Promise.allSettled(this.#settling), late]);
    stopTimer();
  }

  #track(promise: Promise<void>): void {
    const settled = promise.catch(() => {}).finally(() => {
      this.#settling = this.#settling.filter((other) => other !== settled);
    });
    this.#settling.push(settled);
  }

  /** While the size is unproven, a store lets go of what it has when the last ingest ends. */
  #resyncUnproven(): void {
    if (this.#isOver || this.#scheduler.progress().isSizeProven) return;
    const { store, hash } = this.#options;
    const record = store.status(hash);
    const isIngesting = [...this.#transfers.values()].some((transfer) => transfer.isIngesting);
    if (record === undefined && isIngesting) return;
    this.dispatch({
      type: "held",
      groups: record?.groups ?? RangeSet.EMPTY,
      ...(record === undefined ? {} : { size: record.size }),
    });
  }

  /** What this fetch taught about peers, for the next one. */
  #teach(): void {
    const { scores } = this.#options;
    if (scores === undefined) return;
    for (const measured of this.#scheduler.measured()) {
      if (this.#sources.get(measured.id)?.kind !== "peer") continue;
      // That no price was agreed says nothing of how well it serves.
      const codes = this.#scheduler.failures.filter((one) => one.id === measured.id)
        .map((one) => one.code).filter((code) => code !== "payment-required");
      const bytes = this.#from.get(measured.id)?.bytes ?? 0;
      if (bytes === 0 && codes.length === 0) continue;
      try {
        scores.record(measured.id, {
          ...measured,
          bytes,
          failed: codes.some((code) => BLAMED.includes(code)),
          lied: codes.includes("corrupt"),
        });
      } catch {
        // Scores are a convenience: a broken score file must not fail a good fetch.
      }
    }
  }

  #count(source: Pick<Source, "id"> & { readonly kind: FetchedFrom["kind"] }, bytes: number): void {
    if (bytes === 0 && source.kind !== "store") return;
    const before = this.#from.get(source.id)?.bytes ?? 0;
    this.#from.set(source.id, { kind: source.kind, id: source.id, bytes: before + bytes });
  }

  #noteFailure(failure: FetchFailure): void {
    const isKnown = this.#failures.some((one) => one.id === failure.id);
    if (!isKnown && this.#failures.length < FAILURES_MAX) this.#failures.push(failure);
  }

  #tellProgress(isLast: boolean): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (!isLast && nowMs - this.#toldMs < PROGRESS_MS) return;
    this.#toldMs = nowMs;
    const { size, rate, activeSourceCount } = this.#scheduler.progress();
    let bytes = 0;
    for (const from of this.#from.values()) bytes += from.bytes;
    this.#onProgress({
      bytes,
      sources: activeSourceCount,
      ...(size === undefined ? {} : { size }),
      ...(rate === undefined ? {} : { rate }),
    });
  }

  #error(outcome: Exclude<Outcome, "done">, signal: AbortSignal): unknown {
    if (outcome.code === "aborted") return signal.reason;
    return new SeedmintError(
      outcome.code,
      failureMessage(this.#options, outcome, this.#allFailures()),
      {
        retryable: outcome.code !== "no-space" && outcome.code !== "storage",
      },
    );
  }

  #allFailures(): readonly FetchFailure[] {
    return [...this.#failures, ...this.#scheduler.failures];
  }

  #report(size: number): FetchReport {
    return {
      hash: this.#options.hash,
      size,
      ms: this.#options.clock.monotonicMs() - this.#startMs,
      sources: [...this.#from.values()].sort((a, b) => b.bytes - a.bytes),
      wastedBytes: this.#wastedBytes,
      failures: this.#allFailures(),
      ...(this.#originReason === undefined ? {} : { originReason: this.#originReason }),
    };
  }
}

/** Failures of parts other than sources that a report keeps. */
const FAILURES_MAX = 64;

/** Codes that count against a peer; not having a blob or being busy does not. */
const BLAMED: readonly ErrorCode[] = ["timeout", "reset", "protocol", "corrupt", "unavailable"];

/** Bytes that came in vain: received, and neither verified groups nor the parents beside them. */
function unverifiedBytes(transfer: Transfer): number {
  const parentCount = Math.ceil(transfer.verifiedBytes / GROUP_BYTES) + TREE_DEPTH_MAX;
  const accounted = transfer.verifiedBytes + parentCount * PARENT_BYTES;
  return Math.max(0, transfer.receivedBytes - accounted);
}

/** Parents on the way to the first group of a response, in the largest blob. */
const TREE_DEPTH_MAX = 34;

/** Bytes of `groups` in a blob of `size` bytes; whole groups while the size is unknown. */
export function bytesOfGroups(groups: RangeSet, size: number | undefined): number {
  if (size === undefined) return groups.count * GROUP_BYTES;
  const groupCount = groupCountOf(size);
  const inside = groups.below(groupCount);
  const last = groupCount - 1;
  const short = inside.has(last) ? GROUP_BYTES - groupSizeAt(last, size) : 0;
  return inside.count * GROUP_BYTES - short;
}
