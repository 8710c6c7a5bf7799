/** How melts and swaps wait: for ever once something was sent, not for ever before. */
import { isSeedmintError } from "../../src/core/errors.ts";
import { MintRefusal } from "../mint/mint_api.ts";
import { backoffMs, POLL } from "./backoff.ts";
import { type LegOperation, planWith } from "./melt_leg.ts";
import { LATE_ALERT_MS, PREPARE_TRIES_MAX } from "./melt_limits.ts";
import type { SagaContext, Step } from "./saga.ts";
import { postpone } from "./transition.ts";

/** Waits, for ever if need be, and tells people once when it takes too long. */
export function hold(
  context: SagaContext,
  operation: LegOperation,
  reason: string,
  leastMs = 0,
): void {
  const { dispatchedMs, isAlerted, paid } = operation.plan;
  const sinceMs = paid?.atMs ?? dispatchedMs ?? operation.createdMs;
  const isLate = context.clock.nowMs() - sinceMs >= LATE_ALERT_MS;
  if (!isLate || isAlerted === true) {
    postpone(context, operation, { reason, backoff: POLL, leastMs });
    return;
  }
  const message = `${reason}; it has taken more than ${LATE_ALERT_MS / 60_000} minutes`;
  context.store.transact((tx) =>
    tx.updateOperation(operation, {
      plan: planWith(operation.plan, { isAlerted: true }),
      attempts: operation.attempts + 1,
      nextAtMs: context.clock.nowMs() + backoffMs(POLL, operation.attempts, context.random),
      reason: message,
    })
  );
  context.emit({
    event: "attention",
    operationId: operation.id,
    mint: operation.mint,
    message,
  });
}

/** Runs a step; a mint that refuses to even answer a question is asked again later. */
export async function patiently(
  context: SagaContext,
  operation: LegOperation,
  step: () => Promise<Step>,
): Promise<Step> {
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof MintRefusal)) throw error;
    const reason = `a mint refuses to say how it stands (code ${error.code})`;
    hold(context, operation, reason);
    return "rest";
  }
}

/**
 * Runs a step before which nothing was sent. When the mints have not answered it for long, `giveUp`
 * ends the operation.
 */
export async function orGiveUp(
  operation: LegOperation,
  step: () => Promise<Step>,
  giveUp: (reason: string) => Step,
): Promise<Step> {
  try {
    return await step();
  } catch (error) {
    const isRefusal = error instanceof MintRefusal;
    const passes = isSeedmintError(error) && error.retryable && error.code !== "aborted";
    if (!isRefusal && !passes || operation.attempts < PREPARE_TRIES_MAX) throw error;
    const why = isRefusal ? `a mint refuses to answer (code ${error.code})` : error.message;
    return giveUp(`it could not be prepared: ${why}`);
  }
}
