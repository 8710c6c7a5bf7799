/**
 * The port through which the swarm asks for Cashu ecash and is asked for it over HTTP (NUT-24,
 * Blossom BUD-07): only the encodings, which the wallet's side knows. Whether a token counts is the
 * gate's business, whether one is paid the payer's.
 */
import type { PaymentTerms } from "../ports.ts";

/** A payment request in both of its texts. */
export interface EncodedPaymentRequest {
  /** NUT-18: `creqA` and base64url of CBOR. */
  readonly creqA: string;
  /** NUT-26: bech32m, as it may stand in a QR code. */
  readonly creqB: string;
}

/** What a server asks for, read from either text. */
export interface AskedPayment {
  readonly amountSat: number;
  /** Mints whose ecash is taken; at least one. */
  readonly mints: readonly string[];
  /** The key that the token must be locked to (NUT-11), 66 hex digits. */
  readonly p2pk?: string;
  /** When the lock must not end before, in seconds since 1970. */
  readonly locktimeS?: number;
}

/** What a token says of itself: nothing of it is proven. */
export interface ClaimedToken {
  readonly mint: string;
  readonly unit: string;
  readonly amount: number;
}

/** Encodes and decodes payment requests. */
export interface PaymentRequests {
  /**
   * A request in band (no transport), in sat, of `terms.mints`, locked to `terms.p2pk` until
   * `locktimeS` (seconds since 1970).
   */
  encodePaymentRequest(
    terms: PaymentTerms,
    amountSat: number,
    locktimeS: number,
  ): EncodedPaymentRequest;
  /**
   * Reads `creqA…` or `creqB…` of a server. Undefined for anything that cannot be paid in band as it
   * asks: another unit than sat, no amount, no mint, a lock other than one key's P2PK. Never throws.
   */
  decodePaymentRequest(text: string): AskedPayment | undefined;
  /** What `token` (`cashuA…` or `cashuB…`) claims; undefined if it is none. Never throws. */
  readToken(token: string): ClaimedToken | undefined;
}
