/** What to do about a melt whose quote is unpaid. Nothing is released that may still be spent. */
import { unreachable } from "../../src/core/assert.ts";
import { isSeedmintError } from "../../src/core/errors.ts";
import { MintRefusal } from "../mint/mint_api.ts";
import { backoffMs, POLL } from "./backoff.ts";
import { freezeMelt, isTooLate } from "./melt_dispatch.ts";
import { freezeFence } from "./melt_fence.ts";
import { commitLeg, type Leg, type LegOperation, release, reservedInputs } from "./melt_leg.ts";
import { LATE_ALERT_MS, WITNESS_TRIES_MAX } from "./melt_limits.ts";
import type { LegAnswer } from "./melt_plan.ts";
import { remedyFor } from "./melt_refusals.ts";
import type { SagaContext, Step } from "./saga.ts";
import { phaseName } from "./transition.ts";

/** unpaid: looks at the inputs, then at whoever else may know, then does what is safe. */
export async function handleUnpaid(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  signal: AbortSignal,
): Promise<Step> {
  const { mint, plan } = operation;
  const ys = reservedInputs(context.store, operation).map((proof) => proof.y);
  const states = await context.mints.of(mint).checkStates(ys, { signal });
  if (states.some(({ state }) => state !== "UNSPENT")) {
    return conflict(context, leg, operation, "says it did not pay, and holds the ecash");
  }
  if (await isPaidElsewhere(context, leg, operation, signal)) {
    return conflict(context, leg, operation, "says it did not pay, and the payment has arrived");
  }
  const phase = phaseName("melt", plan.meltRound);
  const sendCount = context.store.request(operation.id, phase)?.sendCount ?? 0;
  const { answer } = plan;
  const remedy = remedyFor({
    answer,
    sendCount,
    meltRound: plan.meltRound,
    isTooLate: isTooLate(context, leg, operation),
  });
  const code = answer?.kind === "refused" ? answer.code : 0;
  switch (remedy) {
    case "fence":
      return await freezeFence(context, leg, operation, { signal });
    case "release":
      return release(context, leg, {
        operation,
        reason: `${mint} refused to pay (code ${code})`,
        onlyIf: (tx) => tx.request(operation.id, phase)?.sendCount === sendCount,
      });
    case "plan-anew":
      return await freezeMelt(context, leg, operation, { signal, refusedCode: code });
    case "again":
      return commitLeg(context, leg, {
        operation,
        event: "melt-again",
        change: {
          reason: `${mint} takes no more requests for a while`,
          nextAtMs: context.clock.nowMs() + retryAfterMs(answer),
          plan: { again: true },
        },
      });
    default:
      return unreachable(remedy);
  }
}

/** Asks whoever else may know. One that does not answer for long holds nothing up: the fence is safe. */
async function isPaidElsewhere(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  signal: AbortSignal,
): Promise<boolean> {
  if (leg.isPaidElsewhere === undefined) return false;
  try {
    return await leg.isPaidElsewhere(operation, context, signal);
  } catch (error) {
    const passes = error instanceof MintRefusal || isSeedmintError(error) && error.retryable;
    if (signal.aborted || !passes || operation.attempts < WITNESS_TRIES_MAX) throw error;
    return false;
  }
}

function retryAfterMs(answer: LegAnswer | undefined): number {
  return answer?.kind === "limited" ? Math.min(Math.max(answer.retryAfterMs, 0), 300_000) : 0;
}

/** Two answers that do not go together: hold, and look again later and later. */
function conflict(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  what: string,
): Step {
  const { conflictCount, dispatchedMs = 0, isAlerted } = operation.plan;
  const reason = `${operation.mint} ${what}: waiting for it to make up its mind`;
  const nowMs = context.clock.nowMs();
  const alerts = isAlerted !== true && nowMs - dispatchedMs >= LATE_ALERT_MS;
  const step = commitLeg(context, leg, {
    operation,
    event: "saw-conflict",
    change: {
      reason,
      nextAtMs: nowMs + backoffMs(POLL, conflictCount, context.random),
      plan: { conflictCount: conflictCount + 1, ...(alerts ? { isAlerted: true } : {}) },
    },
  });
  if (alerts) {
    const { id: operationId, mint } = operation;
    context.emit({ event: "attention", operationId, mint, message: reason });
  }
  return step;
}
