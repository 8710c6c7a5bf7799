/** Fetching a blob from whoever has it. Calls for the same blob of one store join one fetch. */
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import { type Hash, shortHash } from "../../src/core/hash.ts";
import type { BlobStore } from "../store/blob_store.ts";
import { BlobFetch } from "./blob_fetch.ts";
import { ROUND_COUNT_MAX } from "./limits.ts";
import type { FetchBlobOptions } from "./options.ts";
import { type FetchProgress, type FetchReport, joinReports } from "./report.ts";

/** A fetch under way and everybody who waits for it. */
interface Flight {
  readonly promise: Promise<FetchReport>;
  readonly abort: AbortController;
  readonly listeners: Set<(progress: FetchProgress) => void>;
  readonly hasOrigin: boolean;
  waiterCount: number;
  /** Size as far as it is known. */
  size: number | undefined;
}

const flightsByStore = new WeakMap<BlobStore, Map<Hash, Flight>>();

/**
 * Fetches `hash` into the store, verified, and tells where its bytes came from. What is held already
 * is not fetched again. Two calls for one blob share one fetch; it ends when the last one is aborted.
 *
 * @throws {SeedmintError} `not-found`, `unavailable` or `timeout` when every source failed: the
 * message counts what was tried and says what to do; `no-space`, `storage` when ours failed.
 * @throws `signal.reason` once `signal` is aborted.
 */
export async function fetchBlob(options: FetchBlobOptions): Promise<FetchReport> {
  options.signal?.throwIfAborted();
  const flights = flightsByStore.getOrInsertComputed(options.store, () => new Map());
  const known = flights.get(options.hash);
  if (known === undefined) return await wait(begin(flights, options), options);
  try {
    return await wait(known, options);
  } catch (error) {
    // The other call may have known fewer sources than this one; what it got is kept.
    const isTheirs = isSeedmintError(error) && !options.signal?.aborted;
    if (!isTheirs || known.hasOrigin || options.origin === undefined) throw error;
    return await fetchBlob(options);
  }
}

/**
 * Whether `hash` is being fetched into `store`, and its size as far as it is known. A provider that
 * tells it as holdings without groups lets members of a fleet take turns at the origin.
 */
export function fetchUnderWay(
  store: BlobStore,
  hash: Hash,
): { readonly size?: number } | undefined {
  const flight = flightsByStore.get(store)?.get(hash);
  if (flight === undefined) return undefined;
  return flight.size === undefined ? {} : { size: flight.size };
}

function begin(flights: Map<Hash, Flight>, options: FetchBlobOptions): Flight {
  const abort = new AbortController();
  const listeners = new Set<(progress: FetchProgress) => void>();
  const tell = (progress: FetchProgress) => {
    flight.size = progress.size;
    for (const listener of listeners) listener(progress);
  };
  const promise = runRounds(options, { tell, signal: abort.signal }).finally(() => {
    if (flights.get(options.hash) === flight) flights.delete(options.hash);
  });
  const flight: Flight = {
    promise,
    abort,
    listeners,
    hasOrigin: options.origin !== undefined,
    waiterCount: 0,
    size: undefined,
  };
  flights.set(options.hash, flight);
  // Whoever waits hears of it; a fetch that all have left fails unheard.
  promise.catch(() => {});
  // From its abort on nobody may join it.
  abort.signal.addEventListener("abort", () => flights.delete(options.hash), { once: true });
  return flight;
}

/** A store may lose what it had while it is fetched (removal, eviction): then once more. */
async function runRounds(
  options: FetchBlobOptions,
  round: { readonly tell: (progress: FetchProgress) => void; readonly signal: AbortSignal },
): Promise<FetchReport> {
  const reports: FetchReport[] = [];
  while (reports.length < ROUND_COUNT_MAX) {
    const report = await new BlobFetch(options, round.tell).run(round.signal);
    // What a later round finds in the store was counted when it came.
    const sources = report.sources.filter((from) => reports.length === 0 || from.kind !== "store");
    reports.push({ ...report, sources });
    if (options.store.status(options.hash)?.state === "complete") break;
  }
  const last = reports.at(-1)!;
  if (options.store.status(options.hash)?.state !== "complete") {
    throw new SeedmintError(
      "storage",
      `Cannot fetch blob ${
        shortHash(options.hash)
      }: the store lost parts of it ${reports.length} times; check its quota`,
    );
  }
  const ms = reports.reduce((sum, report) => sum + report.ms, 0);
  return joinReports({ hash: options.hash, size: last.size, ms }, reports);
}

async function wait(flight: Flight, options: FetchBlobOptions): Promise<FetchReport> {
  const { signal, onProgress } = options;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal!.reason);
  // Each caller has a listener of its own, so that leaving takes only that one away.
  const listener = onProgress === undefined ? undefined : (now: FetchProgress) => onProgress(now);
  flight.waiterCount++;
  if (listener !== undefined) flight.listeners.add(listener);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([flight.promise, aborted]);
  } catch (error) {
    if (signal?.aborted === true && flight.waiterCount === 1) {
      flight.abort.abort(signal.reason);
      // The last one leaves only when everything has let go.
      await flight.promise.catch(() => {});
    }
    throw error;
  } finally {
    flight.waiterCount--;
    if (listener !== undefined) flight.listeners.delete(listener);
    signal?.removeEventListener("abort", onAbort);
    aborted.catch(() => {});
  }
}
