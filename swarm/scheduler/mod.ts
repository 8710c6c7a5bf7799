/**
 * Who is asked for which part of a blob, and when: pure decisions, no I/O.
 *
 * Vocabulary: a source is a peer or the origin; a range is what one request asks for; missing
 * groups are not verified yet; assigned ones are wanted from a request under way; to steal is to
 * take the tail of a slower source's range, to race is to ask for it a second time.
 *
 * May import: src/core, swarm/bao's geometry, swarm/ports.ts.
 */
export { SCHEDULER_LIMITS, type SchedulerLimits } from "./limits.ts";
export { Scheduler, type SchedulerProgress } from "./scheduler.ts";
export type {
  FetchPolicy,
  RequestPurpose,
  SchedulerEffect,
  SchedulerEvent,
  SchedulerOptions,
  SourceFailure,
  SourcePrior,
  Thrift,
} from "./types.ts";
