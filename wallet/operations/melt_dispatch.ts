/** The melt itself: frozen in one commit, counted before each send, never sent to learn how it goes. */
import { assert, unreachable } from "../../src/core/assert.ts";
import { readMeltQuote } from "../mint/answers.ts";
import type { MeltQuote, PostOutcome } from "../mint/mint_api.ts";
import { blankCountOf, planBlanks } from "../outputs/planning.ts";
import { meltBody } from "../outputs/requests.ts";
import { inputFee } from "../selection/mod.ts";
import { StaleOperationError } from "../store/wallet_store.ts";
import { fundingTerms, requote } from "./melt_funds.ts";
import {
  commitLeg,
  type Leg,
  type LegOperation,
  planWith,
  quoteOfLeg,
  release,
  reservedInputs,
  sumOf,
} from "./melt_leg.ts";
import { REQUOTES_MAX } from "./melt_limits.ts";
import { observe, seen } from "./melt_observe.ts";
import type { LegAnswer } from "./melt_plan.ts";
import type { FrozenRequest } from "./operation.ts";
import { isOutputReuse } from "./melt_refusals.ts";
import { skipCounters } from "./refusals.ts";
import type { SagaContext, Step } from "./saga.ts";
import { commit, phaseName, postpone } from "./transition.ts";

/** prepared, ready or unpaid → inflight: blanks, counters and the request in one commit. */
export async function freezeMelt(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  options: { readonly signal: AbortSignal; readonly refusedCode?: number },
): Promise<Step> {
  const { signal, refusedCode } = options;
  const { amount, mint, plan } = operation;
  const { terms, keyset, givesChange } = await fundingTerms(context.mints.of(mint), {
    signal,
    nowMs: context.clock.nowMs(),
    fresh: refusedCode !== undefined,
  });
  if (isTooLate(context, leg, operation)) return tooLate(context, leg, operation, refusedCode);
  const inputs = reservedInputs(context.store, operation);
  const quote = quoteOfLeg(operation);
  const feeReserve = BigInt(quote.feeReserveSat);
  const fee = inputFee(inputs, terms.feePpkOf);
  const changeMax = sumOf(inputs) - fee - amount;
  const worstFee = operation.fee + fee + feeReserve;
  if (changeMax < feeReserve || worstFee > BigInt(plan.feeMaxSat)) {
    return release(context, leg, { operation, reason: `the fees of ${mint} rose: try again` });
  }
  const round = plan.meltRound + 1;
  return commitLeg(context, leg, {
    operation,
    event: "melt-frozen",
    change: {
      plan: {
        meltRound: round,
        dispatchedMs: context.clock.nowMs(),
        answer: undefined,
        holdUntilMs: undefined,
        worstFeeSat: String(worstFee),
        funds: { ...plan.funds, inputFeeSat: String(fee) },
      },
    },
    also: (tx) => {
      if (refusedCode !== undefined) {
        const before = tx.outputs(operation.id, phaseName("melt", round - 1));
        tx.markOutputs(before.map((output) => output.blinded), "void");
        if (isOutputReuse(refusedCode)) skipCounters(tx, before, round);
      }
      const phase = phaseName("melt", round);
      const count = givesChange ? blankCountOf(changeMax) : 0;
      const blanks = count === 0 ? [] : planBlanks({
        feeReserve: changeMax,
        keyset,
        keys: context.keys,
        firstCounter: tx.takeCounters(keyset.id, count),
      });
      tx.insertOutputs(operation.id, phase, { mint, outputs: blanks });
      const body = meltBody({ quoteId: quote.quoteId, inputs, blanks });
      tx.freezeRequest({ operationId: operation.id, phase, path: "/v1/melt/bolt11", body });
    },
  });
}

/** inflight: sends what was never sent, or looks at what became of what was. */
export async function dispatchMelt(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  signal: AbortSignal,
): Promise<Step> {
  const phase = phaseName("melt", operation.plan.meltRound);
  const request = context.store.request(operation.id, phase);
  assert(request !== undefined, "a melt that is in flight is frozen");
  const isFirst = request.sendCount === 0;
  if (!isFirst && operation.plan.again !== true) {
    return await observe(context, leg, operation, signal);
  }
  if (isTooLate(context, leg, operation)) {
    if (!isFirst) return forgetAgain(context, operation);
    return release(context, leg, {
      operation,
      reason: "the quote went stale before anything was sent",
      onlyIf: (tx) => tx.request(operation.id, phase)?.sendCount === 0,
    });
  }
  const mint = context.mints.of(operation.mint);
  const coolingMs = mint.cooldownMs?.() ?? 0;
  if (coolingMs > 0) {
    postpone(context, operation, {
      reason: `${operation.mint} is left alone for a while`,
      leastMs: coolingMs,
    });
    return "rest";
  }
  const counted = countSend(context, operation, request);
  context.fault(`${operation.kind}.${phase}.before-send`);
  const outcome = await mint.post(request.path, request.body, { signal });
  context.fault(`${operation.kind}.${phase}.after-send`);
  return await answered(context, leg, counted, { outcome, signal });
}

/** Too late to send once more: look how it stands instead. */
function forgetAgain(context: SagaContext, operation: LegOperation): Step {
  commit(context, operation, (tx) =>
    tx.updateOperation(operation, {
      plan: planWith(operation.plan, { again: undefined }),
      nextAtMs: context.clock.nowMs(),
    }));
  return "again";
}

/** The count is on disk, and the operation moved, before the network has it: two drivers send once. */
function countSend(
  context: SagaContext,
  operation: LegOperation,
  request: FrozenRequest,
): LegOperation {
  return context.store.transact((tx) => {
    const now = tx.request(operation.id, request.phase);
    if (now?.sendCount !== request.sendCount) {
      throw new StaleOperationError(`Operation ${operation.id} was sent by somebody else`);
    }
    tx.countSend(operation.id, request.phase);
    const plan = planWith(operation.plan, {
      again: undefined,
      answer: undefined,
      dispatchedMs: context.clock.nowMs(),
    });
    return tx.updateOperation(operation, { plan });
  });
}

async function answered(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  { outcome, signal }: { readonly outcome: PostOutcome; readonly signal: AbortSignal },
): Promise<Step> {
  const quote = outcome.kind === "answered" ? quoteIn(outcome.body, operation) : undefined;
  // Whatever else an answer says, it is the quote that tells what happened.
  if (quote !== undefined) return await seen(context, leg, operation, { quote, signal });
  const answer = answerOf(outcome);
  commit(context, operation, (tx) =>
    tx.updateOperation(operation, {
      plan: planWith(operation.plan, { answer }),
      nextAtMs: context.clock.nowMs(),
    }));
  return "again";
}

function quoteIn(body: unknown, operation: LegOperation): MeltQuote | undefined {
  try {
    const quote = readMeltQuote(body);
    const isOurs = quote.quoteId === quoteOfLeg(operation).quoteId;
    return isOurs && quote.state !== "UNPAID" ? quote : undefined;
  } catch {
    return undefined;
  }
}

function answerOf(outcome: PostOutcome): LegAnswer {
  switch (outcome.kind) {
    case "refused":
      return { kind: "refused", code: outcome.code };
    case "limited":
      return { kind: "limited", retryAfterMs: outcome.retryAfterMs };
    case "answered":
    case "unknown":
      return { kind: "unknown" };
    default:
      return unreachable(outcome);
  }
}

/** Whether the quotes would not last long enough for a payment that begins now. */
export function isTooLate(context: SagaContext, leg: Leg, operation: LegOperation): boolean {
  const beforeMs = leg.sendBeforeMs(operation);
  return beforeMs !== undefined && context.clock.nowMs() > beforeMs;
}

function tooLate(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  refusedCode: number | undefined,
): Step {
  if (refusedCode === undefined && operation.plan.requoteCount < REQUOTES_MAX) {
    return requote(context, leg, operation);
  }
  return release(context, leg, { operation, reason: "the quote went stale before it was paid" });
}
