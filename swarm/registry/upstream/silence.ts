/**
 * A registry that answers nothing is left alone for a moment: whoever asks hears so at once and goes
 * elsewhere, instead of waiting again for each question of a pull. One that refuses connections is asked
 * on, but each question once: what comes back answers at once, and what is down costs nobody a pause.
 */
import { isSeedmintError, SeedmintError } from "../../../src/core/errors.ts";
import type { Clock } from "../../../src/core/ports.ts";
import { SILENCE_MS, SILENT_MS } from "./limits.ts";

/** See the head of this file. */
export class Silence {
  readonly #registry: string;
  readonly #clock: Clock;
  #heardMs = -Infinity;
  #untilMs = -Infinity;
  #brokenMs = -Infinity;

  constructor(registry: string, clock: Clock) {
    this.#registry = registry;
    this.#clock = clock;
  }

  /** @throws {SeedmintError} `unavailable` while the registry is left alone. */
  check(): void {
    const leftMs = this.#untilMs - this.#clock.monotonicMs();
    if (leftMs <= 0) return;
    throw new SeedmintError(
      "unavailable",
      `Cannot ask registry ${this.#registry}: it left a question without an answer a moment ago; ` +
        `it is asked again in ${Math.ceil(leftMs / 1000)} s`,
      { retryable: true },
    );
  }

  /** Whether the last question broke twice, a moment ago. */
  get isBroken(): boolean {
    return this.#clock.monotonicMs() - this.#brokenMs < SILENCE_MS;
  }

  /** It answers. */
  heard(): void {
    this.#heardMs = this.#clock.monotonicMs();
    this.#untilMs = -Infinity;
    this.#brokenMs = -Infinity;
  }

  /** A question that began at `beganMs`, monotonic, failed; `signal` is its asker's. */
  failed(beganMs: number, error: unknown, signal: AbortSignal): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#heardMs > beganMs) return;
    if (!signal.aborted && isSeedmintError(error, "unavailable")) this.#brokenMs = nowMs;
    if (nowMs - beganMs < SILENT_MS) return;
    if (signal.aborted || isSeedmintError(error, "timeout")) this.#untilMs = nowMs + SILENCE_MS;
  }
}
