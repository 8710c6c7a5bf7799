/** What a melt is paid with: which proofs, whether they are split first, and what it costs at most. */
import { SeedmintError } from "../../src/core/errors.ts";
import type { MintApi } from "../mint/mint_api.ts";
import { outputCountOf } from "../outputs/planning.ts";
import { feeForCount, type KeysetTerms, selectFrom, termsOf } from "../selection/mod.ts";
import type { ProofRecord, WalletReads } from "../store/wallet_store.ts";
import type { Keyset, MintUrl } from "../types.ts";
import { OVERSHOOT_PERCENT_MAX, OVERSHOOT_SAT_MIN } from "./melt_limits.ts";
import { commitLeg, type Leg, type LegOperation, quoteOfLeg } from "./melt_leg.ts";
import type { LegFunds, LegPlan } from "./melt_plan.ts";
import type { SagaContext, Step } from "./saga.ts";

/** What a mint asks and can do, read before a plan is made. */
export interface FundingTerms {
  readonly terms: KeysetTerms;
  /** Where new outputs go. */
  readonly keyset: Keyset;
  /** It gives back what was too much (NUT-08). */
  readonly givesChange: boolean;
}

/** Asks `mint` for its terms, anew after it refused for them. */
export async function fundingTerms(
  mint: MintApi,
  options: { readonly signal: AbortSignal; readonly nowMs: number; readonly fresh: boolean },
): Promise<FundingTerms> {
  const { signal, fresh, nowMs } = options;
  const info = await mint.info({ signal });
  const keyset = await mint.activeKeyset({ signal, fresh });
  const keysets = await mint.keysets({ signal });
  return { terms: termsOf(keysets, { nowMs }), keyset, givesChange: info.nuts.has(8) };
}

/** Proofs chosen for a melt, and what follows from them. */
export interface ChosenFunds {
  readonly inputs: readonly ProofRecord[];
  readonly funds: LegFunds;
  /** Most that it costs on top of the amount. */
  readonly worstFee: bigint;
}

/**
 * Chooses what pays `amount` with up to `feeReserve` on top. Too much is put in only where it comes
 * back and is little: else the exact sum is made by a swap first, for what is put in is locked up for
 * as long as the payment takes. Undefined when the free proofs do not suffice.
 */
export function chooseFunds(
  store: Pick<WalletReads, "coins" | "proofsOf">,
  request: {
    readonly mint: MintUrl;
    readonly amount: bigint;
    readonly feeReserve: bigint;
    readonly terms: FundingTerms;
  },
): ChosenFunds | undefined {
  const { mint, amount, feeReserve, terms: { terms, keyset, givesChange } } = request;
  const need = amount + feeReserve;
  const close = selectFrom(store, {
    ...terms,
    mint,
    amount: need,
    overshootMaxSat: givesChange ? overshootMax(need) : 0n,
  });
  if (close !== undefined) {
    return {
      inputs: close.inputs,
      funds: { inputFeeSat: String(close.fee) },
      worstFee: close.fee + feeReserve,
    };
  }
  const exact = exactSum(need, keyset);
  const large = selectFrom(store, { ...terms, mint, amount: exact.sum });
  if (large === undefined) return undefined;
  return {
    inputs: large.inputs,
    funds: {
      inputFeeSat: String(exact.fee),
      split: { sumSat: String(exact.sum), feeSat: String(large.fee) },
    },
    worstFee: large.fee + exact.fee + feeReserve,
  };
}

/** Most that may be put in too much without a swap before. */
export function overshootMax(need: bigint): bigint {
  const part = need * OVERSHOOT_PERCENT_MAX / 100n;
  return part > OVERSHOOT_SAT_MIN ? part : OVERSHOOT_SAT_MIN;
}

/** The sum of proofs of `keyset` that pays `need` after their own input fee. */
export function exactSum(
  need: bigint,
  keyset: Pick<Keyset, "id" | "keys" | "inputFeePpk">,
): { readonly sum: bigint; readonly fee: bigint } {
  let fee = 0n;
  // The fee grows with the count of proofs, which grows with the logarithm of the sum: a few rounds.
  for (let round = 0; round < 64; round++) {
    const wanted = feeForCount(outputCountOf(need + fee, keyset), keyset.inputFeePpk);
    if (wanted <= fee) return { sum: need + fee, fee };
    fee = wanted;
  }
  throw new SeedmintError(
    "protocol",
    `The input fees of keyset ${keyset.id} eat what they pay for`,
  );
}

/**
 * Asks the mint for its terms and chooses what the leg is paid with. A text says why it cannot be: too
 * little is free, or it may cost more than is allowed.
 */
export async function fundsFor(
  context: SagaContext,
  operation: LegOperation,
  signal: AbortSignal,
): Promise<ChosenFunds | string> {
  const { mint, amount, plan } = operation;
  const terms = await fundingTerms(context.mints.of(mint), {
    signal,
    nowMs: context.clock.nowMs(),
    fresh: false,
  });
  const feeReserve = BigInt(quoteOfLeg(operation).feeReserveSat);
  const chosen = chooseFunds(context.store, { mint, amount, feeReserve, terms });
  if (chosen === undefined) {
    return `not enough is free at ${mint} for ${amount} sat and fees of at least ${feeReserve} sat`;
  }
  const worstFee = chosen.worstFee + operation.fee;
  const feeMax = BigInt(plan.feeMaxSat);
  if (worstFee > feeMax) {
    return `it may cost ${worstFee} sat on top of ${amount} sat, and ${feeMax} sat are allowed`;
  }
  return { ...chosen, worstFee };
}

/** What the plan keeps of it. Where a person is asked, what is shown is all that is allowed from then on. */
export function preparedPlan(
  plan: Pick<LegPlan, "holdUntilMs" | "feeMaxSat">,
  chosen: Pick<ChosenFunds, "funds" | "worstFee">,
): Pick<LegPlan, "funds" | "worstFeeSat" | "feeMaxSat"> {
  const worstFeeSat = String(chosen.worstFee);
  const feeMaxSat = plan.holdUntilMs === undefined ? plan.feeMaxSat : worstFeeSat;
  return { funds: chosen.funds, worstFeeSat, feeMaxSat };
}

/** Gives the quotes up and starts again: nothing was sent, and they would not last. */
export function requote(context: SagaContext, leg: Leg, operation: LegOperation): Step {
  return commitLeg(context, leg, {
    operation,
    event: "requote",
    change: {
      reason: "the quote went stale before anything was sent",
      plan: { requoteCount: operation.plan.requoteCount + 1, quote: undefined, funds: undefined },
    },
    also: (tx) => {
      tx.releaseProofs(operation.id);
      leg.onGivenUp?.(tx, operation);
    },
  });
}
