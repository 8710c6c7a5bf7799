/** Fetching what somebody said that a digest is, and finding out whether it is. */
import type { Clock } from "../../../src/core/ports.ts";
import type { FetchReport } from "../../fetch/mod.ts";
import type { Origin } from "../../ports.ts";
import type { BlobAttributes, BlobStore } from "../../store/blob_store.ts";
import type { SwarmFetch } from "../ports.ts";
import { takeDigestDuty } from "../../store/digest_duty.ts";
import { sha256InStore } from "./check_digest.ts";
import type { Candidate, Claims } from "./claims.ts";
import { abortable } from "./shared_work.ts";

/** How often the proven size is looked at. */
const LOOK_MS = 50;

/** What {@link fetchCandidate} works with. */
export interface FetchCandidateParts {
  readonly store: BlobStore;
  readonly swarm: SwarmFetch;
  readonly claims: Claims;
  readonly clock: Clock;
}

/**
 * Fetches the blob that a mapping names into the store and checks its SHA-256.
 *
 * @returns How it went; undefined if the mapping is false: whoever said so is banned then, and what
 * came of the blob is gone unless it was here before.
 * @throws What the fetch threw; `signal.reason`.
 */
export async function fetchCandidate(
  parts: FetchCandidateParts,
  { mapping, hints }: Candidate,
  options: {
    readonly attributes: BlobAttributes;
    readonly origin?: Origin;
    readonly position?: () => number | undefined;
    readonly onReceived?: (bytes: number) => void;
    /** Resolves when nobody reads the blob as it arrives any more, or was waited for long enough. */
    readonly unread?: (signal: AbortSignal) => Promise<void>;
    readonly signal: AbortSignal;
  },
): Promise<FetchReport | undefined> {
  const { store, swarm, claims, clock } = parts;
  const { hash, size, sha256 } = mapping;
  const wasHere = store.status(hash) !== undefined;
  using _duty = takeDigestDuty(store, hash);
  using guard = new SizeGuard(parts, mapping);
  const signal = AbortSignal.any([options.signal, guard.signal]);
  try {
    const fetching = swarm.fetch({ ...options, hash, size, hints, signal });
    // From its abort on nobody waits for it.
    fetching.catch(() => {});
    const report = await abortable(fetching, signal);
    // Whoever reads as it arrives gets its verified bytes first: hashing would take a core from that.
    await options.unread?.(signal);
    const isGentle = options.position !== undefined;
    if (await sha256InStore(store, hash, { clock, signal, isGentle }) === sha256) return report;
  } catch (error) {
    if (!guard.signal.aborted) throw error;
  }
  claims.refute(mapping);
  if (!wasHere) await store.remove(hash).catch(() => {});
  return undefined;
}

/** Aborts once the blob proves to have another size: it is another blob, and may be a huge one. */
class SizeGuard implements Disposable {
  readonly signal: AbortSignal;
  #cancel: () => void = () => {};

  constructor(
    { store, clock }: FetchCandidateParts,
    { hash, size }: Candidate["mapping"],
  ) {
    const abort = new AbortController();
    this.signal = abort.signal;
    // What stands in the store is proven, and has no other size later.
    const look = () => {
      const record = store.status(hash);
      if (record === undefined) this.#cancel = clock.timer(LOOK_MS, look);
      else if (record.size !== size) {
        abort.abort(new DOMException("The blob has another size", "AbortError"));
      }
    };
    look();
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }
}
