/** What is remembered of the two data paths to each peer, so that the faster one is used. */
import type { Clock } from "../../src/core/ports.ts";
import {
  DIRECT_PAUSE_MS,
  DIRECT_SLOWER_FACTOR,
  MEASURED_BYTES_MIN,
  PATHS_REMEMBERED_MAX,
  RATE_WEIGHT,
} from "./limits.ts";

/** A way for bytes to come. */
export type Path = "stream" | "direct";

interface Remembered {
  /** Bytes per millisecond of one transfer, averaged with the newest counting most. */
  readonly rates: { [P in Path]?: number };
  /** Until when the direct path is left alone, on the monotonic clock. */
  pausedUntilMs: number;
}

/** Shared by all sources of a node; what it forgets is measured again. */
export class PathMemory {
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #peers = new Map<string, Remembered>();

  constructor(options: { readonly clock: Pick<Clock, "monotonicMs"> }) {
    this.#clock = options.clock;
  }

  /** Whether the direct path to `peerId` is worth asking for. */
  prefersDirect(peerId: string): boolean {
    const known = this.#peers.get(peerId);
    if (known === undefined) return true;
    if (known.pausedUntilMs > this.#clock.monotonicMs()) return false;
    const { direct, stream } = known.rates;
    return direct === undefined || stream === undefined || stream < direct * DIRECT_SLOWER_FACTOR;
  }

  /** Takes note of a transfer; a short one says nothing about the rate. */
  measured(peerId: string, path: Path, transfer: { readonly bytes: number; readonly ms: number }) {
    if (transfer.bytes < MEASURED_BYTES_MIN) return;
    const { rates } = this.#of(peerId);
    const rate = transfer.bytes / Math.max(transfer.ms, 0.1);
    const before = rates[path];
    rates[path] = before === undefined ? rate : before + (rate - before) * RATE_WEIGHT;
  }

  /** The direct path failed: it is left alone for a while. */
  failed(peerId: string): void {
    this.#of(peerId).pausedUntilMs = this.#clock.monotonicMs() + DIRECT_PAUSE_MS;
  }

  #of(peerId: string): Remembered {
    let known = this.#peers.get(peerId);
    if (known === undefined) {
      known = { rates: {}, pausedUntilMs: -Infinity };
      if (this.#peers.size >= PATHS_REMEMBERED_MAX) {
        this.#peers.delete(this.#peers.keys().next().value!);
      }
      this.#peers.set(peerId, known);
    }
    return known;
  }
}
