/** The operations of one payment that we make, found by its id: what was done, and what it costs. */
import type { Clock } from "../../src/core/ports.ts";
import type { Engine } from "../operations/engine.ts";
import type { Operation } from "../operations/operation.ts";
import { hasArrived } from "../operations/swap_plan.ts";
import { wasShort } from "../operations/transition.ts";
import type { OutgoingPayment, WalletReads, WalletStore } from "../store/wallet_store.ts";
import type { PaymentLeg } from "./plan_payment.ts";

const PARENT_PREFIX = "payment:";

/** States of a send whose token exists and counts as paid. */
const TOKEN_STATES: ReadonlySet<string> = new Set(["token-ready", "delivered", "claimed"]);

/** States of a strip whose top-ups exist: each is a payment of its own, and here only fees count. */
const STRIP_STATES: ReadonlySet<string> = new Set(["ready", "reclaim-inflight", "done"]);

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
  /** The newest strip or channel that has not failed, if there is one. */
  readonly strip: Operation | undefined;
  readonly all: readonly Operation[];
}

/** Reads the operations of a payment. */
export function workOf(reads: Pick<WalletReads, "operations">, paymentId: string): PaymentWork {
  const all = reads.operations({ parent: parentOf(paymentId) });
  const live = all.filter((operation) => operation.status !== "failed");
  return {
    send: live.find((operation) => operation.kind === "send"),
    swap: live.find((operation) => operation.kind === "swap"),
    strip: live.find((operation) => isOfTopUps(operation)),
    all,
  };
}

/** Whether the token of a send exists, and is not taken back; or the top-ups of a strip do. */
export function hasToken(operation: Operation): boolean {
  const states = isOfTopUps(operation) ? STRIP_STATES : TOKEN_STATES;
  return states.has(operation.state);
}

/** Whether what it makes is handed over bit by bit. */
export function isOfTopUps({ kind }: Pick<Operation, "kind">): boolean {
  return kind === "strip" || kind === "channel";
}

/** The swap, as soon as its ecash is here or it ended: its change may come later. */
export async function arrivedSwap(
  engine: Engine,
  id: string,
  signal: AbortSignal,
): Promise<Operation> {
  const { clock } = engine.context;
  for (;;) {
    const operation = await engine.drive(id, { signal });
    if (operation.status !== "open" || hasArrived(operation)) return operation;
    await pause(clock, operation, signal);
  }
}

/** Waits until an operation is due, a second at most. */
export async function pause(
  clock: Clock,
  operation: Pick<Operation, "nextAtMs">,
  signal: AbortSignal,
): Promise<void> {
  const waitMs = Math.max(50, (operation.nextAtMs ?? Infinity) - clock.nowMs());
  await clock.sleep(Math.min(waitMs, 1000), { signal });
}

/** Ends what was not sent yet of a payment, so that money is not set aside for nobody. */
export function letGo(engine: Engine, paymentId: string): void {
  for (const operation of workOf(engine.context.store, paymentId).all) {
    if (operation.status !== "open" || hasToken(operation)) continue;
    try {
      engine.cancel(operation.id);
    } catch {
      // It was sent already: it goes on to its end, and the same payment id finds it.
    }
  }
}

/** Whether `leg` was tried for this payment and failed for more than a lack of money at that moment. */
export function wasTried(work: PaymentWork, leg: PaymentLeg): boolean {
  return work.all.some((operation) =>
    operation.status === "failed" && !wasShort(operation) &&
    (leg.kind === "direct"
      ? operation.kind !== "swap" && operation.mint === leg.mint
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
      // A strip may cost something yet, when what is left of it is taken back.
      state: cost > 0n || work.strip !== undefined ? "spent" : "returned",
      ...work.send === undefined ? {} : { operationId: work.send.id },
    };
    if (settled.state !== payment.state || settled.cost !== payment.cost) tx.putOutgoing(settled);
    return settled;
  });
}
