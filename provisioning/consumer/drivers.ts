/**
 * Drives what is open: each thing has at most one driver, which runs its steps until it has to wait,
 * and a timer for when it goes on. What fails is tried again, later each time.
 */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import type { Clock } from "../../src/core/ports.ts";
import { pauseMs } from "../provider/deadline.ts";
import type { Step } from "./context.ts";
import { LESSEE_LIMITS } from "./limits.ts";

interface Driver {
  running?: Promise<void>;
  /** Somebody wants it looked at once more. */
  again: boolean;
  cancelTimer?: () => void;
  /** Steps that failed, or waited, one after the other. */
  failureCount: number;
}

/** What drivers need. */
export interface DriversOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly step: (key: string, failureCount: number) => Promise<Step>;
  readonly onProblem: (message: string) => void;
}

/** Drivers of things by name. */
export class Drivers {
  readonly #options: DriversOptions;
  readonly #drivers = new Map<string, Driver>();

  constructor(options: DriversOptions) {
    this.#options = options;
  }

  /** Looks at a thing now. */
  nudge(key: string): void {
    if (this.#options.signal.aborted) return;
    let driver = this.#drivers.get(key);
    if (driver === undefined) this.#drivers.set(key, driver = { again: false, failureCount: 0 });
    driver.cancelTimer?.();
    if (driver.running !== undefined) driver.again = true;
    else driver.running = this.#drive(key, driver);
  }

  /** Resolves when no step runs any more. */
  async close(): Promise<void> {
    for (const driver of this.#drivers.values()) driver.cancelTimer?.();
    await Promise.allSettled([...this.#drivers.values()].map((driver) => driver.running));
  }

  async #drive(key: string, driver: Driver): Promise<void> {
    // The driver is in the map before its first step.
    await Promise.resolve();
    const { signal, step, onProblem } = this.#options;
    let waitMs = 0;
    let isDone = false;
    try {
      while (!signal.aborted) {
        driver.again = false;
        const next = await step(key, driver.failureCount);
        if (next === "again") driver.failureCount = 0;
        if (next === "again" || driver.again) continue;
        isDone = next === "done";
        if (next !== "done") {
          waitMs = next.waitMs;
          driver.failureCount++;
        }
        break;
      }
    } catch (error) {
      if (signal.aborted) return;
      waitMs = pauseMs(driver.failureCount++, {
        firstMs: LESSEE_LIMITS.retryFirstMs,
        lastMs: LESSEE_LIMITS.retryLastMs,
      });
      if (isSeedmintError(error, "storage")) waitMs = LESSEE_LIMITS.retryLastMs;
      onProblem(`The ${key.split(":")[0]} of a lease is tried again: ${messageOf(error)}`);
    } finally {
      delete driver.running;
      if (!signal.aborted && this.#drivers.get(key) === driver) {
        if (driver.again) this.nudge(key);
        else if (isDone) this.#drivers.delete(key);
        else this.#wait(key, driver, waitMs);
      }
    }
  }

  #wait(key: string, driver: Driver, waitMs: number): void {
    const ms = Math.min(Math.max(waitMs, 1), LESSEE_LIMITS.timerMax);
    driver.cancelTimer = this.#options.clock.timer(ms, () => this.nudge(key));
  }
}
