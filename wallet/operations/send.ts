/** Ecash out: a token for somebody, made by a swap unless proofs fit as they are (NUT-03, NUT-11). */
import { unreachable } from "../../src/core/assert.ts";
import { exchange } from "../outputs/exchange.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import { LAZY } from "./backoff.ts";
import { forgetSpent } from "./lost_inputs.ts";
import type { Operation } from "./operation.ts";
import { isKeysetRefusal, isProofRefusal, skipCounters } from "./refusals.ts";
import type { Saga, SagaContext, Step } from "./saga.ts";
import { inTokenOrder, type SendPlan, type SendState } from "./send_plan.ts";
import { dispatch, prepare, sumOf } from "./send_prepare.ts";
import { reclaim, watch } from "./send_token.ts";
import { blockMint, commit, fail, needAttention, phaseName, postpone } from "./transition.ts";

/** The saga of {@link SendPlan}. */
export const sendSaga: Saga = {
  kind: "send",
  step(operation, context, { signal }) {
    const send = operation as Operation<SendPlan>;
    const state = send.state as SendState;
    switch (state) {
      case "planned":
        return prepare(send, context, signal);
      case "prepared":
        return dispatch(send, context, signal);
      case "swap-inflight":
        return swap(send, context, signal);
      case "token-ready":
      case "delivered":
        return watch(send, context, signal);
      case "reclaim-inflight":
        return reclaim(send, context, signal);
      case "claimed":
      case "reclaimed":
      case "failed":
        return Promise.resolve("rest");
      default:
        return unreachable(state);
    }
  },
};

/** swap-inflight → token-ready, planned (for a new plan), failed, or a wait. */
async function swap(
  operation: Operation<SendPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const phase = phaseName("swap", operation.plan.round);
  const outcome = await exchange(context, operation, phase, { signal });
  switch (outcome.kind) {
    case "signed":
      return finishSwap(operation, context, outcome.proofs);
    case "wait":
      postpone(context, operation, {
        reason: outcome.reason,
        ...(outcome.retryMs === undefined ? {} : { leastMs: outcome.retryMs }),
      });
      return "rest";
    case "outputs-used":
      return planAnew(operation, context, { reason: "counters were used before", skip: true });
    case "refused":
      if (isKeysetRefusal(outcome.code)) {
        return planAnew(operation, context, {
          reason: `the mint refused with code ${outcome.code}`,
          skip: false,
        });
      }
      if (isProofRefusal(outcome.code)) {
        needAttention(
          context,
          operation,
          `the mint does not take its own ecash back (code ${outcome.code}); it is kept aside`,
        );
        return "rest";
      }
      return fail(context, operation, `the mint refused the swap (code ${outcome.code})`);
    case "inputs-spent":
      return await forgetSpent(operation, context, { signal, left: outcome.left ?? [] });
    case "dishonest":
      blockMint(context, operation, { mint: operation.mint, reason: outcome.reason });
      return "rest";
    default:
      return unreachable(outcome);
  }
}

/** The outcome in one commit (R6): inputs gone, change free, token outgoing, books. */
function finishSwap(
  operation: Operation<SendPlan>,
  context: SagaContext,
  proofs: readonly SignedProof[],
): Step {
  const { id, mint, plan } = operation;
  const inputs = context.store.proofs({ operationId: id, state: "reserved" });
  const sent = proofs.filter((proof) => proof.role === "send");
  const kept = proofs.filter((proof) => proof.role !== "send");
  const tokenSat = sumOf(sent);
  const fee = sumOf(inputs) - tokenSat - sumOf(kept);
  const atMs = context.clock.nowMs();
  commit(context, operation, (tx) => {
    tx.moveProofs(inputs.map((proof) => proof.y), "spent", id);
    tx.insertProofs(kept, { mint, state: "free" });
    tx.insertProofs(sent, { mint, state: "outgoing", operationId: id });
    tx.markOutputs(proofs.map((proof) => proof.blinded), "signed");
    tx.addLedger([
      { operationId: id, mint, kind: "send", delta: -tokenSat, atMs },
      ...(fee === 0n ? [] : [{ operationId: id, mint, kind: "fee" as const, delta: -fee, atMs }]),
    ]);
    tx.updateOperation(operation, {
      state: "token-ready",
      fee: fee + tokenSat - operation.amount,
      plan: { ...plan, tokenYs: inTokenOrder(sent) },
      nextAtMs: atMs + LAZY.firstMs,
      reason: "waits to be redeemed",
    });
  });
  return "rest";
}

/** Only after a conclusive refusal: the inputs are free again, and other outputs may spend them. */
function planAnew(
  operation: Operation<SendPlan>,
  context: SagaContext,
  options: { readonly reason: string; readonly skip: boolean },
): Step {
  const { plan } = operation;
  commit(context, operation, (tx) => {
    const outputs = tx.outputs(operation.id, phaseName("swap", plan.round));
    tx.markOutputs(outputs.map((output) => output.blinded), "void");
    if (options.skip) skipCounters(tx, outputs, plan.round);
    tx.releaseProofs(operation.id);
    tx.updateOperation(operation, {
      state: "planned",
      plan: { ...plan, isStale: true, maxFeeSat: plan.maxFeeSat ?? feeCapOf(plan) },
      nextAtMs: context.clock.nowMs(),
      reason: `planned anew: ${options.reason}`,
    });
  });
  return "again";
}

/** Fees may rise by a little between two plans of a send whose fee nobody was shown. */
function feeCapOf(plan: SendPlan): number {
  const shown = plan.feeMaxSat ?? 0;
  return shown + Math.max(10, Math.ceil((plan.tokenSat ?? 0) / 100));
}
