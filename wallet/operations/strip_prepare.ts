/** The first part of a strip: how many top-ups can be paid for, with which proofs, and the swap. */
import { assert } from "../../src/core/assert.ts";
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import { OUTPUTS_PER_REQUEST_MAX, PROOFS_PER_PAYMENT_MAX } from "../limits.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import { outputCountOf, planLocked, planOutputs } from "../outputs/planning.ts";
import { swapBody } from "../outputs/requests.ts";
import { selectFrom } from "../selection/from_store.ts";
import type { Selection } from "../selection/select.ts";
import { type KeysetTerms, termsOf } from "../selection/terms.ts";
import type { StripPart } from "../store/buying_store.ts";
import type { ProofRecord, WalletReads } from "../store/wallet_store.ts";
import type { Keyset, PlannedOutput } from "../types.ts";
import { PLAN_ROUNDS_MAX } from "./limits.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext, Step } from "./saga.ts";
import { inTokenOrder } from "./send_plan.ts";
import { assertAble, grossOf } from "./send_prepare.ts";
import { lockedUntilMs, type StripPlan } from "./strip_plan.ts";
import { refundableFromMs } from "./take_back.ts";
import { sumOf } from "./sums.ts";
import { commit, fail, failShort, phaseName, usableMint } from "./transition.ts";

/** Outputs that the change of a swap takes at most, by far: powers of two. */
const CHANGE_OUTPUTS_MAX = 50;

/** What a strip will spend. */
interface Choice {
  readonly count: number;
  readonly gross: bigint;
  readonly selection: Selection<ProofRecord>;
}

/** planned → prepared, or failed. */
export async function prepareStrip(
  operation: Operation<StripPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { plan } = operation;
  try {
    usableMint(context, operation.mint);
    assertWanted(operation, context);
    if (plan.round >= PLAN_ROUNDS_MAX) {
      return fail(context, operation, "the mint refused every plan; nothing was sent");
    }
    const mint = context.mints.of(operation.mint);
    assertAble(await mint.info({ signal }), operation);
    const keyset = await mint.activeKeyset({ signal, fresh: plan.isStale === true });
    const terms = termsOf(await mint.keysets({ signal }), { nowMs: context.clock.nowMs() });
    commit(context, operation, (tx) => {
      const { count, gross, selection } = choose(tx, operation, { keyset, terms });
      tx.reserveProofs(operation.id, selection.inputs.map((proof) => proof.y));
      tx.updateOperation(operation, {
        state: "prepared",
        amount: gross * BigInt(count),
        plan: {
          ...plan,
          isStale: false,
          count,
          grossSat: Number(gross),
          feeMaxSat: Number(selection.fee),
        },
        nextAtMs: context.clock.nowMs(),
        reason: null,
      });
    });
    return "again";
  } catch (error) {
    if (isSeedmintError(error, "payment-required")) {
      return failShort(context, operation, error.message);
    }
    if (!isSeedmintError(error, "denied")) throw error;
    return fail(context, operation, error.message);
  }
}

/** As many top-ups as there is money for. @throws {SeedmintError} `payment-required`, `denied` */
function choose(
  reads: WalletReads,
  operation: Operation<StripPlan>,
  options: { readonly keyset: Keyset; readonly terms: KeysetTerms },
): Choice {
  const { mint, plan } = operation;
  const { keyset, terms } = options;
  const gross = grossOf(BigInt(plan.netSat), keyset);
  const free = reads.balances().find((balance) => balance.mint === mint)?.free ?? 0n;
  const countMax = Math.min(plan.countMax, roomFor(gross, keyset), Number(free / gross));
  for (let count = countMax; count >= 1; count--) {
    const selection = selectFrom(reads, { ...terms, mint, amount: gross * BigInt(count) });
    if (selection === undefined) continue;
    // What redeeming them will cost their seller is paid with each of them.
    const fee = selection.fee + (gross - BigInt(plan.netSat)) * BigInt(count);
    if (plan.maxFeeSat !== undefined && fee > BigInt(plan.maxFeeSat)) {
      throw new SeedmintError(
        "denied",
        `Cannot make top-ups at ${mint}: the fees are ${fee} sat, and at most ${plan.maxFeeSat} sat are allowed`,
      );
    }
    return { count, gross, selection };
  }
  throw new SeedmintError(
    "payment-required",
    `Cannot make a top-up of ${gross} sat at ${mint}: ${free} sat are free there, which do not suffice with fees`,
  );
}

/** How many top-ups one request has room for. @throws {SeedmintError} `denied` */
export function roomFor(gross: bigint, keyset: Keyset): number {
  const proofCount = outputCountOf(gross, keyset);
  if (proofCount > PROOFS_PER_PAYMENT_MAX) {
    throw new SeedmintError(
      "denied",
      `Cannot make top-ups of ${gross} sat: each takes ${proofCount} proofs, and sellers take ${PROOFS_PER_PAYMENT_MAX}`,
    );
  }
  return Math.floor((OUTPUTS_PER_REQUEST_MAX - CHANGE_OUTPUTS_MAX) / proofCount);
}

/** prepared → swap-inflight; failed when nobody waits for it any more. */
export async function dispatchStrip(
  operation: Operation<StripPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { plan, id, mint } = operation;
  try {
    assertWanted(operation, context);
  } catch (error) {
    if (!isSeedmintError(error, "denied")) throw error;
    return fail(context, operation, error.message);
  }
  const inputs = context.store.proofs({ operationId: id, state: "reserved" });
  const keyset = await context.mints.of(mint).activeKeyset({ signal });
  const round = plan.round + 1;
  const phase = phaseName("swap", round);
  const gross = BigInt(plan.grossSat!);
  const parts = Array.from({ length: plan.count! }, () =>
    planLocked({
      amount: gross,
      role: "send",
      keyset,
      lock: plan.lock,
      random: context.random,
    }));
  const keep = sumOf(inputs) - gross * BigInt(plan.count!) - BigInt(plan.feeMaxSat!);
  assert(keep >= 0n, "inputs pay for the top-ups and the fee");
  commit(context, operation, (tx) => {
    const outputs: PlannedOutput[] = parts.flat();
    if (keep > 0n) {
      const firstCounter = tx.takeCounters(keyset.id, outputCountOf(keep, keyset));
      const { keys } = context;
      outputs.push(...planOutputs({ amount: keep, role: "keep", keyset, keys, firstCounter }));
    }
    tx.insertOutputs(id, phase, { mint, outputs });
    tx.freezeRequest({
      operationId: id,
      phase,
      path: "/v1/swap",
      body: swapBody({ inputs, outputs }),
    });
    tx.updateOperation(operation, {
      state: "swap-inflight",
      plan: { ...plan, round, parts: parts.map((part) => part.map(({ blinded }) => blinded)) },
      nextAtMs: context.clock.nowMs(),
      reason: null,
    });
  });
  return "again";
}

/**
 * The outcome in one commit (R6): inputs gone, change free, top-ups hidden, books. What of it is not in
 * `proofs` another copy of this wallet has used.
 */
export function finishStrip(
  operation: Operation<StripPlan>,
  context: SagaContext,
  proofs: readonly SignedProof[],
): Step {
  const { id, mint, plan } = operation;
  const inputs = context.store.proofs({ operationId: id, state: "reserved" });
  const sent = proofs.filter((proof) => proof.role === "send");
  const kept = proofs.filter((proof) => proof.role !== "send");
  const isHere = new Set(proofs.map((proof) => proof.blinded));
  const gone = context.store.outputs(id, phaseName("swap", plan.round))
    .filter((output) => !isHere.has(output.blinded));
  const lost = sumOf(gone);
  const fee = sumOf(inputs) - sumOf(proofs) - lost;
  const atMs = context.clock.nowMs();
  const { parts: _, ...rest } = plan;
  // Inputs out of a backup: whoever went on from there may have had the same top-ups.
  const isForeign = gone.length > 0 || inputs.some((proof) => proof.needsRecheck === true);
  commit(context, operation, (tx) => {
    tx.moveProofs(inputs.map((proof) => proof.y), "spent", id);
    tx.insertProofs(kept, { mint, state: "free" });
    tx.insertProofs(sent, { mint, state: "outgoing", operationId: id });
    tx.markOutputs([...isHere], "signed");
    tx.markOutputs(gone.map((output) => output.blinded), "void");
    tx.insertStripParts(partsOf(operation, { context, sent }));
    const entry = { operationId: id, mint, atMs };
    tx.addLedger([
      { ...entry, kind: "send", delta: -sumOf(sent) },
      ...(fee === 0n ? [] : [{ ...entry, kind: "fee" as const, delta: -fee }]),
      ...(lost === 0n ? [] : [{ ...entry, kind: "loss" as const, delta: -lost }]),
    ]);
    tx.updateOperation(operation, {
      state: "ready",
      fee,
      plan: isForeign ? { ...rest, isForeign } : rest,
      nextAtMs: Math.max(atMs + 1, refundableFromMs(plan.lock)),
      reason: "what is not redeemed comes back after its locktime",
    });
  });
  return "rest";
}

/** The top-ups that `sent` are the proofs of. */
function partsOf(
  { id, plan }: Operation<StripPlan>,
  { context, sent }: { readonly context: SagaContext; readonly sent: readonly SignedProof[] },
): Omit<StripPart, "state">[] {
  const byBlinded = new Map(sent.map((proof) => [proof.blinded, proof]));
  return (plan.parts ?? []).flatMap((blinded, place) => {
    const proofs = blinded.flatMap((one) => byBlinded.get(one) ?? []);
    if (proofs.length === 0) return [];
    const gross = sumOf(proofs);
    const net = BigInt(plan.netSat);
    return [{
      paymentId: context.random.bytes(16).toHex(),
      operationId: id,
      place,
      peer: plan.peer,
      gross,
      net: net < gross ? net : gross,
      ys: inTokenOrder(proofs),
    }];
  });
}

/** @throws {SeedmintError} `denied` when whoever wanted it has gone on, or the locktime is too near. */
function assertWanted(operation: Operation<StripPlan>, { clock }: SagaContext): void {
  const nowMs = clock.nowMs();
  if (nowMs <= operation.plan.useByMs && nowMs < lockedUntilMs(operation.plan)) return;
  throw new SeedmintError("denied", "nobody waits for these top-ups any more; nothing was sent");
}
