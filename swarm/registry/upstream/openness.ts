/**
 * Which repositories anybody may see although this node has a login for their registry: a login is often
 * there for higher limits alone, and what is open need not be kept from the fleet. Found out by asking
 * once without it, beside the first question; until that is answered a repository counts as private.
 */
import type { Clock } from "../../../src/core/ports.ts";
import { OPEN_KEPT_MS, OPEN_UNKNOWN_MS, OPENNESS_MAX, PROBE_MS_MAX } from "./limits.ts";
import { within } from "./within.ts";

/** What came of asking without a login. */
export type Probed = "open" | "closed" | "unknown";

/** Asks for something of a repository without a login. */
export type Probe = (signal: AbortSignal) => Promise<{ readonly status: string }>;

/** See the head of this file. */
export class Openness {
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly probed: Probed; readonly untilMs: number }>();
  readonly #running = new Map<string, Promise<void>>();

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock;
  }

  /** Whether anybody was let in without a login, not long ago. */
  isOpen(repository: string): boolean {
    return this.#current(repository) === "open";
  }

  /** Finds it out unless it is known. Never throws; ends in time, or with `signal`. */
  async learn(repository: string, probe: Probe, signal: AbortSignal): Promise<void> {
    if (this.#current(repository) !== undefined || signal.aborted) return;
    let running = this.#running.get(repository);
    if (running === undefined) {
      running = this.#ask(repository, probe).finally(() => this.#running.delete(repository));
      this.#running.set(repository, running);
    }
    const { promise: aborted, resolve } = Promise.withResolvers<void>();
    const onAbort = () => resolve();
    signal.addEventListener("abort", onAbort, { once: true });
    await Promise.race([running, aborted]);
    signal.removeEventListener("abort", onAbort);
  }

  #current(repository: string): Probed | undefined {
    const known = this.#known.get(repository);
    return known !== undefined && known.untilMs > this.#clock.monotonicMs()
      ? known.probed
      : undefined;
  }

  /** Belongs to all who wait for it; its own deadline ends it. */
  async #ask(repository: string, probe: Probe): Promise<void> {
    const { signal } = new AbortController();
    const what = "Cannot ask without a login: no answer";
    let probed: Probed = "unknown";
    try {
      const { status } = await within(
        { clock: this.#clock, ms: PROBE_MS_MAX, signal, what },
        probe,
      );
      if (status === "found" || status === "unchanged") probed = "open";
      else if (status === "denied") probed = "closed";
    } catch {
      // It is asked again a little later.
    }
    const keptMs = probed === "unknown" ? OPEN_UNKNOWN_MS : OPEN_KEPT_MS;
    this.#known.delete(repository);
    this.#known.set(repository, { probed, untilMs: this.#clock.monotonicMs() + keptMs });
    if (this.#known.size > OPENNESS_MAX) this.#known.delete(this.#known.keys().next().value!);
  }
}
