/** Limits of a provider, each with its reason. */

/** Limits of leases on their way, in milliseconds where nothing else is said. */
export const PROVIDER_LIMITS = {
  /** SSH must answer within this after the start, or the lease fails. */
  readyWithinMs: 60_000,
  /** How long the engine may take to create and start an instance. */
  startWithinMs: 120_000,
  /** How long an image may take to come and be unpacked. */
  pullWithinMs: 600_000,
  /** A request that is older than this when its turn comes is not begun: nobody waits for it any more. */
  requestAgeMaxMs: 300_000,
  /** A request may be dated so far ahead: clocks differ. */
  requestFutureMs: 900_000,
  /** A lease that is not ready this long after it was asked for fails: a stop in between took too long. */
  spawnWithinMs: 900_000,
  /** An image is made ready so often for one lease: what ended this process in its midst may do so again. */
  triesMax: 2,
  /** What a lock on a token must still hold when the image is waited for, beyond that wait. */
  lockMarginMs: 300_000,
  /** How long a mint is asked again before the lease gives its room up. */
  redeemPatienceMs: 45_000,
  /** How long an answer waits for the refund that goes with it. */
  refundPatienceMs: 45_000,
  /** First and longest pause before something is tried again. */
  retryFirstMs: 500,
  retryLastMs: 60_000,
  /** Images that come at a time: each takes network, disk and a core. */
  pullsMax: 4,
  /** Of one key: four slow images of one lessee would keep all others waiting. */
  pullsPerKeyMax: 1,
  /** Images that need no lane, since they were made ready before. */
  preparedMax: 1_000,
  /** Instances being started at a time. */
  startsMax: 8,
  startsPerKeyMax: 4,
  /** Leases of one key whose SSH did not answer, in so long, before it gets no other: each ran for nothing. */
  silentMax: 3,
  silentWithinMs: 30 * 60_000,
  /** Commands and logs at a time, in all, and those that wait. */
  insideMax: 8,
  insideWaitingMax: 32,
  /** How long the engine may take for logs, restart and the like. */
  insideMs: 60_000,
  /** What runs is compared with what is paid this often. */
  reconcileMs: 60_000,
  /** Rules that are gone leave leases open to their host: looked for this often, with one program. */
  repairMs: 10_000,
  /** The wall clock is compared with the steady one at least this often. */
  clockCheckMs: 15_000,
  /** A step of the wall clock that is corrected for. */
  clockStepMs: 2_000,
  /** An instance that ended by itself is started again this often. */
  revivalsMax: 5,
  /** How long the engine may fail to start such an instance, as after a boot of its machine. */
  downMaxMs: 30 * 60_000,
  /** An owner who wants notices hears so long before the end. */
  noticeMs: 300_000,
  /** Keys whose rate is remembered. */
  keysMax: 5_000,
  /** Requests a second of one key, and those that may come at once. */
  perKeyPerSecond: 1,
  perKeyBurst: 30,
  /**
   * Tokens without proof that are taken to their mint, a second, from all keys together: anybody can make
   * such for nothing, and a mint answers some twenty requests a minute.
   */
  unprovenPerSecond: 0.1,
  unprovenBurst: 10,
  /** Tokens with proofs that their mints may refuse, a second, before proofs alone count for nothing. */
  refusedPerSecond: 0.1,
  refusedBurst: 10,
  /** Top-ups of one lease whose mint has not answered: each is asked for again until it does. */
  topUpsOpenMax: 4,
  /** Answers to what is no request, a second, for one key: silence otherwise. */
  complaintsPerSecond: 0.05,
  complaintsBurst: 3,
  /** Progress is told at most this often. */
  progressMs: 5_000,
  /** Letters being answered at a time; others wait in the journal. */
  answeringMax: 1_000,
  /** Messages given to relays at a time. */
  postingMax: 4,
  /** An answer that could not be found, for the journal or the engine, is tried so often again. */
  answerAttemptsMax: 5,
  /** Those who want notices are looked for this often. */
  noticeCheckMs: 20_000,
  /** A message that no relay took for so long is dropped: whoever wanted it asks again. */
  postMs: 24 * 3_600_000,
} as const;

/** Limits of announcements. */
export const ANNOUNCE_LIMITS = {
  /** Heartbeats come this often: clients of Paygress count 120 s. */
  beatMs: 60_000,
  /** An offer that did not change is published again this often: relays forget. */
  offerMs: 2 * 3_600_000,
  /** When relays may forget an offer, in seconds after it was made. */
  offerLifeS: 24 * 3600,
  /** Changes that come together make one offer. */
  settleMs: 2_000,
  /** How long a lease's SSH may take to answer when it is measured for a heartbeat. */
  probeMs: 5_000,
} as const;
