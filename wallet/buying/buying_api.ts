/**
 * What buying bytes looks like from outside: structurally the payer of `swarm/ports.ts`, which the
 * wallet does not import.
 */
import type { Hash } from "../../src/core/hash.ts";

/** On which terms a seller sells bytes. */
export interface SellerTerms {
  /** Thousandths of a sat for 2^20 bytes of content. */
  readonly priceMsatPerMiB: number;
  /** The least that one payment must be, in sat, after the fee of redeeming it. */
  readonly minTopUpSat: number;
  readonly mints: readonly string[];
  /** The key that payments are locked to, 66 hex digits. */
  readonly p2pk: string;
  /** The least minutes until the payer may take an unused payment back. */
  readonly locktimeMin: number;
  /** The most that a payment channel of ours may hold, in sat; absent where there are none. */
  readonly channelSat?: number;
}

/** Ecash on its way, or a question about one that was sent before (no token). */
export interface Payment {
  /** 16 random bytes. */
  readonly id: Uint8Array<ArrayBuffer>;
  readonly token?: string;
}

/** What a seller said of a payment. */
export type Answer =
  | { readonly answer: "credited"; readonly creditMsat: number }
  | { readonly answer: "pending"; readonly retryMs: number }
  | { readonly answer: "refused"; readonly code: string; readonly retryMs?: number };

/** What a fetch wants to pay for. */
export interface BuyRequest {
  /** The seller. */
  readonly peerId: string;
  /** The blob or collection that the fetch as a whole is for. */
  readonly subject: Hash;
  readonly terms: SellerTerms;
  /** Content that may be bought of this seller, in bytes, as far as it is known. */
  readonly bytesMax?: number;
  /** Called right before each payment is handed over; when it throws, nothing is paid. */
  readonly beforePaying?: () => void;
}

/** Whether it will pay. */
export type BuyAnswer =
  | { readonly status: "open"; readonly session: BuyingSession }
  /** In words for people, without secrets. */
  | { readonly status: "declined"; readonly reason: string };

/** A payment that is due, or why there is none to be had. */
export type Due =
  | { readonly due: "pay"; readonly payment: Payment }
  | { readonly due: "nothing" }
  | { readonly due: "declined"; readonly reason: string };

/** Buying from one seller in one fetch. */
export interface BuyingSession extends AsyncDisposable {
  readonly terms: SellerTerms;
  /**
   * The payment to send now. What was handed over before and not answered is given again first, with
   * the same id. Never throws.
   */
  next(options?: { readonly signal?: AbortSignal }): Promise<Due>;
  /** What the seller said of a payment. */
  answered(id: Uint8Array, answer: Answer): void;
  /** The seller says what is left: believed only where it is less than what we reckon. */
  told(creditMsat: number): void;
  /** The seller takes payment channels that hold up to so much. */
  takesChannels(channelSat: number): void;
  /** Content that verified and was charged at the price of the terms. */
  verified(bytes: number): void;
  /** Called when {@link next} has something to say. Returns how to stop that. */
  onDue(listener: () => void): () => void;
}

/** What was paid to one seller for one thing. */
export interface Paid {
  readonly peerId: string;
  /** Sat in tokens that were handed over. */
  readonly paidSat: number;
  /** Sat that making them, and swapping for them, cost. */
  readonly feeSat: number;
  /** What verified content cost, in msat. */
  readonly usedMsat: number;
  readonly priceMsatPerMiB: number;
  /** The mint of the last token; empty when credit of before was enough. */
  readonly mint: string;
}

/** One payment of a fixed amount. */
export interface FixedPayment {
  readonly paymentId?: string;
  readonly mints: readonly string[];
  readonly priceSat: number;
  readonly p2pk?: string;
  /** Seconds since 1970. */
  readonly locktimeS?: number;
  readonly subject: Hash;
  readonly payee: string;
  readonly signal?: AbortSignal;
}

/** What came of {@link FixedPayment}. */
export type FixedOutcome =
  | { readonly status: "ready"; readonly token: string }
  | { readonly status: "declined"; readonly reason: string };

/** What may be spent without asking, beside the budgets of the wallet. */
export interface BuyerOptions {
  /** The most that a MiB may cost, in msat. */
  readonly priceMaxMsatPerMiB: number;
  /** The most for one thing in all, in sat; the wallet's own budget holds besides. */
  readonly budgetSat?: number;
  /** The most for the fees of one strip of top-ups, in sat. @default {20 and a tenth of the amount} */
  readonly maxFeeSat?: number;
  /** The payer agreed to go above the wallet's budgets, within `budgetSat`. @default {false} */
  readonly confirmed?: boolean;
}
