/** Limits of private messages. A gift wrap comes from nobody known: each limit has a reason. */

/** Limits of {@link PrivateInbox} and of what is sent. */
export interface PrivateLimits {
  /**
   * Bytes of a text that is sent, written as a JSON string: wrapped twice it stays below the 64 KiB that
   * relays take.
   */
  readonly sentBytesMax: number;
  /** UTF-16 units of an event's content before it is looked at: what others send may be longer. */
  readonly contentCharsMax: number;
  /**
   * How far back is asked, in seconds. Wraps are dated up to two days before they are sent (NIP-59), so
   * a message of the last day is found in any case.
   */
  readonly lookBackS: number;
  /** How far ahead a message may be dated, in seconds: clocks differ. */
  readonly futureS: number;
  /** How often the question is put anew, with a later start, in milliseconds. */
  readonly renewMs: number;
  /** Events that wait to be opened, and their characters together; above it they are asked for again. */
  readonly queueCountMax: number;
  readonly queueCharsMax: number;
  /** Messages opened a second, from everybody: one costs some five milliseconds of the thread. */
  readonly opensPerSecond: number;
  readonly opensBurst: number;
  /** Messages a second taken from one sender, whose name is known only after the opening. */
  readonly perSenderPerSecond: number;
  readonly perSenderBurst: number;
  /** Senders whose rate and shared key are remembered; the one heard longest ago is forgotten. */
  readonly sendersMax: number;
  /** Messages being handled at a time. */
  readonly handlingMax: number;
  /** Ids remembered on disk; above it the oldest go. A message older than the look-back is refused anyway. */
  readonly seenIdsMax: number;
  /** Events of one question above which it is asked in halves: relays cut off at some hundred. */
  readonly pageEventsMax: number;
  /** Characters of the same. */
  readonly pageCharsMax: number;
  /** Events taken in one catching up, from all relays. */
  readonly catchUpEventsMax: number;
  /** Between two catchings up after messages were left out, in milliseconds. */
  readonly catchUpPauseMs: number;
}

const HOUR_MS = 3_600_000;

/** Defaults. */
export const PRIVATE_LIMITS: PrivateLimits = {
  sentBytesMax: 28_000,
  contentCharsMax: 100_000,
  lookBackS: 3 * 24 * 3600,
  futureS: 900,
  renewMs: 12 * HOUR_MS,
  queueCountMax: 2000,
  queueCharsMax: 16 * 1024 * 1024,
  opensPerSecond: 100,
  opensBurst: 500,
  perSenderPerSecond: 2,
  perSenderBurst: 200,
  sendersMax: 2000,
  handlingMax: 32,
  seenIdsMax: 200_000,
  pageEventsMax: 300,
  pageCharsMax: 1024 * 1024,
  catchUpEventsMax: 20_000,
  catchUpPauseMs: 60_000,
};
