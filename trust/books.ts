/**
 * What a node's own books say, which a receipt must not go beyond. The application gives these ports;
 * the wallet keeps the books.
 */
import type { Hash } from "../src/core/hash.ts";

/** One payment. */
export interface Payment {
  readonly mint: string;
  /** 16 bytes as hex. */
  readonly id: string;
  /** Y of each of its proofs, 66 hex digits; none of a payment channel's. */
  readonly ys: readonly string[];
}

/** What was delivered to one peer of one blob or collection, ever. */
export interface Delivered {
  /** Content that was charged. */
  readonly bytes: number;
  /** What it cost. */
  readonly msat: number;
  /**
   * What that peer was charged in all, whatever for: its receipts never come to more, even where the
   * sums of a collection and of its children overlap.
   */
  readonly peerMsat?: number;
  /** When it began, in seconds since 1970. */
  readonly fromS: number;
  /** Payments of that peer that count, whatever for: those of earlier receipts are left out here. */
  readonly payments: readonly Payment[];
}

/** What a provider knows. */
export interface DeliveryBooks {
  /** Undefined when nothing was delivered. */
  delivered(peerId: string, root: Hash): Promise<Delivered | undefined>;
}

/** What was handed over to one peer, ever. */
export interface Paid {
  readonly msat: number;
  /**
   * Content of the root that was bought of it, in bytes, as far as it is written down. Where it is known,
   * a receipt may also be for fetches that ended without one, as in a crash.
   */
  readonly rootBytes?: number;
  readonly payments: readonly Payment[];
}

/** What a consumer knows. */
export interface PurchaseBooks {
  /** Undefined when nothing was. */
  paid(peerId: string, root: Hash): Promise<Paid | undefined>;
}
