/** What is remembered of the two data paths to each peer, so that the faster one is used. */
import type { Clock } from "../../src/core/ports.ts";
import {
  DIRECT_PAUSE_MS,
  DIRECT_SLOWER_FACTOR,
  MEASURED_BYTES_DUE,
  MEASURED_BYTES_MIN,
  PATHS_REMEMBERED_MAX,
  RATE_WEIGHT,
} from "./limits.ts";

/** A way for bytes to come. */
export type Path = "stream" | "direct";

interface PathState {
  /** Bytes per millisecond of all transfers together, averaged with the newest counting most. */
  rate: number | undefined;
  /** Transfers under way. */
  activeCount: number;
  /** When the measurement under way began, and what it counted. */
  sinceMs: number;
  bytes: number;
}

interface Remembered {
  readonly paths: { readonly [P in Path]: PathState };
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
    const direct = known.paths.direct.rate;
    const stream = known.paths.stream.rate;
    return direct === undefined || stream === undefined || stream < direct * DIRECT_SLOWER_FACTOR;
  }

  /**
   * Takes note that a transfer begins; the returned function, that it ended with so many bytes.
   * Transfers at one time share the path, so they are measured together, and few bytes say nothing.
   */
  begin(peerId: string, path: Path): (bytes: number) => void {
    const state = this.#of(peerId).paths[path];
    if (state.activeCount === 0) {
      state.sinceMs = this.#clock.monotonicMs();
      state.bytes = 0;
    }
    state.activeCount += 1;
    return (bytes) => {
      state.activeCount -= 1;
      state.bytes += bytes;
      const isDue = state.activeCount === 0 || state.bytes >= MEASURED_BYTES_DUE;
      if (isDue && state.bytes >= MEASURED_BYTES_MIN) this.#sample(state);
    };
  }

  /** The direct path failed: it is left alone for a while. */
  failed(peerId: string): void {
    this.#of(peerId).pausedUntilMs = this.#clock.monotonicMs() + DIRECT_PAUSE_MS;
  }

  #sample(state: PathState): void {
    const nowMs = this.#clock.monotonicMs();
    const rate = state.bytes / Math.max(nowMs - state.sinceMs, 0.1);
    const before = state.rate;
    state.rate = before === undefined ? rate : before + (rate - before) * RATE_WEIGHT;
    state.sinceMs = nowMs;
    state.bytes = 0;
  }

  #of(peerId: string): Remembered {
    let known = this.#peers.get(peerId);
    if (known === undefined) {
      known = { paths: { stream: unknownPath(), direct: unknownPath() }, pausedUntilMs: -Infinity };
      if (this.#peers.size >= PATHS_REMEMBERED_MAX) {
        this.#peers.delete(this.#peers.keys().next().value!);
      }
      this.#peers.set(peerId, known);
    }
    return known;
  }
}

function unknownPath(): PathState {
  return { rate: undefined, activeCount: 0, sinceMs: 0, bytes: 0 };
}
