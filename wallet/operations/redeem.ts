/**
 * Redeeming (SM-2): ecash that others gave us, many payments of one mint in one swap, for ecash that
 * nobody else knows.
 *
 *     collecting ─▶ prepared ─▶ swap-inflight ─▶ redeemed
 *                      ▲  ▲          │ ├─▶ attention (the mint broke its promise, or refuses its own)
 *                      │  └──────────┘ │    refused for keysets or fees: plan anew; refused otherwise:
 *                      │               │    halve the batch until the bad payment is alone
 *                      └─── sorting ◀──┘    inputs were spent elsewhere: which?
 *                              └─▶ dead     all of them
 *
 * Other payments join while it collects. A token that was taken is never given up before it is
 * redeemed or proven dead. Inputs that are locked to us are signed once: the signature is random, and
 * another one would be another request.
 */
import { assert, unreachable } from "../../src/core/assert.ts";
import type { Clock } from "../../src/core/ports.ts";
import { signP2pkProofs } from "../cashu.ts";
import type { KeyPair } from "../keys.ts";
import type { MintApi } from "../mint/mint_api.ts";
import { exchange } from "../outputs/exchange.ts";
import type { ExchangeOutcome, SignedProof } from "../outputs/exchange_types.ts";
import { outputCountOf, planOutputs } from "../outputs/planning.ts";
import { swapBody } from "../outputs/requests.ts";
import { inputFee } from "../selection/fees.ts";
import type { ProofRecord } from "../store/wallet_store.ts";
import type { Operation } from "./operation.ts";
import { redeemPhase, type Redemption } from "./redeem_plan.ts";
import { isKeysetRefusal, isProofRefusal } from "./refusals.ts";
import { halve, planAnew, rejectAlone, sortOut } from "./redeem_trouble.ts";
import type { Saga, SagaContext, Step } from "./saga.ts";
import { blockMint, commit, postpone } from "./transition.ts";

/** States of a redemption. */
export type RedeemState =
  | "collecting"
  | "prepared"
  | "swap-inflight"
  | "sorting"
  | "redeemed"
  | "dead";

/** Too many inputs or outputs, or too much at once. */
const LIMIT_CODES: ReadonlySet<number> = new Set([11006, 11014, 11015]);

/** Signatures made before other work gets its turn: each takes about 2 ms. */
const SIGNATURES_AT_ONCE = 4;

/** Where a test may stop a redemption; `swap` is `swap.2`, … after a new plan. */
export const FAULT_POINTS: readonly string[] = [
  "redeem.take.before-commit",
  "redeem.take.after-commit",
  "redeem.collecting.before-commit",
  "redeem.collecting.after-commit",
  "redeem.prepared.before-commit",
  "redeem.prepared.after-commit",
  "redeem.swap.before-send",
  "redeem.swap.after-send",
  "redeem.swap-inflight.before-commit",
  "redeem.swap-inflight.after-commit",
  "redeem.sorting.before-commit",
  "redeem.sorting.after-commit",
];

export { beginRedeem } from "./redeem_plan.ts";

/** Redeems batches of payments. */
export const redeemSaga: Saga = { kind: "redeem", step };

function step(
  operation: Operation,
  context: SagaContext,
  { signal }: { readonly signal: AbortSignal },
): Promise<Step> {
  const redemption = operation as Redemption;
  switch (redemption.state as RedeemState) {
    case "collecting":
      return Promise.resolve(close(redemption, context));
    case "prepared":
      return freeze(redemption, context, signal);
    case "swap-inflight":
      return swap(redemption, context, signal);
    case "sorting":
      return sortOut(redemption, context, { signal, complete });
    case "redeemed":
    case "dead":
      return Promise.resolve("rest");
    default:
      throw new Error(`Redemption ${redemption.id} is in the unknown state ${redemption.state}`);
  }
}

/** From here on nobody joins, so that the rest can take its time without being overtaken. */
function close(redemption: Redemption, context: SagaContext): Step {
  const coolingMs = context.mints.of(redemption.mint).cooldownMs?.() ?? 0;
  if (coolingMs > 0) {
    // While the mint may not be asked, the batch may as well grow.
    context.store.transact((tx) =>
      tx.updateOperation(redemption, {
        nextAtMs: context.clock.nowMs() + coolingMs,
        reason: "the mint is left alone for a while",
      })
    );
    return "rest";
  }
  commit(context, redemption, (tx) => {
    tx.updateOperation(redemption, { state: "prepared", nextAtMs: context.clock.nowMs() });
  });
  return "again";
}

async function freeze(
  redemption: Redemption,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { plan } = redemption;
  const mint = context.mints.of(redemption.mint);
  const active = await mint.activeKeyset({ signal, fresh: plan.stale === true });
  const proofs = context.store.proofs({ operationId: redemption.id, state: "incoming" });
  const fee = await feeOf(mint, proofs, signal);
  const amount = sumOf(proofs) - fee;
  if (amount <= 0n) {
    return rejectAlone(context, redemption, `worth less than the fee of ${fee} sat to redeem it`);
  }
  const inputs = await signLocked(proofs, context.keys.payment, context.clock);
  const round = plan.round + 1;
  commit(context, redemption, (tx) => {
    const firstCounter = tx.takeCounters(active.id, outputCountOf(amount, active));
    const outputs = planOutputs({
      amount,
      role: "receive",
      keyset: active,
      keys: context.keys,
      firstCounter,
    });
    const phase = redeemPhase(round);
    tx.insertOutputs(redemption.id, phase, { mint: redemption.mint, outputs });
    tx.freezeRequest({
      operationId: redemption.id,
      phase,
      path: "/v1/swap",
      body: swapBody({ inputs, outputs }),
    });
    tx.updateOperation(redemption, {
      state: "swap-inflight",
      plan: { ...plan, round, stale: false },
      nextAtMs: context.clock.nowMs(),
      reason: null,
    });
  });
  return "again";
}

async function swap(
  redemption: Redemption,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const phase = redeemPhase(redemption.plan.round);
  const outcome = await exchange(context, redemption, phase, { signal });
  switch (outcome.kind) {
    case "signed":
      return complete(redemption, context, { phase, proofs: outcome.proofs });
    case "refused":
      return refused(redemption, context, outcome);
    case "inputs-spent":
      if (outcome.left !== undefined) {
        return complete(redemption, context, { phase, proofs: outcome.left });
      }
      commit(context, redemption, (tx) => {
        tx.updateOperation(redemption, { state: "sorting", nextAtMs: context.clock.nowMs() });
      });
      return "again";
    case "outputs-used":
      return planAnew(context, redemption, { reason: "counters were used before", skips: true });
    case "wait":
      return hold(context, redemption, outcome);
    case "dishonest":
      blockMint(context, redemption, { mint: redemption.mint, reason: outcome.reason });
      return "rest";
    default:
      return unreachable(outcome);
  }
}

/**
 * A batch that was not checked may hold a bad payment, and one that was may be too large or have run
 * into a locktime: it is halved. Whatever else a mint has against it may pass.
 */
function refused(
  redemption: Redemption,
  context: SagaContext,
  { code }: ExchangeOutcome & { readonly kind: "refused" },
): Step {
  const { payments, isCredited } = redemption.plan;
  const reason = `the mint refused with code ${code}`;
  if (isKeysetRefusal(code)) return planAnew(context, redemption, { reason });
  const isAboutProofs = isProofRefusal(code);
  if (payments.length > 1 && (!isCredited || isAboutProofs || LIMIT_CODES.has(code))) {
    return halve(context, redemption);
  }
  if (isAboutProofs) return rejectAlone(context, redemption, reason);
  return planAnew(context, redemption, { reason, later: true });
}

/**
 * The end: new ecash in, old ecash spent, payments confirmed, books written, in one transaction. What
 * the mint signed and `proofs` lack was spent by another copy of this wallet: the payers paid all the
 * same.
 */
function complete(
  redemption: Redemption,
  context: SagaContext,
  { phase, proofs }: { readonly phase: string; readonly proofs: readonly SignedProof[] },
): Step {
  const inputs = context.store.proofs({ operationId: redemption.id, state: "incoming" });
  const made = sumOf(context.store.outputs(redemption.id, phase));
  const fee = sumOf(inputs) - made;
  const lost = made - sumOf(proofs);
  assert(fee >= 0n && lost >= 0n, "a redemption never makes more than it spends");
  commit(context, redemption, (tx) => {
    const atMs = context.clock.nowMs();
    const { id, mint } = redemption;
    tx.moveProofs(inputs.map((proof) => proof.y), "spent", id);
    tx.markOutputs(proofs.map((proof) => proof.blinded), "signed");
    const others = tx.outputs(id).filter((output) => output.state === "planned");
    tx.markOutputs(others.map((output) => output.blinded), "void");
    tx.insertProofs(proofs, { mint, state: "free" });
    for (const { payer, paymentId } of redemption.plan.payments) {
      const payment = tx.incoming(payer, paymentId);
      assert(payment !== undefined, "a payment stays while it is redeemed");
      tx.putIncoming({ ...payment, state: "redeemed", version: payment.version + 1 });
    }
    tx.addLedger([{ operationId: id, mint, kind: "receive", delta: sumOf(inputs), atMs }]);
    if (fee > 0n) tx.addLedger([{ operationId: id, mint, kind: "fee", delta: -fee, atMs }]);
    if (lost > 0n) tx.addLedger([{ operationId: id, mint, kind: "loss", delta: -lost, atMs }]);
    tx.updateOperation(redemption, {
      state: "redeemed",
      status: "done",
      fee: redemption.fee + fee,
      nextAtMs: null,
      reason: lost > 0n
        ? `${lost} sat of it were spent by another copy of this wallet; "wallet restore" finds what came of them`
        : null,
    });
  });
  return "rest";
}

function hold(
  context: SagaContext,
  redemption: Redemption,
  wait: ExchangeOutcome & { readonly kind: "wait" },
): Step {
  postpone(context, redemption, { reason: wait.reason, leastMs: wait.retryMs ?? 0 });
  return "rest";
}

/** Sum of amounts in sat. */
function sumOf(proofs: readonly { readonly amount: bigint }[]): bigint {
  return proofs.reduce((sum, proof) => sum + proof.amount, 0n);
}

async function feeOf(
  mint: MintApi,
  proofs: readonly ProofRecord[],
  signal: AbortSignal,
): Promise<bigint> {
  const feePpkOf = new Map<string, number>();
  for (const id of new Set(proofs.map((proof) => proof.keysetId))) {
    // Tokens may be of a keyset that rotated out long ago: it is asked for by its id.
    feePpkOf.set(id, (await mint.keyset(id, { signal })).inputFeePpk);
  }
  return inputFee(proofs, (id) => feePpkOf.get(id)!);
}

async function signLocked(
  proofs: readonly ProofRecord[],
  key: KeyPair,
  clock: Clock,
): Promise<ProofRecord[]> {
  const signed: ProofRecord[] = [];
  for (let at = 0; at < proofs.length; at += SIGNATURES_AT_ONCE) {
    const some = proofs.slice(at, at + SIGNATURES_AT_ONCE);
    const witnesses = signP2pkProofs(some, key.secretKey);
    signed.push(...some.map((proof, index) => ({ ...proof, ...witnesses[index]! })));
    await clock.sleep(0);
  }
  return signed;
}
