/** A provider: its journal, its drivers, its desk, and the comparison with what runs. */
import { messageOf } from "../../src/core/errors.ts";
import {
  type Denial,
  type DeniedKind,
  isLive,
  isOver,
  type Lease,
  leastOf,
  leftOf,
  NO_RESOURCES,
  type StoryEntry,
} from "../leases/mod.ts";
import type { BackendProbe, Resources } from "../ports.ts";
import type { Answer, Request } from "../wire/mod.ts";
import type { ProviderContext, ProviderEvent, ProviderOptions } from "./context.ts";
import type { StepContext } from "./begin_lease.ts";
import { type AskOptions, Desk } from "./desk.ts";
import { KeyFaults } from "./key_rates.ts";
import { SharedLanes } from "./lanes.ts";
import { LeaseTime } from "./lease_time.ts";
import { PROVIDER_LIMITS } from "./limits.ts";
import { reconcile, type Reconciliation, repair } from "./reconcile.ts";
import { LeaseRunner } from "./runner.ts";
import { checkSettings } from "./settings.ts";
import { TokenBudget } from "./token_budget.ts";
import { TopUpDesk } from "./top_up.ts";

/** How a provider is doing. */
export interface ProviderStatus {
  readonly probe: BackendProbe;
  /** What leases may take in all, as measured last. */
  readonly total: Resources;
  readonly free: Resources;
  /** Leases that are ready. */
  readonly activeCount: number;
  /** Leases that something will still happen to. */
  readonly openCount: number;
  readonly isDraining: boolean;
  /** Leases that were delivered to their end. */
  readonly completedCount: number;
  /** All that was redeemed, refunds not taken off. */
  readonly earnedSat: number;
  readonly uptimePercent: number;
}

/** A provider that runs; dispose of it to stop it. Leases go on without it, and are found again. */
export class Provider implements AsyncDisposable {
  readonly #context: StepContext;
  readonly #runner: LeaseRunner;
  readonly #topUps: TopUpDesk;
  readonly #desk: Desk;
  readonly #closing: AbortController;
  readonly #listeners = new Set<(event: ProviderEvent) => void>();
  /** By the steady clock. */
  readonly #startedMs: number;
  #total: Resources = NO_RESOURCES;
  #probe: BackendProbe;
  #loops: Promise<void>[] = [];
  #reconciling: Promise<Reconciliation> | undefined;

  private constructor(options: ProviderOptions, probe: BackendProbe) {
    this.#closing = new AbortController();
    this.#startedMs = options.clock.monotonicMs();
    this.#probe = probe;
    const context: ProviderContext = {
      ...options,
      time: new LeaseTime(options.clock, (deltaMs) => this.#onClockStep(deltaMs)),
      tokens: new TokenBudget(options.clock),
      silent: new KeyFaults({
        countMax: PROVIDER_LIMITS.silentMax,
        withinMs: PROVIDER_LIMITS.silentWithinMs,
        clock: options.clock,
      }),
      signal: this.#closing.signal,
      emit: (event) => this.#emit(event),
      total: () => this.#total,
    };
    this.#context = {
      ...context,
      pulls: new SharedLanes({
        countMax: PROVIDER_LIMITS.pullsMax,
        perKeyMax: PROVIDER_LIMITS.pullsPerKeyMax,
      }),
      starts: new SharedLanes({
        countMax: PROVIDER_LIMITS.startsMax,
        perKeyMax: PROVIDER_LIMITS.startsPerKeyMax,
      }),
      prepared: new Set(
        options.journal.leases.newest({ countMax: PROVIDER_LIMITS.preparedMax })
          .flatMap(({ imageDigest }) => imageDigest ?? []),
      ),
      onPull: (lease, bytes, size) => this.#onPull?.(lease, bytes, size),
    };
    this.#runner = new LeaseRunner(this.#context);
    this.#topUps = new TopUpDesk(context, this.#runner);
    this.#desk = new Desk(context, this.#runner, this.#topUps);
  }

  /** Told of images on their way, if anybody wants to know. */
  #onPull: ((lease: Lease, bytes: number, size: number | undefined) => void) | undefined;

  /**
   * Takes up what the journal says, compares it with what runs, and begins to serve.
   *
   * @throws {SeedmintError} `usage` for settings that cannot work; `storage`.
   */
  static async start(options: ProviderOptions): Promise<Provider> {
    checkSettings(options.settings);
    options.journal.prune(options.clock.nowMs());
    const provider = new Provider(options, await probeOf(options));
    try {
      await provider.#measure();
      provider.#catchUp();
      // First what the machine's own absence took from leases, then their ends.
      await provider.reconcile();
      provider.#runner.start();
      provider.#topUps.start();
      provider.#loops = [
        provider.#watchInstances(),
        provider.#watchClock(),
        provider.#watchNetwork(),
      ];
      return provider;
    } catch (error) {
      await provider[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Answers a request of `owner`, whose key is proven; see {@link Desk.ask}. */
  async ask(owner: string, request: Request, options: AskOptions = {}): Promise<Answer> {
    return await this.#desk.ask(owner, request, options);
  }

  /** Calls `listener` for each event until the returned function is called. */
  onEvent(listener: (event: ProviderEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `listener` with bytes of images that came. */
  onPull(listener: (lease: Lease, bytes: number, size: number | undefined) => void): void {
    this.#onPull = listener;
  }

  status(): ProviderStatus {
    const { journal, time } = this.#context;
    const nowMs = time.nowMs();
    return {
      probe: this.#probe,
      total: this.#total,
      free: leftOf(this.#total, journal.leases.taken()),
      activeCount: journal.leases.countIn("ready"),
      openCount: journal.leases.openCount(),
      isDraining: journal.policy.isDraining,
      completedCount: journal.leases.countIn("destroyed"),
      earnedSat: journal.payments.earnedSat(),
      uptimePercent: journal.policy.uptimePercent(nowMs),
    };
  }

  /** Leases of anybody, newest first. */
  leases(options: { readonly countMax?: number } = {}): readonly Lease[] {
    return this.#context.journal.leases.newest({ countMax: options.countMax ?? 100 });
  }

  /** What happened to a lease, in order. */
  story(number: number): readonly StoryEntry[] {
    return this.#context.journal.leases.story(number);
  }

  /** Takes no new leases from now on, or takes them again. Those that run run on. */
  drain(isDraining: boolean): void {
    const { journal } = this.#context;
    if (journal.policy.isDraining === isDraining) return;
    journal.policy.isDraining = isDraining;
    this.#emit({ type: "offer" });
  }

  /** Lends nothing more to a key, or of an image. */
  deny(denial: Denial): void {
    this.#context.journal.policy.deny(denial, this.#context.time.nowMs());
  }

  /** Takes back {@link deny}. @returns Whether it had been denied. */
  allow(kind: DeniedKind, name: string): boolean {
    return this.#context.journal.policy.allow(kind, name);
  }

  /** What is denied. */
  denied(): readonly Denial[] {
    return this.#context.journal.policy.denied();
  }

  /**
   * Ends a lease by the provider's own will, also one that is on its way; what is left of its payment is
   * paid back.
   *
   * @returns Whether it had not ended before.
   */
  evict(number: number, message: string): boolean {
    const { journal, time } = this.#context;
    const nowMs = time.nowMs();
    const lease =
      journal.leases.apply(number, { type: "end", reason: "evicted", message }, { nowMs }) ??
        journal.leases.apply(
          number,
          { type: "fail", error: "provisioning_error", message },
          { nowMs },
        );
    if (lease === undefined) return false;
    this.#runner.announce(lease);
    this.#runner.nudge(number);
    return true;
  }

  /**
   * Resolves once a lease has ended and is settled.
   *
   * @throws `signal.reason`
   */
  async ended(number: number, options: { readonly signal: AbortSignal }): Promise<Lease> {
    return await this.#runner.until(number, isOver, options);
  }

  /** Compares what runs with what is paid, now. */
  reconcile(): Promise<Reconciliation> {
    const lookedMs = this.#context.clock.monotonicMs() - this.#startedMs;
    this.#reconciling ??= reconcile(this.#context, this.#runner, { lookedMs })
      .finally(() => this.#reconciling = undefined);
    return this.#reconciling;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new DOMException("The provider was stopped", "AbortError"));
    await Promise.allSettled([
      ...this.#loops,
      this.#reconciling,
      this.#runner.close(),
      this.#topUps.close(),
    ]);
    this.#listeners.clear();
  }

  #emit(event: ProviderEvent): void {
    for (const listener of this.#listeners) listener(event);
    if (event.type === "lease" && (event.lease.state === "reserved" || isOver(event.lease))) {
      this.#emit({ type: "offer" });
    }
  }

  async #watchInstances(): Promise<void> {
    const { clock, signal, journal, time } = this.#context;
    try {
      for (;;) {
        await clock.sleep(PROVIDER_LIMITS.reconcileMs, { signal });
        try {
          await this.#measure();
          await this.reconcile();
          journal.prune(time.nowMs());
        } catch (error) {
          signal.throwIfAborted();
          this.#emit({ type: "problem", message: `The comparison failed: ${messageOf(error)}` });
        }
      }
    } catch {
      // Only the end comes here.
    }
  }

  /** A firewall that is loaded anew takes our rules with it, and leaves leases open to their host. */
  async #watchNetwork(): Promise<void> {
    const { clock, signal, backend } = this.#context;
    if (backend.repair === undefined) return;
    try {
      for (;;) {
        await clock.sleep(PROVIDER_LIMITS.repairMs, { signal });
        await repair(this.#context);
      }
    } catch {
      // Only the end comes here.
    }
  }

  /** The steps of the wall clock are noticed also when nothing else happens. */
  async #watchClock(): Promise<void> {
    const { clock, signal, time } = this.#context;
    try {
      for (;;) {
        await clock.sleep(PROVIDER_LIMITS.clockCheckMs, { signal });
        time.nowMs();
      }
    } catch {
      // Only the end comes here.
    }
  }

  /**
   * A clock that is behind what the journal tells of was set back, or has not been set since the boot: the
   * leases go back with it, or they would win what it makes good later.
   */
  #catchUp(): void {
    const { journal, clock } = this.#context;
    const toldMs = Math.max(
      0,
      ...journal.leases.open().filter(isLive)
        .map(({ changedMs, seenMs }) => Math.max(changedMs, seenMs ?? 0)),
    );
    const behindMs = Math.round(toldMs - clock.nowMs());
    if (behindMs > PROVIDER_LIMITS.clockStepMs) this.#shift(-behindMs);
  }

  #shift(deltaMs: number): void {
    const { journal, clock } = this.#context;
    journal.transaction(() => {
      for (const lease of journal.leases.open()) {
        if (!isLive(lease)) continue;
        journal.leases.apply(lease.number, { type: "shift", deltaMs }, { nowMs: clock.nowMs() });
      }
    });
  }

  /** What is paid is a duration: the ends of leases move with the clock that they are told by. */
  #onClockStep(deltaMs: number): void {
    this.#shift(deltaMs);
    const seconds = Math.round(deltaMs / 1000);
    this.#emit({
      type: "problem",
      message: `The clock was set by ${seconds} s; leases keep theirs`,
    });
    this.#runner.nudgeAll();
    // The watchdog goes by the labels.
    void this.reconcile().catch(() => {});
  }

  /** Measures the machine; what was measured last stays when the engine does not answer. */
  async #measure(): Promise<void> {
    const { backend, settings, signal } = this.#context;
    try {
      this.#probe = await probeOf(this.#context);
      // What cannot run leases now has no room for more; those that there are stay.
      const measured = this.#probe.ok
        ? leastOf(await backend.capacity(), settings.capacity)
        : NO_RESOURCES;
      const before = this.#total;
      this.#total = measured;
      if (JSON.stringify(before) !== JSON.stringify(measured)) this.#emit({ type: "offer" });
    } catch (error) {
      signal.throwIfAborted();
      this.#emit({ type: "problem", message: `Cannot measure the machine: ${messageOf(error)}` });
    }
  }
}

async function probeOf(options: Pick<ProviderOptions, "backend">): Promise<BackendProbe> {
  try {
    return await options.backend.probe();
  } catch (error) {
    return {
      ok: false,
      problem: messageOf(error),
      description: options.backend.name,
      isolation: "shared-kernel",
      capabilities: [],
    };
  }
}
