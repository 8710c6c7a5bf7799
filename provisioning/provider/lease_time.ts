/**
 * The time that leases run by. What is paid is a duration, what is stored and told is wall-clock time:
 * when somebody sets the wall clock, the ends of leases move with it, and nobody wins or loses an hour.
 */
import type { Clock } from "../../src/core/ports.ts";
import type { Lease } from "../leases/mod.ts";
import { PROVIDER_LIMITS } from "./limits.ts";

/**
 * When the instance of a live lease must be gone, as its label says: after its grace, so that what was
 * promised holds also while the provider is away.
 */
export function instanceEndMs(
  lease: Lease,
  { graceMs }: { readonly graceMs: number },
): number | undefined {
  if (lease.state === "grace") return lease.changedMs + graceMs;
  return lease.expiresMs === undefined ? undefined : lease.expiresMs + graceMs;
}

/** Wall-clock time whose steps are noticed before anything is decided by it. */
export class LeaseTime {
  readonly #clock: Clock;
  readonly #onStep: (deltaMs: number) => void;
  /** Wall-clock minus monotonic time, as it was. */
  #offsetMs: number;

  /** @param onStep Called when the wall clock was set, with how far ahead. */
  constructor(clock: Clock, onStep: (deltaMs: number) => void) {
    this.#clock = clock;
    this.#onStep = onStep;
    this.#offsetMs = clock.nowMs() - clock.monotonicMs();
  }

  /** Milliseconds since 1970; all times of leases agree with it. */
  nowMs(): number {
    const wallMs = this.#clock.nowMs();
    const offsetMs = wallMs - this.#clock.monotonicMs();
    const deltaMs = Math.round(offsetMs - this.#offsetMs);
    if (Math.abs(deltaMs) > PROVIDER_LIMITS.clockStepMs) {
      this.#offsetMs = offsetMs;
      this.#onStep(deltaMs);
    }
    return Math.round(wallMs);
  }
}
