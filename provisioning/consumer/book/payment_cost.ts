/** What payments cost: all that did not come back, however it was promised. */
import type { BookedPayment, BookedRefund } from "./payment.ts";

/** The refund that an answer to a payment's request may bring. */
export function refundIdOf({ id, purpose }: Pick<BookedPayment, "id" | "purpose">): string {
  return `${id}.${purpose === "spawn" ? "spawn" : "topup"}`;
}

/**
 * What a payment costs, or may cost still, in sat and with its fee. A refund counts once it is in the
 * purse: anybody can say that money comes back.
 */
export function costSat(
  payment: Pick<
    BookedPayment,
    "id" | "purpose" | "state" | "amountSat" | "feeSat" | "returnedSat"
  >,
  refund: (id: string) => BookedRefund | undefined,
): number {
  const { state, amountSat, feeSat = 0, returnedSat = 0 } = payment;
  if (state === "declined") return 0;
  const bankedSat = refund(refundIdOf(payment))?.bankedSat ?? 0;
  return Math.max(0, amountSat + feeSat - returnedSat - bankedSat);
}
