/** Limits of what is read from strangers, each with its reason. */

/** Limits of offers, heartbeats, requests and answers. */
export const WIRE_LIMITS = {
  /** UTF-16 units of an event's content before it is parsed: ours are below 4,000. */
  contentCharsMax: 32 * 1024,
  /** UTF-16 units of a request or an answer before it is parsed: what fits into a private message. */
  messageCharsMax: 64 * 1024,
  /** Characters of names, ids and the like. */
  nameCharsMax: 128,
  /** Characters of what people read. */
  textCharsMax: 1024,
  /** Characters of an address: of a mint, a host, an image. */
  addressCharsMax: 512,
  /** Tiers of one provider. */
  specCountMax: 64,
  capabilityCountMax: 32,
  mintCountMax: 32,
  /** Standby providers of one workload. */
  standbyCountMax: 16,
  /** Characters of a token: some hundred proofs. */
  tokenCharsMax: 48 * 1024,
  /** Environment variables of one lease, and the characters of each value. */
  envCountMax: 64,
  envValueCharsMax: 4096,
  /** Ports that one lease may ask for. */
  portCountMax: 16,
  /** Characters of all SSH public keys together: a large RSA key has 800. */
  sshKeyCharsMax: 8192,
  /** Lines of human text in an answer. */
  instructionCountMax: 64,
  /** Words of a command, and the characters of all. */
  commandWordCountMax: 64,
  commandCharsMax: 8192,
  /** Lines of a log that may be asked for. */
  logLineCountMax: 1000,
  /** The longest that a command may run, in milliseconds. */
  execMsMax: 60_000,
  /** Characters of output in an answer: escaped twice and wrapped twice it must fit into an event. */
  outputCharsMax: 12_000,
  /** Leases in one answer. */
  leaseCountMax: 32,
  /** Characters of a receipt. */
  receiptCharsMax: 8192,
  /** How far ahead an event may be dated, in seconds: clocks differ. */
  futureS: 900,
} as const;
