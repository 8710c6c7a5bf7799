/** A swap after its source has paid: forward only, until the destination's ecash is here. */
import { assert, unreachable } from "../../src/core/assert.ts";
import { exchange } from "../outputs/exchange.ts";
import type { ExchangeOutcome, SignedProof } from "../outputs/exchange_types.ts";
import { routeAfterSuccess } from "../routes/mod.ts";
import type { WalletTransaction } from "../store/wallet_store.ts";
import { backoffMs, POLL } from "./backoff.ts";
import { PLAN_ROUNDS_MAX } from "./limits.ts";
import { settleChange, tryChange } from "./melt_change.ts";
import { hold } from "./melt_patience.ts";
import { isOutputReuse, isPlannedAnew } from "./melt_refusals.ts";
import { skipCounters, UNPAID } from "./refusals.ts";
import type { SagaContext, Step } from "./saga.ts";
import { destinationOf } from "./swap_plan.ts";
import { freezeMint } from "./swap_source.ts";
import { moveSwap, type SwapOperation, writeSwap } from "./swap_write.ts";
import { blockMint, needAttention, phaseName } from "./transition.ts";

/** source-paid → awaiting-dest: the source's change never holds the destination up. */
export function leaveSource(operation: SwapOperation, context: SagaContext): Promise<Step> {
  moveSwap(context, operation, "source-settled");
  return Promise.resolve("again");
}

/** awaiting-dest → issuing, when the destination has seen the payment. Until then: for ever. */
export async function awaitDestination(
  operation: SwapOperation,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const peerMint = destinationOf(operation);
  const { dest, change } = operation.plan;
  assert(dest !== undefined, "a destination that is paid has a quote");
  const quote = await context.mints.of(peerMint).mintQuote(dest.quoteId, { signal });
  const known = context.store.quote(peerMint, dest.quoteId);
  if (quote.state !== "UNPAID") {
    moveSwap(context, operation, "dest-paid", {
      also: (tx) => {
        if (known !== undefined) tx.putQuote({ ...known, state: quote.state });
      },
    });
    return "again";
  }
  hold(context, operation, `${operation.mint} has paid, and ${peerMint} has not seen it yet`);
  if (change?.state === "due") await tryChange(context, operation.id, signal);
  return "rest";
}

/** issuing → completed or change-due: the frozen request, replayed or restored. */
export async function issueDestination(
  operation: SwapOperation,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const peerMint = destinationOf(operation);
  const phase = phaseName("mint", operation.plan.mintRound);
  const outcome = await exchange(context, operation, phase, { signal });
  switch (outcome.kind) {
    case "signed":
      arrive(operation, context, outcome.proofs);
      return "again";
    case "wait":
      hold(context, operation, outcome.reason, outcome.retryMs);
      return "rest";
    case "refused":
      return await afterRefusal(operation, context, { outcome, signal });
    case "outputs-used":
      return await planAnew(operation, context, { code: 11003, signal });
    case "inputs-spent":
      // What is left of it is for a restore to find, which leaves planned outputs to their operations.
      context.store.transact((tx) => {
        const outputs = tx.outputs(operation.id, phase);
        tx.markOutputs(outputs.map((output) => output.blinded), "void");
      });
      needAttention(
        context,
        operation,
        `${peerMint} says that it issued this ecash, and cannot give it again; "wallet restore" may find it`,
      );
      return "rest";
    case "dishonest":
      blockMint(context, operation, { mint: peerMint, reason: outcome.reason });
      return "rest";
    default:
      return unreachable(outcome);
  }
}

/** The destination's ecash comes in, and the route hears of it if nothing else is due. */
function arrive(
  operation: SwapOperation,
  context: SagaContext,
  proofs: readonly SignedProof[],
): void {
  const mint = destinationOf(operation);
  const { dest, change } = operation.plan;
  const issuedMs = context.clock.nowMs();
  const isWhole = change?.state !== "due";
  const arrived = { ...operation, plan: { ...operation.plan, issuedMs } };
  moveSwap(context, operation, isWhole ? "issued" : "issued-change-due", {
    plan: { issuedMs, isAlerted: undefined },
    also: (tx) => {
      tx.insertProofs(proofs, { mint, state: "free" });
      tx.markOutputs(proofs.map((proof) => proof.blinded), "signed");
      const quote = dest === undefined ? undefined : tx.quote(mint, dest.quoteId);
      if (quote !== undefined) tx.putQuote({ ...quote, state: "ISSUED" });
      tx.addLedger([{
        operationId: operation.id,
        mint,
        kind: "swap-in",
        delta: operation.amount,
        atMs: issuedMs,
      }]);
      if (isWhole) noteSuccess(tx, arrived, operation.fee);
    },
  });
}

/** The source has paid, so that a refusal never ends the swap. */
async function afterRefusal(
  operation: SwapOperation,
  context: SagaContext,
  options: {
    readonly outcome: Extract<ExchangeOutcome, { kind: "refused" }>;
    readonly signal: AbortSignal;
  },
): Promise<Step> {
  const { outcome: { code }, signal } = options;
  const { conflictCount } = operation.plan;
  if (UNPAID.includes(code)) {
    moveSwap(context, operation, "dest-unpaid", {
      plan: { conflictCount: conflictCount + 1 },
      reason: `${operation.peerMint} does not see the payment (code ${code})`,
      nextAtMs: context.clock.nowMs() + backoffMs(POLL, conflictCount, context.random),
    });
    return "rest";
  }
  if (isPlannedAnew(code)) {
    return await planAnew(operation, context, { code, signal });
  }
  needAttention(
    context,
    operation,
    `${operation.mint} has paid, and ${operation.peerMint} refuses to issue (code ${code}); "wallet resume" asks again`,
  );
  return "rest";
}

/**
 * issuing → issuing: other outputs, after the destination said that it signed none of the last. After
 * some of them in a row a person looks, who may let it go on.
 */
async function planAnew(
  operation: SwapOperation,
  context: SagaContext,
  options: { readonly code: number; readonly signal: AbortSignal },
): Promise<Step> {
  const { code, signal } = options;
  const keyset = await context.mints.of(destinationOf(operation))
    .activeKeyset({ signal, fresh: true });
  const { mintRound } = operation.plan;
  const round = mintRound + 1;
  moveSwap(context, operation, "mint-frozen", {
    plan: { mintRound: round },
    reason: `planned anew: ${operation.peerMint} refused with code ${code}`,
    also: (tx) => {
      const before = tx.outputs(operation.id, phaseName("mint", mintRound));
      tx.markOutputs(before.map((output) => output.blinded), "void");
      if (isOutputReuse(code)) skipCounters(tx, before, mintRound);
      freezeMint(tx, context, operation, { keyset, round });
    },
  });
  const now = context.store.operation(operation.id);
  if (mintRound % PLAN_ROUNDS_MAX !== 0 || now?.status !== "open") return "again";
  needAttention(
    context,
    now,
    `${operation.mint} has paid, and ${operation.peerMint} refuses every plan (code ${code}); "wallet resume" goes on`,
  );
  return "rest";
}

/** change-due → completed: the source's change is in, or there is none. */
export async function claimSwapChange(
  operation: SwapOperation,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  return await settleChange(context, operation, {
    signal,
    settled: (tx, change) => {
      writeSwap(tx, context, operation, "change-settled", change);
      noteSuccess(tx, operation, change.fee);
    },
  });
}

/** What the route hears of a swap that came through. */
function noteSuccess(tx: WalletTransaction, operation: SwapOperation, fee: bigint): void {
  const key = { from: operation.mint, to: destinationOf(operation) };
  const { dispatchedMs, issuedMs } = operation.plan;
  const latencyMs = issuedMs === undefined || dispatchedMs === undefined
    ? 0
    : Math.max(0, issuedMs - dispatchedMs);
  const nowMs = issuedMs ?? operation.updatedMs;
  tx.putRoute(routeAfterSuccess(key, tx.route(key.from, key.to), {
    amount: operation.amount,
    fee,
    latencyMs,
    nowMs,
  }));
}
