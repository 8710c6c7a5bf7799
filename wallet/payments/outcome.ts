/** What becomes of a payment that somebody makes to us. */
import type { IncomingPayment } from "../store/wallet_store.ts";

/** Why a payment is refused; the same for programs in every version. */
export type RefusalCode =
  /** It cannot be read, or breaks a limit. */
  | "malformed"
  /** Its mint is not listed here, or is blocked: nobody asked it. */
  | "mint"
  /** Not in sat. */
  | "unit"
  /** Locked to somebody else, or under conditions that we cannot meet. */
  | "locked"
  /** Worth less than redeeming it costs, or than the price. */
  | "worthless"
  /** Less than a payment must be here. */
  | "price"
  /** Redeemed before, or spent elsewhere. */
  | "spent"
  /** It was our own. */
  | "own"
  /** The mint would hold more than is allowed. */
  | "exposure"
  /** Too much waits already; the same payment may come again later. */
  | "busy"
  /** The mint cannot be asked now, and must be; the same payment may come again later. */
  | "unavailable";

/** A payment that was refused; nothing of it was kept. */
export interface PaymentRefusal {
  readonly status: "refused";
  readonly code: RefusalCode;
  /** In words without secrets. */
  readonly reason: string;
  /** Whether the same token can never be taken. */
  readonly isFinal: boolean;
  /** When the same payment may come again, in milliseconds, for one that was sent too early. */
  readonly retryMs?: number;
}

/** What came of a payment. */
export type TakeOutcome =
  /** It is ours: now, or as soon as it is redeemed (`queued`). The same answer for the same payment. */
  | { readonly status: "taken"; readonly payment: IncomingPayment }
  /** The id was used with another token, or the token with another id. */
  | { readonly status: "conflict"; readonly reason: string }
  | PaymentRefusal;

/** A refusal; final unless it is for something that passes. */
export function refusal(code: RefusalCode, reason: string): PaymentRefusal {
  const passes: readonly RefusalCode[] = ["busy", "unavailable", "exposure", "mint", "price"];
  return { status: "refused", code, reason, isFinal: !passes.includes(code) };
}
