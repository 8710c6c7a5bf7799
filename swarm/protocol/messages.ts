/** The messages of `/seedmint/blobs/1` as types. What each means stands in `mod.ts`. */
import type { Bytes } from "../../src/core/bytes.ts";
import type { Hash, Sha256 } from "../../src/core/hash.ts";
import type { RangeSet } from "../../src/core/range_set.ts";
import type { Holdings } from "../ports.ts";

/** Ecash on its way, or a question about one that was sent before (no token). */
export interface Payment {
  /** Chosen by the payer at random, 16 bytes: asking twice with one id never pays twice. */
  readonly id: Bytes;
  readonly token?: string;
}

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

/** Pays for more of the transfer under way. */
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
  readonly session?: Bytes;
  readonly creditMsat?: number;
  readonly direct?: DirectGrant;
}

/** The price of what was asked. */
export interface PaymentRequired {
  readonly t: "payment-required";
  readonly priceMsatPerMiB: number;
  readonly minTopUpSat: number;
  readonly mints: readonly string[];
  /** The seller's payment key, 66 hex digits of a compressed secp256k1 point. */
  readonly p2pk: string;
  /** The least minutes until the payer may reclaim. */
  readonly locktimeMin: number;
}

/** The payment is being looked at: ask again with its id after `retryMs`. */
export interface Pending {
  readonly t: "pending";
  readonly paymentId: Bytes;
  readonly retryMs: number;
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

/** What a requester sends. */
export type RequestMessage = Want | Have | TopUp;

/** What a provider sends. */
export type ResponseMessage =
  | Granted
  | PaymentRequired
  | Pending
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
