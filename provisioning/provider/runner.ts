/**
 * Drives leases: each has at most one driver, which runs its steps until it has to wait, and a timer
 * for when it goes on. What fails is tried again, later each time. After a start all that is open in
 * the journal is driven.
 */
import { isSeedmintError } from "../../src/core/errors.ts";
import { isOver, type Lease } from "../leases/mod.ts";
import {
  type Step,
  type StepContext,
  stepPaid,
  stepPulling,
  stepRedeeming,
  stepReserved,
  stepStarting,
} from "./begin_lease.ts";
import { pauseMs } from "./deadline.ts";
import { problemLine, stepExpiring, stepFailed, stepGrace, stepReady } from "./end_lease.ts";
import { PROVIDER_LIMITS } from "./limits.ts";

/** Timers of the machine hold some 24 days; a lease may last longer. */
const TIMER_MS_MAX = 3_600_000;

interface Driver {
  running?: Promise<void>;
  /** Somebody wants it looked at once more. */
  again: boolean;
  cancelTimer?: () => void;
  failureCount: number;
}

/** The drivers of all open leases. */
export class LeaseRunner {
  readonly #context: StepContext;
  readonly #drivers = new Map<number, Driver>();
  readonly #watchers = new Map<number, Set<(lease: Lease) => void>>();

  constructor(context: StepContext) {
    this.#context = context;
  }

  /** Drives all that is open. */
  start(): void {
    for (const lease of this.#context.journal.leases.open()) this.nudge(lease.number);
  }

  /** Looks at a lease now. */
  nudge(number: number): void {
    if (this.#context.signal.aborted) return;
    let driver = this.#drivers.get(number);
    if (driver === undefined) this.#drivers.set(number, driver = { again: false, failureCount: 0 });
    driver.cancelTimer?.();
    if (driver.running !== undefined) driver.again = true;
    else driver.running = this.#drive(number, driver);
  }

  /** Looks at all leases now: the clock was set. */
  nudgeAll(): void {
    for (const number of this.#drivers.keys()) this.nudge(number);
  }

  /**
   * Resolves with the lease once `isDone`.
   *
   * @throws `signal.reason`
   */
  until(
    number: number,
    isDone: (lease: Lease) => boolean,
    options: { readonly signal: AbortSignal; readonly onState?: (lease: Lease) => void },
  ): Promise<Lease> {
    const { signal } = options;
    return new Promise((resolve, reject) => {
      const watchers = this.#watchers.get(number) ?? new Set();
      this.#watchers.set(number, watchers);
      const end = () => {
        watchers.delete(look);
        if (watchers.size === 0) this.#watchers.delete(number);
        signal.removeEventListener("abort", onAbort);
      };
      const onAbort = () => {
        end();
        reject(signal.reason);
      };
      const look = (lease: Lease) => {
        options.onState?.(lease);
        if (!isDone(lease)) return;
        end();
        resolve(lease);
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      watchers.add(look);
      const lease = this.#context.journal.leases.get(number);
      if (lease !== undefined) look(lease);
    });
  }

  /** Tells everybody who waits what the lease is like now. */
  announce(lease: Lease): void {
    for (const watch of [...this.#watchers.get(lease.number) ?? []]) watch(lease);
    this.#context.emit({ type: "lease", lease });
  }

  /** Resolves when no step runs any more. */
  async close(): Promise<void> {
    for (const driver of this.#drivers.values()) driver.cancelTimer?.();
    await Promise.allSettled([...this.#drivers.values()].map((driver) => driver.running));
  }

  async #drive(number: number, driver: Driver): Promise<void> {
    // The driver is in the map before its first step.
    await Promise.resolve();
    const { journal, signal, time } = this.#context;
    let waitMs = 0;
    let shown: Lease | undefined;
    try {
      while (!signal.aborted) {
        driver.again = false;
        // A step of the wall clock moves the ends of leases: it is noticed before they are read.
        time.nowMs();
        const lease = journal.leases.get(number);
        if (lease === undefined || isOver(lease)) return void this.#drivers.delete(number);
        shown = lease;
        const step = await this.#step(lease);
        const after = journal.leases.get(number);
        if (after !== undefined && hasMoved(lease, after)) {
          driver.failureCount = 0;
          this.announce(after);
        }
        if (step === "again" || driver.again) continue;
        waitMs = step.waitMs;
        break;
      }
    } catch (error) {
      if (signal.aborted) return;
      waitMs = pauseMs(driver.failureCount++, {
        firstMs: PROVIDER_LIMITS.retryFirstMs,
        lastMs: PROVIDER_LIMITS.retryLastMs,
      });
      const message = shown === undefined
        ? `Lease ${number} cannot be read; is the disk sound?`
        : problemLine(shown, error);
      this.#context.emit({ type: "problem", message });
      // Without a journal nothing can go on; looking again soon costs nothing.
      if (isSeedmintError(error, "storage")) waitMs = PROVIDER_LIMITS.retryLastMs;
    } finally {
      delete driver.running;
      if (!signal.aborted && this.#drivers.get(number) === driver) {
        if (driver.again) this.nudge(number);
        else this.#wait(number, driver, waitMs);
      }
    }
  }

  #wait(number: number, driver: Driver, waitMs: number): void {
    const ms = Math.min(Math.max(waitMs, 1), TIMER_MS_MAX);
    driver.cancelTimer = this.#context.clock.timer(ms, () => this.nudge(number));
  }

  #step(lease: Lease): Promise<Step> | Step {
    switch (lease.state) {
      case "reserved":
        return stepReserved(lease, this.#context);
      case "pulling":
        return stepPulling(lease, this.#context);
      case "redeeming":
        return stepRedeeming(lease, this.#context);
      case "paid":
        return stepPaid(lease, this.#context);
      case "starting":
        return stepStarting(lease, this.#context);
      case "ready":
        return stepReady(lease, this.#context);
      case "grace":
        return stepGrace(lease, this.#context);
      case "expiring":
        return stepExpiring(lease, this.#context);
      case "failed":
        return stepFailed(lease, this.#context);
      case "destroyed":
      case "refunded":
        return "again";
      default:
        return lease.state satisfies never;
    }
  }
}

function hasMoved(before: Lease, after: Lease): boolean {
  return before.state !== after.state || before.mayExist !== after.mayExist ||
    before.expiresMs !== after.expiresMs;
}
