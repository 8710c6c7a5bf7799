/** Lightning out: an invoice that a mint pays (NUT-05), with change (NUT-08). */
import { assert, unreachable } from "../../src/core/assert.ts";
import { decodeInvoice, expiresAtS } from "../lightning/bolt11.ts";
import { type MeltQuote, MintRefusal } from "../mint/mint_api.ts";
import type { WalletTransaction } from "../store/wallet_store.ts";
import { settleChange } from "./melt_change.ts";
import { dispatchMelt, freezeMelt } from "./melt_dispatch.ts";
import { runFence } from "./melt_fence.ts";
import { fundsFor, preparedPlan } from "./melt_funds.ts";
import { type Leg, type PlanChange, planWith, release } from "./melt_leg.ts";
import { observe } from "./melt_observe.ts";
import { orGiveUp, patiently } from "./melt_patience.ts";
import type { MeltPlan } from "./melt_plan.ts";
import { freezeSplit, runSplit } from "./melt_split.ts";
import { MELT_TRANSITIONS, type MeltEvent, type MeltState, transition } from "./melt_transition.ts";
import { handleUnpaid } from "./melt_unpaid.ts";
import type { Operation } from "./operation.ts";
import type { Saga, SagaContext, Step } from "./saga.ts";
import { commit } from "./transition.ts";

export { beginMelt, meltResultOf } from "./melt_plan.ts";

/** Where a test or a crash may stop a melt; a phase of a second plan ends with `.2`. */
export const FAULT_POINTS: readonly string[] = [
  /** The mint has made a quote that nobody knows of yet. */
  "melt.intent.after-quote",
  ...[
    "intent",
    "quoted",
    "prepared",
    "splitting",
    "ready",
    "inflight",
    "pending",
    "unpaid",
    "fencing",
    "paid",
  ].flatMap((state) => [`melt.${state}.before-commit`, `melt.${state}.after-commit`]),
  ...["split", "melt", "fence"]
    .flatMap((phase) => [`melt.${phase}.before-send`, `melt.${phase}.after-send`]),
];

/** The leg of a melt, which is nearly all of it. */
const LEG: Leg = {
  prefix: "",
  ledgerKind: "melt",
  sendBeforeMs({ plan }) {
    const { expiryMs } = plan.quote ?? {};
    return expiryMs === undefined ? undefined : expiryMs - (plan as MeltPlan).windowMs;
  },
};

/** The saga of {@link MeltPlan}. */
export const meltSaga: Saga = {
  kind: "melt",
  step(operation, context, { signal }) {
    const melt = operation as Operation<MeltPlan>;
    return patiently(context, melt, () => step(melt, context, signal));
  },
};

function step(
  operation: Operation<MeltPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const state = operation.state as MeltState;
  const unsent = (step: () => Promise<Step>) =>
    orGiveUp(operation, step, (reason) => fail(context, operation, reason));
  switch (state) {
    case "intent":
      return unsent(() => askQuote(operation, context, signal));
    case "quoted":
      return unsent(() => prepare(operation, context, signal));
    case "prepared":
      return unsent(() => goOn(operation, context, signal));
    case "splitting":
      return runSplit(context, LEG, operation, signal);
    case "ready":
      return orGiveUp(
        operation,
        () => freezeMelt(context, LEG, operation, { signal }),
        (reason) => release(context, LEG, { operation, reason }),
      );
    case "inflight":
      return dispatchMelt(context, LEG, operation, signal);
    case "pending":
      return observe(context, LEG, operation, signal);
    case "unpaid":
      return handleUnpaid(context, LEG, operation, signal);
    case "fencing":
      return runFence(context, LEG, operation, signal);
    case "paid":
      return claimChange(operation, context, signal);
    case "done":
    case "failed":
    case "cancelled":
      return Promise.resolve("rest");
    default:
      return unreachable(state);
  }
}

/** intent → quoted: what the mint asks for this very invoice. */
async function askQuote(
  operation: Operation<MeltPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { mint, plan } = operation;
  if (expiresAtS(decodeInvoice(plan.invoice)) * 1000 <= context.clock.nowMs()) {
    return fail(context, operation, "the invoice has expired");
  }
  let quote: MeltQuote;
  try {
    quote = await context.mints.of(mint).createMeltQuote({ invoice: plan.invoice }, { signal });
  } catch (error) {
    if (!(error instanceof MintRefusal)) throw error;
    return fail(context, operation, `${mint} refuses to quote this invoice (code ${error.code})`);
  }
  context.fault("melt.intent.after-quote");
  const fault = quoteFault(operation, quote);
  if (fault !== undefined) return fail(context, operation, fault);
  move(context, operation, "quoted", {
    plan: { quote: quotePlan(quote) },
    also: (tx) => tx.putQuote(quoteRecord(operation, quote)),
  });
  return "again";
}

/** Why a quote cannot be used; undefined when it can. The quote must be for what we asked (P6). */
export function quoteFault(
  operation: Operation<{ readonly invoice: string; readonly feeMaxSat: string }>,
  quote: MeltQuote,
): string | undefined {
  const { mint, amount, plan } = operation;
  const asked = plan.invoice.toLowerCase();
  if (quote.request !== undefined && quote.request.toLowerCase() !== asked) {
    return `${mint} quoted another invoice than the one that it was asked for`;
  }
  if (quote.amount !== amount) {
    return `${mint} quoted ${quote.amount} sat for an invoice of ${amount} sat`;
  }
  if (quote.state !== "UNPAID") {
    return `${mint} says that this invoice is ${quote.state.toLowerCase()} already`;
  }
  const feeMax = BigInt(plan.feeMaxSat);
  if (quote.feeReserve > feeMax) {
    return `${mint} wants ${quote.feeReserve} sat in reserve for fees, and ${feeMax} sat are allowed`;
  }
  return undefined;
}

/** What the plan keeps of a quote. */
export function quotePlan(quote: MeltQuote): NonNullable<MeltPlan["quote"]> {
  return {
    quoteId: quote.quoteId,
    feeReserveSat: String(quote.feeReserve),
    ...(quote.expiryMs === undefined ? {} : { expiryMs: quote.expiryMs }),
  };
}

/** What the store keeps of it. */
export function quoteRecord(
  operation: Operation<{ readonly invoice: string }>,
  quote: MeltQuote,
): Parameters<WalletTransaction["putQuote"]>[0] {
  return {
    mint: operation.mint,
    kind: "melt",
    quoteId: quote.quoteId,
    operationId: operation.id,
    amount: quote.amount,
    feeReserve: quote.feeReserve,
    request: operation.plan.invoice,
    state: quote.state,
    ...(quote.expiryMs === undefined ? {} : { expiryMs: quote.expiryMs }),
  };
}

/** quoted → prepared: reserves what it may cost at most. */
async function prepare(
  operation: Operation<MeltPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const chosen = await fundsFor(context, operation, signal);
  if (typeof chosen === "string") return fail(context, operation, chosen);
  move(context, operation, "reserved", {
    plan: preparedPlan(operation.plan, chosen),
    nextAtMs: operation.plan.holdUntilMs ?? context.clock.nowMs(),
    also: (tx) => tx.reserveProofs(operation.id, chosen.inputs.map((proof) => proof.y)),
  });
  return "again";
}

/** prepared: waits for a person if it should, then splits or pays. */
async function goOn(
  operation: Operation<MeltPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const held = holdOf(operation, context);
  if (held === "waits") return "rest";
  if (held === "over") return fail(context, operation, "it was not confirmed in time");
  return operation.plan.funds?.split === undefined
    ? await freezeMelt(context, LEG, operation, { signal })
    : await freezeSplit(context, LEG, operation, { signal });
}

/** Whether a prepared operation waits for a person, or waited too long. */
export function holdOf(
  operation: Operation<{ readonly holdUntilMs?: number }>,
  context: SagaContext,
): "goes" | "waits" | "over" {
  const { holdUntilMs } = operation.plan;
  if (holdUntilMs === undefined) return "goes";
  if (context.clock.nowMs() >= holdUntilMs) return "over";
  assert(operation.nextAtMs !== undefined, "what waits for a person is looked at again");
  return "waits";
}

/** paid → done: the change is in, or there is none. */
async function claimChange(
  operation: Operation<MeltPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  return await settleChange(context, operation, {
    signal,
    settled: (tx, change) => write(tx, context, operation, "change-settled", change),
  });
}

/** Ends a melt of which nothing was sent. */
function fail(context: SagaContext, operation: Operation<MeltPlan>, reason: string): Step {
  move(context, operation, "released", { reason, also: (tx) => tx.releaseProofs(operation.id) });
  return "rest";
}

/** What changes with a transition of the melt's own part. */
interface MeltChange {
  readonly plan?: PlanChange<MeltPlan>;
  readonly fee?: bigint;
  readonly nextAtMs?: number;
  readonly reason?: string;
}

function move(
  context: SagaContext,
  operation: Operation<MeltPlan>,
  event: MeltEvent,
  change: MeltChange & { readonly also?: (tx: WalletTransaction) => void },
): void {
  commit(context, operation, (tx) => {
    change.also?.(tx);
    write(tx, context, operation, event, change);
  });
}

function write(
  tx: WalletTransaction,
  context: SagaContext,
  operation: Operation<MeltPlan>,
  event: MeltEvent,
  change: MeltChange,
): void {
  const state = transition(MELT_TRANSITIONS, operation.state as MeltState, event);
  assert(state !== undefined, `${event} may happen to a melt that is ${operation.state}`);
  const isOver = state === "done" || state === "failed";
  tx.updateOperation(operation, {
    state,
    status: state === "done" ? "done" : state === "failed" ? "failed" : "open",
    nextAtMs: isOver ? null : change.nextAtMs ?? context.clock.nowMs(),
    reason: change.reason ?? null,
    plan: planWith(operation.plan, change.plan),
    ...(change.fee === undefined ? {} : { fee: change.fee }),
  });
}
