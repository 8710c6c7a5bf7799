/** Money that a provider paid back is taken in: only what arrives in the purse counts. */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import type { BookedLease } from "./book/lease.ts";
import type { BookedRefund } from "./book/payment.ts";
import { refundIdOf } from "./book/payment_cost.ts";
import { feeSat } from "./check_access.ts";
import { complain, type LesseeContext, type Step } from "./context.ts";
import { settleFailed } from "./settle.ts";

/** One step of a refund. */
export async function stepRefund(id: string, context: LesseeContext): Promise<Step> {
  const { book, purse, signal } = context;
  const refund = book.refunds.get(id);
  const lease = refund && book.leases.get(refund.lease);
  if (refund?.state !== "received" || lease === undefined) return "done";
  let arrivedSat: number;
  let problem: string | undefined;
  try {
    arrivedSat = await purse.receive(refund.token, { signal });
  } catch (error) {
    signal.throwIfAborted();
    const isWorthless = isSeedmintError(error, "denied") || isSeedmintError(error, "invalid");
    if (!isWorthless) throw error;
    arrivedSat = 0;
    problem = messageOf(error);
  }
  const isWorth = arrivedSat > 0;
  book.transaction(() => {
    const { problem: _, ...rest } = refund;
    const after: BookedRefund = {
      ...rest,
      state: isWorth ? "banked" : "worthless",
      bankedSat: arrivedSat,
      token: isWorth ? "" : refund.token,
      ...(problem === undefined ? {} : { problem }),
    };
    book.refunds.put(after);
    if (refund.claimedSat - arrivedSat > feeSat(refund.claimedSat)) {
      complain(
        context,
        lease,
        `It paid back ${refund.claimedSat} sat with a token that was worth ${arrivedSat}`,
      );
    }
    if (!isWorth) takeBack(after, lease, context);
    settleFailed(lease.id, context);
  });
  const shown = book.leases.get(lease.id) ?? lease;
  if (isWorth) context.emit({ type: "money-back", lease: shown, amountSat: arrivedSat });
  else {
    const message = `What ${lease.providerName} paid back, ${refund.claimedSat} sat, is worth ` +
      `nothing: ${problem ?? "nothing arrived"}`;
    context.emit({ type: "loss", lease: shown, message });
  }
  context.nudge("lease", lease.id);
  context.changed(lease.id);
  return "done";
}

/** The payment is still to come back: its provider may never have redeemed it. In a transaction. */
function takeBack(refund: BookedRefund, lease: BookedLease, context: LesseeContext): void {
  const { book, clock } = context;
  if (refund.source === "stop") return;
  const payment = book.payments.of(lease.id).find((one) => refundIdOf(one) === refund.id);
  if (payment === undefined) return;
  const message = payment.problem?.message ?? "nothing was given for it";
  book.toPayment(payment.id, { type: "worthless", message }, clock.nowMs());
  context.nudge("payment", payment.id);
}

/** What was paid back and arrived, in sat. */
export function refundedSat(leaseId: string, context: Pick<LesseeContext, "book">): number {
  return context.book.refunds.of(leaseId).reduce((sum, one) => sum + (one.bankedSat ?? 0), 0);
}
