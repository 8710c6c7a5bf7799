/** Watchdogs: telling when something is too slow to be waited for alone. */
import type { Clock } from "../../../src/core/ports.ts";
import type { BlobRecord } from "../../store/blob_store.ts";
import type { MirrorLimits } from "./limits.ts";

/** How often progress is looked at. */
const LOOK_MS = 100;

/**
 * Resolves once what strangers bring stalls, or would take too long; also when `trying` is over.
 *
 * @param options `bytesHeld` tells what came so far, `size` what is wanted.
 */
export async function watchProgress(
  options: {
    readonly trying: Promise<unknown>;
    readonly bytesHeld: () => number;
    readonly size: number;
    readonly clock: Clock;
    readonly limits: MirrorLimits;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { clock, limits, size, signal } = options;
  const state = { isOver: false };
  const end = () => void (state.isOver = true);
  options.trying.then(end, end);
  const startMs = clock.monotonicMs();
  let lastBytes = 0;
  let lastMs = startMs;
  while (!state.isOver && !signal.aborted) {
    await clock.sleep(LOOK_MS, { signal }).catch(() => {});
    const nowMs = clock.monotonicMs();
    const bytes = options.bytesHeld();
    if (bytes !== lastBytes) {
      lastBytes = bytes;
      lastMs = nowMs;
    }
    // All is there and its digest is being computed: nobody else would be faster.
    if (bytes >= size && size > 0) continue;
    if (nowMs - lastMs >= limits.hintSilenceMs) return;
    const spentMs = nowMs - startMs;
    if (spentMs < limits.hintGraceMs || bytes === 0) continue;
    if ((spentMs * (size - bytes)) / bytes > limits.hintLeftMs) return;
  }
}

/** Resolves with `stalled` when `progress.lastMs` did not move for `ms`; never if it is aborted before. */
export async function watchStall(
  progress: { readonly lastMs: number },
  options: { readonly clock: Clock; readonly ms: number; readonly signal: AbortSignal },
): Promise<"stalled"> {
  const { clock, ms, signal } = options;
  for (;;) {
    const leftMs = progress.lastMs + ms - clock.monotonicMs();
    if (leftMs <= 0) return "stalled";
    try {
      await clock.sleep(leftMs, { signal });
    } catch {
      return await new Promise<never>(() => {});
    }
  }
}

/** Notes progress in `progress` while what is held of a blob grows, and while it is being hashed. */
export async function followHeld(
  progress: { lastMs: number },
  options: {
    readonly heldOf: () => BlobRecord | undefined;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { heldOf, clock, signal } = options;
  let lastCount = heldOf()?.groups.count ?? 0;
  while (!signal.aborted) {
    await clock.sleep(LOOK_MS, { signal }).catch(() => {});
    const held = heldOf();
    const count = held?.groups.count ?? 0;
    if (count === lastCount && held?.state !== "complete") continue;
    lastCount = count;
    progress.lastMs = clock.monotonicMs();
  }
}
