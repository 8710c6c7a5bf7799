/** A payment channel with one seller, from its funding to its end (NUT-03, NUT-11 with SIG_ALL). */
import { assert, unreachable } from "../../src/core/assert.ts";
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import { CHANGE_LOOK_MS, FEE_PPK_MAX } from "../channel/limits.ts";
import { refusesChannels } from "../channel/mint_support.ts";
import { channelIdOf, type ChannelTerms, fundingSecret, sumsOf } from "../channel/terms.ts";
import { blindingFactorOf, blindSecret, signP2pkProofs, splitAmount } from "../cashu.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import { outputCountOf, planOutputs } from "../outputs/planning.ts";
import { swapBody } from "../outputs/requests.ts";
import { OFFLINE_NUTS } from "../payments/limits.ts";
import type { Keyset, PlannedOutput } from "../types.ts";
import { claimChange, finishReclaim } from "./channel_change.ts";
import type { ChannelPlan } from "./channel_plan.ts";
import type { Operation } from "./operation.ts";
import type { Saga, SagaContext, Step } from "./saga.ts";
import { lockedUntilMs, type StripState } from "./strip_plan.ts";
import { prepareStrip } from "./strip_prepare.ts";
import { sumOf } from "./sums.ts";
import { planReclaim, refundableFromMs, settleReclaim } from "./take_back.ts";
import { settleTokenSwap } from "./token_swap.ts";
import { commit, fail, phaseName, postpone } from "./transition.ts";

/** The saga of {@link ChannelPlan}. */
export const channelSaga: Saga = {
  kind: "channel",
  step(operation, context, { signal }) {
    const channel = operation as Operation<ChannelPlan>;
    const state = channel.state as StripState;
    switch (state) {
      case "planned":
        return prepareStrip(channel, context, signal);
      case "prepared":
        return dispatch(channel, context, signal);
      case "swap-inflight":
        return settleTokenSwap(channel, context, {
          signal,
          finish: (proofs) => finish(channel, context, proofs),
          anew: ({ parts: _, ...plan }) => plan,
        });
      case "ready":
        return look(channel, context, signal);
      case "reclaim-inflight":
        return settleReclaim(channel, context, {
          signal,
          finish: (proofs) => finishReclaim(channel, context, proofs),
          lookAt: "ready",
        });
      case "done":
      case "failed":
        return Promise.resolve("rest");
      default:
        return unreachable(state);
    }
  },
};

/** prepared → swap-inflight; failed when nobody waits for it any more, or the keyset does not serve. */
async function dispatch(
  operation: Operation<ChannelPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { plan, id, mint } = operation;
  const { clock, random, keys } = context;
  const api = context.mints.of(mint);
  const keyset = await api.activeKeyset({ signal });
  const info = await api.info({ signal });
  try {
    if (refusesChannels(info) || !OFFLINE_NUTS.every((nut) => info.nuts.has(nut))) {
      throw new SeedmintError("denied", "the mint's software is too old for channels");
    }
    assertUsable(operation, keyset, clock.nowMs());
  } catch (error) {
    if (!isSeedmintError(error, "denied")) throw error;
    return fail(context, operation, error.message);
  }
  const inputs = context.store.proofs({ operationId: id, state: "reserved" });
  const round = plan.round + 1;
  const phase = phaseName("swap", round);
  const capacity = BigInt(plan.grossSat!);
  const keys2of2 = {
    buyer: plan.lock.refundKey!,
    seller: plan.lock.publicKey,
    expiryS: plan.lock.locktimeS!,
  };
  const funding = splitAmount(capacity, keyset).map((amount): PlannedOutput => {
    const secret = fundingSecret(random.bytes(32).toHex(), keys2of2);
    const factor = blindingFactorOf(random.bytes(32));
    return { role: "send", keysetId: keyset.id, amount, secret, ...blindSecret(secret, factor) };
  });
  const keep = sumOf(inputs) - capacity - BigInt(plan.feeMaxSat!);
  assert(keep >= 0n, "inputs pay for the channel and the fee");
  commit(context, operation, (tx) => {
    const outputs = [...funding];
    if (keep > 0n) {
      const firstCounter = tx.takeCounters(keyset.id, outputCountOf(keep, keyset));
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
      plan: { ...plan, round, parts: [funding.map(({ blinded }) => blinded)] },
      nextAtMs: clock.nowMs(),
      reason: null,
    });
  });
  return "again";
}

/** @throws {SeedmintError} `denied` */
function assertUsable(operation: Operation<ChannelPlan>, keyset: Keyset, nowMs: number): void {
  const { plan } = operation;
  if (nowMs > plan.useByMs || nowMs >= lockedUntilMs(plan)) {
    throw new SeedmintError("denied", "nobody waits for this channel any more; nothing was sent");
  }
  if (keyset.inputFeePpk > FEE_PPK_MAX) {
    throw new SeedmintError("denied", "the mint's fees leave nothing of small outputs");
  }
  if (keyset.finalExpiry !== undefined && keyset.finalExpiry <= plan.lock.locktimeS!) {
    throw new SeedmintError("denied", "the mint's keyset expires before the channel would");
  }
}

/** The outcome in one commit (R6): inputs gone, change free, funding outgoing, books. */
function finish(
  operation: Operation<ChannelPlan>,
  context: SagaContext,
  proofs: readonly SignedProof[],
): Step {
  const { id, mint, plan } = operation;
  const inputs = context.store.proofs({ operationId: id, state: "reserved" });
  const sent = proofs.filter((proof) => proof.role === "send");
  const kept = proofs.filter((proof) => proof.role !== "send");
  const fee = sumOf(inputs) - sumOf(proofs);
  const atMs = context.clock.nowMs();
  const { parts: _, ...rest } = plan;
  const keyset = context.mints.of(mint).cachedKeyset(sent[0]!.keysetId);
  assert(keyset !== undefined, "the keyset of an exchange that went well is known");
  const sums = sumsOf(sumOf(sent), sent.length, keyset);
  commit(context, operation, (tx) => {
    tx.moveProofs(inputs.map((proof) => proof.y), "spent", id);
    tx.insertProofs(kept, { mint, state: "free" });
    tx.insertProofs(sent, { mint, state: "outgoing", operationId: id });
    tx.markOutputs(proofs.map((proof) => proof.blinded), "signed");
    tx.addLedger([
      { operationId: id, mint, kind: "send", delta: -sumOf(sent), atMs },
      ...(fee === 0n ? [] : [{ operationId: id, mint, kind: "fee" as const, delta: -fee, atMs }]),
    ]);
    tx.updateOperation(operation, {
      state: "ready",
      fee,
      plan: {
        ...rest,
        channel: {
          id: channelIdOf(termsFrom(operation, sent)),
          keysetId: keyset.id,
          ys: sent.map(({ y }) => y),
          balanceMaxSat: Number(sums.balanceMax),
          redeemFeeMaxSat: Number(sums.redeemFeeMax),
        },
        // Without their proofs (NUT-12) no seller takes it.
        ...sent.some(({ dleq }) => dleq?.r === undefined)
          ? { over: "the mint does not prove its signatures" }
          : {},
      },
      nextAtMs: atMs + CHANGE_LOOK_MS,
      reason: "what its seller does not take comes back when it closes, or after the expiry",
    });
  });
  return "rest";
}

function termsFrom(
  { plan, mint }: Operation<ChannelPlan>,
  proofs: readonly SignedProof[],
): ChannelTerms {
  return {
    mint,
    keysetId: proofs[0]!.keysetId,
    buyer: plan.lock.refundKey!,
    seller: plan.lock.publicKey,
    expiryS: plan.lock.locktimeS!,
    proofs: proofs.map(({ amount, secret, C, dleq }) => ({
      amount,
      nonce: (JSON.parse(secret) as [string, { readonly nonce: string }])[1].nonce,
      C,
      dleq: dleq ?? { e: "", s: "" },
    })),
  };
}

/** ready → done, reclaim-inflight, or a wait for the seller or the expiry. */
async function look(
  operation: Operation<ChannelPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { mint, plan, nextAtMs } = operation;
  const nowMs = context.clock.nowMs();
  if (nextAtMs !== undefined && nextAtMs > nowMs) return "rest";
  const { ys } = plan.channel!;
  const states = (await context.mints.of(mint).checkStates(ys, { signal })).map(({ state }) =>
    state
  );
  if (states.every((state) => state === "SPENT")) {
    return await claimChange(operation, context, signal);
  }
  if (states.some((state) => state !== "UNSPENT")) {
    postpone(context, operation, { reason: "is being closed" });
    return "rest";
  }
  const fromMs = refundableFromMs(plan.lock);
  if (fromMs > nowMs) {
    // Whoever signs next must know which keysets still serve.
    await context.mints.of(mint).keysets({ signal, fresh: true });
    context.store.transact((tx) =>
      tx.updateOperation(operation, { nextAtMs: Math.min(fromMs, nowMs + CHANGE_LOOK_MS) })
    );
    return "rest";
  }
  return await planReclaim(operation, context, {
    proofs: ys.map((y) => context.store.proof(y)!),
    signal,
    planned: (plan) => ({ ...plan, over: "it has expired" }),
    dropped: (plan) => plan,
    learn: () => {},
    // One signature for all of them, over the outputs.
    sign: (proofs, outputs) => signP2pkProofs(proofs, context.keys.payment.secretKey, { outputs }),
  });
}
