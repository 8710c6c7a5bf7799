/**
 * Noticing that a file which somebody else may write has changed: an in-place file, or one that was
 * hard-linked into the store and still has its owner's name.
 *
 * Compared are size, modification time, inode and device. A file whose change time alone moved (its
 * mode, its links, or a modification time that was set back) is read again before it is trusted.
 */
import type { Clock } from "../../src/core/ports.ts";
import { SETTLE_MS } from "./limits.ts";

/** What a file looked like when its content was hashed. */
export interface Fingerprint {
  readonly size: number;
  /** Milliseconds since 1970, as exact as the runtime tells. */
  readonly modifiedMs: number;
  /** Milliseconds since 1970 of the last change to content or inode; told in whole seconds. */
  readonly changedMs: number;
  readonly inode: number;
  readonly device: number;
}

/** How a file compares to its fingerprint. */
export type Comparison =
  | { readonly result: "same" }
  /** Content may be the same, but only reading it tells. */
  | { readonly result: "unsure" }
  | { readonly result: "changed"; readonly reason: string };

export function fingerprintOf(info: Deno.FileInfo): Fingerprint {
  return {
    size: info.size,
    modifiedMs: info.mtime?.getTime() ?? 0,
    changedMs: info.ctime?.getTime() ?? 0,
    inode: info.ino ?? 0,
    device: info.dev,
  };
}

/** Compares what a file looks like now with what it looked like. */
export function compareFingerprints(before: Fingerprint, now: Fingerprint): Comparison {
  if (before.size !== now.size) {
    return changed(`its size went from ${before.size} to ${now.size} bytes`);
  }
  if (before.modifiedMs !== now.modifiedMs) return changed("its modification time changed");
  if (before.inode !== now.inode || before.device !== now.device) {
    return changed("another file took its name");
  }
  return { result: before.changedMs === now.changedMs ? "same" : "unsure" };
}

/** The fingerprint kept in a `guard` column. */
export function parseGuard(guard: string): Fingerprint {
  return JSON.parse(guard) as Fingerprint;
}

/**
 * The fingerprint of the file at `path`, once its last change is old enough that a later one is
 * sure to show: the kernel stamps files with a clock of some milliseconds.
 */
export async function settledFingerprint(
  path: string,
  options: { readonly clock: Pick<Clock, "nowMs" | "sleep">; readonly signal?: AbortSignal },
): Promise<Fingerprint> {
  for (;;) {
    const fingerprint = fingerprintOf(await Deno.stat(path));
    const ageMs = options.clock.nowMs() - Math.max(fingerprint.modifiedMs, fingerprint.changedMs);
    // A time ahead of the clock cannot be waited for: it was set, and the next change moves it.
    if (ageMs >= SETTLE_MS || ageMs < 0) return fingerprint;
    await options.clock.sleep(
      SETTLE_MS - ageMs,
      options.signal === undefined ? {} : { signal: options.signal },
    );
  }
}

function changed(reason: string): Comparison {
  return { result: "changed", reason };
}
