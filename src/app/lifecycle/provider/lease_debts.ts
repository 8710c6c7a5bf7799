/**
 * What open leases may have to be paid back, read from the journal each time: which mints paid for each,
 * and how much of that is not delivered yet. The wallet holds it back from whatever it does by itself.
 */
import { LeaseJournal, leftMsat, type Payment } from "../../../../provisioning/leases/mod.ts";
import type { RefundSource } from "../../../../wallet/till/mod.ts";

/** One refund that may come. */
interface Debt {
  /** The refund's id, as the till is asked for it. */
  readonly id: string;
  readonly amountSat: number;
  /** What each mint paid in, the largest first: one token pays back, and it holds most likely enough. */
  readonly paid: readonly (readonly [mint: string, amountSat: number])[];
}

/** Most that may have to be paid back in ecash of each mint, in sat. */
export function heldBack(
  journal: LeaseJournal,
  nowMs: number,
  besides?: string,
): ReadonlyMap<string, number> {
  const held = new Map<string, number>();
  for (const { id, amountSat, paid } of debts(journal, nowMs)) {
    if (id === besides) continue;
    let leftSat = amountSat;
    for (const [index, [mint, paidSat]] of paid.entries()) {
      // The first is to pay all of it, the others keep what they paid for it until it can.
      const heldSat = index === 0 ? amountSat : Math.min(paidSat, leftSat);
      held.set(mint, (held.get(mint) ?? 0) + heldSat);
      leftSat = Math.max(0, leftSat - paidSat);
    }
  }
  return held;
}

/** {@link heldBack} by a journal that may be open elsewhere. */
export function heldBackIn(journalPath: string, nowMs: number): ReadonlyMap<string, number> {
  using journal = LeaseJournal.read(journalPath);
  return heldBack(journal, nowMs);
}

/** The mints that a refund may come from, and what else is owed there. */
export function refundSources(
  journal: LeaseJournal,
  refundId: string,
  nowMs: number,
): readonly RefundSource[] {
  const debt = debts(journal, nowMs).find(({ id }) => id === refundId);
  const others = heldBack(journal, nowMs, refundId);
  return (debt?.paid ?? []).map(([mint]) => ({ mint, owedSat: others.get(mint) ?? 0 }));
}

function debts({ leases, payments }: LeaseJournal, nowMs: number): Debt[] {
  const ofLeases = leases.open().map((lease): Debt => {
    const all = payments.ofLease(lease.number);
    const coming = all.filter(({ purpose, status }) =>
      purpose === "spawn" && status === "redeeming"
    );
    const credited = all.filter(({ purpose, status, outcome }) =>
      status === "redeemed" && (purpose === "spawn" || outcome?.status === "extended")
    );
    // Time in which the machine was down is not charged: since it was last seen, nothing may have been.
    const leftSat = Math.floor(leftMsat(lease, Math.min(nowMs, lease.seenMs ?? nowMs)) / 1000);
    return {
      id: `lease:${lease.number}:${lease.createdMs}`,
      amountSat: leftSat + coming.reduce((sum, { faceSat }) => sum + faceSat, 0),
      paid: byMint([...credited, ...coming]),
    };
  });
  // In time they become credit; those that came too late go back by themselves.
  const ofTopUps = payments.openTopUps().map((payment): Debt => ({
    id: `topup:${payment.tokenId}`,
    amountSat: payment.amountSat ?? payment.faceSat,
    paid: byMint([payment]),
  }));
  return [...ofLeases, ...ofTopUps];
}

function byMint(payments: readonly Payment[]): [string, number][] {
  const sums = new Map<string, number>();
  for (const { mint, amountSat, faceSat } of payments) {
    sums.set(mint, (sums.get(mint) ?? 0) + (amountSat ?? faceSat));
  }
  return [...sums].sort((a, b) => b[1] - a[1]);
}
