/** What a redemption keeps about the payments in it, and how payments come into a batch. */
import { createHash } from "node:crypto";
import type { Clock, Random } from "../../src/core/ports.ts";
import { hashToCurveHex } from "../cashu.ts";
import { inputFee } from "../selection/fees.ts";
import type { IncomingPayment, WalletTransaction } from "../store/wallet_store.ts";
import type { MintUrl, Proof } from "../types.ts";
import { REDEEM_INPUTS_MAX } from "./limits.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";
import { newOperation, phaseName, usableMint } from "./transition.ts";

/** One payment of a batch. */
export interface RedeemPayment {
  readonly payer: string;
  readonly paymentId: string;
  /** Its proofs. */
  readonly ys: readonly string[];
}

/** Plan of a redemption. */
export interface RedeemPlan {
  readonly payments: readonly RedeemPayment[];
  /** Its payments were credited: one that was not checked never holds up those that were. */
  readonly isCredited: boolean;
  /** The batch closes no later than this, in milliseconds since 1970. */
  readonly closeByMs: number;
  /** Swaps that were frozen so far; the last is the one that counts. */
  readonly round: number;
  /** The mint refused for its keysets or fees: ask it for new ones before the next try. */
  readonly stale?: boolean;
}

/** When a batch closes. */
export interface BatchPolicy {
  /** With this many proofs at once. */
  readonly proofsMin: number;
  /** After this long without another payment. */
  readonly idleMs: number;
  /** After this long in any case. */
  readonly lingerMs: number;
}

/** A redemption that starts without waiting for others. */
export const AT_ONCE: BatchPolicy = { proofsMin: 1, idleMs: 0, lingerMs: 0 };

/** A redemption as the journal has it. */
export type Redemption = Operation<RedeemPlan>;

/** Phase of the journal for swap number `round`, counted from 1. */
export function redeemPhase(round: number): string {
  return phaseName("swap", round);
}

/**
 * Takes a payment in: its proofs, its row with the credit, and its place in a batch, in one transaction.
 * The caller has checked that neither the payment nor one of its proofs is known.
 *
 * @returns The redemption that it is part of.
 */
export function joinBatch(
  tx: WalletTransaction,
  context: { readonly clock: Clock; readonly random: Random },
  request: {
    readonly payment: Omit<IncomingPayment, "operationId">;
    readonly proofs: readonly (Proof & { readonly y: string })[];
    readonly policy: BatchPolicy;
    /** Has a redemption of its own, so that one bad token holds up nobody else's. */
    readonly alone?: boolean;
    /** Closes the batch, whatever the policy says. */
    readonly closes?: boolean;
  },
): Redemption {
  const { payment, proofs, policy } = request;
  const nowMs = context.clock.nowMs();
  const isCredited = payment.state === "credited";
  const open = request.alone ? undefined : collecting(tx, {
    mint: payment.mint,
    isCredited,
    more: proofs.length,
  });
  const before = open ?? newRedemption(context, payment.mint, {
    state: request.alone ? "prepared" : "collecting",
    isCredited,
    closeByMs: nowMs + policy.lingerMs,
  });
  if (open === undefined) tx.insertOperation(before);
  const member = {
    payer: payment.payer,
    paymentId: payment.paymentId,
    ys: proofs.map((proof) => proof.y),
  };
  const payments = [...before.plan.payments, member];
  const closeByMs = Math.min(
    before.plan.closeByMs,
    nowMs + policy.lingerMs,
    payment.redeemByMs ?? Infinity,
  );
  const isFull = request.closes === true || countOf(payments) >= policy.proofsMin;
  const after = tx.updateOperation(before, {
    plan: { ...before.plan, payments, closeByMs },
    amount: before.amount + payment.amount,
    nextAtMs: isFull ? nowMs : Math.max(nowMs, Math.min(closeByMs, nowMs + policy.idleMs)),
  });
  tx.insertProofs(proofs, { mint: payment.mint, state: "incoming", operationId: after.id });
  tx.putIncoming({ ...payment, operationId: after.id });
  return after;
}

/**
 * Takes proofs that are at hand, and writes down that they are to be redeemed at once. The mint is asked
 * for their keysets if those are not known.
 *
 * @throws {SeedmintError} `denied` for a mint that is not listed or is blocked.
 * @throws {Error} If one of the proofs is known here.
 */
export async function beginRedeem(
  context: SagaContext,
  request: { readonly mint: MintUrl; readonly proofs: readonly Proof[] },
): Promise<Redemption> {
  const { mint, proofs } = request;
  usableMint(context, mint);
  const feePpkOf = new Map<string, number>();
  for (const id of new Set(proofs.map((proof) => proof.keysetId))) {
    feePpkOf.set(id, (await context.mints.of(mint).keyset(id)).inputFeePpk);
  }
  const amount = proofs.reduce((sum, proof) => sum + proof.amount, 0n);
  const fee = inputFee(proofs, (id) => feePpkOf.get(id));
  const withYs = proofs.map((proof) => ({ ...proof, y: hashToCurveHex(proof.secret) }));
  const tokenHash = createHash("sha256").update(withYs.map(({ y }) => y).join()).digest("hex");
  const payment = {
    paymentId: tokenHash,
    payer: "local",
    tokenHash,
    mint,
    amount,
    credit: amount > fee ? amount - fee : 0n,
    state: "queued",
    version: 1,
    createdMs: context.clock.nowMs(),
  } as const;
  return context.store.transact((tx) =>
    joinBatch(tx, context, { payment, proofs: withYs, policy: AT_ONCE, alone: true })
  );
}

/** A redemption without payments, not stored yet. */
export function newRedemption(
  context: { readonly clock: Clock; readonly random: Random },
  mint: MintUrl,
  options: {
    readonly state: "collecting" | "prepared";
    readonly isCredited: boolean;
    readonly closeByMs: number;
    readonly parent?: string;
  },
): Redemption {
  return newOperation<RedeemPlan>(context, {
    kind: "redeem",
    state: options.state,
    mint,
    amount: 0n,
    plan: {
      payments: [],
      isCredited: options.isCredited,
      closeByMs: options.closeByMs,
      round: 0,
    },
    ...options.parent === undefined ? {} : { parent: options.parent },
  });
}

/** How many proofs payments hold together. */
export function countOf(payments: readonly RedeemPayment[]): number {
  return payments.reduce((sum, payment) => sum + payment.ys.length, 0);
}

function collecting(
  tx: WalletTransaction,
  wanted: { readonly mint: MintUrl; readonly isCredited: boolean; readonly more: number },
): Redemption | undefined {
  const open = tx.operations({ kind: "redeem", status: "open" }) as Redemption[];
  return open.find(({ mint, state, plan }) =>
    mint === wanted.mint && state === "collecting" && plan.isCredited === wanted.isCredited &&
    countOf(plan.payments) + wanted.more <= REDEEM_INPUTS_MAX
  );
}
