/** One fetch in the simulator: the real scheduler, simulated sources, and what must always hold. */
import { RangeSet } from "../../src/core/range_set.ts";
import { GROUP_BYTES, groupCountOf } from "../../swarm/bao/geometry.ts";
import type { Holdings } from "../../swarm/ports.ts";
import {
  type FetchPolicy,
  Scheduler,
  type SchedulerEffect,
  type SchedulerEvent,
  type SchedulerLimits,
  type SourcePrior,
  type Thrift,
} from "../../swarm/scheduler/mod.ts";
import { Purchases } from "./purchases.ts";
import {
  type RequestListener,
  type Serving,
  SimulatedSource,
  type SourceModel,
} from "./swarm_model.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/** A fetch to be simulated. */
export interface FetchScene {
  readonly size: number;
  readonly held?: RangeSet;
  readonly policy?: FetchPolicy;
  readonly thrift?: Thrift;
  readonly racesPaid?: boolean;
  readonly peers:
    readonly (SourceModel & { readonly foundMs: number; readonly prior?: SourcePrior })[];
  readonly origin?: SourceModel;
  /** The origin at work, when several fetches share its line. */
  readonly sharedOrigin?: SimulatedSource;
  readonly discoveryEndsMs: number;
  readonly seed: number;
  readonly limits?: Partial<SchedulerLimits>;
}

/** How it went. */
export interface FetchResult {
  readonly outcome: "done" | "failed" | "running";
  readonly reason: string;
  readonly endMs: number;
  /** New verified bytes by source. */
  readonly bytesBySource: ReadonlyMap<string, number>;
  /** Bytes that a source sent, wanted or not. */
  readonly receivedBytes: number;
  readonly wastedBytes: number;
  /** Bytes that each paid source sent, whether they were wanted or not. */
  readonly boughtBySource: ReadonlyMap<string, number>;
  /** What those cost, at the price of each. */
  readonly paidMsat: number;
  /** Bytes of groups that were bought of more than one source. */
  readonly paidTwiceBytes: number;
  readonly originAskedMs: number | undefined;
  readonly firstOriginByteMs: number | undefined;
  readonly failures: readonly { readonly id: string; readonly code: string }[];
  /** What the fetch learned of its sources. */
  readonly measured: readonly {
    readonly id: string;
    readonly latencyMs?: number;
    readonly throughput?: number;
  }[];
  /** Broken invariants, in words. */
  readonly faults: readonly string[];
  readonly cancelCount: number;
  readonly requestCount: number;
}

/** The time after which a fetch counts as never ending. */
const ENDLESS_MS = 4 * 60 * 60_000;

interface Running {
  readonly source: SimulatedSource;
  readonly groups: RangeSet;
  readonly serving: Serving;
  newBytes: number;
  receivedBytes: number;
  /** Its bytes go into a store, which keeps a draft for it. */
  isIngesting: boolean;
}

/** See the head of this file. */
export class FetchSim {
  readonly #scene: FetchScene;
  readonly #clock: VirtualClock;
  readonly #scheduler: Scheduler;
  readonly #sources = new Map<string, SimulatedSource>();
  readonly #running = new Map<number, Running>();
  readonly #bytesBySource = new Map<string, number>();
  readonly #faults: string[] = [];
  readonly #purchases = new Purchases();
  readonly #banned = new Set<string>();
  readonly #random: () => number;
  #held: RangeSet;
  readonly #queue: SchedulerEvent[] = [];
  #isDispatching = false;
  #isSizeProven = false;
  #startMs = 0;
  #endMs = 0;
  #outcome: FetchResult["outcome"] = "running";
  #reason = "";
  #receivedBytes = 0;
  #newBytes = 0;
  #originAskedMs: number | undefined;
  #firstOriginByteMs: number | undefined;
  #cancelCount = 0;
  #requestCount = 0;

  /** Called when it ends. */
  onEnd: () => void = () => {};
  /** Called when groups became held. */
  onHeld: () => void = () => {};

  constructor(
    scene: FetchScene,
    options: { readonly clock: VirtualClock; readonly random: () => number },
  ) {
    this.#scene = scene;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#held = scene.held ?? RangeSet.EMPTY;
    this.#scheduler = new Scheduler({
      policy: scene.policy ?? "swarm-first",
      ...(scene.thrift === undefined ? {} : { thrift: scene.thrift }),
      ...(scene.racesPaid === undefined ? {} : { racesPaid: scene.racesPaid }),
      hasOrigin: scene.origin !== undefined,
      seed: scene.seed,
      ...(scene.limits === undefined ? {} : { limits: scene.limits }),
    });
  }

  get held(): RangeSet {
    return this.#held;
  }

  get outcome(): FetchResult["outcome"] {
    return this.#outcome;
  }

  start(): void {
    const { scene, clock } = { scene: this.#scene, clock: this.#clock };
    this.#startMs = clock.nowMs;
    this.#isSizeProven = scene.held !== undefined && !scene.held.isEmpty;
    this.#dispatch(
      this.#isSizeProven
        ? { type: "start", missing: this.#all().subtract(this.#held), size: scene.size }
        : { type: "start", missing: RangeSet.ALL },
    );
    for (const peer of scene.peers) {
      clock.at(this.#startMs + peer.foundMs, () => this.add(this.#make(peer)));
      // A peer that comes back is announced again.
      for (const [, until] of peer.gone ?? []) {
        if (until < ENDLESS_MS) {
          clock.at(until + 50, () => this.#sources.has(peer.id) && this.#announce(peer));
        }
      }
    }
    clock.at(
      this.#startMs + scene.discoveryEndsMs,
      () => this.#dispatch({ type: "discovery-ended" }),
    );
    const tick = () => {
      if (this.#outcome !== "running") return;
      this.#dispatch({ type: "tick" });
      if (clock.nowMs - this.#startMs < ENDLESS_MS) clock.after(50, tick);
      else this.#fault("it never ended");
    };
    clock.after(50, tick);
  }

  /** Adds a source that may be shared with other fetches. */
  add(source: SimulatedSource, fleet: { fetchesBeforeUs?: boolean } = {}): void {
    this.#sources.set(source.model.id, source);
    this.#announce(source.model, fleet);
  }

  result(): FetchResult {
    return {
      outcome: this.#outcome,
      reason: this.#reason,
      endMs: this.#endMs - this.#startMs,
      bytesBySource: this.#bytesBySource,
      receivedBytes: this.#receivedBytes,
      wastedBytes: this.#receivedBytes - this.#newBytes,
      ...this.#purchases.result(),
      originAskedMs: this.#originAskedMs,
      firstOriginByteMs: this.#firstOriginByteMs,
      failures: this.#scheduler.failures,
      measured: [...this.#scheduler.measured()],
      faults: this.#faults,
      cancelCount: this.#cancelCount,
      requestCount: this.#requestCount,
    };
  }

  #make(model: SourceModel): SimulatedSource {
    const { size } = this.#scene;
    return new SimulatedSource(model, { clock: this.#clock, size, random: this.#random });
  }

  #all(): RangeSet {
    return RangeSet.of(0, groupCountOf(this.#scene.size));
  }

  #announce(model: SourceModel, fleet: { fetchesBeforeUs?: boolean } = {}): void {
    const { prior } = this.#scene.peers.find(({ id }) => id === model.id) ?? {};
    this.#dispatch({
      type: "source-added",
      sourceId: model.id,
      kind: model.kind,
      tellsHoldings: model.tellsHoldings,
      ...(prior === undefined ? {} : { prior }),
      ...(model.priceMsatPerMiB === undefined ? {} : { priceMsatPerMiB: model.priceMsatPerMiB }),
      ...(fleet.fetchesBeforeUs === undefined
        ? {}
        : { isFleet: true, fetchesBeforeUs: fleet.fetchesBeforeUs }),
    });
  }

  #dispatch(event: SchedulerEvent): void {
    this.#queue.push(event);
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      if (this.#outcome !== "running") continue;
      for (const effect of this.#scheduler.step(next, this.#clock.nowMs)) this.#perform(effect);
    }
    this.#isDispatching = false;
    const { missing, isSizeProven } = this.#scheduler.progress();
    if (isSizeProven && this.#isSizeProven && !missing.subtract(this.#held).equals(missing)) {
      this.#fault("it thinks that held groups are missing");
    }
  }

  #perform(effect: SchedulerEffect): void {
    if (this.#outcome !== "running" && effect.type !== "cancel") {
      this.#fault(`it wants ${effect.type} after its end`);
    }
    switch (effect.type) {
      case "request":
        return this.#request(effect);
      case "cancel": {
        const running = this.#running.get(effect.requestId);
        if (running === undefined) return this.#fault("it cancels what is not running");
        this.#cancelCount++;
        running.serving.cancel();
        if (running.isIngesting) {
          const bytes = running.source.abandon();
          this.#receivedBytes += bytes;
          this.#purchases.sent(running.source.model, bytes);
        }
        return this.#forget(effect.requestId)();
      }
      case "wind-up":
        return this.#clock.after(0, () => {
          this.#running.get(effect.requestId)?.serving.windUp(this.#held);
        });
      case "ask-holdings":
        return this.#askHoldings(effect.sourceId);
      case "start-origin":
        this.#originAskedMs = this.#clock.nowMs - this.#startMs;
        return this.#clock.after(0, () => {
          this.add(this.#scene.sharedOrigin ?? this.#make(this.#scene.origin!));
        });
      case "done":
        if (!this.#held.equals(this.#all())) this.#fault("it is done without all groups");
        return this.#end("done", "");
      case "fail":
        return this.#end("failed", effect.reason);
      default:
        effect satisfies never;
    }
  }

  #end(outcome: "done" | "failed", reason: string): void {
    this.#outcome = outcome;
    this.#reason = reason;
    this.#endMs = this.#clock.nowMs;
    this.onEnd();
  }

  #request(effect: Extract<SchedulerEffect, { readonly type: "request" }>): void {
    const { requestId, groups } = effect;
    const source = this.#sources.get(effect.sourceId)!;
    const id = source.model.id;
    this.#requestCount++;
    if (groups.isEmpty) this.#fault("it asks for nothing");
    if (this.#banned.has(id)) this.#fault(`it asks ${id}, which lied`);
    if (groups.runCount > 64) this.#fault("it asks for more runs than a message holds");
    const listener = {
      granted: (size: number) => {
        this.#running.get(requestId)!.isIngesting = true;
        this.#dispatch({ type: "granted", requestId, size });
      },
      verified: (start: number, end: number) => this.#onVerified(requestId, { start, end }),
      received: (bytes: number) => {
        this.#firstOriginByteMs ??= this.#clock.nowMs - this.#startMs;
        this.#running.get(requestId)!.receivedBytes += bytes;
        this.#receivedBytes += bytes;
        this.#dispatch({ type: "received", requestId, bytes });
      },
      finished: () => {
        const resync = this.#forget(requestId);
        this.#dispatch({ type: "finished", requestId });
        resync();
      },
      failed: (code: Parameters<RequestListener["failed"]>[0]) => {
        if (code === "corrupt") this.#banned.add(id);
        const resync = this.#forget(requestId);
        this.#dispatch({ type: "failed", requestId, code, message: code });
        resync();
      },
    };
    const running: Running = {
      source,
      groups,
      serving: source.serve(groups, listener),
      newBytes: 0,
      receivedBytes: 0,
      isIngesting: false,
    };
    this.#running.set(requestId, running);
  }

  #onVerified(requestId: number, run: { readonly start: number; readonly end: number }): void {
    const running = this.#running.get(requestId)!;
    const groups = RangeSet.of(run.start, run.end);
    const { kind, id, holds, claimsSize, till } = running.source.model;
    this.#purchases.verified(running.source.model, groups);
    const isKnown = claimsSize === undefined;
    if (isKnown && !holds.includes(groups)) this.#fault(`${id} gave what it does not hold`);
    const fresh = groups.subtract(this.#held).count * GROUP_BYTES;
    this.#held = this.#held.union(groups);
    running.newBytes += fresh;
    this.#newBytes += fresh;
    this.#bytesBySource.set(id, (this.#bytesBySource.get(id) ?? 0) + fresh);
    if (kind === "peer") {
      running.receivedBytes += groups.count * GROUP_BYTES;
      this.#receivedBytes += groups.count * GROUP_BYTES;
    }
    // A store that proved the size keeps what it has; before, it lets go when nothing is under way.
    if (groups.has(groupCountOf(this.#scene.size) - 1)) this.#isSizeProven = true;
    if (this.#isSizeProven && !this.#scheduler.progress().isSizeProven) {
      this.#dispatch({ type: "held", groups: this.#held, size: this.#scene.size });
    }
    till?.verified(groups.count * GROUP_BYTES);
    this.onHeld();
    this.#dispatch({ type: "verified", requestId, groups: run });
  }

  /** As a real store does: groups under an unproven size go with the last ingest. */
  #forget(requestId: number): () => void {
    const wasIngesting = this.#running.get(requestId)?.isIngesting === true;
    this.#running.delete(requestId);
    if (this.#isSizeProven || !wasIngesting) return () => {};
    if ([...this.#running.values()].some((running) => running.isIngesting)) return () => {};
    this.#newBytes -= this.#held.count * GROUP_BYTES;
    this.#held = RangeSet.EMPTY;
    return () => this.#dispatch({ type: "held", groups: this.#held });
  }

  #askHoldings(sourceId: string): void {
    const source = this.#sources.get(sourceId)!;
    const { model } = source;
    const { size } = this.#scene;
    if (!model.tellsHoldings) this.#fault(`it asks ${sourceId} what it holds, which cannot tell`);
    this.#clock.after(2 * model.latencyMs + 1, () => {
      if (source.isIn(model.hangs)) return;
      const all = this.#all();
      const holdings: Holdings | undefined = source.isIn(model.gone)
        ? undefined
        : model.boasts === true || model.holds.includes(all)
        ? { state: "all", size: model.claimsSize ?? size }
        : { state: "some", size, groups: model.holds.intersect(all) };
      this.#dispatch({ type: "holdings", sourceId, holdings });
    });
  }

  #fault(what: string): void {
    if (this.#faults.length < 8) this.#faults.push(`${Math.round(this.#clock.nowMs)} ms: ${what}`);
  }
}
