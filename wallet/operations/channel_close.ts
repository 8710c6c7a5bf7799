/**
 * A payment channel in which we are paid, until it is closed: one swap with the last balance that its
 * payer signed and our own signature (NUT-11, SIG_ALL).
 *
 *     open ──▶ closing ──▶ done     what the balance says is ours, in the next redemption
 *       ▲         │ ├────▶ failed   the payer took it back after the expiry
 *       └─────────┘ └─▶ refused by the mint: the same again, for as long as there is hope
 *
 * It is closed when it is idle or full, when its mint rotates or ends the keyset, when somebody asks, and
 * in any case long before its expiry.
 */
import { unreachable } from "../../src/core/assert.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { CHANNEL_IDLE_MS, CHANNEL_LOOK_MS, CHANNEL_MARGIN_MS } from "../channel/limits.ts";
import { decodeChannelMessage } from "../channel/message.ts";
import { ChannelEnd } from "../channel/terms.ts";
import { exchange } from "../outputs/exchange.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import { swapBody } from "../outputs/requests.ts";
import { inputFee } from "../selection/fees.ts";
import type { ChannelRecord } from "../store/channel_store.ts";
import { StaleOperationError, type WalletTransaction } from "../store/wallet_store.ts";
import type { Keyset } from "../types.ts";
import { CHANGE_BATCH } from "./channel_change.ts";
import type { Operation } from "./operation.ts";
import { joinBatch } from "./redeem_plan.ts";
import type { Saga, SagaContext, Step } from "./saga.ts";
import { sumOf } from "./sums.ts";
import { blockMint, commit, phaseName, postpone } from "./transition.ts";

/** States of a channel in which we are paid. */
export type CloseState = "open" | "closing" | "done" | "failed";

/** Plan of its operation; what was signed is in the channel's row. */
export interface ClosePlan {
  readonly channelId: string;
  /** Closing swaps frozen so far. */
  readonly round: number;
  /** Seconds since 1970. */
  readonly expiryS: number;
  readonly balanceMaxSat: number;
  /** It is to be closed now, and why. */
  readonly closeReason?: string;
  /** Keyset of the outputs of the last swap. */
  readonly frozenKeysetId?: string;
  /** What the mint said to it. */
  readonly refusedCode?: number;
}

/** Where a test or a crash may stop a channel of a seller. */
export const CLOSE_FAULT_POINTS: readonly string[] = [
  /** Of a message that is taken. */
  "channel-close.take.before-commit",
  "channel-close.take.after-commit",
  "channel-close.open.before-commit",
  "channel-close.open.after-commit",
  "channel-close.swap.before-send",
  "channel-close.swap.after-send",
  "channel-close.closing.before-commit",
  "channel-close.closing.after-commit",
];

/** The saga of {@link ClosePlan}. */
export const channelCloseSaga: Saga = {
  kind: "channel-close",
  step(operation, context, { signal }) {
    const close = operation as Operation<ClosePlan>;
    const state = close.state as CloseState;
    switch (state) {
      case "open":
        return watch(close, context, signal);
      case "closing":
        return settle(close, context, signal);
      case "done":
      case "failed":
        return Promise.resolve("rest");
      default:
        return unreachable(state);
    }
  },
};

/** Until when balances are taken in a channel, in milliseconds since 1970. */
export function closeByMs({ expiryS }: Pick<ClosePlan, "expiryS">): number {
  return expiryS * 1000 - CHANNEL_MARGIN_MS;
}

/** Our end of a channel. `keyset` is that of its funding. */
export function endOfRecord(
  { keys }: Pick<SagaContext, "keys">,
  record: Pick<ChannelRecord, "terms">,
  keyset: Keyset,
): ChannelEnd {
  return new ChannelEnd(termsOfRecord(record), { keyset, key: keys.payment });
}

/** The terms that a channel was opened with. */
export function termsOfRecord({ terms }: Pick<ChannelRecord, "terms">) {
  return decodeChannelMessage(terms)!.open!;
}

/** Has a channel closed as soon as it is driven. Harmless when it is closing already. */
export function requestClose(context: SagaContext, operationId: string, reason: string): void {
  context.store.transact((tx) =>
    wantClose(tx, operationId, { reason, nowMs: context.clock.nowMs() })
  );
}

/** As {@link requestClose}, within a transaction. */
export function wantClose(
  tx: WalletTransaction,
  operationId: string,
  wish: { readonly reason: string; readonly nowMs: number },
): void {
  const operation = tx.operation<ClosePlan>(operationId);
  if (operation === undefined || operation.status !== "open") return;
  const plan = { ...operation.plan, closeReason: operation.plan.closeReason ?? wish.reason };
  tx.updateOperation(operation, { plan, nextAtMs: wish.nowMs });
}

/** open → closing, or a rest until something may have changed. */
async function watch(
  operation: Operation<ClosePlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { clock, store } = context;
  const record = store.channelOf(operation.id)!;
  const nowMs = clock.nowMs();
  const byMs = Math.min(closeByMs(operation.plan), record.movedMs + CHANNEL_IDLE_MS);
  if (operation.nextAtMs !== undefined && operation.nextAtMs > nowMs && byMs > nowMs) return "rest";
  const reason = operation.plan.closeReason ??
    (byMs <= nowMs ? "it was not used for a while, or is about to expire" : undefined) ??
    await keysetTrouble(record, context, signal);
  if (reason !== undefined) return await freeze(operation, context, { reason, signal });
  store.transact((tx) =>
    tx.updateOperation(operation, { nextAtMs: Math.min(byMs, nowMs + CHANNEL_LOOK_MS) })
  );
  return "rest";
}

/** Why its keyset may soon not do any more. A mint that does not answer is no reason. */
async function keysetTrouble(
  record: ChannelRecord,
  context: SagaContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const keysets = await context.mints.of(record.mint).keysets({ signal, fresh: true });
    const keyset = keysets.find(({ id }) => id === record.keysetId);
    if (keyset === undefined || !keyset.active) return "its mint rotated the keyset out";
    const expiryMs = (keyset.finalExpiry ?? Infinity) * 1000;
    return expiryMs <= termsOfRecord(record).expiryS * 1000
      ? "its mint lets the keyset expire"
      : undefined;
  } catch (error) {
    if (signal.aborted || !(error instanceof SeedmintError && error.retryable)) throw error;
    return undefined;
  }
}

/** → closing: both signatures, on outputs that both sides know, as the bytes that will be sent. */
async function freeze(
  operation: Operation<ClosePlan>,
  context: SagaContext,
  { reason, signal }: { readonly reason: string; readonly signal: AbortSignal },
): Promise<Step> {
  const { id, mint, plan } = operation;
  const api = context.mints.of(mint);
  const seen = context.store.channelOf(id)!;
  const keyset = await api.keyset(seen.keysetId, { signal });
  const fundingKeyset = await api.keyset(termsOfRecord(seen).keysetId, { signal });
  const end = endOfRecord(context, seen, fundingKeyset);
  const round = plan.round + 1;
  const phase = phaseName("swap", round);
  commit(context, operation, (tx) => {
    const record = tx.channelOf(id)!;
    if (record.keysetId !== keyset.id) throw new StaleOperationError("it was signed anew");
    const outputs = end.outputs(record.balance, keyset);
    // What was refused before is not asked for again.
    const refused = tx.outputs(id).filter(({ state }) => state === "planned");
    tx.markOutputs(refused.map(({ blinded }) => blinded), "void");
    tx.insertOutputs(id, phase, { mint, outputs });
    tx.freezeRequest({
      operationId: id,
      phase,
      path: "/v1/swap",
      body: swapBody({ inputs: end.closed(record, keyset), outputs }),
    });
    tx.updateChannel(record.id, { state: "closing" });
    const { refusedCode: _, ...rest } = plan;
    tx.updateOperation(operation, {
      state: "closing",
      amount: record.balance,
      plan: { ...rest, round, closeReason: reason, frozenKeysetId: keyset.id },
      nextAtMs: context.clock.nowMs(),
      reason: null,
    });
  });
  return "again";
}

/** closing → done, failed, or a wait. What is refused is tried again: the signature stays good. */
async function settle(
  operation: Operation<ClosePlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { plan, id } = operation;
  const phase = phaseName("swap", plan.round);
  const outcome = await exchange(context, operation, phase, { signal });
  switch (outcome.kind) {
    case "signed":
      return finish(operation, context, outcome.proofs);
    case "wait":
      postpone(context, operation, {
        reason: outcome.reason,
        ...(outcome.retryMs === undefined ? {} : { leastMs: outcome.retryMs }),
      });
      return "rest";
    case "inputs-spent": {
      const left = oursOf(operation, context, { round: plan.round, left: outcome.left }) ??
        await oursBefore(operation, context, signal);
      return left === undefined ? lose(operation, context) : finish(operation, context, left);
    }
    case "refused":
    case "outputs-used": {
      const code = outcome.kind === "refused" ? outcome.code : 11003;
      const record = context.store.channelOf(id)!;
      if (record.keysetId !== plan.frozenKeysetId) {
        const reason = plan.closeReason ?? "it was signed anew";
        return await freeze(operation, context, { reason, signal });
      }
      return refusedFor(operation, context, code);
    }
    case "dishonest":
      blockMint(context, operation, { mint: operation.mint, reason: outcome.reason });
      return "rest";
    default:
      return unreachable(outcome);
  }
}

/** Our outputs of a swap, all of them; the payer may have taken its change before we heard of ours. */
function oursOf(
  operation: Operation<ClosePlan>,
  { store }: SagaContext,
  swap: { readonly round: number; readonly left: readonly SignedProof[] | undefined },
): readonly SignedProof[] | undefined {
  const outputs = store.outputs(operation.id, phaseName("swap", swap.round));
  const count = outputs.filter(({ role }) => role === "receive").length;
  const ours = (swap.left ?? []).filter(({ role }) => role === "receive");
  return ours.length === count ? ours : undefined;
}

/** The same of a swap that was refused once, and after all was not. */
async function oursBefore(
  operation: Operation<ClosePlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<readonly SignedProof[] | undefined> {
  for (let round = operation.plan.round - 1; round >= 1; round--) {
    const outcome = await exchange(context, operation, phaseName("swap", round), { signal });
    if (outcome.kind === "signed") return outcome.proofs;
    if (outcome.kind !== "inputs-spent") continue;
    const ours = oursOf(operation, context, { round, left: outcome.left });
    if (ours !== undefined) return ours;
  }
  return undefined;
}

/** The same bytes again later: a keyset may come back, a mint may be mended, until the payer takes it. */
function refusedFor(operation: Operation<ClosePlan>, context: SagaContext, code: number): Step {
  const reason = `the mint refuses to close a channel (code ${code}); it is tried again`;
  if (operation.plan.refusedCode !== code) {
    context.store.transact((tx) =>
      tx.updateOperation(operation, {
        plan: { ...operation.plan, refusedCode: code },
        nextAtMs: context.clock.nowMs() + 1_000,
        reason,
      })
    );
    const { id: operationId, mint } = operation;
    context.emit({ event: "attention", operationId, mint, message: reason });
    return "rest";
  }
  postpone(context, operation, { reason });
  return "rest";
}

/** closing → done: the payments are redeemed; our outputs go into the next redemption. */
function finish(
  operation: Operation<ClosePlan>,
  context: SagaContext,
  proofs: readonly SignedProof[],
): Step {
  const { mint, plan } = operation;
  const ours = proofs.filter(({ role }) => role === "receive");
  const amount = sumOf(ours);
  const api = context.mints.of(mint);
  const atMs = context.clock.nowMs();
  const fee = inputFee(ours, (keysetId) => api.cachedKeyset(keysetId)?.inputFeePpk);
  commit(context, operation, (tx) => {
    endChannelRow(tx, operation, { channel: "closed", payments: "redeemed" });
    joinBatch(tx, context, {
      payment: {
        paymentId: plan.channelId,
        payer: "local",
        tokenHash: plan.channelId,
        mint,
        amount,
        credit: amount > fee ? amount - fee : 0n,
        state: "credited",
        version: 1,
        createdMs: atMs,
      },
      proofs: ours,
      policy: CHANGE_BATCH,
    });
    const isOurs = new Set(ours.map(({ blinded }) => blinded));
    const others = tx.outputs(operation.id).filter(({ blinded, role, state }) =>
      state === "planned" && role === "receive" && !isOurs.has(blinded)
    );
    tx.markOutputs(others.map(({ blinded }) => blinded), "void");
    tx.markOutputs([...isOurs], "signed");
    tx.updateOperation(operation, {
      state: "done",
      status: "done",
      nextAtMs: null,
      reason: null,
    });
  });
  return "again";
}

/** closing → failed: its payer has it back. What it was credited for is taken back. */
function lose(operation: Operation<ClosePlan>, context: SagaContext): Step {
  const { id, mint } = operation;
  const reason = "its payer took the channel back before it could be closed";
  commit(context, operation, (tx) => {
    endChannelRow(tx, operation, { channel: "lost", payments: "dead" });
    const outputs = tx.outputs(id).filter(({ state }) => state === "planned");
    tx.markOutputs(outputs.map(({ blinded }) => blinded), "void");
    tx.updateOperation(operation, { state: "failed", status: "failed", nextAtMs: null, reason });
  });
  context.emit({
    event: "attention",
    operationId: id,
    mint,
    message: `A payment is lost: ${reason}`,
  });
  return "again";
}

function endChannelRow(
  tx: WalletTransaction,
  operation: Operation<ClosePlan>,
  end: { readonly channel: "closed" | "lost"; readonly payments: "redeemed" | "dead" },
): void {
  for (const payment of tx.incomingPayments({ operationId: operation.id })) {
    tx.putIncoming({ ...payment, state: end.payments, version: payment.version + 1 });
  }
  const funding = tx.proofs({ operationId: operation.id, state: "incoming" });
  tx.moveProofs(funding.map(({ y }) => y), "spent", operation.id);
  tx.updateChannel(operation.plan.channelId, { state: end.channel });
}
