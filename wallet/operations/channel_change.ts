/**
 * The end of a channel for its buyer. The seller's swap made our change, too, on outputs that follow from
 * what we signed: the mint gives their signatures again (NUT-09), which says at which balance it closed.
 */
import { assert } from "../../src/core/assert.ts";
import type { ChannelEnd } from "../channel/terms.ts";
import { OUTPUTS_PER_REQUEST_MAX } from "../limits.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import { flawsOf, proofsOf, type Signed } from "../outputs/verify.ts";
import { inputFee } from "../selection/fees.ts";
import type { BalanceRecord } from "../store/channel_store.ts";
import type { StripPart } from "../store/buying_store.ts";
import type { WalletTransaction } from "../store/wallet_store.ts";
import type { Keyset, PlannedOutput } from "../types.ts";
import { avoidSeller } from "./avoid_seller.ts";
import { type ChannelPlan, endOfChannel } from "./channel_plan.ts";
import { CHANGE_TRIES_MAX, UNKNOWN_TRIES } from "./limits.ts";
import type { Operation } from "./operation.ts";
import { type BatchPolicy, joinBatch } from "./redeem_plan.ts";
import type { SagaContext, Step } from "./saga.ts";
import { sumOf } from "./sums.ts";
import { commit, needAttention, postpone } from "./transition.ts";

/** Change is redeemed with what else comes in: only its owner can spend it, for ever. */
export const CHANGE_BATCH: BatchPolicy = { proofsMin: 100, idleMs: 5_000, lingerMs: 60_000 };

/** ready → done when the change is found; else a wait. */
export async function claimChange(
  operation: Operation<ChannelPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const api = context.mints.of(operation.mint);
  const { channel } = operation.plan;
  const signed = context.store.signedBalances(operation.id);
  const keysets = new Map<string, Keyset>();
  for (const id of new Set([channel!.keysetId, ...signed.map(({ keysetId }) => keysetId)])) {
    keysets.set(id, await api.keyset(id, { signal }));
  }
  const end = endOfChannel(context, operation, keysets.get(channel!.keysetId)!);
  const wanted = new Map<string, PlannedOutput>();
  for (const { balance, keysetId } of signed) {
    const change = end.sums.balanceMax - balance;
    for (const output of end.outputsOf("buyer", change, keysets.get(keysetId)!)) {
      wanted.set(output.blinded, output);
    }
  }
  // After a restored backup more was signed than this wallet knows.
  for (const keyset of keysets.values()) {
    for (const value of Object.keys(keyset.keys).map(BigInt)) {
      if (value > end.sums.balanceMax) continue;
      for (const output of end.outputsOf("buyer", value, keyset)) {
        wanted.set(output.blinded, output);
      }
    }
  }
  const outputs = [...wanted.values()].slice(0, OUTPUTS_PER_REQUEST_MAX);
  const restored = outputs.length === 0 ? new Map() : await api.restore(outputs, { signal });
  const pairs: Signed[] = outputs.filter(({ blinded }) => restored.has(blinded))
    .map((output) => ({ output, signature: restored.get(output.blinded) }));
  const flaws = await flawsOf(pairs, { keysets, requireDleq: false });
  const found = pairs.filter((_, index) => flaws[index] === undefined);
  const closed = closedAt(end, { signed, found, keysets })?.balance ??
    (operation.attempts < UNKNOWN_TRIES ? undefined : unknownBalance(end, { found, keysets }));
  if (closed === undefined) {
    const reason = "the seller closed it, and the mint does not give the change back";
    if (operation.attempts < CHANGE_TRIES_MAX) postpone(context, operation, { reason });
    else needAttention(context, operation, reason);
    return "rest";
  }
  return finishClaim(operation, context, {
    proofs: proofsOf(found, keysets),
    balance: closed,
    keysets,
  });
}

/** The balance that goes with what was found, if that is the change of one. */
function unknownBalance(
  end: ChannelEnd,
  { found, keysets }: {
    readonly found: readonly Signed[];
    readonly keysets: ReadonlyMap<string, Keyset>;
  },
): bigint | undefined {
  const change = found.reduce((sum, { output }) => sum + output.amount, 0n);
  const keyset = keysets.get(found[0]?.output.keysetId ?? "");
  if (keyset === undefined || change >= end.sums.balanceMax) return undefined;
  const isFound = new Set(found.map(({ output }) => output.blinded));
  const outputs = end.outputsOf("buyer", change, keyset);
  const isAll = outputs.length === isFound.size &&
    outputs.every(({ blinded }) => isFound.has(blinded));
  return isAll ? end.sums.balanceMax - change : undefined;
}

/** The balance whose change is exactly what was found; the highest that fits. */
function closedAt(
  end: ChannelEnd,
  options: {
    readonly signed: readonly BalanceRecord[];
    readonly found: readonly Signed[];
    readonly keysets: ReadonlyMap<string, Keyset>;
  },
): BalanceRecord | undefined {
  const isFound = new Set(options.found.map(({ output }) => output.blinded));
  return options.signed.findLast(({ balance, keysetId }) => {
    const change = end.outputsOf(
      "buyer",
      end.sums.balanceMax - balance,
      options.keysets.get(keysetId)!,
    );
    return change.length === isFound.size && change.every(({ blinded }) => isFound.has(blinded));
  });
}

/** ready → done: what the seller took is paid, the change comes in, the rest was never paid. */
function finishClaim(
  operation: Operation<ChannelPlan>,
  context: SagaContext,
  options: {
    readonly proofs: readonly SignedProof[];
    readonly balance: bigint;
    readonly keysets: ReadonlyMap<string, Keyset>;
  },
): Step {
  const { proofs, balance, keysets } = options;
  const { plan, mint, id } = operation;
  const { ys, balanceMaxSat, id: channelId } = plan.channel!;
  const atMs = context.clock.nowMs();
  const capacity = sumOf(ys.map((y) => context.store.proof(y)!));
  const closeFee = capacity - BigInt(balanceMaxSat);
  const amount = sumOf(proofs);
  assert(amount + balance + closeFee === capacity, "a channel is paid out whole");
  const fee = inputFee(proofs, (keysetId) => keysets.get(keysetId)?.inputFeePpk);
  commit(context, operation, (tx) => {
    settleBalances(tx, operation, { balance, atMs });
    tx.moveProofs(ys, "spent", id);
    if (proofs.length > 0) {
      joinBatch(tx, context, {
        payment: {
          paymentId: channelId,
          payer: "local",
          tokenHash: channelId,
          mint,
          amount,
          credit: amount > fee ? amount - fee : 0n,
          state: "credited",
          version: 1,
          createdMs: atMs,
        },
        proofs,
        policy: CHANGE_BATCH,
      });
    }
    tx.updateOperation(operation, {
      state: "done",
      status: "done",
      fee: operation.fee + closeFee,
      nextAtMs: null,
      reason: null,
    });
  });
  return "again";
}

/** reclaim-inflight → done: its seller never closed it, and all of it is ours again. */
export function finishReclaim(
  operation: Operation<ChannelPlan>,
  context: SagaContext,
  proofs: readonly SignedProof[],
): Step {
  const { id, mint, plan } = operation;
  const { ys } = plan.channel!;
  const sum = sumOf(ys.map((y) => context.store.proof(y)!));
  const fee = sum - sumOf(proofs);
  const atMs = context.clock.nowMs();
  commit(context, operation, (tx) => {
    settleBalances(tx, operation, { balance: 0n, atMs });
    tx.moveProofs(ys, "spent", id);
    tx.insertProofs(proofs, { mint, state: "free" });
    tx.markOutputs(proofs.map((proof) => proof.blinded), "signed");
    tx.addLedger([
      { operationId: id, mint, kind: "reclaim", delta: sum, atMs },
      ...(fee === 0n ? [] : [{ operationId: id, mint, kind: "fee" as const, delta: -fee, atMs }]),
    ]);
    tx.updateOperation(operation, {
      state: "done",
      status: "done",
      fee: operation.fee + fee,
      nextAtMs: null,
      reason: null,
    });
  });
  return "again";
}

/** Books which of the signed balances were paid. One that the seller had refused and took is a theft. */
function settleBalances(
  tx: WalletTransaction,
  operation: Operation<ChannelPlan>,
  closed: { readonly balance: bigint; readonly atMs: number },
): void {
  const balanceOf = new Map(
    tx.signedBalances(operation.id).map((signed) => [signed.paymentId, signed.balance]),
  );
  const parts = tx.stripParts({ operationId: operation.id });
  // Who credits a later one takes what is below it, too.
  const creditedPlace = parts.findLast(({ state }) => state === "credited")?.place ?? -1;
  for (const part of parts) {
    const isPaid = balanceOf.get(part.paymentId)! <= closed.balance;
    if (isPaid && part.state === "refused" && part.place > creditedPlace) {
      const reason = "it took a balance that it had refused";
      avoidSeller(tx, part.peer, { reason, nowMs: closed.atMs });
    }
    tx.moveStripPart(part.paymentId, isPaid ? "claimed" : "returned");
    if (!isPaid) refund(tx, part);
  }
}

/** What was not taken is not spent in the budgets any more. */
function refund(tx: WalletTransaction, part: StripPart): void {
  const payment = tx.outgoing(part.paymentId);
  if (payment === undefined || payment.state === "returned") return;
  tx.putOutgoing({ ...payment, cost: 0n, state: "returned" });
}
