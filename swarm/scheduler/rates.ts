/** Measuring how fast sources are, while they are at work. */
import type { RequestState, SchedulerState } from "./state.ts";

/** A rate is taken over at least so long, so that bursts of one window do not decide. */
const WINDOW_MS = 100;

/** A short transfer is measured when it ends, if it was at least this long in bytes. */
const SAMPLE_BYTES_MIN = 256 * 1024;

/** Weight of the newest window. */
const NEWEST_WEIGHT = 0.4;

/** Notes that `bytes` came for `request`. */
export function noteBytes(
  state: SchedulerState,
  request: RequestState,
  options: { readonly bytes: number; readonly nowMs: number },
): void {
  const { bytes, nowMs } = options;
  const source = request.source;
  if (!request.hasFirstByte) {
    request.hasFirstByte = true;
    const latencyMs = nowMs - request.startedMs;
    // A pipelined request waits for the one before it, which says nothing of latency.
    if (source.requestCount === 1) {
      source.latencyMs = source.latencyMs === undefined
        ? latencyMs
        : source.latencyMs * 0.7 + latencyMs * 0.3;
    }
  }
  request.receivedBytes += bytes;
  request.lastProgressMs = nowMs;
  source.lastProgressMs = nowMs;
  state.hasFirstByte = true;
  state.lastProgressMs = nowMs;
  if (source.windowStartMs === undefined) {
    // The first bytes mark the beginning; counting them would add those of the time before.
    source.windowStartMs = nowMs;
    source.windowBytes = 0;
  } else source.windowBytes += bytes;
  if (nowMs - source.windowStartMs >= WINDOW_MS) closeWindow(request, nowMs);
  state.windowStartMs ??= nowMs;
  state.windowBytes += bytes;
}

/** Notes that `request` ended: a source without requests has no window. */
export function noteEnd(request: RequestState, nowMs: number): void {
  const source = request.source;
  if (source.windowStartMs === undefined) return;
  if (source.windowBytes >= SAMPLE_BYTES_MIN && nowMs > source.windowStartMs) {
    if (source.rate === undefined) closeWindow(request, nowMs);
  }
  if (source.requestCount === 0) {
    source.windowStartMs = undefined;
    source.windowBytes = 0;
  }
}

/** Renews the rate over all sources. */
export function noteTick(state: SchedulerState, nowMs: number): void {
  if (state.windowStartMs === undefined) return;
  const spanMs = nowMs - state.windowStartMs;
  if (spanMs < 250) return;
  state.rate = blend(state.rate, (state.windowBytes * 1000) / spanMs);
  state.windowStartMs = nowMs;
  state.windowBytes = 0;
}

function closeWindow(request: RequestState, nowMs: number): void {
  const source = request.source;
  const spanMs = Math.max(1, nowMs - source.windowStartMs!);
  source.rate = blend(source.rate, (source.windowBytes * 1000) / spanMs);
  source.windowStartMs = nowMs;
  source.windowBytes = 0;
}

function blend(before: number | undefined, sample: number): number {
  return before === undefined ? sample : before * (1 - NEWEST_WEIGHT) + sample * NEWEST_WEIGHT;
}
