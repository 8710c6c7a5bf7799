/** The operations of one payment that we make, found by its id: what was done, and what it costs. */
import type { Operation } from "../operations/operation.ts";
import type { OutgoingPayment, WalletReads, WalletStore } from "../store/wallet_store.ts";
import type { PaymentLeg } from "./plan_payment.ts";

const PARENT_PREFIX = "payment:";

/** States of a send whose token exists and counts as paid. */
const TOKEN_STATES: ReadonlySet<string> = new Set(["token-ready", "delivered", "claimed"]);

/** What the operations of a payment name as their parent. */
export function parentOf(paymentId: string): string {
  return PARENT_PREFIX + paymentId;
}

/** The payment that an operation is part of, if it is part of one. */
export function paymentIdOf(operation: Pick<Operation, "parent">): string | undefined {
  const { parent } = operation;
  return parent?.startsWith(PARENT_PREFIX) ? parent.slice(PARENT_PREFIX.length) : undefined;
}

/** The operations of a payment. */
export interface PaymentWork {
  /** The newest send, if there is one. */
  readonly send: Operation | undefined;
  /** The newest swap that has not failed, if there is one. */
  readonly swap: Operation | undefined;
  readonly all: readonly Operation[];
}

/** Reads the operations of a payment. */
export function workOf(reads: Pick<WalletReads, "operations">, paymentId: string): PaymentWork {
  const all = reads.operations({ parent: parentOf(paymentId) });
  const live = all.filter((operation) => operation.status !== "failed");
  return {
    send: live.find((operation) => operation.kind === "send"),
    swap: live.find((operation) => operation.kind === "swap"),
    all,
  };
}

/** Whether the token of a send exists, and is not taken back. */
export function hasToken(send: Operation): boolean {
  return TOKEN_STATES.has(send.state);
}

/** Whether `leg` was tried for this payment and failed. */
export function wasTried(work: PaymentWork, leg: PaymentLeg): boolean {
  return work.all.some((operation) =>
    operation.status === "failed" &&
    (leg.kind === "direct"
      ? operation.kind === "send" && operation.mint === leg.mint
      : operation.kind === "swap" && operation.mint === leg.from && operation.peerMint === leg.to)
  );
}

/**
 * Brings a payment's row to what its operations came to: what it cost, or that nothing was spent.
 * A payment that is still under way keeps what it reserved.
 */
export function settlePayment(store: WalletStore, paymentId: string): OutgoingPayment | undefined {
  return store.transact((tx) => {
    const payment = tx.outgoing(paymentId);
    if (payment === undefined || payment.state === "returned") return payment;
    const work = workOf(tx, paymentId);
    const isUnderWay = work.all.some((operation) =>
      (operation.status === "open" || operation.status === "attention") && !hasToken(operation)
    );
    if (isUnderWay) return payment;
    const fees = work.all.reduce((sum, operation) => sum + operation.fee, 0n);
    const isPaid = work.send !== undefined && hasToken(work.send);
    const cost = isPaid ? payment.amount + fees : fees;
    const settled: OutgoingPayment = {
      ...payment,
      cost,
      state: cost > 0n ? "spent" : "returned",
      ...work.send === undefined ? {} : { operationId: work.send.id },
    };
    if (settled.state !== payment.state || settled.cost !== payment.cost) tx.putOutgoing(settled);
    return settled;
  });
}
