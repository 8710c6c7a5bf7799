/** What the wallet's memory keeps of buying: strips of top-ups, and what sellers have of us. */
import type { OutgoingPayment, SpendFilter } from "./wallet_store.ts";

/**
 * Where one top-up of a strip is.
 *
 *     hidden ──▶ revealed ──▶ credited ──▶ claimed    its seller redeemed it
 *       │            ├──▶ refused ──┴────▲
 *       └────────────┴───────┴──────▶ returned        ours again, after the locktime
 */
export type StripPartState =
  /** Nobody but us has seen it. */
  | "hidden"
  /** Its seller may have it; on disk before it leaves. */
  | "revealed"
  /** Its seller says that it counts. */
  | "credited"
  /** Its seller says that it does not, for good. */
  | "refused"
  | "claimed"
  | "returned";

/** One top-up of a strip. */
export interface StripPart {
  /** 16 random bytes in hex: the payment's id. */
  readonly paymentId: string;
  readonly operationId: string;
  /** From 0, in the order in which they are revealed. */
  readonly place: number;
  /** The seller. */
  readonly peer: string;
  /** What its proofs are worth, in sat. */
  readonly gross: bigint;
  /** What is left for its seller after the fee of redeeming it, in sat. */
  readonly net: bigint;
  /** Its proofs, in the order of its token. */
  readonly ys: readonly string[];
  readonly state: StripPartState;
  readonly revealedMs?: number;
}

/** What a seller has of us. Units: see `wallet/credit_units.ts`. */
export interface SellerAccount {
  readonly peer: string;
  /** Net sum of the parts that were revealed and did not return, in sat. It follows their states. */
  readonly paid: bigint;
  /** Of these, what it refused for good, in sat. */
  readonly refused: bigint;
  /** What verified content cost, in units. */
  readonly used: bigint;
  /** Given up, or paid back, in units. */
  readonly lost: bigint;
  /** Paid back by it, in sat. */
  readonly refunded: bigint;
  /** How often it cheated. */
  readonly strikes: number;
  /** Nothing is bought of it until then. */
  readonly avoidUntilMs?: number;
  readonly avoidReason?: string;
  readonly movedMs: number;
  /** Since when something is bought of it; left behind by a process that was killed meanwhile. */
  readonly openMs?: number;
}

/** What is noted of a seller while something is bought of it. */
export interface SellerUse {
  /** What verified content cost so far, in units. */
  readonly used: bigint;
  /** What was given up, in units. */
  readonly lost: bigint;
  /** Whether something is being bought of it. @default {as it was} */
  readonly isOpen?: boolean;
}

/** What one fetch bought of one seller. */
export interface Purchase {
  readonly id: string;
  readonly peer: string;
  readonly subject: string;
  readonly priceMsatPerMiB: number;
  /** What verified content cost, in units. */
  readonly used: bigint;
  readonly createdMs: number;
}

/** Which parts. */
export interface StripPartFilter {
  readonly operationId?: string;
  readonly peer?: string;
  readonly states?: readonly StripPartState[];
  readonly limit?: number;
}

/** What can be read. */
export interface BuyingReads {
  /** In the order in which they were made. */
  stripParts(filter: StripPartFilter): StripPart[];
  stripPart(paymentId: string): StripPart | undefined;
  sellerAccount(peer: string): SellerAccount | undefined;
  /** Those that moved last first. */
  sellerAccounts(): SellerAccount[];
  /** The oldest first. */
  purchases(filter: { readonly subject: string; readonly sinceMs: number }): Purchase[];
  /** Payments of ours that count against budgets, the oldest first. */
  outgoingPayments(filter: SpendFilter): OutgoingPayment[];
}

/** What can be changed, inside a transaction. */
export interface BuyingChanges {
  /** New parts, all hidden. */
  insertStripParts(parts: readonly Omit<StripPart, "state" | "revealedMs">[]): void;
  /**
   * Moves a part on and its seller's sums with it. @throws {Error} If its state may not follow.
   */
  moveStripPart(paymentId: string, state: StripPartState): StripPart;
  putSellerUse(peer: string, use: SellerUse): void;
  /** What the seller has paid back so far, in sat, and is gone of what it has of us. */
  putRefunded(peer: string, refunded: bigint): void;
  /** The seller cheated: one strike more. */
  avoidSeller(peer: string, mark: { readonly untilMs: number; readonly reason: string }): void;
  putPurchase(purchase: Purchase): void;
}
