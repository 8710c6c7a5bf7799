/** The swap that makes the exact sum before a melt, so that little is locked up while it takes its time. */
import { assert, unreachable } from "../../src/core/assert.ts";
import { exchange } from "../outputs/exchange.ts";
import type { ExchangeOutcome } from "../outputs/exchange_types.ts";
import { outputCountOf, planOutputs } from "../outputs/planning.ts";
import { swapBody } from "../outputs/requests.ts";
import type { WalletTransaction } from "../store/wallet_store.ts";
import type { Keyset } from "../types.ts";
import { PLAN_ROUNDS_MAX } from "./limits.ts";
import { forgetSpent } from "./lost_inputs.ts";
import {
  commitLeg,
  type Leg,
  type LegOperation,
  release,
  reservedInputs,
  sumOf,
} from "./melt_leg.ts";
import { isOutputReuse, isPlannedAnew } from "./melt_refusals.ts";
import { skipCounters } from "./refusals.ts";
import type { SagaContext, Step } from "./saga.ts";
import { blockMint, phaseName, postpone } from "./transition.ts";

/** prepared → splitting, or once more after a refusal: outputs, counters and the request in one commit. */
export async function freezeSplit(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  options: { readonly signal: AbortSignal; readonly refusedCode?: number },
): Promise<Step> {
  const { signal, refusedCode } = options;
  const { split } = operation.plan.funds ?? {};
  assert(split !== undefined, "a leg that splits knows into what");
  const keyset = await context.mints.of(operation.mint)
    .activeKeyset({ signal, fresh: refusedCode !== undefined });
  const inputs = reservedInputs(context.store, operation);
  const sum = BigInt(split.sumSat);
  const kept = sumOf(inputs) - BigInt(split.feeSat) - sum;
  assert(kept >= 0n, "what is split covers the sum and its fee");
  const round = operation.plan.splitRound + 1;
  return commitLeg(context, leg, {
    operation,
    event: "split-frozen",
    change: { plan: { splitRound: round } },
    also: (tx) => {
      if (refusedCode !== undefined) voidRound(tx, operation, refusedCode);
      const phase = phaseName("split", round);
      const outputs = [
        ...derived(tx, context, keyset, { amount: sum, role: "send" }),
        ...derived(tx, context, keyset, { amount: kept, role: "keep" }),
      ];
      tx.insertOutputs(operation.id, phase, { mint: operation.mint, outputs });
      const body = swapBody({ inputs, outputs });
      tx.freezeRequest({ operationId: operation.id, phase, path: "/v1/swap", body });
    },
  });
}

/** Outputs of `amount` on counters that are taken in the same transaction. */
export function derived(
  tx: WalletTransaction,
  context: SagaContext,
  keyset: Keyset,
  wanted: { readonly amount: bigint; readonly role: "send" | "keep" | "receive" },
): ReturnType<typeof planOutputs> {
  const count = outputCountOf(wanted.amount, keyset);
  if (count === 0) return [];
  const firstCounter = tx.takeCounters(keyset.id, count);
  return planOutputs({ ...wanted, keyset, keys: context.keys, firstCounter });
}

/** splitting → ready, or a wait, or another plan. */
export async function runSplit(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  signal: AbortSignal,
): Promise<Step> {
  const phase = phaseName("split", operation.plan.splitRound);
  const outcome = await exchange(context, operation, phase, { signal });
  switch (outcome.kind) {
    case "signed":
      return finishSplit(context, leg, operation, outcome);
    case "wait":
      postpone(context, operation, waitOf(outcome));
      return "rest";
    case "outputs-used":
      if (operation.plan.splitRound < PLAN_ROUNDS_MAX) {
        return await freezeSplit(context, leg, operation, { signal, refusedCode: 11003 });
      }
      return release(context, leg, {
        operation,
        reason: `${operation.mint} says of every output that it was used before`,
      });
    case "refused":
      if (isPlannedAnew(outcome.code) && operation.plan.splitRound < PLAN_ROUNDS_MAX) {
        return await freezeSplit(context, leg, operation, { signal, refusedCode: outcome.code });
      }
      return release(context, leg, {
        operation,
        reason: `${operation.mint} refused to swap what would pay (code ${outcome.code})`,
      });
    case "inputs-spent":
      return await forgetSpent(operation, context, { signal, left: outcome.left ?? [] });
    case "dishonest":
      blockMint(context, operation, { mint: operation.mint, reason: outcome.reason });
      return "rest";
    default:
      return unreachable(outcome);
  }
}

/** How to wait for an exchange. */
export function waitOf(
  outcome: Extract<ExchangeOutcome, { kind: "wait" }>,
): { readonly reason: string; readonly leastMs?: number } {
  const { reason, retryMs } = outcome;
  return { reason, ...(retryMs === undefined ? {} : { leastMs: retryMs }) };
}

function voidRound(tx: WalletTransaction, operation: LegOperation, code: number): void {
  const round = operation.plan.splitRound;
  const outputs = tx.outputs(operation.id, phaseName("split", round));
  tx.markOutputs(outputs.map((output) => output.blinded), "void");
  if (isOutputReuse(code)) skipCounters(tx, outputs, round);
}

function finishSplit(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  { proofs }: Extract<ExchangeOutcome, { kind: "signed" }>,
): Step {
  const inputs = reservedInputs(context.store, operation);
  const fee = sumOf(inputs) - sumOf(proofs);
  assert(fee >= 0n, "a swap makes no money");
  const { mint, id } = operation;
  return commitLeg(context, leg, {
    operation,
    event: "split-signed",
    change: { fee: operation.fee + fee },
    also: (tx) => {
      tx.moveProofs(inputs.map((proof) => proof.y), "spent");
      const sent = proofs.filter((proof) => proof.role === "send");
      const kept = proofs.filter((proof) => proof.role !== "send");
      tx.insertProofs(sent, { mint, state: "reserved", operationId: id });
      tx.insertProofs(kept, { mint, state: "free" });
      tx.markOutputs(proofs.map((proof) => proof.blinded), "signed");
      tx.addLedger(feeEntries(context, operation, fee));
    },
  });
}

/** The ledger's entry for a fee, if there is one. */
export function feeEntries(
  context: SagaContext,
  operation: LegOperation,
  fee: bigint,
): Parameters<WalletTransaction["addLedger"]>[0] {
  if (fee === 0n) return [];
  const { id: operationId, mint } = operation;
  return [{ operationId, mint, kind: "fee", delta: -fee, atMs: context.clock.nowMs() }];
}
