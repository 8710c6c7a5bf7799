/**
 * Change of a melt: always looked for, until the mint has conclusively said what there is. It never
 * holds up what the payment was for.
 */
import { isSeedmintError } from "../../src/core/errors.ts";
import { type MeltQuote, MintRefusal } from "../mint/mint_api.ts";
import { type ChangeOutcome, restoreChange, unblindChange } from "../outputs/change.ts";
import type { SignedProof } from "../outputs/exchange_types.ts";
import type { OutputRecord, WalletTransaction } from "../store/wallet_store.ts";
import { backoffMs, RETRY } from "./backoff.ts";
import { accountOf, closedAccount, figuresOf } from "./melt_account.ts";
import { type LegOperation, planWith, quoteOfLeg, sumOf } from "./melt_leg.ts";
import {
  CHANGE_LOOKS_MAX,
  EMPTY_CHANGE_LOOKS_MIN,
  UNCONFIRMED_CHANGE_LOOKS_MAX,
} from "./melt_limits.ts";
import type { LegChange, LegPlan } from "./melt_plan.ts";
import type { SagaContext, Step } from "./saga.ts";
import { blockMint, commit, needAttention, phaseName } from "./transition.ts";

/** What one look for change found. */
export interface ChangeLook {
  /** Proofs that were not here before. */
  readonly proofs: readonly SignedProof[];
  readonly sum: bigint;
  /** There will be no more. */
  readonly isSettled: boolean;
  /** The mint signed something that does not check out. */
  readonly fault?: string;
}

const NOTHING: ChangeLook = { proofs: [], sum: 0n, isSettled: false };

const NONE: ChangeOutcome = { kind: "claimed", proofs: [] };

/** The change in the answer that said that it is paid, taken along in the same commit. */
export async function changeIn(
  context: SagaContext,
  operation: LegOperation,
  options: {
    readonly quote: MeltQuote;
    readonly inputsSat: bigint;
    readonly signal: AbortSignal;
  },
): Promise<ChangeLook> {
  const { quote, inputsSat, signal } = options;
  const blanks = blanksOf(context, operation);
  if (blanks.length === 0) return { ...NOTHING, isSettled: true };
  if (quote.change.length === 0) return NOTHING;
  const { changeMax, changeOwed } = accountOf(figuresOf(operation, inputsSat));
  try {
    const mint = context.mints.of(operation.mint);
    const outcome = await unblindChange(mint, blanks, quote.change, { signal });
    const sum = sumOf(outcome.proofs);
    // What cannot be is left for the end, where it can stop nothing else.
    if (sum > changeMax) return NOTHING;
    // What is left out of an answer may still be signed: the rest of the blanks is asked for later.
    const isAll = outcome.proofs.length === blanks.length && sum >= changeOwed || sum === changeMax;
    return { proofs: outcome.proofs, sum, isSettled: outcome.kind === "claimed" && isAll };
  } catch (error) {
    // It is paid, and that is to be on disk whatever becomes of the change.
    if (!passes(error)) throw error;
    return NOTHING;
  }
}

/** Writes what a look found. */
export function putChange(
  tx: WalletTransaction,
  context: SagaContext,
  operation: LegOperation,
  look: ChangeLook,
): void {
  const { mint, id: operationId, plan } = operation;
  tx.insertProofs(look.proofs, { mint, state: "free" });
  tx.markOutputs(look.proofs.map((proof) => proof.blinded), "signed");
  if (look.sum > 0n) {
    const atMs = context.clock.nowMs();
    tx.addLedger([{ operationId, mint, kind: "melt-change", delta: look.sum, atMs }]);
  }
  if (!look.isSettled) return;
  const empty = tx.outputs(operationId, phaseName("melt", plan.meltRound))
    .filter((output) => output.state === "planned");
  tx.markOutputs(empty.map((output) => output.blinded), "void");
}

/** What a saga writes when the change is settled. */
export interface SettledChange {
  readonly plan: { readonly change: LegChange };
  /** All fees of the operation. */
  readonly fee: bigint;
}

/**
 * Looks for change that is due, once. `settled` writes the saga's transition, in the transaction that
 * takes the last of it.
 */
export async function settleChange(
  context: SagaContext,
  operation: LegOperation,
  options: {
    readonly signal: AbortSignal;
    readonly settled: (tx: WalletTransaction, change: SettledChange) => void;
  },
): Promise<Step> {
  const { signal, settled } = options;
  const look = operation.plan.change?.state === "settled"
    ? { ...NOTHING, isSettled: true }
    : await lookForChange(context, operation, signal);
  const after = afterLook(operation, look);
  if (look.isSettled) {
    closeAccount(operation, BigInt(after.plan.change.sat));
    commit(context, operation, (tx) => {
      putChange(tx, context, operation, look);
      settled(tx, after);
    });
    return "again";
  }
  const waiting = commit(context, operation, (tx) => {
    putChange(tx, context, operation, look);
    return tx.updateOperation(operation, {
      plan: planWith(operation.plan, after.plan),
      fee: after.fee,
      nextAtMs: context.clock.nowMs() +
        backoffMs(RETRY, after.plan.change.looks, context.random),
      reason: `${operation.mint} has paid, and its change is not here yet`,
    });
  });
  if (look.fault !== undefined) {
    blockMint(context, waiting, { mint: operation.mint, reason: look.fault });
  } else if (after.plan.change.looks >= CHANGE_LOOKS_MAX) {
    const inputsSat = BigInt(operation.plan.paid?.inputsSat ?? 0);
    const { changeOwed: owed } = accountOf(figuresOf(operation, inputsSat));
    needAttention(
      context,
      waiting,
      `${operation.mint} owes at least ${owed} sat of change and gave ${after.plan.change.sat} sat; "wallet resume" asks again`,
    );
  }
  return "rest";
}

/** One look in passing, while something else is waited for. Trouble with it is no trouble. */
export async function tryChange(
  context: SagaContext,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const operation = context.store.operation<LegPlan>(id);
  if (operation === undefined || operation.plan.change?.state !== "due") return;
  if (operation.plan.change.looks >= CHANGE_LOOKS_MAX) return;
  let look: ChangeLook;
  try {
    look = await lookForChange(context, operation, signal);
  } catch (error) {
    if (!passes(error)) throw error;
    return;
  }
  // What does not check out is left for the end, where it can stop nothing else.
  if (look.fault !== undefined) return;
  const after = afterLook(operation, look);
  if (look.isSettled) closeAccount(operation, BigInt(after.plan.change.sat));
  commit(context, operation, (tx) => {
    putChange(tx, context, operation, look);
    const plan = planWith(operation.plan, after.plan);
    tx.updateOperation(operation, { plan, fee: after.fee });
  });
}

/**
 * Asks the quote if nothing came yet, and for every blank that is left by its blinded message
 * (NUT-09): an answer may be short, and what the mint signed is ours.
 */
async function lookForChange(
  context: SagaContext,
  operation: LegOperation,
  signal: AbortSignal,
): Promise<ChangeLook> {
  const blanks = blanksOf(context, operation);
  const { change, paid } = operation.plan;
  if (blanks.length === 0 || change === undefined || paid === undefined) {
    return { ...NOTHING, isSettled: true };
  }
  const before = BigInt(change.sat);
  const inQuote = before > 0n ? NONE : await inTheQuote(context, operation, { blanks, signal });
  const taken = new Set(inQuote.proofs.map((proof) => proof.blinded));
  const left = blanks.filter((one) => one.state !== "signed" && !taken.has(one.blinded));
  const { changeMax, changeOwed } = accountOf(figuresOf(operation, BigInt(paid.inputsSat)));
  const soFar = before + sumOf(inQuote.proofs);
  const isEnough = soFar >= changeOwed && soFar > 0n;
  const rest = await byBlindedMessage(context, operation, { left, isEnough, signal });
  const proofs = [...inQuote.proofs, ...rest?.proofs ?? []];
  const sum = sumOf(proofs);
  for (const found of [inQuote, rest]) {
    if (found?.kind === "dishonest") return { proofs, sum, isSettled: false, fault: found.reason };
  }
  const total = before + sum;
  if (total > changeMax) {
    return { ...NOTHING, fault: "it says that more comes back than was put in" };
  }
  const looks = change.looks + 1;
  // A mint that is about to sign has signed nothing yet: none is believed only when it is said twice.
  const isSaid = total > 0n
    ? rest !== undefined || looks >= UNCONFIRMED_CHANGE_LOOKS_MAX
    : looks >= EMPTY_CHANGE_LOOKS_MIN;
  return { proofs, sum, isSettled: total >= changeOwed && isSaid };
}

async function inTheQuote(
  context: SagaContext,
  operation: LegOperation,
  options: { readonly blanks: readonly OutputRecord[]; readonly signal: AbortSignal },
): Promise<ChangeOutcome> {
  const { blanks, signal } = options;
  const mint = context.mints.of(operation.mint);
  const { change } = await mint.meltQuote(quoteOfLeg(operation).quoteId, { signal });
  if (change.length === 0) return NONE;
  const outcome = await unblindChange(mint, blanks, change, { signal });
  const known = new Set(
    blanks.filter((blank) => blank.state === "signed").map((blank) => blank.blinded),
  );
  return { ...outcome, proofs: outcome.proofs.filter((proof) => !known.has(proof.blinded)) };
}

/** Undefined when enough is here already and the mint does not answer. */
async function byBlindedMessage(
  context: SagaContext,
  operation: LegOperation,
  options: {
    readonly left: readonly OutputRecord[];
    readonly isEnough: boolean;
    readonly signal: AbortSignal;
  },
): Promise<ChangeOutcome | undefined> {
  const { left, isEnough, signal } = options;
  const mint = context.mints.of(operation.mint);
  try {
    const canRestore = (await mint.info({ signal })).nuts.has(9);
    return canRestore ? await restoreChange(mint, left, { signal }) : NONE;
  } catch (error) {
    if (!isEnough || !passes(error)) throw error;
    return undefined;
  }
}

function afterLook(operation: LegOperation, look: ChangeLook): SettledChange {
  const before = operation.plan.change;
  const sat = BigInt(before?.sat ?? 0) + look.sum;
  const state = look.isSettled ? "settled" : "due";
  const change: LegChange = { state, sat: String(sat), looks: (before?.looks ?? 0) + 1 };
  return { plan: { change }, fee: operation.fee - look.sum };
}

/** @throws {Error} If the figures do not add up, which is a mistake of ours: nothing is closed then. */
function closeAccount(operation: LegOperation, change: bigint): void {
  const { paid } = operation.plan;
  if (paid !== undefined) closedAccount(figuresOf(operation, BigInt(paid.inputsSat)), change);
}

/** The blanks of the melt that was sent last, in the order in which its body names them. */
function blanksOf(context: SagaContext, operation: LegOperation): OutputRecord[] {
  return context.store.outputs(operation.id, phaseName("melt", operation.plan.meltRound))
    .sort((a, b) => a.index - b.index);
}

/** Whether trouble with a question may be over later. */
function passes(error: unknown): boolean {
  return error instanceof MintRefusal || isSeedmintError(error) && error.retryable;
}
