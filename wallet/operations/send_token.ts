/** The second part of sending: a token is out there until it is redeemed or taken back. */
import type { SignedProof } from "../outputs/exchange_types.ts";
import type { ProofRecord } from "../store/wallet_store.ts";
import { LAZY } from "./backoff.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext, Step } from "./saga.ts";
import { reclaimableFromMs, type SendPlan, tokenProofs } from "./send_plan.ts";
import { endTakenBack, planReclaim, settleReclaim } from "./take_back.ts";
import { commit, postpone } from "./transition.ts";

/** token-ready or delivered → claimed, reclaim-inflight, or a wait. */
export async function watch(
  operation: Operation<SendPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const nowMs = context.clock.nowMs();
  if (operation.nextAtMs !== undefined && operation.nextAtMs > nowMs) return "rest";
  const proofs = tokenProofs(context, operation);
  const states = await context.mints.of(operation.mint).checkStates(
    proofs.map((proof) => proof.y),
    { signal },
  );
  const left = proofs.filter((_, index) => states[index]!.state !== "SPENT");
  if (left.length === 0) return claimed(operation, context, proofs);
  if (states.some((one) => one.state === "PENDING")) {
    postpone(context, operation, { reason: "is being redeemed" });
    return "rest";
  }
  const fromMs = reclaimableFromMs(operation.plan);
  const isLocked = operation.plan.lock !== undefined;
  if (fromMs <= nowMs && (operation.plan.wantsReclaim === true || isLocked)) {
    return await takeBack(operation, context, { left, signal });
  }
  rest(operation, context);
  return "rest";
}

/** Looks again later; at the locktime at the latest, when there is something to do. */
function rest(operation: Operation<SendPlan>, context: SagaContext): void {
  const later = postpone(context, operation, { reason: "waits to be redeemed", backoff: LAZY });
  const fromMs = reclaimableFromMs(operation.plan);
  if (operation.plan.lock === undefined || fromMs >= (later.nextAtMs ?? 0)) return;
  context.store.transact((tx) => tx.updateOperation(later, { nextAtMs: fromMs }));
}

function claimed(
  operation: Operation<SendPlan>,
  context: SagaContext,
  proofs: readonly ProofRecord[],
): Step {
  commit(context, operation, (tx) => {
    const gone = proofs.filter((proof) => proof.state !== "spent").map((proof) => proof.y);
    tx.moveProofs(gone, "spent", operation.id);
    tx.updateOperation(operation, {
      state: "claimed",
      status: "done",
      nextAtMs: null,
      reason: null,
    });
  });
  return "again";
}

/** → reclaim-inflight with `left`, those of the token that are not spent. */
async function takeBack(
  operation: Operation<SendPlan>,
  context: SagaContext,
  options: { readonly left: readonly ProofRecord[]; readonly signal: AbortSignal },
): Promise<Step> {
  const { left, signal } = options;
  const ys = operation.plan.tokenYs ?? [];
  const isLeft = new Set(left.map((proof) => proof.y));
  return await planReclaim(operation, context, {
    proofs: left,
    signal,
    planned: (plan) => ({ ...plan, tokenYs: ys.filter((y) => isLeft.has(y)) }),
    dropped: ({ wantsReclaim: _, ...plan }) => plan,
    learn: (tx) => tx.moveProofs(ys.filter((y) => !isLeft.has(y)), "spent", operation.id),
  });
}

/** reclaim-inflight → reclaimed, delivered (to look again), or a wait. */
export async function reclaim(
  operation: Operation<SendPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  return await settleReclaim(operation, context, {
    signal,
    finish: (proofs) => reclaimed(operation, context, proofs),
    lookAt: "delivered",
  });
}

function reclaimed(
  operation: Operation<SendPlan>,
  context: SagaContext,
  proofs: readonly SignedProof[],
): Step {
  const back = tokenProofs(context, operation);
  const atMs = context.clock.nowMs();
  commit(context, operation, (tx) => {
    tx.moveProofs(back.map((proof) => proof.y), "spent", operation.id);
    endTakenBack(tx, operation, { back, proofs, state: "reclaimed", atMs });
  });
  return "again";
}
