/** What a fetch tells: while it runs, and at its end. */
import type { ErrorCode } from "../../src/core/errors.ts";
import type { Hash } from "../../src/core/hash.ts";
import type { PaidTo } from "../ports.ts";

/** Where bytes came from. `store` is what was here before. */
export interface FetchedFrom {
  readonly kind: "peer" | "origin" | "store";
  readonly id: string;
  /** Verified bytes that were new. */
  readonly bytes: number;
}

/** What went wrong on the way, although the fetch may have succeeded. */
export interface FetchFailure {
  /** Peer id, origin, or the part of the node: `discovery`. */
  readonly id: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** How one fetch went. */
export interface FetchReport {
  readonly hash: Hash;
  readonly size: number;
  readonly ms: number;
  /** The greatest part first. */
  readonly sources: readonly FetchedFrom[];
  /** Payload bytes that came and were not new, or were never verified. */
  readonly wastedBytes: number;
  readonly failures: readonly FetchFailure[];
  /** Why the origin was asked, if it was. */
  readonly originReason?: string;
  /** What was paid to whom, filled in by whoever gave the payer. */
  readonly paid?: readonly PaidTo[];
}

/** A moment of a fetch. */
export interface FetchProgress {
  /** Verified bytes held, those from before included. */
  readonly bytes: number;
  /** Size as far as it is known; proven or not. */
  readonly size?: number;
  /** Sources at work. */
  readonly sources: number;
  /** Bytes a second, once it was measured. */
  readonly rate?: number;
}

/** Puts reports of parts together into the one of the whole. */
export function joinReports(
  whole: { readonly hash: Hash; readonly size: number; readonly ms: number },
  parts: Iterable<Pick<FetchReport, "sources" | "wastedBytes" | "failures" | "originReason">>,
): FetchReport {
  const sources = new Map<string, FetchedFrom>();
  const failures = new Map<string, FetchFailure>();
  let wastedBytes = 0;
  let originReason: string | undefined;
  for (const part of parts) {
    for (const from of part.sources) {
      const key = `${from.kind} ${from.id}`;
      sources.set(key, { ...from, bytes: from.bytes + (sources.get(key)?.bytes ?? 0) });
    }
    for (const failure of part.failures) failures.set(`${failure.id} ${failure.code}`, failure);
    wastedBytes += part.wastedBytes;
    originReason ??= part.originReason;
  }
  return {
    ...whole,
    sources: [...sources.values()].sort((a, b) => b.bytes - a.bytes),
    wastedBytes,
    failures: [...failures.values()],
    ...(originReason === undefined ? {} : { originReason }),
  };
}
