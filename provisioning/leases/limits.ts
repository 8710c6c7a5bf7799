/** Limits of the journal, each with its reason. */

/** Limits of what is kept. */
export const LEASE_LIMITS = {
  /** How long ended leases are kept, in milliseconds: receipts and refunds are asked for later. */
  keepLeasesMs: 90 * 24 * 3_600_000,
  /** How long requests and their answers are kept: longer than the look-back of the inbox. */
  keepAsksMs: 7 * 24 * 3_600_000,
  /** Requests kept in all: strangers can make as many keys as they like. */
  asksMax: 100_000,
  /**
   * How long the output of a command is kept for who asks again under the same id: a question is
   * renewed for minutes, and a lessee may fill a disk with outputs in days.
   */
  keepOutputMs: 3_600_000,
  /** Letters remembered after their answer: as many as the inbox knows the ids of. */
  lettersMax: 200_000,
  /** Answers that wait for a relay: older ones nobody waits for any more. */
  outboxMax: 10_000,
  /** Events in the story of one lease; after that only what changes its state. */
  storyMax: 200,
  /** How far back heartbeats are counted, in minutes: thirty days. */
  beatMinutes: 30 * 24 * 60,
  /** Names on a deny-list. */
  deniedMax: 10_000,
} as const;
