/** A progress bar of one line: done, rate, time left, peers. Redrawn at most ten times a second. */
import { formatBytes, formatDuration, formatRate, printable } from "./format.ts";

/** What is known of the work at one moment. */
export interface ProgressState {
  readonly label: string;
  /** Bytes done so far. */
  readonly bytes: number;
  /** Bytes in all, once known. */
  readonly size?: number | undefined;
  /** How many peers deliver. */
  readonly peers?: number | undefined;
}

const REDRAW_MS = 100;
/** The rate is that of the last few seconds, so that it follows a change. */
const WINDOW_MS = 3000;
/** A narrow terminal gets a short bar, so that the numbers fit. */
const BAR_CELLS = { narrow: 10, wide: 20, wideColumnsMin: 100 };

/** Draws {@link ProgressState}s over each other. */
export class ProgressBar {
  readonly #write: (text: string) => void;
  readonly #columns: number;
  readonly #nowMs: () => number;
  #samples: { readonly atMs: number; readonly bytes: number }[] = [];
  #drawnMs = -Infinity;
  #isShown = false;

  constructor(
    options: {
      readonly write: (text: string) => void;
      readonly columns: number;
      readonly nowMs: () => number;
    },
  ) {
    this.#write = options.write;
    this.#columns = options.columns;
    this.#nowMs = options.nowMs;
  }

  update(state: ProgressState): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#drawnMs < REDRAW_MS) return;
    this.#drawnMs = nowMs;
    this.#samples.push({ atMs: nowMs, bytes: state.bytes });
    while (this.#samples.length > 2 && nowMs - this.#samples[0]!.atMs > WINDOW_MS) {
      this.#samples.shift();
    }
    const first = this.#samples[0]!;
    const elapsedMs = nowMs - first.atMs;
    const rate = elapsedMs > 0 ? ((state.bytes - first.bytes) / elapsedMs) * 1000 : undefined;
    this.#isShown = true;
    this.#write(`\r\x1b[2K${progressLine(state, rate, this.#columns)}`);
  }

  /** Removes the bar, so that a line can be written. */
  clear(): void {
    if (this.#isShown) this.#write("\r\x1b[2K");
    this.#isShown = false;
    this.#drawnMs = -Infinity;
  }
}

/** The text of one moment; `rate` is in bytes per second. */
export function progressLine(
  state: ProgressState,
  rate: number | undefined,
  columns: number,
): string {
  const parts: string[] = [];
  if (state.size === undefined) parts.push(formatBytes(state.bytes));
  else {
    const share = state.size === 0 ? 1 : Math.min(1, state.bytes / state.size);
    const cells = columns < BAR_CELLS.wideColumnsMin ? BAR_CELLS.narrow : BAR_CELLS.wide;
    const full = Math.round(share * cells);
    parts.push(`[${"#".repeat(full)}${"-".repeat(cells - full)}]`);
    parts.push(`${Math.floor(share * 100)} %`.padStart(5));
    parts.push(`${formatBytes(state.bytes)} of ${formatBytes(state.size)}`);
  }
  if (rate !== undefined && rate >= 0) parts.push(formatRate(rate));
  if (rate !== undefined && rate > 0 && state.size !== undefined) {
    parts.push(`${formatDuration(((state.size - state.bytes) / rate) * 1000)} left`);
  }
  if (state.peers !== undefined) parts.push(state.peers === 1 ? "1 peer" : `${state.peers} peers`);
  const tail = parts.join("  ");
  const room = columns - 1 - tail.length - 2;
  const label = printable(state.label);
  if (room < 4) return tail.slice(0, Math.max(0, columns - 1));
  return `${label.length > room ? `${label.slice(0, room - 1)}…` : label}  ${tail}`;
}
