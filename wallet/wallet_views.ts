/** Operations and balances as people see them: plain JSON without secrets. */
import type { MeltPlan } from "./operations/melt_plan.ts";
import type { Operation } from "./operations/operation.ts";
import type { SendPlan } from "./operations/send_plan.ts";
import type { StripPlan } from "./operations/strip_plan.ts";
import type { IncomingPayment, LedgerEntry, WalletReads } from "./store/wallet_store.ts";
import type { BalanceReport, HistoryEntry, OperationView, PaymentPlan } from "./wallet_api.ts";
import type { Plan } from "./planner/plan_payment.ts";

/** An amount as JSON has it; amounts of the store are below 2^53. */
export function satNumber(amount: bigint): number {
  const number = Number(amount);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${amount} sat is too much for a number`);
  return number;
}

/** One operation. */
export function operationView(operation: Operation): OperationView {
  const feeMax = feeMaxOf(operation);
  return {
    id: operation.id,
    kind: operation.kind,
    state: operation.state,
    status: operation.status,
    mint: operation.mint,
    peerMint: operation.peerMint ?? null,
    amountSat: satNumber(operation.amount),
    feeSat: satNumber(operation.fee),
    feeMaxSat: feeMax === undefined ? null : satNumber(feeMax),
    reason: operation.reason ?? null,
    nextAtMs: operation.nextAtMs ?? null,
    createdMs: operation.createdMs,
    updatedMs: operation.updatedMs,
  };
}

/** The most that an operation may cost on top of its amount, once that is known. */
export function feeMaxOf(operation: Operation): bigint | undefined {
  switch (operation.kind) {
    case "send":
    case "strip":
    case "channel": {
      const { feeMaxSat } = operation.plan as SendPlan | StripPlan;
      return feeMaxSat === undefined ? undefined : BigInt(feeMaxSat);
    }
    case "melt":
    case "swap": {
      const { worstFeeSat } = operation.plan as MeltPlan;
      return worstFeeSat === undefined ? undefined : BigInt(worstFeeSat);
    }
    case "fund":
    case "redeem":
    case "restore":
    case "channel-close":
      return operation.status === "done" ? operation.fee : undefined;
  }
}

/** One line of the history. */
export function historyEntry(operation: Operation, ledger: readonly LedgerEntry[]): HistoryEntry {
  return {
    ...operationView(operation),
    entries: ledger.map(({ mint, kind, delta, atMs }) => ({
      mint,
      kind,
      deltaSat: satNumber(delta),
      atMs,
    })),
  };
}

/** What is held, at every mint that is listed or holds something. */
export function balanceReport(reads: Pick<WalletReads, "balances" | "mints">): BalanceReport {
  const balances = reads.balances();
  const records = reads.mints();
  const urls = new Set([
    ...records.map((record) => record.url),
    ...balances.map((balance) => balance.mint),
  ]);
  const mints = [...urls].sort().map((mint) => {
    const held = balances.find((balance) => balance.mint === mint);
    return {
      mint,
      trust: records.find((record) => record.url === mint)?.trust ?? null,
      freeSat: satNumber(held?.free ?? 0n),
      reservedSat: satNumber(held?.reserved ?? 0n),
      outgoingSat: satNumber(held?.outgoing ?? 0n),
      incomingSat: satNumber(held?.incoming ?? 0n),
    };
  });
  return {
    totalSat: mints.reduce((sum, mint) => sum + mint.freeSat + mint.reservedSat, 0),
    mints,
  };
}

/** A plan. */
export function planView(plan: Plan): PaymentPlan {
  if (plan.kind === "insufficient") return plan;
  const amounts = { amountSat: satNumber(plan.amount), feeMaxSat: satNumber(plan.feeMax) };
  return plan.kind === "direct"
    ? { kind: "direct", mint: plan.mint, ...amounts }
    : { kind: "swap", from: plan.from, to: plan.to, ...amounts };
}

/** A payment to us as its payer may see it. */
export interface PaymentReceipt {
  readonly paymentId: string;
  readonly payer: string;
  readonly mint: string;
  readonly amountSat: number;
  /** What it is worth now: 0 while it is queued, and once it is dead. */
  readonly creditSat: number;
  readonly state: IncomingPayment["state"];
  /** Grows with each change: an older receipt never replaces a newer one. */
  readonly version: number;
  readonly operationId: string | null;
}

/** A receipt of a payment. */
export function receiptOf(payment: IncomingPayment): PaymentReceipt {
  const counts = payment.state === "credited" || payment.state === "redeemed";
  return {
    paymentId: payment.paymentId,
    payer: payment.payer,
    mint: payment.mint,
    amountSat: satNumber(payment.amount),
    creditSat: counts ? satNumber(payment.credit) : 0,
    state: payment.state,
    version: payment.version,
    operationId: payment.operationId ?? null,
  };
}
