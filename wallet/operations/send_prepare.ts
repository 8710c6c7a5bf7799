/** The first part of sending: what it costs, which proofs, and the swap that makes the token. */
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import type { MintInfo } from "../mint/mint_api.ts";
import { outputCountOf, planLocked, planOutputs } from "../outputs/planning.ts";
import { swapBody } from "../outputs/requests.ts";
import { feeForCount } from "../selection/fees.ts";
import { selectFrom } from "../selection/from_store.ts";
import type { Selection } from "../selection/select.ts";
import { type KeysetTerms, termsOf } from "../selection/terms.ts";
import type { ProofRecord, WalletReads, WalletTransaction } from "../store/wallet_store.ts";
import type { Keyset, MintUrl, PlannedOutput } from "../types.ts";
import { PLAN_ROUNDS_MAX } from "./limits.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext, Step } from "./saga.ts";
import { inTokenOrder, type SendPlan } from "./send_plan.ts";
import { sumOf } from "./sums.ts";
import { LAZY } from "./backoff.ts";
import { commit, fail, failShort, phaseName, usableMint } from "./transition.ts";

/** What a send will spend. */
interface Choice {
  readonly selection: Selection<ProofRecord>;
  readonly tokenSat: bigint;
  readonly isExact: boolean;
  /** On top of the amount. */
  readonly feeMax: bigint;
}

/** planned → prepared, or failed. */
export async function prepare(
  operation: Operation<SendPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { plan } = operation;
  try {
    usableMint(context, operation.mint);
    if (plan.round >= PLAN_ROUNDS_MAX) {
      return fail(context, operation, "the mint refused every plan; nothing was sent");
    }
    const mint = context.mints.of(operation.mint);
    assertAble(await mint.info({ signal }), operation);
    const fresh = plan.isStale === true;
    const keyset = await mint.activeKeyset({ signal, fresh });
    const terms = termsOf(await mint.keysets({ signal }), { nowMs: context.clock.nowMs() });
    commit(context, operation, (tx) => {
      const choice = choose(tx, operation, { keyset, terms });
      tx.reserveProofs(operation.id, choice.selection.inputs.map((proof) => proof.y));
      tx.updateOperation(operation, {
        state: "prepared",
        plan: {
          ...plan,
          isStale: false,
          isExact: choice.isExact,
          tokenSat: Number(choice.tokenSat),
          feeMaxSat: Number(choice.feeMax),
          // What is shown to a person is the most that a later plan may cost.
          ...(plan.holdUntilMs === undefined
            ? {}
            : { maxFeeSat: plan.maxFeeSat ?? Number(choice.feeMax) }),
        },
        nextAtMs: plan.holdUntilMs ?? context.clock.nowMs(),
        reason: plan.holdUntilMs === undefined ? null : "waits to be confirmed",
      });
    });
    return plan.holdUntilMs === undefined ? "again" : "rest";
  } catch (error) {
    if (isSeedmintError(error, "payment-required")) {
      return failShort(context, operation, error.message);
    }
    if (!isSeedmintError(error, "denied")) throw error;
    return fail(context, operation, error.message);
  }
}

/** @throws {SeedmintError} `payment-required` when the proofs, `denied` when the fee cap do not suffice. */
function choose(
  reads: WalletReads,
  operation: Operation<SendPlan>,
  options: { readonly keyset: Keyset; readonly terms: KeysetTerms },
): Choice {
  const { amount, mint, plan } = operation;
  const { keyset, terms } = options;
  const { includeFees } = plan;
  const choice = plan.lock === undefined
    ? exactly(reads, { mint, amount, includeFees }, terms) ?? bySwap()
    : bySwap();
  if (choice === undefined) {
    const free = reads.balances().find((balance) => balance.mint === mint)?.free ?? 0n;
    throw new SeedmintError(
      "payment-required",
      `Cannot send ${amount} sat of ${mint}: ${free} sat are free there, which do not suffice with fees; fund it or wait for what is pending`,
    );
  }
  if (plan.maxFeeSat !== undefined && choice.feeMax > BigInt(plan.maxFeeSat)) {
    throw new SeedmintError(
      "denied",
      `Cannot send ${amount} sat of ${mint}: fees are ${choice.feeMax} sat, and at most ${plan.maxFeeSat} sat are allowed`,
    );
  }
  return choice;

  function bySwap(): Choice | undefined {
    const tokenSat = includeFees ? grossOf(amount, keyset) : amount;
    const selection = selectFrom(reads, { ...terms, mint, amount: tokenSat });
    if (selection === undefined) return undefined;
    const feeMax = tokenSat - amount + selection.fee;
    return { selection, tokenSat, isExact: false, feeMax };
  }
}

/** What a token would cost now that holds just its amount; undefined when the proofs do not suffice. */
export function sendFee(
  reads: Pick<WalletReads, "coins" | "proofsOf">,
  wish: { readonly mint: MintUrl; readonly amount: bigint; readonly isLocked: boolean },
  terms: KeysetTerms,
): bigint | undefined {
  const exact = wish.isLocked ? undefined : exactly(reads, { ...wish, includeFees: false }, terms);
  return exact?.feeMax ?? selectFrom(reads, { ...terms, ...wish })?.fee;
}

/** Proofs that are the token as they are. Only what is not locked can be given away unswapped. */
function exactly(
  reads: Pick<WalletReads, "coins" | "proofsOf">,
  plan: { readonly mint: MintUrl; readonly amount: bigint; readonly includeFees: boolean },
  terms: KeysetTerms,
): Choice | undefined {
  const { amount, mint } = plan;
  // Without the receiver's fee only the sum counts, but dust is no gift.
  const feePpkOf = plan.includeFees ? terms.feePpkOf : (id: string) => {
    const fee = terms.feePpkOf(id);
    return fee === undefined || fee >= 1000 ? undefined : 0;
  };
  const selection = selectFrom(reads, { ...terms, feePpkOf, mint, amount, exact: true });
  if (selection === undefined) return undefined;
  const tokenSat = amount + selection.fee;
  return { selection: { ...selection, fee: 0n }, tokenSat, isExact: true, feeMax: selection.fee };
}

/** The least that a token must hold so that redeeming it leaves `net`. */
export function grossOf(net: bigint, keyset: Keyset): bigint {
  for (let extra = 0n;; extra++) {
    const fee = feeForCount(outputCountOf(net + extra, keyset), keyset.inputFeePpk);
    if (fee <= extra) return net + extra;
    // No proof can pay for itself: say so with an amount that nobody has.
    if (extra > 10_000n) {
      throw new SeedmintError(
        "denied",
        `Cannot send ${net} sat so that they arrive: the mint's fees eat each proof`,
      );
    }
  }
}

/** prepared → swap-inflight; token-ready without a swap; or failed when nobody confirmed. */
export async function dispatch(
  operation: Operation<SendPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { plan } = operation;
  const nowMs = context.clock.nowMs();
  if (plan.holdUntilMs !== undefined) {
    if (plan.holdUntilMs > nowMs) return "rest";
    return fail(context, operation, "nobody confirmed it in time; what was reserved is free again");
  }
  const inputs = context.store.proofs({ operationId: operation.id, state: "reserved" });
  if (plan.isExact === true) return giveAsIs(operation, context, inputs);
  const keyset = await context.mints.of(operation.mint).activeKeyset({ signal });
  const round = plan.round + 1;
  const phase = phaseName("swap", round);
  commit(context, operation, (tx) => {
    const outputs = planSwap(tx, operation, { context, keyset, inputs });
    tx.insertOutputs(operation.id, phase, { mint: operation.mint, outputs });
    tx.freezeRequest({
      operationId: operation.id,
      phase,
      path: "/v1/swap",
      body: swapBody({ inputs, outputs }),
    });
    tx.updateOperation(operation, {
      state: "swap-inflight",
      plan: { ...plan, round },
      nextAtMs: nowMs,
      reason: null,
    });
  });
  return "again";
}

function planSwap(
  tx: WalletTransaction,
  operation: Operation<SendPlan>,
  options: {
    readonly context: SagaContext;
    readonly keyset: Keyset;
    readonly inputs: readonly ProofRecord[];
  },
): PlannedOutput[] {
  const { context, keyset, inputs } = options;
  const { plan, amount } = operation;
  const { keys } = context;
  const tokenSat = BigInt(plan.tokenSat ?? 0);
  const swapFee = BigInt(plan.feeMaxSat ?? 0) - (tokenSat - amount);
  const keep = sumOf(inputs) - tokenSat - swapFee;
  const derived = (role: "send" | "keep", amount: bigint) => {
    const firstCounter = tx.takeCounters(keyset.id, outputCountOf(amount, keyset));
    return planOutputs({ amount, role, keyset, keys, firstCounter });
  };
  const sent = plan.lock === undefined ? derived("send", tokenSat) : planLocked({
    amount: tokenSat,
    role: "send",
    keyset,
    lock: plan.lock,
    random: context.random,
  });
  return keep === 0n ? sent : [...sent, ...derived("keep", keep)];
}

function giveAsIs(
  operation: Operation<SendPlan>,
  context: SagaContext,
  inputs: readonly ProofRecord[],
): Step {
  const nowMs = context.clock.nowMs();
  const sum = sumOf(inputs);
  commit(context, operation, (tx) => {
    tx.moveProofs(inputs.map((proof) => proof.y), "outgoing", operation.id);
    tx.addLedger([{
      operationId: operation.id,
      mint: operation.mint,
      kind: "send",
      delta: -sum,
      atMs: nowMs,
    }]);
    tx.updateOperation(operation, {
      state: "token-ready",
      fee: sum - operation.amount,
      plan: { ...operation.plan, tokenYs: inTokenOrder(inputs) },
      nextAtMs: nowMs + LAZY.firstMs,
      reason: "waits to be redeemed",
    });
  });
  return "rest";
}

/** @throws {SeedmintError} `denied` for a mint that lacks what tokens of ours need. */
export function assertAble(
  info: MintInfo,
  operation: { readonly mint: MintUrl; readonly plan: { readonly lock?: unknown } },
): void {
  const wanted = operation.plan.lock === undefined ? [7, 9] : [7, 9, 10, 11];
  const missing = wanted.filter((nut) => !info.nuts.has(nut));
  if (missing.length === 0) return;
  throw new SeedmintError(
    "denied",
    `Cannot send from ${operation.mint}: it lacks NUT-${
      missing.join(", NUT-")
    }, so that a token may be lost or taken by others; use another mint`,
  );
}
