/** What was paid for one thing, from what the books say. */
import { msatOf } from "../credit_units.ts";
import type { Purchase } from "../store/buying_store.ts";
import type { OutgoingPayment, WalletReads } from "../store/wallet_store.ts";
import type { Paid } from "./buying_api.ts";

/** What each seller got of us for `subject` since `sinceMs`, in the order in which we first bought. */
export function paidFor(
  reads: Pick<WalletReads, "purchases" | "outgoingPayments" | "operation">,
  wanted: { readonly subject: string; readonly sinceMs: number },
): Paid[] {
  const payments = reads.outgoingPayments(wanted);
  const purchases = reads.purchases(wanted);
  const peers = new Set([
    ...purchases.map((purchase) => purchase.peer),
    ...payments.map((payment) => payment.payee),
  ]);
  return [...peers].flatMap((peerId) => {
    const paid = paidTo(reads, {
      peerId,
      payments: payments.filter((payment) => payment.payee === peerId),
      purchases: purchases.filter((purchase) => purchase.peer === peerId),
    });
    return paid.paidSat + paid.feeSat + paid.usedMsat > 0 ? [paid] : [];
  });
}

function paidTo(
  reads: Pick<WalletReads, "operation">,
  found: {
    readonly peerId: string;
    readonly payments: readonly OutgoingPayment[];
    readonly purchases: readonly Purchase[];
  },
): Paid {
  const { peerId, payments, purchases } = found;
  let [paid, fee] = [0n, 0n];
  for (const { amount, cost, operationId } of payments) {
    // A top-up costs what its token holds; a row without an amount is what making it cost.
    const kind = operationId === undefined ? undefined : reads.operation(operationId)?.kind;
    const isTopUp = kind === "strip" || kind === "channel";
    if (isTopUp) paid += cost;
    else {
      const token = cost < amount ? cost : amount;
      paid += token;
      fee += cost - token;
    }
  }
  const used = purchases.reduce((sum, purchase) => sum + purchase.used, 0n);
  const { operationId } = payments.findLast((payment) => payment.operationId !== undefined) ?? {};
  return {
    peerId,
    paidSat: Number(paid),
    feeSat: Number(fee),
    usedMsat: Number(msatOf(used)),
    priceMsatPerMiB: purchases.at(-1)?.priceMsatPerMiB ?? 0,
    mint: operationId === undefined ? "" : reads.operation(operationId)?.mint ?? "",
  };
}
