/**
 * Fetching: the scheduler run against real sources, into a real store.
 *
 * Vocabulary: a fetch brings one blob or one collection; a transfer is one request of it to one
 * source; a report says afterwards where every byte came from and what went wrong on the way.
 *
 * May import: src/core, swarm/ports.ts, swarm/scheduler, swarm/origin, swarm/score.ts, the port of
 * the store, swarm/collection.ts, swarm/narrowing.ts.
 */
export { fetchBlob, fetchUnderWay } from "./fetch_blob.ts";
export {
  type CollectionProgress,
  type CollectionReport,
  fetchCollection,
  type FetchCollectionOptions,
} from "./fetch_collection.ts";
export type { FetchBlobOptions, FetchContext, Herd } from "./options.ts";
export type { FetchedFrom, FetchFailure, FetchProgress, FetchReport } from "./report.ts";
