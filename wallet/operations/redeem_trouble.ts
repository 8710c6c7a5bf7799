/** Redemptions that do not go as planned: inputs spent elsewhere, and batches with a bad payment in them. */
import { assert } from "../../src/core/assert.ts";
import { exchange } from "../outputs/exchange.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import type { IncomingPayment, ProofRecord, WalletTransaction } from "../store/wallet_store.ts";
import { backoffMs, RETRY } from "./backoff.ts";
import { PLAN_ROUNDS_MAX } from "./limits.ts";
import { newRedemption, type RedeemPayment, redeemPhase, type Redemption } from "./redeem_plan.ts";
import { skipCounters } from "./refusals.ts";
import type { SagaContext, Step } from "./saga.ts";
import { commit, needAttention, postpone } from "./transition.ts";

/** Ends a redemption with what the mint signed: `complete` of `redeem.ts`. */
type Complete = (
  redemption: Redemption,
  context: SagaContext,
  made: Made,
) => Step;

/** What the mint signed of the outputs of a phase and is not spent. */
interface Made {
  readonly phase: string;
  readonly proofs: readonly SignedProof[];
}

/**
 * Some inputs were spent, and the mint signed none of the outputs of the last try. Finds out which, and
 * plans the rest anew. That ecash is spent never creates credit; it takes credit back.
 */
export async function sortOut(
  redemption: Redemption,
  context: SagaContext,
  options: { readonly signal: AbortSignal; readonly complete: Complete },
): Promise<Step> {
  const earlier = await lateSuccess(redemption, context, options.signal);
  if (earlier === "wait") return "rest";
  if (earlier !== undefined) return options.complete(redemption, context, earlier);
  const proofs = context.store.proofs({ operationId: redemption.id, state: "incoming" });
  const mint = context.mints.of(redemption.mint);
  const states = await mint.checkStates(proofs.map((proof) => proof.y), options);
  if (states.some(({ state }) => state === "PENDING")) {
    postpone(context, redemption, { reason: "the mint has some of the ecash in another request" });
    return "rest";
  }
  const spent = new Set(states.filter(({ state }) => state === "SPENT").map(({ y }) => y));
  if (spent.size === 0) {
    const reason = "the mint says that inputs are spent, and that they are not";
    return planAnew(context, redemption, { reason, later: true });
  }
  dropSpent(redemption, context, proofs.filter((proof) => spent.has(proof.y)));
  return spent.size < proofs.length ? "again" : "rest";
}

/**
 * Before anything is written off: an earlier try that was refused may have reached the mint once more
 * and taken effect. Its exact bytes are asked for again, and what they made is ours.
 */
async function lateSuccess(
  redemption: Redemption,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Made | "wait" | undefined> {
  for (let round = redemption.plan.round - 1; round >= 1; round--) {
    const phase = redeemPhase(round);
    const outcome = await exchange(context, redemption, phase, { signal });
    if (outcome.kind === "signed") return { phase, proofs: outcome.proofs };
    if (outcome.kind === "inputs-spent" && outcome.left !== undefined) {
      return { phase, proofs: outcome.left };
    }
    if (outcome.kind === "wait") {
      postpone(context, redemption, { reason: outcome.reason, leastMs: outcome.retryMs ?? 0 });
      return "wait";
    }
  }
  return undefined;
}

function dropSpent(
  redemption: Redemption,
  context: SagaContext,
  spent: readonly ProofRecord[],
): void {
  const amountOf = new Map(spent.map((proof) => [proof.y, proof.amount]));
  const left = redemption.plan.payments.flatMap((member): RedeemPayment[] => {
    const ys = member.ys.filter((y) => !amountOf.has(y));
    return ys.length === 0 ? [] : [{ ...member, ys }];
  });
  commit(context, redemption, (tx) => {
    voidOutputs(tx, redemption);
    tx.moveProofs([...amountOf.keys()], "spent", redemption.id);
    for (const member of redemption.plan.payments) {
      const lost = member.ys.reduce((sum, y) => sum + (amountOf.get(y) ?? 0n), 0n);
      if (lost === 0n) continue;
      const isDead = !left.some((one) => isSame(one, member));
      takeBack(tx, { member, lost, isDead });
    }
    tx.updateOperation(redemption, {
      plan: { ...redemption.plan, payments: left },
      ...left.length === 0
        ? { state: "dead", status: "failed", nextAtMs: null, reason: "it was spent elsewhere" }
        : { state: "prepared", nextAtMs: context.clock.nowMs() },
    });
  });
}

/** Takes credit back for ecash that was worth nothing; what is left of a payment stays a payment. */
function takeBack(
  tx: WalletTransaction,
  loss: {
    readonly member: RedeemPayment;
    readonly lost: bigint;
    readonly isDead: boolean;
  },
): void {
  const payment = memberOf(tx, loss.member);
  const credit = loss.isDead || payment.credit < loss.lost ? 0n : payment.credit - loss.lost;
  tx.putIncoming({
    ...payment,
    credit,
    state: loss.isDead ? "dead" : payment.state,
    version: payment.version + 1,
  });
}

/**
 * The mint conclusively signed nothing: another swap is planned, from what it says of itself now. After
 * some of them in a row a person looks, who may let it go on.
 */
export function planAnew(
  context: SagaContext,
  redemption: Redemption,
  options: { readonly reason: string; readonly skips?: boolean; readonly later?: boolean },
): Step {
  const { plan } = redemption;
  const reason = `planned anew: ${options.reason}`;
  const isTooOften = plan.round % PLAN_ROUNDS_MAX === 0;
  const waitMs = options.later ? backoffMs(RETRY, plan.round, context.random) : 0;
  commit(context, redemption, (tx) => {
    const outputs = tx.outputs(redemption.id, redeemPhase(plan.round));
    voidOutputs(tx, redemption);
    if (options.skips) skipCounters(tx, outputs, plan.round);
    tx.updateOperation(redemption, {
      state: "prepared",
      plan: { ...plan, stale: true },
      reason,
      ...isTooOften
        ? { status: "attention", nextAtMs: null }
        : { nextAtMs: context.clock.nowMs() + waitMs },
    });
  });
  if (isTooOften) {
    const { id, mint } = redemption;
    context.emit({ event: "attention", operationId: id, mint, message: reason });
  }
  return isTooOften || waitMs > 0 ? "rest" : "again";
}

/**
 * The mint refused a batch for one of its payments and did not say which: each half is tried by itself,
 * until the bad one is alone.
 */
export function halve(context: SagaContext, redemption: Redemption): Step {
  const { payments } = redemption.plan;
  assert(payments.length > 1, "one payment cannot be halved");
  const kept = payments.slice(0, Math.ceil(payments.length / 2));
  const moved = payments.slice(kept.length);
  commit(context, redemption, (tx) => {
    const other = newRedemption(context, redemption.mint, {
      state: "prepared",
      isCredited: redemption.plan.isCredited,
      closeByMs: redemption.plan.closeByMs,
      parent: redemption.id,
    });
    const movedAmount = amountOf(tx, moved);
    tx.insertOperation({
      ...other,
      amount: movedAmount,
      plan: { ...other.plan, payments: moved },
    });
    for (const member of moved) {
      tx.moveProofs(member.ys, "incoming", other.id);
      const payment = memberOf(tx, member);
      tx.putIncoming({ ...payment, operationId: other.id, version: payment.version + 1 });
    }
    voidOutputs(tx, redemption);
    tx.updateOperation(redemption, {
      state: "prepared",
      plan: { ...redemption.plan, payments: kept },
      amount: redemption.amount - movedAmount,
      nextAtMs: context.clock.nowMs(),
    });
  });
  return "again";
}

/**
 * The only payment of a redemption cannot be redeemed. Nobody was given credit for one that was queued:
 * it is dead. Of one that was credited a person must know, for its mint refuses what it signed.
 */
export function rejectAlone(context: SagaContext, redemption: Redemption, reason: string): Step {
  const [member] = redemption.plan.payments;
  assert(member !== undefined && redemption.plan.payments.length === 1, "one payment is rejected");
  const payment = context.store.incoming(member.payer, member.paymentId);
  if (payment?.state !== "queued") {
    needAttention(context, redemption, reason);
    return "rest";
  }
  commit(context, redemption, (tx) => {
    voidOutputs(tx, redemption);
    tx.moveProofs(member.ys, "spent", redemption.id);
    const now = memberOf(tx, member);
    tx.putIncoming({ ...now, credit: 0n, state: "dead", version: now.version + 1 });
    tx.updateOperation(redemption, { state: "dead", status: "failed", nextAtMs: null, reason });
  });
  return "rest";
}

/** The outputs of the last try were conclusively never signed. */
export function voidOutputs(tx: WalletTransaction, redemption: Redemption): void {
  if (redemption.plan.round === 0) return;
  const outputs = tx.outputs(redemption.id, redeemPhase(redemption.plan.round));
  tx.markOutputs(outputs.map((output) => output.blinded), "void");
}

function amountOf(tx: WalletTransaction, members: readonly RedeemPayment[]): bigint {
  return members.reduce((sum, member) => sum + memberOf(tx, member).amount, 0n);
}

function memberOf(tx: WalletTransaction, member: RedeemPayment): IncomingPayment {
  const payment = tx.incoming(member.payer, member.paymentId);
  assert(payment !== undefined, "a payment stays while it is redeemed");
  return payment;
}

function isSame(a: RedeemPayment, b: RedeemPayment): boolean {
  return a.payer === b.payer && a.paymentId === b.paymentId;
}
