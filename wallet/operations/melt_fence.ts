/**
 * The fence: a swap of the inputs of a melt that the mint says it did not pay, for new ecash. `UNPAID`
 * and `UNSPENT` are snapshots: a late copy of the melt may still arrive. Once the fence is signed it
 * can never be paid; when the inputs were faster, it was.
 */
import { unreachable } from "../../src/core/assert.ts";
import { exchange } from "../outputs/exchange.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import { swapBody } from "../outputs/requests.ts";
import { inputFee } from "../selection/mod.ts";
import { backoffMs, POLL } from "./backoff.ts";
import { PLAN_ROUNDS_MAX } from "./limits.ts";
import { fundingTerms } from "./melt_funds.ts";
import {
  commitLeg,
  type Leg,
  type LegOperation,
  reservedInputs,
  sumOf,
  voidPlanned,
} from "./melt_leg.ts";
import { derived, feeEntries, waitOf } from "./melt_split.ts";
import { isOutputReuse, isPlannedAnew } from "./melt_refusals.ts";
import { skipCounters } from "./refusals.ts";
import type { SagaContext, Step } from "./saga.ts";
import { blockMint, needAttention, phaseName, postpone } from "./transition.ts";

/** unpaid → fencing, or once more after a refusal: outputs, counters and the request in one commit. */
export async function freezeFence(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  options: { readonly signal: AbortSignal; readonly refusedCode?: number },
): Promise<Step> {
  const { signal, refusedCode } = options;
  const { terms, keyset } = await fundingTerms(context.mints.of(operation.mint), {
    signal,
    nowMs: context.clock.nowMs(),
    fresh: refusedCode !== undefined,
  });
  const inputs = reservedInputs(context.store, operation);
  const amount = sumOf(inputs) - inputFee(inputs, terms.feePpkOf);
  if (amount <= 0n) {
    needAttention(
      context,
      operation,
      `${operation.mint} did not pay, and its fee for taking the ecash back is more than it is worth`,
    );
    return "rest";
  }
  const round = operation.plan.fenceRound + 1;
  return commitLeg(context, leg, {
    operation,
    event: "fence-frozen",
    change: {
      plan: { fenceRound: round },
      reason: `${operation.mint} did not pay: taking the ecash back`,
    },
    also: (tx) => {
      if (refusedCode !== undefined) {
        const before = tx.outputs(operation.id, phaseName("fence", round - 1));
        tx.markOutputs(before.map((output) => output.blinded), "void");
        if (isOutputReuse(refusedCode)) skipCounters(tx, before, round);
      }
      const phase = phaseName("fence", round);
      const outputs = derived(tx, context, keyset, { amount, role: "keep" });
      tx.insertOutputs(operation.id, phase, { mint: operation.mint, outputs });
      const body = swapBody({ inputs, outputs });
      tx.freezeRequest({ operationId: operation.id, phase, path: "/v1/swap", body });
    },
  });
}

/** fencing → failed when the fence came first, → pending when the melt did. */
export async function runFence(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  signal: AbortSignal,
): Promise<Step> {
  const { mint, plan } = operation;
  const outcome = await exchange(context, operation, phaseName("fence", plan.fenceRound), {
    signal,
  });
  switch (outcome.kind) {
    case "signed":
      return fenced(context, leg, operation, outcome.proofs);
    case "wait":
      postpone(context, operation, waitOf(outcome));
      return "rest";
    case "inputs-spent":
      return fenceLost(context, leg, operation);
    case "outputs-used":
      return await fenceAnew(context, leg, operation, { signal, refusedCode: 11003 });
    case "refused":
      if (isPlannedAnew(outcome.code)) {
        return await fenceAnew(context, leg, operation, { signal, refusedCode: outcome.code });
      }
      needAttention(
        context,
        operation,
        `${mint} did not pay, and refuses to give the ecash back (code ${outcome.code})`,
      );
      return "rest";
    case "dishonest":
      blockMint(context, operation, { mint, reason: outcome.reason });
      return "rest";
    default:
      return unreachable(outcome);
  }
}

/** Another fence, of which the mint signed none so far. After some in a row a person looks. */
async function fenceAnew(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  options: { readonly signal: AbortSignal; readonly refusedCode: number },
): Promise<Step> {
  const step = await freezeFence(context, leg, operation, options);
  const now = context.store.operation(operation.id);
  if (operation.plan.fenceRound % PLAN_ROUNDS_MAX !== 0 || now?.status !== "open") return step;
  needAttention(
    context,
    now,
    `${operation.mint} did not pay, and refuses to give the ecash back (code ${options.refusedCode}); "wallet resume" goes on`,
  );
  return "rest";
}

function fenced(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  proofs: readonly SignedProof[],
): Step {
  const inputs = reservedInputs(context.store, operation);
  const fee = sumOf(inputs) - sumOf(proofs);
  const { answer } = operation.plan;
  const code = answer?.kind === "refused" ? ` (code ${answer.code})` : "";
  return commitLeg(context, leg, {
    operation,
    event: "fenced",
    change: {
      status: "failed",
      fee: operation.fee + fee,
      reason: `${operation.mint} did not pay${code}; the ecash is back`,
    },
    also: (tx) => {
      tx.moveProofs(inputs.map((proof) => proof.y), "spent");
      tx.insertProofs(proofs, { mint: operation.mint, state: "free" });
      tx.markOutputs(proofs.map((proof) => proof.blinded), "signed");
      tx.addLedger(feeEntries(context, operation, fee));
      voidPlanned(tx, operation);
      leg.onUnpaid?.(tx, operation, context);
    },
  });
}

function fenceLost(context: SagaContext, leg: Leg, operation: LegOperation): Step {
  const { conflictCount, fenceRound } = operation.plan;
  const waitMs = conflictCount === 0 ? 0 : backoffMs(POLL, conflictCount, context.random);
  return commitLeg(context, leg, {
    operation,
    event: "fence-lost",
    change: {
      reason: "the ecash is spent: the mint must have paid after all",
      nextAtMs: context.clock.nowMs() + waitMs,
      plan: { conflictCount: conflictCount + 1 },
    },
    also: (tx) => {
      const outputs = tx.outputs(operation.id, phaseName("fence", fenceRound));
      tx.markOutputs(outputs.map((output) => output.blinded), "void");
    },
  });
}
