/**
 * A payment in the lessee's book: on disk before the purse hears of it, until its money is with
 * somebody for good.
 *
 *     planned --token--> ready --send--> sent --accepted--> taken
 *        |  \--declined--> declined        |--refunded--> refunded (the refund has a life of its own)
 *        \-----abandon------\              \--refused, silence--> recovering --returned--> returned
 *                            \------------------------------------^    \-----spent--> lost
 *
 * A refund that is worth nothing makes `refunded` `recovering`: a provider that never redeemed the token
 * cannot keep what is in it. An answer that comes late is as good as one in time: `recovering` and `lost` become `taken` or
 * `refunded` by it.
 */

/** Where a payment stands. */
export type PaymentState =
  /** The purse may have made a token of it; asked again it gives the same. */
  | "planned"
  /** There is a token, and nobody else has seen it. */
  | "ready"
  /** The provider may have it. */
  | "sent"
  /** Time was given for it. */
  | "taken"
  /** The provider paid it back. */
  | "refunded"
  /** Nothing was given for it: it is being taken back, which may have to wait for a locktime. */
  | "recovering"
  /** It is ours again. */
  | "returned"
  /** The provider has it and gave nothing for it. */
  | "lost"
  /** The purse did not pay. */
  | "declined";

/** What a payment is for. */
export type PaymentPurpose = "spawn" | "topup" | "keepalive";

/** A payment in the book. Money is in sat, times are in milliseconds since 1970. */
export interface BookedPayment {
  /** Also its id with the purse, and the request's with the provider. */
  readonly id: string;
  /** The lease's id in the book. */
  readonly lease: string;
  readonly purpose: PaymentPurpose;
  readonly state: PaymentState;
  readonly amountSat: number;
  readonly mints: readonly string[];
  readonly lockTo?: string;
  readonly locktimeS?: number;
  /** Whether the token was handed in, so the purse knows nothing of it. */
  readonly isBare: boolean;
  /** Secret; kept until receipts need it no more. */
  readonly token?: string;
  readonly mint?: string;
  readonly feeSat?: number;
  readonly createdMs: number;
  readonly changedMs: number;
  /** When it was first sent. */
  readonly sentMs?: number;
  /** When it is to be looked at again. */
  readonly nextMs?: number;
  /** Tries of what is being done now. */
  readonly attemptCount: number;
  /** Why nothing was given for it, as the provider said or as we found. */
  readonly problem?: { readonly error: string; readonly message: string };
  /** What came back by ourselves. */
  readonly returnedSat?: number;
}

/** Money that a provider paid back. */
export interface BookedRefund {
  readonly id: string;
  readonly lease: string;
  /** What it came for. */
  readonly source: "spawn" | "topup" | "stop";
  readonly state: "received" | "banked" | "worthless";
  /** Secret; forgotten once it is banked. */
  readonly token: string;
  /** What the provider says it is. */
  readonly claimedSat: number;
  /** What arrived. */
  readonly bankedSat?: number;
  readonly problem?: string;
  readonly nextMs?: number;
  readonly attemptCount: number;
  readonly createdMs: number;
}
