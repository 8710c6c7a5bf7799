/** The swap that makes tokens, after it was frozen: what came of it, for every kind that makes some. */
import { unreachable } from "../../src/core/assert.ts";
import { exchange } from "../outputs/exchange.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import { forgetSpent } from "./lost_inputs.ts";
import type { Operation } from "./operation.ts";
import { isKeysetRefusal, isProofRefusal, skipCounters } from "./refusals.ts";
import type { SagaContext, Step } from "./saga.ts";
import { blockMint, commit, fail, needAttention, phaseName, postpone } from "./transition.ts";

/** What every plan has that is made anew when a mint refuses it. */
export interface RoundPlan {
  /** Swaps frozen so far. */
  readonly round: number;
  /** The mint refused for its keysets or fees: ask for them anew. */
  readonly isStale?: boolean;
}

/** What the kinds do differently. */
export interface TokenSwapOptions<Plan> {
  readonly signal: AbortSignal;
  /** The outcome in one commit (R6). */
  readonly finish: (proofs: readonly SignedProof[]) => Step;
  /**
   * Another copy of this wallet made the tokens, and some of what came of them is spent: keeps the rest.
   * Without it, what is left of tokens is no longer ours.
   */
  readonly keepLeft?: (left: readonly SignedProof[]) => Step;
  /** What a new plan begins with. */
  readonly anew: (plan: Plan) => Plan;
}

/** swap-inflight → what `finish` makes of it, planned (for a new plan), failed, or a wait. */
export async function settleTokenSwap<Plan extends RoundPlan>(
  operation: Operation<Plan>,
  context: SagaContext,
  options: TokenSwapOptions<Plan>,
): Promise<Step> {
  const { signal, finish, anew, keepLeft } = options;
  const phase = phaseName("swap", operation.plan.round);
  const outcome = await exchange(context, operation, phase, { signal });
  switch (outcome.kind) {
    case "signed":
      return finish(outcome.proofs);
    case "wait":
      postpone(context, operation, {
        reason: outcome.reason,
        ...(outcome.retryMs === undefined ? {} : { leastMs: outcome.retryMs }),
      });
      return "rest";
    case "outputs-used":
      return planAnew(operation, context, {
        reason: "counters were used before",
        skip: true,
        anew,
      });
    case "refused":
      if (isKeysetRefusal(outcome.code)) {
        return planAnew(operation, context, {
          reason: `the mint refused with code ${outcome.code}`,
          skip: false,
          anew,
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
    case "inputs-spent": {
      const { left = [] } = outcome;
      if (keepLeft !== undefined && left.some(({ role }) => role === "send")) return keepLeft(left);
      return await forgetSpent(operation, context, { signal, left });
    }
    case "dishonest":
      blockMint(context, operation, { mint: operation.mint, reason: outcome.reason });
      return "rest";
    default:
      return unreachable(outcome);
  }
}

/** Only after a conclusive refusal: the inputs are free again, and other outputs may spend them. */
function planAnew<Plan extends RoundPlan>(
  operation: Operation<Plan>,
  context: SagaContext,
  options: {
    readonly reason: string;
    readonly skip: boolean;
    readonly anew: (plan: Plan) => Plan;
  },
): Step {
  const { plan } = operation;
  commit(context, operation, (tx) => {
    const outputs = tx.outputs(operation.id, phaseName("swap", plan.round));
    tx.markOutputs(outputs.map((output) => output.blinded), "void");
    if (options.skip) skipCounters(tx, outputs, plan.round);
    tx.releaseProofs(operation.id);
    tx.updateOperation(operation, {
      state: "planned",
      plan: { ...options.anew(plan), isStale: true },
      nextAtMs: context.clock.nowMs(),
      reason: `planned anew: ${options.reason}`,
    });
  });
  return "again";
}
