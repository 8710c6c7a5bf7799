/** The second part of sending: a token is out there until it is redeemed or taken back. */
import { createHash } from "node:crypto";
import { unreachable } from "../../src/core/assert.ts";
import { schnorrSign } from "../cashu.ts";
import { exchange } from "../outputs/exchange.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import { outputCountOf, planOutputs } from "../outputs/planning.ts";
import { swapBody } from "../outputs/requests.ts";
import { inputFee } from "../selection/fees.ts";
import { termsOf } from "../selection/terms.ts";
import type { ProofRecord } from "../store/wallet_store.ts";
import { LAZY } from "./backoff.ts";
import { PLAN_ROUNDS_MAX } from "./limits.ts";
import type { Operation } from "./operation.ts";
import { isKeysetRefusal, skipCounters } from "./refusals.ts";
import type { SagaContext, Step } from "./saga.ts";
import { reclaimableFromMs, type SendPlan, tokenProofs } from "./send_plan.ts";
import { sumOf } from "./send_prepare.ts";
import { blockMint, commit, needAttention, phaseName, postpone } from "./transition.ts";

/** token-ready or delivered → claimed, reclaim-inflight, or a wait. */
export async function watch(
  operation: Operation<SendPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const nowMs = context.clock.nowMs();
  if (operation.nextAtMs !== undefined && operation.nextAtMs > nowMs) return "rest";
  const proofs = tokenProofs(context, operation);
  const states = await context.mints.of(operation.mint).checkStates(
    proofs.map((proof) => proof.y),
    { signal },
  );
  const left = proofs.filter((_, index) => states[index]!.state !== "SPENT");
  if (left.length === 0) return claimed(operation, context, proofs);
  if (states.some((one) => one.state === "PENDING")) {
    postpone(context, operation, { reason: "is being redeemed" });
    return "rest";
  }
  const fromMs = reclaimableFromMs(operation.plan);
  const isLocked = operation.plan.lock !== undefined;
  if (fromMs <= nowMs && (operation.plan.wantsReclaim === true || isLocked)) {
    return await planReclaim(operation, context, { proofs: left, signal });
  }
  rest(operation, context);
  return "rest";
}

/** Looks again later; at the locktime at the latest, when there is something to do. */
function rest(operation: Operation<SendPlan>, context: SagaContext): void {
  const later = postpone(context, operation, { reason: "waits to be redeemed", backoff: LAZY });
  const fromMs = reclaimableFromMs(operation.plan);
  if (operation.plan.lock === undefined || fromMs >= (later.nextAtMs ?? 0)) return;
  context.store.transact((tx) => tx.updateOperation(later, { nextAtMs: fromMs }));
}

function claimed(
  operation: Operation<SendPlan>,
  context: SagaContext,
  proofs: readonly ProofRecord[],
): Step {
  commit(context, operation, (tx) => {
    const gone = proofs.filter((proof) => proof.state !== "spent").map((proof) => proof.y);
    tx.moveProofs(gone, "spent", operation.id);
    tx.updateOperation(operation, {
      state: "claimed",
      status: "done",
      nextAtMs: null,
      reason: null,
    });
  });
  return "again";
}

/** → reclaim-inflight with `proofs`, those of the token that are not spent. */
async function planReclaim(
  operation: Operation<SendPlan>,
  context: SagaContext,
  options: { readonly proofs: readonly ProofRecord[]; readonly signal: AbortSignal },
): Promise<Step> {
  const { proofs, signal } = options;
  const { plan, id, mint } = operation;
  const api = context.mints.of(mint);
  const keyset = await api.activeKeyset({ signal, fresh: plan.isStale === true });
  const terms = termsOf(await api.keysets({ signal }), { nowMs: context.clock.nowMs() });
  const worth = sumOf(proofs) - inputFee(proofs, terms.feePpkOf);
  if (worth <= 0n) {
    const { wantsReclaim: _, ...rest } = plan;
    context.store.transact((tx) =>
      tx.updateOperation(operation, {
        plan: rest,
        nextAtMs: context.clock.nowMs() + LAZY.capMs,
        reason: "taking it back would cost what it is worth",
      })
    );
    return "rest";
  }
  // Signed once, before it is written down: a second signature would be another request (R2).
  const inputs = plan.lock === undefined
    ? proofs
    : signedForRefund(proofs, context.keys.payment.secretKey);
  const reclaimRound = plan.reclaimRound + 1;
  const phase = phaseName("reclaim", reclaimRound);
  commit(context, operation, (tx) => {
    const firstCounter = tx.takeCounters(keyset.id, outputCountOf(worth, keyset));
    const outputs = planOutputs({
      amount: worth,
      role: "keep",
      keyset,
      keys: context.keys,
      firstCounter,
    });
    tx.insertOutputs(id, phase, { mint, outputs });
    tx.freezeRequest({
      operationId: id,
      phase,
      path: "/v1/swap",
      body: swapBody({ inputs, outputs }),
    });
    const left = new Set(proofs.map((proof) => proof.y));
    const gone = (plan.tokenYs ?? []).filter((y) => !left.has(y));
    tx.moveProofs(gone, "spent", id);
    tx.updateOperation(operation, {
      state: "reclaim-inflight",
      plan: {
        ...plan,
        reclaimRound,
        isStale: false,
        tokenYs: (plan.tokenYs ?? []).filter((y) => left.has(y)),
      },
      nextAtMs: context.clock.nowMs(),
      reason: null,
    });
  });
  return "again";
}

/**
 * With the witness that the refund key gives (NUT-11, SIG_INPUTS as we lock). cashu-ts would look at
 * the machine's clock whether the locktime has passed; here the wallet's clock did, and the mint's will.
 */
function signedForRefund(proofs: readonly ProofRecord[], secretKey: string): ProofRecord[] {
  return proofs.map((proof) => {
    const digest = createHash("sha256").update(proof.secret).digest();
    return { ...proof, witness: JSON.stringify({ signatures: [schnorrSign(digest, secretKey)] }) };
  });
}

/** reclaim-inflight → reclaimed, claimed, delivered (to look again), or a wait. */
export async function reclaim(
  operation: Operation<SendPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { plan } = operation;
  const outcome = await exchange(context, operation, phaseName("reclaim", plan.reclaimRound), {
    signal,
  });
  switch (outcome.kind) {
    case "signed":
      return reclaimed(operation, context, outcome.proofs);
    case "wait":
      postpone(context, operation, {
        reason: outcome.reason,
        ...(outcome.retryMs === undefined ? {} : { leastMs: outcome.retryMs }),
      });
      return "rest";
    case "inputs-spent":
      // Somebody was faster with all of it or a part: looking at each proof tells.
      return lookAgain(operation, context, { reason: "somebody redeemed it first", waitMs: 0 });
    case "outputs-used":
      return lookAgain(operation, context, {
        reason: "counters were used before",
        waitMs: plan.reclaimRound < PLAN_ROUNDS_MAX ? 0 : LAZY.capMs,
        skip: true,
      });
    case "refused":
      if (plan.reclaimRound >= PLAN_ROUNDS_MAX) {
        needAttention(
          context,
          operation,
          `the mint refuses to take the token back (code ${outcome.code})`,
        );
        return "rest";
      }
      return lookAgain(operation, context, {
        reason: `the mint refused to take it back (code ${outcome.code})`,
        waitMs: isKeysetRefusal(outcome.code) ? 0 : LAZY.firstMs * 2 ** plan.reclaimRound,
      });
    case "dishonest":
      blockMint(context, operation, { mint: operation.mint, reason: outcome.reason });
      return "rest";
    default:
      return unreachable(outcome);
  }
}

function reclaimed(
  operation: Operation<SendPlan>,
  context: SagaContext,
  proofs: readonly SignedProof[],
): Step {
  const { id, mint } = operation;
  const token = tokenProofs(context, operation);
  const sum = sumOf(token);
  const fee = sum - sumOf(proofs);
  const atMs = context.clock.nowMs();
  commit(context, operation, (tx) => {
    tx.moveProofs(token.map((proof) => proof.y), "spent", id);
    tx.insertProofs(proofs, { mint, state: "free" });
    tx.markOutputs(proofs.map((proof) => proof.blinded), "signed");
    tx.addLedger([
      { operationId: id, mint, kind: "reclaim", delta: sum, atMs },
      ...(fee === 0n ? [] : [{ operationId: id, mint, kind: "fee" as const, delta: -fee, atMs }]),
    ]);
    tx.updateOperation(operation, {
      state: "reclaimed",
      status: "done",
      fee: operation.fee + fee,
      nextAtMs: null,
      reason: null,
    });
  });
  return "again";
}

/** Nothing came of the reclaim, conclusively: its outputs are void, and the token is looked at again. */
function lookAgain(
  operation: Operation<SendPlan>,
  context: SagaContext,
  options: { readonly reason: string; readonly waitMs: number; readonly skip?: boolean },
): Step {
  const { plan } = operation;
  commit(context, operation, (tx) => {
    const outputs = tx.outputs(operation.id, phaseName("reclaim", plan.reclaimRound));
    tx.markOutputs(outputs.map((output) => output.blinded), "void");
    if (options.skip) skipCounters(tx, outputs, plan.reclaimRound);
    tx.updateOperation(operation, {
      state: "delivered",
      plan: { ...plan, isStale: true },
      nextAtMs: context.clock.nowMs() + options.waitMs,
      reason: options.reason,
    });
  });
  return options.waitMs === 0 ? "again" : "rest";
}
