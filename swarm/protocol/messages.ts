/** The messages of `/seedmint/blobs/1` as types. What each means stands in `mod.ts`. */
import type { Bytes } from "../../src/core/bytes.ts";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import type { Holdings, PaymentOffer, PaymentTerms } from "../ports.ts";

/** See {@link PaymentOffer}. */
export type Payment = PaymentOffer;

/** How a blob is named: by its address, or by the SHA-256 that other systems use. */
export type BlobName =
  | { readonly hash: Hash; readonly sha256?: never }
  | { readonly sha256: Sha256; readonly hash?: never };

/** Asks for a blob, or for children of a collection. */
export type Want = BlobName & {
  readonly t: "want";
  readonly format: "blob" | "collection";
  /** Chunk groups of a blob; all when absent. */
  readonly ranges?: RangeSet;
  /** Indexes of the children of a collection; all when absent. */
  readonly children?: RangeSet;
  readonly payment?: Payment;
  /**
   * The most that the requester agreed to give for a MiB; 0 before it agreed to anything. What costs
   * more is answered `payment-required`, and neither the payment nor old credit is touched. Absent:
   * it pays what it costs.
   */
  readonly priceMsatPerMiB?: number;
  /** A fleet certificate, see `swarm/fleet.ts`. */
  readonly certificate?: Bytes;
  /** Whether the bytes may come over the direct path instead of this stream. */
  readonly direct?: true;
};

/** Asks what is held of each blob. */
export interface Have {
  readonly t: "have";
  readonly blobs: readonly BlobName[];
  readonly certificate?: Bytes;
}

/**
 * Pays: for more of a transfer under way on this stream or another of the same peer, or ahead of one.
 * Answered by `credited`, `pending` or `refused`, between the data frames of an answer under way.
 */
export interface TopUp {
  readonly t: "top-up";
  readonly payment: Payment;
}

/** Where and how the direct path answers, told only on the encrypted stream. */
export interface DirectGrant {
  readonly port: number;
  readonly session: Bytes;
  readonly key: Bytes;
  /** How long the session is good for without use, in milliseconds. */
  readonly ttlMs: number;
}

/** The answer that bytes follow, on this stream or on the direct path. */
export interface Granted {
  readonly t: "granted";
  /** Size in bytes of the blob, or of the collection's own blob. Proves nothing by itself. */
  readonly size: number;
  /** The address, when the blob was asked for by its SHA-256. */
  readonly hash?: Hash;
  /** What will be sent, when that is less than what was asked. */
  readonly ranges?: RangeSet;
  /** The provider asks that the blob be shown to members of the fleet alone. */
  readonly visibility?: "fleet";
  /** What the bytes of this answer cost, when they cost something. */
  readonly priceMsatPerMiB?: number;
  /** What the requester has here, when the bytes cost something. */
  readonly creditMsat?: number;
  /** The most that a payment channel of the requester may hold; absent where there are none. */
  readonly channelSat?: number;
  readonly direct?: DirectGrant;
}

/** The price of what was asked. */
export interface PaymentRequired extends PaymentTerms {
  readonly t: "payment-required";
}

/** The payment is being looked at: ask again with its id after `retryMs`. */
export interface Pending {
  readonly t: "pending";
  readonly paymentId: Bytes;
  readonly retryMs: number;
}

/** The payment counts; what the requester has here now. */
export interface Credited {
  readonly t: "credited";
  readonly paymentId: Bytes;
  readonly creditMsat: number;
}

/** The payment does not count, and nothing of it was kept. */
export interface Refused {
  readonly t: "refused";
  readonly paymentId: Bytes;
  readonly code: string;
  /** When the same payment may be sent again, for a refusal that passes. */
  readonly retryMs?: number;
}

/** Refused. */
export interface Denied {
  readonly t: "denied";
  readonly code: string;
  /** When to ask again, for a refusal that passes. */
  readonly retryMs?: number;
}

/** Not held, or not to be seen by who asks: the same bytes for both. */
export interface NotFound {
  readonly t: "not-found";
}

/** The credit runs out: a top-up keeps the bytes coming. */
export interface Low {
  readonly t: "low";
  readonly creditMsat: number;
}

/** These children of the collection are not sent; stands where they would. */
export interface Missing {
  readonly t: "missing";
  readonly children: RangeSet;
}

/** Everything granted was sent. */
export interface End {
  readonly t: "end";
}

/** What was granted cannot be sent to its end. */
export interface Failed {
  readonly t: "failed";
  readonly code: string;
}

/** One blob of {@link HoldingsMessage}; `hash` is there when the question named a SHA-256. */
export type BlobHoldings = Holdings & { readonly hash?: Hash };

/** The answers to {@link Have}, in its order. */
export interface HoldingsMessage {
  readonly t: "holdings";
  readonly blobs: readonly BlobHoldings[];
}

/** Asks for the provider's word on what it delivered and was paid (`trust/receipt.ts`). */
export interface ReceiptAsk {
  readonly t: "receipt-ask";
  /** The blob or collection that the fetch as a whole was for. */
  readonly root: Hash;
  /** The requester's Nostr key, 32 bytes. */
  readonly nostrKey: Bytes;
  /** Salted commitment to `root`, 32 bytes: what a receipt says instead of it. */
  readonly commitment: Bytes;
}

/** A receipt: signed by the provider in its answer, by both when the requester sends it back. */
export interface ReceiptMessage {
  readonly t: "receipt";
  /** JSON. */
  readonly receipt: string;
}

/** Asks for credit that is left back. */
export interface RefundAsk {
  readonly t: "refund-ask";
}

/** Credit as ecash again, locked to the key that the requester's payments named for a refund. */
export interface RefundMessage {
  readonly t: "refund";
  readonly token: string;
  readonly amountSat: number;
}

/** What a requester sends. */
export type RequestMessage = Want | Have | TopUp | ReceiptAsk | ReceiptMessage | RefundAsk;

/** What a provider sends. */
export type ResponseMessage =
  | Granted
  | PaymentRequired
  | Pending
  | Credited
  | Refused
  | ReceiptMessage
  | RefundMessage
  | Denied
  | NotFound
  | Low
  | Missing
  | End
  | Failed
  | HoldingsMessage;

/** Any message. */
export type Message = RequestMessage | ResponseMessage;

/** Messages in which a field of an unknown name is ignored, so that later versions may add some. */
export const EXTENSIBLE: ReadonlySet<Message["t"]> = new Set<Message["t"]>([
  "want",
  "have",
  "granted",
  "payment-required",
  "denied",
]);
