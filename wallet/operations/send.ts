/** Ecash out: a token for somebody, made by a swap unless proofs fit as they are (NUT-03, NUT-11). */
import { unreachable } from "../../src/core/assert.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import { LAZY } from "./backoff.ts";
import type { Operation } from "./operation.ts";
import type { Saga, SagaContext, Step } from "./saga.ts";
import { inTokenOrder, type SendPlan, type SendState } from "./send_plan.ts";
import { dispatch, prepare } from "./send_prepare.ts";
import { reclaim, watch } from "./send_token.ts";
import { sumOf } from "./sums.ts";
import { settleTokenSwap } from "./token_swap.ts";
import { commit } from "./transition.ts";

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
        return settleTokenSwap(send, context, {
          signal,
          finish: (proofs) => finishSwap(send, context, proofs),
          anew: (plan) => ({ ...plan, maxFeeSat: plan.maxFeeSat ?? feeCapOf(plan) }),
        });
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

/** Fees may rise by a little between two plans of a send whose fee nobody was shown. */
function feeCapOf(plan: SendPlan): number {
  const shown = plan.feeMaxSat ?? 0;
  return shown + Math.max(10, Math.ceil((plan.tokenSat ?? 0) / 100));
}
