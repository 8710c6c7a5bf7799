/** Taking back ecash that was given away and not redeemed, for every kind that gives some. */
import { createHash } from "node:crypto";
import { unreachable } from "../../src/core/assert.ts";
import { schnorrSign } from "../cashu.ts";
import { exchange } from "../outputs/exchange.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import { outputCountOf, type OutputLock, planOutputs } from "../outputs/planning.ts";
import { swapBody } from "../outputs/requests.ts";
import { inputFee } from "../selection/fees.ts";
import { termsOf } from "../selection/terms.ts";
import type { ProofRecord, WalletTransaction } from "../store/wallet_store.ts";
import type { PlannedOutput, Proof } from "../types.ts";
import { LAZY } from "./backoff.ts";
import { LOCKTIME_SKEW_MS, PLAN_ROUNDS_MAX } from "./limits.ts";
import type { Operation } from "./operation.ts";
import { isKeysetRefusal, skipCounters } from "./refusals.ts";
import type { SagaContext, Step } from "./saga.ts";
import { sumOf } from "./sums.ts";
import { blockMint, commit, needAttention, phaseName, postpone } from "./transition.ts";

/** What every plan has whose ecash can be taken back. */
export interface ReclaimPlan {
  readonly lock?: OutputLock;
  /** Swaps that take it back, frozen so far. */
  readonly reclaimRound: number;
  /** The mint refused for its keysets or fees: ask for them anew. */
  readonly isStale?: boolean;
}

/** When what is locked so can be taken back: at once unless it is locked. */
export function refundableFromMs(lock: OutputLock | undefined): number {
  if (lock === undefined) return 0;
  const { locktimeS, refundKey } = lock;
  if (locktimeS === undefined || refundKey === undefined) return Infinity;
  return locktimeS * 1000 + LOCKTIME_SKEW_MS;
}

/**
 * → reclaim-inflight with `proofs`, those that are not spent; or a long rest, when that would cost what
 * they are worth.
 */
export async function planReclaim<Plan extends ReclaimPlan>(
  operation: Operation<Plan>,
  context: SagaContext,
  options: {
    readonly proofs: readonly ProofRecord[];
    readonly signal: AbortSignal;
    /** The plan, once it is under way. */
    readonly planned: (plan: Plan) => Plan;
    /** The plan, when it is not worth while. */
    readonly dropped: (plan: Plan) => Plan;
    /** What else is known by now, in the same transaction. */
    readonly learn: (tx: WalletTransaction) => void;
    /** Signs for SIG_ALL, over the outputs. @default {each proof is signed by the refund key} */
    readonly sign?: (
      proofs: readonly ProofRecord[],
      outputs: readonly PlannedOutput[],
    ) => readonly Proof[];
  },
): Promise<Step> {
  const { proofs, signal } = options;
  const { plan, id, mint } = operation;
  const api = context.mints.of(mint);
  const keyset = await api.activeKeyset({ signal, fresh: plan.isStale === true });
  const terms = termsOf(await api.keysets({ signal }), { nowMs: context.clock.nowMs() });
  const worth = sumOf(proofs) - inputFee(proofs, terms.feePpkOf);
  if (worth <= 0n) {
    context.store.transact((tx) =>
      tx.updateOperation(operation, {
        plan: options.dropped(plan),
        nextAtMs: context.clock.nowMs() + LAZY.capMs,
        reason: "taking it back would cost what it is worth",
      })
    );
    return "rest";
  }
  // Signed once, before it is written down: a second signature would be another request (R2).
  const signed = plan.lock === undefined || options.sign !== undefined
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
    const inputs = options.sign?.(proofs, outputs) ?? signed;
    tx.insertOutputs(id, phase, { mint, outputs });
    tx.freezeRequest({
      operationId: id,
      phase,
      path: "/v1/swap",
      body: swapBody({ inputs, outputs }),
    });
    options.learn(tx);
    tx.updateOperation(operation, {
      state: "reclaim-inflight",
      plan: { ...options.planned(plan), reclaimRound, isStale: false },
      nextAtMs: context.clock.nowMs(),
      reason: null,
    });
  });
  return "again";
}

/** Books that `back` is ours again as `proofs`, less the fee, and ends the operation as `state`. */
export function endTakenBack(
  tx: WalletTransaction,
  operation: Operation,
  taken: {
    readonly back: readonly ProofRecord[];
    readonly proofs: readonly SignedProof[];
    readonly state: string;
    readonly atMs: number;
  },
): void {
  const { id: operationId, mint } = operation;
  const { back, proofs, state, atMs } = taken;
  const sum = sumOf(back);
  const fee = sum - sumOf(proofs);
  tx.insertProofs(proofs, { mint, state: "free" });
  tx.markOutputs(proofs.map((proof) => proof.blinded), "signed");
  tx.addLedger([
    { operationId, mint, kind: "reclaim", delta: sum, atMs },
    ...(fee === 0n ? [] : [{ operationId, mint, kind: "fee" as const, delta: -fee, atMs }]),
  ]);
  tx.updateOperation(operation, {
    state,
    status: "done",
    fee: operation.fee + fee,
    nextAtMs: null,
    reason: null,
  });
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

/** reclaim-inflight → what `finish` makes of it, `lookAt` (to look again), or a wait. */
export async function settleReclaim<Plan extends ReclaimPlan>(
  operation: Operation<Plan>,
  context: SagaContext,
  options: {
    readonly signal: AbortSignal;
    readonly finish: (proofs: readonly SignedProof[]) => Step;
    /** The state in which each proof is looked at. */
    readonly lookAt: string;
  },
): Promise<Step> {
  const { plan } = operation;
  const { signal, finish, lookAt } = options;
  const outcome = await exchange(context, operation, phaseName("reclaim", plan.reclaimRound), {
    signal,
  });
  switch (outcome.kind) {
    case "signed":
      return finish(outcome.proofs);
    case "wait":
      postpone(context, operation, {
        reason: outcome.reason,
        ...(outcome.retryMs === undefined ? {} : { leastMs: outcome.retryMs }),
      });
      return "rest";
    case "inputs-spent":
      // Somebody was faster with all of it or a part: looking at each proof tells.
      return lookAgain(operation, context, {
        state: lookAt,
        reason: "somebody redeemed it first",
        waitMs: 0,
      });
    case "outputs-used":
      return lookAgain(operation, context, {
        state: lookAt,
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
        state: lookAt,
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

/** Nothing came of the reclaim, conclusively: its outputs are void, and the token is looked at again. */
function lookAgain<Plan extends ReclaimPlan>(
  operation: Operation<Plan>,
  context: SagaContext,
  options: {
    readonly state: string;
    readonly reason: string;
    readonly waitMs: number;
    readonly skip?: boolean;
  },
): Step {
  const { plan } = operation;
  commit(context, operation, (tx) => {
    const outputs = tx.outputs(operation.id, phaseName("reclaim", plan.reclaimRound));
    tx.markOutputs(outputs.map((output) => output.blinded), "void");
    if (options.skip) skipCounters(tx, outputs, plan.reclaimRound);
    tx.updateOperation(operation, {
      state: options.state,
      plan: { ...plan, isStale: true },
      nextAtMs: context.clock.nowMs() + options.waitMs,
      reason: options.reason,
    });
  });
  return options.waitMs === 0 ? "again" : "rest";
}
