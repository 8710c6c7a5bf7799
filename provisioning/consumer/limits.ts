/** Limits of a lessee, each with its reason. */

/** Limits of leases and payments, in milliseconds where nothing else is said. */
export const LESSEE_LIMITS = {
  /** A wish that could not be paid or sent for so long is given up: whoever had it went elsewhere. */
  planMs: 600_000,
  /** How long a provider of ours may take: images take their time, and it gives up by itself. */
  spawnPatienceMs: 900_000,
  /** How long one of Paygress may take: its own clients wait 120 s. */
  oldPatienceMs: 150_000,
  /** How long a top-up or another answer may take: the provider waits for its mint at most that. */
  topUpPatienceMs: 300_000,
  /** What a lock holds beyond what the provider asks for: the way of a request takes time. */
  lockMarginMs: 600_000,
  /** Locks of more minutes than a day has tie money up for nothing. */
  locktimeMinMax: 24 * 60,
  /** A locked token is asked for this long after its lock: clocks differ. */
  lockSkewMs: 60_000,
  /** First and longest pause before something is tried again. */
  retryFirstMs: 1_000,
  retryLastMs: 60_000,
  /** The same for money that is to come back, which may take days. */
  recoverFirstMs: 5_000,
  recoverLastMs: 3_600_000,
  /** Relays are listened to so long for a late answer before a token is taken back. */
  listenMs: 10_000,
  /** What is asked of a provider that was silent, before its token is taken back. */
  outcomeMs: 20_000,
  /** How long questions that cost nothing wait for their answer. */
  questionMs: 30_000,
  /** Quotes are for people who wait. */
  quoteMs: 15_000,
  /** Restarts wait for SSH. */
  restartMs: 150_000,
  /** How long a stop waits for its refund before it goes on without anybody waiting. */
  stopMs: 90_000,
  /** How long what is left of a lease is asked for. */
  stopPatienceMs: 7 * 24 * 3_600_000,
  /** A lease that runs is asked after this often. */
  lookMs: 900_000,
  /**
   * After its end a lease is asked after so soon, and given up so late if its provider answers and says
   * nothing of an end.
   */
  overFirstMs: 5_000,
  overLastMs: 600_000,
  /** First pause between questions after the end. */
  overPauseMs: 30_000,
  /**
   * A silent provider's lease is over so long after its end: time in which its machine was down is not
   * charged, and what is longer than a day is rather gone for good.
   */
  absenceMs: 24 * 3_600_000,
  /** A lease that ended this long before its time was cut short: clocks differ. */
  earlyMs: 60_000,
  /** People are told so long before the end. */
  warnMs: 600_000,
  /** A top-up by itself that takes longer is told of: mints and providers take seconds. */
  slowTopUpMs: 120_000,
  /** The shortest time that is worth a top-up by itself. */
  keepAliveMin: 60_000,
  /** Top-ups in a row that may fail before a lease is no longer kept alive. */
  keepAliveFailuresMax: 5,
  /** How long receipts are tried. */
  receiptPatienceMs: 7 * 24 * 3_600_000,
  /** Timers of the machine hold some 24 days. */
  timerMax: 3_600_000,
  /** How much later than promised a lease of an old provider may be dated: its clock is its own. */
  clockSkewMs: 120_000,
} as const;

/** Limits of the book. */
export const BOOK_LIMITS = {
  /** Leases that may be open at a time: each costs a timer and a question now and then. */
  openLeasesMax: 500,
  /** The book is gone through for what is long over this often. */
  pruneMs: 24 * 3_600_000,
  /** How long what is over is kept. */
  keepMs: 365 * 24 * 3_600_000,
  /** How long a letter is kept after its answer. */
  keepLettersMs: 30 * 24 * 3_600_000,
  /** Complaints about one lease. */
  complaintsMax: 32,
} as const;

/** Limits of a choice. */
export const CHOICE_LIMITS = {
  /** Providers that are asked for a quote before one is paid. */
  quotesMax: 5,
  /** Providers that are paid before the wish is given up: each refusal ties money up until its lock ends. */
  attemptsMax: 2,
  /** Providers that are asked for leases of ours at a time. */
  syncAtOnce: 8,
  /**
   * One that took money for nothing is not chosen by itself for so long: four weeks make stealing pay
   * less than lending does, and one whose disk broke once is not shunned for ever.
   */
  robbedMs: 28 * 24 * 3_600_000,
} as const;

/** Limits of the market. */
export const MARKET_LIMITS = {
  /** Providers that are remembered: whoever gives no sign of life goes first, then who came last. */
  providersMax: 2_000,
  /** Offers that one answer of relays may hold before older ones are asked for, and how often that is. */
  pageEvents: 300,
  pagesMax: 8,
  /** Stretch of time that heartbeats are asked for, in seconds: a quarter of an hour has fifteen. */
  heartbeatS: 900,
  /** Heartbeats kept of one provider as evidence. */
  heartbeatsMax: 32,
  /** How far back revocations and promotions are asked for, in seconds. */
  failoverS: 7 * 24 * 3600,
  failoversMax: 16,
  /** Providers whose heartbeats are asked for at once: relays cut off at some hundred events. */
  authorsMax: 30,
  askedAtOnce: 4,
  /** What was read is fresh so long, in milliseconds. */
  freshMs: 30_000,
} as const;

/** Limits of a line of messages, in milliseconds where nothing else is said. */
export const LINE_LIMITS = {
  /** By default an answer is waited for so long. */
  answerMs: 60_000,
  /** A message that no relay took is given again after so long, at first and at last. */
  publishFirstMs: 1_000,
  publishLastMs: 15_000,
  /** One that a relay took is given again, as it is, after so long: another relay may reach further. */
  repeatMs: 30_000,
  /** A provider of ours is asked anew, under the same id, after so long: its answer may be lost. */
  renewMs: 60_000,
  renewalsMax: 5,
  /** How much earlier than its question an answer may be dated, in seconds: clocks differ. */
  skewS: 120,
  /** Questions under way at a time. */
  pendingMax: 1_000,
} as const;
