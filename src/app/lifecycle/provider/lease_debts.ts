/**
 * What open leases may have to be paid back, read from the journal each time: which mints paid for each,
 * and how much of that is not delivered yet. The wallet holds it back from whatever it does by itself.
 */
import { LeaseJournal, leftMsat, type Payment } from "../../../../provisioning/leases/mod.ts";

/** What is paid back in the ecash of one mint. */
export interface RefundPart {
  /** As the till is asked for it: of a refund in one part, the refund's own id. */
  readonly id: string;
  readonly mint: string;
  readonly amountSat: number;
  /** What others are owed there, in sat. */
  readonly owedSat: number;
}

/** One refund that may come. */
interface Debt {
  readonly id: string;
  readonly amountSat: number;
  /** What each mint paid in, the largest first: mostly that is enough. */
  readonly paid: readonly (readonly [mint: string, amountSat: number])[];
}

/** Most that may have to be paid back in ecash of each mint, in sat. */
export function heldBack(
  journal: LeaseJournal,
  nowMs: number,
  besides?: string,
): ReadonlyMap<string, number> {
  const held = new Map<string, number>();
  for (const debt of debts(journal, nowMs)) {
    if (debt.id === besides) continue;
    for (const [mint, sat] of parts(debt)) held.set(mint, (held.get(mint) ?? 0) + sat);
  }
  return held;
}

/** {@link heldBack} by a journal that may be open elsewhere. */
export function heldBackIn(journalPath: string, nowMs: number): ReadonlyMap<string, number> {
  using journal = LeaseJournal.read(journalPath);
  return heldBack(journal, nowMs);
}

/**
 * What a refund of a lease or a top-up that has ended comes to, by mint. The same refund has the same
 * parts each time: nothing is paid in for what has ended.
 */
export function refundParts(
  journal: LeaseJournal,
  refund: { readonly id: string; readonly amountSat: number },
  nowMs: number,
): readonly RefundPart[] {
  const debt = debts(journal, nowMs).find(({ id }) => id === refund.id);
  const others = heldBack(journal, nowMs, refund.id);
  return parts({ ...refund, paid: debt?.paid ?? [] }).map(([mint, amountSat], index) => ({
    id: index === 0 ? refund.id : `${refund.id}@${mint}`,
    mint,
    amountSat,
    owedSat: others.get(mint) ?? 0,
  }));
}

/** Each mint pays back no more than it paid in. */
function parts({ amountSat, paid }: Debt): [mint: string, amountSat: number][] {
  let leftSat = amountSat;
  return paid.flatMap(([mint, paidSat]) => {
    const sat = Math.min(paidSat, leftSat);
    leftSat -= sat;
    return sat === 0 ? [] : [[mint, sat]];
  });
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
