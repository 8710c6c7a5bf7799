/** Limits of serving agents, each with its reason. */

export const MCP_LIMITS = {
  /** Bytes of one message over stdio: a token and an environment fit. */
  lineBytesMax: 1 << 20,
  /** Offers in one answer: an agent reads each of them. */
  offersShown: 20,
  offersMax: 100,
  /** Leases in one answer. */
  leasesMax: 50,
  /** Calls of one agent under way: a spawn takes a minute. */
  callsPerAgentMax: 16,
  /** Calls of a session that are known again. */
  callsKnownMax: 256,
  /** Characters of an id that a node knows a request by; events have longer ones. */
  nodeIdCharsMax: 40,
  /** Characters of one text that a provider or a program wrote. */
  textCharsMax: 16_000,
  /** Progress is told at most this often. */
  progressMs: 2_000,
  /** For how long money that an agent spent counts. */
  dayMs: 24 * 3_600_000,
  /** What agents spent is forgotten after so long; and which leases are whose. */
  spendingKeptMs: 7 * 24 * 3_600_000,
  leasesKeptMs: 366 * 24 * 3_600_000,
} as const;

/** Limits of speaking with agents over Nostr. */
export const CONTEXT_VM_LIMITS = {
  /** Keys that may be allowed. */
  agentsMax: 64,
  /** How far the date of a message may be off, in seconds; older ones may come again from anybody. */
  ageMaxS: 300,
  /** How far back relays are asked when the server starts, in seconds. */
  lookBackS: 60,
  /** Messages that are remembered. */
  seenMax: 50_000,
  /** Gift wraps opened a second, and at once: each costs a millisecond, and anybody can send them. */
  opensPerSecond: 50,
  opensBurst: 200,
  /** Characters of an event that are looked at. */
  contentCharsMax: 128 * 1024,
  /** Messages a second of one agent, and at once. */
  perAgentPerSecond: 4,
  perAgentBurst: 40,
  /** Bytes that NIP-44 takes. */
  messageBytesMax: 65_535,
  /** Progress is told at most this often: each is an event on every relay. */
  progressMs: 5_000,
  /** Tries to send an answer, and the first pause between them. */
  sendsMax: 4,
  sendPauseMs: 500,
} as const;
