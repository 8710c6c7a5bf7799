/** Every bound and deadline of the scheduler, each with a sentence. */
import { BLOB_BYTES_MAX, GROUP_BYTES } from "../bao/geometry.ts";

const MIB = 1024 * 1024;

/** What the scheduler may use and how long it waits. Tests and the simulator change single ones. */
export interface SchedulerLimits {
  /** Groups asked for first while the size is unknown, besides the last one: 4 MiB. */
  readonly openerGroups: number;
  /** The same of a paid source: what it brings is lost, and bought again, if it proves no size. */
  readonly paidOpenerGroups: number;
  /** The least a range has while more than that is left: below it round trips cost too much. */
  readonly rangeBytesMin: number;
  /** The most a range has: a lost connection loses at most what this takes to plan again. */
  readonly rangeBytesMax: number;
  /** How much work a range is, by the measured rate of its source. */
  readonly rangeTargetMs: number;
  /** Runs in one request: the protocol's message has a byte limit. */
  readonly runsPerRequestMax: number;
  /** The next range of a source is asked this long before the current one ends. */
  readonly pipelineMs: number;
  /** Rate assumed for a source that nothing is known of, in bytes a second. */
  readonly rateUnknown: number;
  /** Latency assumed for a source that nothing is known of. */
  readonly latencyUnknownMs: number;
  /** Blobs from this size on: a peer answers a probe of one random group before real work. */
  readonly probeBytesMin: number;
  /** Blobs from this size on: peers are asked what they hold, so that partial ones are used well. */
  readonly holdingsBytesMin: number;
  /** How soon a peer that holds a part and has nothing more for us is asked again what it holds. */
  readonly holdingsRefreshMs: number;
  /** How long that grows to while its answers bring nothing new. */
  readonly holdingsRefreshMsMax: number;
  /** How long an answer about holdings may take before the peer is used without it. */
  readonly holdingsWaitMs: number;
  /** Longer between two ticks means that we slept or were busy, and no source is to blame. */
  readonly tickGapMsMax: number;
  /** Without a first byte for so long, the rest of a request is asked elsewhere. */
  readonly firstByteMs: number;
  /** Without progress for so long, the rest of a request is asked elsewhere. */
  readonly progressMs: number;
  /** An origin may take this long to its first byte: connecting and its token dance included. */
  readonly originFirstByteMs: number;
  /** A silent request nobody can replace ends after this, so that it is tried afresh. */
  readonly silenceMsMax: number;
  /** The origin joins when so long after the start no byte came. */
  readonly originStartMs: number;
  /** The origin joins when so long after the last progress none came. */
  readonly originStallMs: number;
  /** The origin is asked so much earlier, because its own first byte takes time as well. */
  readonly originLeadMs: number;
  /** The origin joins when the swarm gives fewer bytes a second than this. */
  readonly rateFloor: number;
  /** How long the swarm has before its rate is held against it. */
  readonly rateFloorGraceMs: number;
  /** How long a member of the fleet that fetches the same blob from the origin is waited for. */
  readonly herdWaitMs: number;
  /** A member that did not say for so long that it is at it is not waited for. */
  readonly herdSilenceMs: number;
  /** The first pause of a source that failed; it doubles with each failure in a row. */
  readonly cooldownMsMin: number;
  /** The longest pause of a source that failed. */
  readonly cooldownMsMax: number;
  /** Failures in a row after which a source is given up for this fetch. */
  readonly failuresInRowMax: number;
  /** Free sources that together give fewer bytes a second than this are helped by paid ones. */
  readonly paidRateFloor: number;
  /** So are those that would need longer than this for the rest, however fast they are. */
  readonly paidLeftMs: number;
  /** Nothing is bought to speed up a rest that slow sources bring within this time anyway. */
  readonly paidLeftMsMin: number;
  /**
   * A source at work that was silent for so long is not counted on where paying is decided; and paid
   * sources join only when the others were too slow for so long.
   */
  readonly paidPatienceMs: number;
  /** Without a first byte for so long, a paid source's request is asked elsewhere: ecash of another
   * mint takes seconds to make ready, and the seller waits for it as well as we do. */
  readonly paidFirstByteMs: number;
  /** The same without progress: a top-up may have to be swapped at its mint. */
  readonly paidProgressMs: number;
  /** A paid source with a score below this is a last resort: four failures and no success, or a lie. */
  readonly paidScoreMin: number;
  /** How long the cheapest fetch waits for free sources to be found before it buys. */
  readonly freeFirstMs: number;
  /** Failures in a row after which the cheapest fetch buys what that source could bring for less. */
  readonly freeFailuresMax: number;
  /** A request is stolen from only if what is left of it takes longer than this. */
  readonly stealMsMin: number;
  /** A race is begun only if it is expected to win by this much. */
  readonly raceGainMs: number;
  /** Bytes asked twice in races, as a share of the blob. */
  readonly raceShareMax: number;
  /** Bytes that may be asked twice in races however small the blob is. */
  readonly raceBytesMin: number;
  /** Sources at work at the same time. */
  readonly activeSourcesMax: number;
  /** Sources remembered in one fetch; further hints are not taken. */
  readonly sourcesMax: number;
  /** Failures kept for the report. */
  readonly failuresKeptMax: number;
  /** A fetch without any progress for so long fails, whatever its sources promise. */
  readonly giveUpMs: number;
  /** What an origin may have brought when a peer proves the size and it has to begin anew. */
  readonly originRestartBytesMax: number;
  /** The same as a share of the blob; the larger of the two counts. */
  readonly originRestartShareMax: number;
  /** A source that is about to send so many groups in vain is stopped and asked for the rest. */
  readonly idleGroupsMax: number;
  /** A blob that is larger, as a source claims, is refused from that source. */
  readonly blobBytesMax: number;
  /** What follows the place where somebody reads the blob and is not held is asked for first: 16 MiB. */
  readonly readAheadGroups: number;
  /** An origin's run goes over held gaps up to this many groups rather than asking anew. */
  readonly originGapGroups: number;
}

/** The limits that a node uses. */
export const SCHEDULER_LIMITS: SchedulerLimits = {
  openerGroups: 4 * MIB / GROUP_BYTES,
  paidOpenerGroups: 256 * 1024 / GROUP_BYTES,
  rangeBytesMin: MIB,
  rangeBytesMax: 128 * MIB,
  rangeTargetMs: 750,
  runsPerRequestMax: 64,
  pipelineMs: 200,
  rateUnknown: 16 * MIB,
  latencyUnknownMs: 20,
  probeBytesMin: 16 * MIB,
  holdingsBytesMin: 8 * MIB,
  holdingsRefreshMs: 250,
  holdingsRefreshMsMax: 2000,
  holdingsWaitMs: 500,
  tickGapMsMax: 500,
  firstByteMs: 1000,
  progressMs: 2000,
  originFirstByteMs: 5000,
  silenceMsMax: 8000,
  originStartMs: 2000,
  originStallMs: 3000,
  originLeadMs: 250,
  rateFloor: 256 * 1024,
  rateFloorGraceMs: 3000,
  herdWaitMs: 30_000,
  herdSilenceMs: 5000,
  cooldownMsMin: 250,
  cooldownMsMax: 8000,
  failuresInRowMax: 4,
  paidRateFloor: 4 * MIB,
  paidLeftMs: 10_000,
  paidLeftMsMin: 2000,
  paidPatienceMs: 500,
  paidFirstByteMs: 5000,
  paidProgressMs: 4000,
  paidScoreMin: 0.17,
  freeFirstMs: 1500,
  freeFailuresMax: 2,
  stealMsMin: 100,
  raceGainMs: 50,
  raceShareMax: 0.01,
  raceBytesMin: 256 * 1024,
  activeSourcesMax: 16,
  sourcesMax: 64,
  failuresKeptMax: 64,
  giveUpMs: 60_000,
  originRestartBytesMax: 8 * MIB,
  originRestartShareMax: 0.05,
  idleGroupsMax: 64,
  blobBytesMax: BLOB_BYTES_MAX,
  readAheadGroups: 16 * MIB / GROUP_BYTES,
  originGapGroups: 64,
};
