/** Top-ups for one seller, many in one swap, revealed one by one (NUT-03, NUT-11). */
import { unreachable } from "../../src/core/assert.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import type { StripPart } from "../store/buying_store.ts";
import type { ProofRecord, WalletTransaction } from "../store/wallet_store.ts";
import { avoidSeller } from "./avoid_seller.ts";
import type { Operation } from "./operation.ts";
import type { Saga, SagaContext, Step } from "./saga.ts";
import type { StripPlan, StripState } from "./strip_plan.ts";
import { dispatchStrip, finishStrip, prepareStrip } from "./strip_prepare.ts";
import { sumOf } from "./sums.ts";
import { endTakenBack, planReclaim, refundableFromMs, settleReclaim } from "./take_back.ts";
import { settleTokenSwap } from "./token_swap.ts";
import { commit, postpone } from "./transition.ts";

/** The saga of {@link StripPlan}. */
export const stripSaga: Saga = {
  kind: "strip",
  step(operation, context, { signal }) {
    const strip = operation as Operation<StripPlan>;
    const state = strip.state as StripState;
    switch (state) {
      case "planned":
        return prepareStrip(strip, context, signal);
      case "prepared":
        return dispatchStrip(strip, context, signal);
      case "swap-inflight":
        return settleTokenSwap(strip, context, {
          signal,
          finish: (proofs) => finishStrip(strip, context, proofs),
          keepLeft: (left) => finishStrip(strip, context, left),
          anew: ({ parts: _, ...plan }) => plan,
        });
      case "ready":
        return look(strip, context, signal);
      case "reclaim-inflight":
        return settleReclaim(strip, context, {
          signal,
          finish: (proofs) => finishReclaim(strip, context, proofs),
          lookAt: "ready",
        });
      case "done":
      case "failed":
        return Promise.resolve("rest");
      default:
        return unreachable(state);
    }
  },
};

/** ready → done, reclaim-inflight, or a wait for the locktime. */
async function look(
  operation: Operation<StripPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { id, mint, plan, nextAtMs } = operation;
  const nowMs = context.clock.nowMs();
  if (nextAtMs !== undefined && nextAtMs > nowMs) return "rest";
  const proofs = context.store.proofs({ operationId: id, state: "outgoing" });
  const ys = proofs.map((proof) => proof.y);
  const states = ys.length === 0 ? [] : await context.mints.of(mint).checkStates(ys, { signal });
  const left = proofs.filter((_, index) => states[index]!.state !== "SPENT");
  const gone = proofs.filter((_, index) => states[index]!.state === "SPENT");
  if (left.length === 0) {
    commit(context, operation, (tx) => {
      settleParts(tx, operation, { gone, back: [], atMs: nowMs });
      tx.updateOperation(operation, {
        state: "done",
        status: "done",
        nextAtMs: null,
        reason: null,
      });
    });
    return "again";
  }
  if (states.some((one) => one.state === "PENDING")) {
    postpone(context, operation, { reason: "is being redeemed" });
    return "rest";
  }
  const fromMs = refundableFromMs(plan.lock);
  if (fromMs <= nowMs) {
    return await planReclaim(operation, context, {
      proofs: left,
      signal,
      planned: (plan) => plan,
      dropped: (plan) => plan,
      learn: (tx) => settleParts(tx, operation, { gone, back: [], atMs: nowMs }),
    });
  }
  // Looked at by somebody's wish before its time: what is redeemed by now is known by now.
  commit(context, operation, (tx) => {
    settleParts(tx, operation, { gone, back: [], atMs: nowMs });
    tx.updateOperation(operation, { nextAtMs: fromMs });
  });
  return "rest";
}

/** reclaim-inflight → done: what nobody redeemed is ours again. */
function finishReclaim(
  operation: Operation<StripPlan>,
  context: SagaContext,
  proofs: readonly SignedProof[],
): Step {
  const back = context.store.proofs({ operationId: operation.id, state: "outgoing" });
  const atMs = context.clock.nowMs();
  commit(context, operation, (tx) => {
    settleParts(tx, operation, { gone: [], back, atMs });
    endTakenBack(tx, operation, { back, proofs, state: "done", atMs });
  });
  return "again";
}

/**
 * Books what became of proofs: `gone` are redeemed, `back` are ours again. A top-up of which a part is
 * redeemed counts as claimed, for as much as that.
 */
function settleParts(
  tx: WalletTransaction,
  operation: Operation<StripPlan>,
  proofs: {
    readonly gone: readonly ProofRecord[];
    readonly back: readonly ProofRecord[];
    readonly atMs: number;
  },
): void {
  const { gone, back, atMs } = proofs;
  tx.moveProofs([...gone, ...back].map((proof) => proof.y), "spent", operation.id);
  const isGone = new Set(gone.map((proof) => proof.y));
  const isBack = new Set(back.map((proof) => proof.y));
  for (const part of tx.stripParts({ operationId: operation.id })) {
    if (part.state === "returned") continue;
    if (part.ys.some((y) => isGone.has(y))) {
      if (part.state === "refused") {
        const reason = "it redeemed a payment that it had refused";
        avoidSeller(tx, part.peer, { reason, nowMs: atMs });
      }
      tx.moveStripPart(part.paymentId, "claimed");
    }
    const backYs = part.ys.filter((y) => isBack.has(y));
    if (backYs.length === 0) continue;
    const now = tx.stripPart(part.paymentId)!;
    if (now.state !== "claimed") tx.moveStripPart(part.paymentId, "returned");
    refund(tx, part, sumOf(back.filter((proof) => backYs.includes(proof.y))));
  }
}

/** What came back is not spent in the budgets any more. */
function refund(tx: WalletTransaction, part: StripPart, amount: bigint): void {
  const payment = tx.outgoing(part.paymentId);
  if (payment === undefined || payment.state === "returned") return;
  const cost = payment.cost > amount ? payment.cost - amount : 0n;
  tx.putOutgoing({ ...payment, cost, state: cost === 0n ? "returned" : payment.state });
}
