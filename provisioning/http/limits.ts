/** Limits of asking over HTTP, each with its reason. */
import { WIRE_LIMITS } from "../wire/mod.ts";

/** Limits of the provider's side. */
export const HTTP_LIMITS = {
  /** Bytes of a request: the characters that a message may have, in their longest form. */
  bodyBytesMax: 3 * WIRE_LIMITS.messageCharsMax,
  /** Requests a second from one address, and those that may come at once: a team behind one NAT fits. */
  perAddressPerSecond: 2,
  perAddressBurst: 60,
  /** Addresses whose rate is remembered. */
  addressesMax: 5_000,
  /** Requests under way, in all and from one address: a spawn waits for an image. */
  inFlightMax: 512,
  inFlightPerAddressMax: 128,
  /** An answer that takes longer is to be asked for again: proxies give up after 60 s. */
  answerWithinMs: 50_000,
  /** What who has to ask again is told to wait. */
  retryMs: 3_000,
  /** How far the date of a signature may be off, in seconds (NIP-98 says about 60). */
  signatureAgeS: 60,
  /** Signed requests of the last two minutes that are remembered; more are refused, none is forgotten. */
  signaturesMax: 20_000,
  /** Bytes of the header with a signature: ours have some 800. */
  signatureCharsMax: 4_096,
  /** A signed offer is shown for so long before it is made anew: a signature costs a millisecond. */
  offerMs: 10_000,
} as const;

/** Limits of the lessee's side. */
export const HTTP_LINE_LIMITS = {
  /** Bytes of an answer. */
  answerBytesMax: 3 * WIRE_LIMITS.messageCharsMax,
  /** How long one exchange may take: longer than a provider holds it. */
  exchangeMs: 65_000,
  /** How long HTTP is tried before messages are: a lease that needs an image may take most of it. */
  firstMs: 180_000,
  /** How often a server that does not answer at all is tried. */
  brokenMax: 5,
  /** First and longest pause before asking again. */
  retryFirstMs: 1_000,
  retryLastMs: 15_000,
} as const;
