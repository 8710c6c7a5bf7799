/** Lightning in: ecash from a mint quote that somebody pays (NUT-04, NUT-20). */
import { unreachable } from "../../src/core/assert.ts";
import { exchange } from "../outputs/exchange.ts";
import type { ExchangeOutcome, SignedProof } from "../outputs/exchange_types.ts";
import { outputCountOf, planOutputs } from "../outputs/planning.ts";
import { mintBody } from "../outputs/requests.ts";
import { POLL } from "./backoff.ts";
import type { FundPlan, FundState } from "./fund_plan.ts";
import { askQuote, lookForPayment, quoteOf } from "./fund_quote.ts";
import { PLAN_ROUNDS_MAX } from "./limits.ts";
import type { Operation } from "./operation.ts";
import { isKeysetRefusal, skipCounters, UNPAID } from "./refusals.ts";
import type { Saga, SagaContext, Step } from "./saga.ts";
import { blockMint, commit, needAttention, phaseName, postpone } from "./transition.ts";

/** The saga of {@link FundPlan}. */
export const fundSaga: Saga = {
  kind: "fund",
  step(operation, context, { signal }) {
    const fund = operation as Operation<FundPlan>;
    const state = fund.state as FundState;
    switch (state) {
      case "intent":
        return askQuote(fund, context, signal);
      case "quoted":
      case "awaiting-payment":
        return lookForPayment(fund, context, signal);
      case "paid":
        return planIssue(fund, context, signal);
      case "issuing":
        return issue(fund, context, signal);
      case "done":
      case "failed":
        return Promise.resolve("rest");
      default:
        return unreachable(state);
    }
  },
};

/** paid → issuing: outputs, counters and the request in one commit. */
async function planIssue(
  operation: Operation<FundPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const mint = context.mints.of(operation.mint);
  const keyset = await mint.activeKeyset({ signal, fresh: operation.plan.stale === true });
  const quote = quoteOf(context, operation);
  const key = context.keys.quoteKey(quote.keyIndex ?? 0);
  const round = operation.plan.round + 1;
  const phase = phaseName("mint", round);
  commit(context, operation, (tx) => {
    const count = outputCountOf(operation.amount, keyset);
    const outputs = planOutputs({
      amount: operation.amount,
      role: "receive",
      keyset,
      keys: context.keys,
      firstCounter: tx.takeCounters(keyset.id, count),
    });
    tx.insertOutputs(operation.id, phase, { mint: operation.mint, outputs });
    tx.freezeRequest({
      operationId: operation.id,
      phase,
      path: "/v1/mint/bolt11",
      ...mintBody({ quoteId: quote.quoteId, outputs, key }),
    });
    tx.updateOperation(operation, {
      state: "issuing",
      plan: { ...operation.plan, round, stale: false },
      nextAtMs: context.clock.nowMs(),
      reason: null,
    });
  });
  return "again";
}

/** issuing → done, paid (for a new plan), or a wait. */
async function issue(
  operation: Operation<FundPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const phase = phaseName("mint", operation.plan.round);
  const outcome = await exchange(context, operation, phase, { signal });
  switch (outcome.kind) {
    case "signed":
      finish(operation, context, outcome.proofs);
      return "again";
    case "wait":
      postpone(context, operation, {
        reason: outcome.reason,
        ...(outcome.retryMs === undefined ? {} : { leastMs: outcome.retryMs }),
      });
      return "rest";
    case "refused":
      return afterRefusal(operation, context, outcome);
    case "inputs-spent":
      return issuedElsewhere(operation, context, outcome.left);
    case "outputs-used":
      return planAnew(operation, context, { reason: "counters were used before", skip: true });
    case "dishonest":
      blockMint(context, operation, { mint: operation.mint, reason: outcome.reason });
      return "rest";
    default:
      return unreachable(outcome);
  }
}

function finish(
  operation: Operation<FundPlan>,
  context: SagaContext,
  proofs: readonly SignedProof[],
): void {
  const quote = quoteOf(context, operation);
  commit(context, operation, (tx) => {
    tx.insertProofs(proofs, { mint: operation.mint, state: "free" });
    tx.markOutputs(proofs.map((proof) => proof.blinded), "signed");
    tx.putQuote({ ...quote, state: "ISSUED" });
    tx.addLedger([{
      operationId: operation.id,
      mint: operation.mint,
      kind: "fund",
      delta: operation.amount,
      atMs: context.clock.nowMs(),
    }]);
    tx.updateOperation(operation, { state: "done", status: "done", nextAtMs: null, reason: null });
  });
}

/** The quote is paid, so that a refusal never ends the operation: it waits, plans anew, or asks a person. */
function afterRefusal(
  operation: Operation<FundPlan>,
  context: SagaContext,
  { code }: Extract<ExchangeOutcome, { kind: "refused" }>,
): Step {
  if (UNPAID.includes(code)) {
    postpone(context, operation, {
      reason: `the mint does not see the payment that it saw before (code ${code})`,
      backoff: POLL,
    });
    return "rest";
  }
  if (isKeysetRefusal(code)) {
    return planAnew(operation, context, { reason: `the mint refused with code ${code}` });
  }
  needAttention(
    context,
    operation,
    `the invoice is paid, and the mint refuses to issue (code ${code}); "wallet resume" asks again`,
  );
  return "rest";
}

/**
 * issuing → paid: nothing was signed, conclusively, so that other outputs may be asked for. After some
 * plans in a row a person looks, who may let it go on.
 */
function planAnew(
  operation: Operation<FundPlan>,
  context: SagaContext,
  options: { readonly reason: string; readonly skip?: boolean },
): Step {
  const { plan } = operation;
  const isTooOften = plan.round % PLAN_ROUNDS_MAX === 0;
  const planned = commit(context, operation, (tx) => {
    const outputs = tx.outputs(operation.id, phaseName("mint", plan.round));
    tx.markOutputs(outputs.map((output) => output.blinded), "void");
    if (options.skip) skipCounters(tx, outputs, plan.round);
    return tx.updateOperation(operation, {
      state: "paid",
      plan: { ...plan, stale: true },
      nextAtMs: context.clock.nowMs(),
      reason: `planned anew: ${options.reason}`,
    });
  });
  if (!isTooOften) return "again";
  needAttention(
    context,
    planned,
    `the invoice is paid, and every plan was refused: ${options.reason}; "wallet resume" goes on`,
  );
  return "rest";
}

/** The quote was issued to another copy of this wallet, which has spent what it got or kept it. */
function issuedElsewhere(
  operation: Operation<FundPlan>,
  context: SagaContext,
  left: readonly SignedProof[] = [],
): Step {
  const { id, mint, plan, amount } = operation;
  const sum = left.reduce((total, proof) => total + proof.amount, 0n);
  const atMs = context.clock.nowMs();
  commit(context, operation, (tx) => {
    tx.insertProofs(left, { mint, state: "free" });
    tx.markOutputs(left.map((proof) => proof.blinded), "signed");
    if (sum > 0n) {
      tx.addLedger([{ operationId: id, mint, kind: "fund", delta: sum, atMs }]);
    }
    const others = tx.outputs(id, phaseName("mint", plan.round))
      .filter((output) => output.state === "planned");
    tx.markOutputs(others.map((output) => output.blinded), "void");
    tx.updateOperation(operation, {
      state: "failed",
      status: "failed",
      nextAtMs: null,
      reason: sum === 0n
        ? 'another copy of this wallet was given the ecash; "wallet restore" finds what is left of it'
        : `another copy of this wallet was given the ecash and spent some: ${sum} sat of ${amount} are here`,
    });
  });
  return "rest";
}
