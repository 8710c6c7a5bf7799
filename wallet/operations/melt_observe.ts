/** What the mint says of the melt, and what follows. Asked of the quote, never by sending again. */
import { createHash } from "node:crypto";
import { unreachable } from "../../src/core/assert.ts";
import type { MeltQuote } from "../mint/mint_api.ts";
import type { LedgerEntry, WalletTransaction } from "../store/wallet_store.ts";
import { backoffMs, POLL } from "./backoff.ts";
import { changeIn, putChange } from "./melt_change.ts";
import {
  commitLeg,
  type Leg,
  type LegOperation,
  legStateOf,
  quoteOfLeg,
  reservedInputs,
  sumOf,
} from "./melt_leg.ts";
import { UNPAID_GRACE_MS } from "./melt_limits.ts";
import { hold } from "./melt_patience.ts";
import type { SagaContext, Step } from "./saga.ts";
import { postpone } from "./transition.ts";

/** inflight or pending: asks for the quote. */
export async function observe(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  signal: AbortSignal,
): Promise<Step> {
  const { quoteId } = quoteOfLeg(operation);
  const quote = await context.mints.of(operation.mint).meltQuote(quoteId, { signal });
  return await seen(context, leg, operation, { quote, signal });
}

/** What follows from a state of the quote, wherever it was seen. */
export async function seen(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  { quote, signal }: { readonly quote: MeltQuote; readonly signal: AbortSignal },
): Promise<Step> {
  switch (quote.state) {
    case "PAID":
      return await paid(context, leg, operation, { quote, signal });
    case "PENDING":
      return pending(context, leg, operation);
    case "UNPAID":
      return unpaid(context, leg, operation, quote);
    default:
      return unreachable(quote.state);
  }
}

/** Held: nothing is sent and nothing released for as long as the mint says so. */
function pending(context: SagaContext, leg: Leg, operation: LegOperation): Step {
  const reason = `${operation.mint} says that the payment is under way`;
  if (legStateOf(leg, operation) === "pending") {
    hold(context, operation, reason);
    return "rest";
  }
  return commitLeg(context, leg, {
    operation,
    event: "saw-pending",
    change: {
      reason,
      nextAtMs: context.clock.nowMs() + backoffMs(POLL, 0, context.random),
      plan: { wasPending: true },
    },
  });
}

function unpaid(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  quote: MeltQuote,
): Step {
  const { answer, dispatchedMs = 0, paymentHash } = operation.plan;
  if (quote.preimage !== undefined && isPreimageOf(quote.preimage, paymentHash)) {
    hold(context, operation, `${operation.mint} gives proof of payment and says that it is unpaid`);
    return "rest";
  }
  const sinceMs = context.clock.nowMs() - dispatchedMs;
  const mayArrive = answer === undefined || answer.kind === "unknown";
  if (mayArrive && sinceMs >= 0 && sinceMs < UNPAID_GRACE_MS) {
    const leastMs = UNPAID_GRACE_MS - sinceMs;
    postpone(context, operation, { reason: "the payment may still reach the mint", leastMs });
    return "rest";
  }
  return commitLeg(context, leg, { operation, event: "saw-unpaid" });
}

/** The point of no return: inputs spent, change taken if it is there, all in one commit. */
async function paid(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  { quote, signal }: { readonly quote: MeltQuote; readonly signal: AbortSignal },
): Promise<Step> {
  const inputs = reservedInputs(context.store, operation);
  const inputsSat = sumOf(inputs);
  const { preimage } = quote;
  const isProven = preimage !== undefined && isPreimageOf(preimage, operation.plan.paymentHash);
  // A mint that paid took the ecash: one that says it did and did not may still be made to give it back.
  if (!isProven && await isUntouched(context, operation, { inputs, signal })) {
    hold(context, operation, `${operation.mint} says that it paid, and has not taken the ecash`);
    return "rest";
  }
  const look = await changeIn(context, operation, { quote, inputsSat, signal });
  return commitLeg(context, leg, {
    operation,
    event: "saw-paid",
    change: {
      fee: operation.fee + inputsSat - operation.amount - look.sum,
      plan: {
        paid: {
          atMs: context.clock.nowMs(),
          isProven,
          inputsSat: String(inputsSat),
          preparationFeeSat: String(operation.fee),
          ...(preimage === undefined ? {} : { preimage }),
        },
        change: { state: look.isSettled ? "settled" : "due", sat: String(look.sum), looks: 0 },
        isAlerted: undefined,
      },
    },
    also: (tx) => {
      tx.moveProofs(inputs.map((proof) => proof.y), "spent");
      tx.addLedger(paymentEntries(context, leg, operation, inputsSat));
      putPaid(tx, operation, quote);
      putChange(tx, context, operation, look);
    },
  });
}

async function isUntouched(
  context: SagaContext,
  operation: LegOperation,
  options: { readonly inputs: readonly { readonly y: string }[]; readonly signal: AbortSignal },
): Promise<boolean> {
  const { inputs, signal } = options;
  const states = await context.mints.of(operation.mint)
    .checkStates(inputs.map(({ y }) => y), { signal });
  return states.every(({ state }) => state === "UNSPENT");
}

function paymentEntries(
  context: SagaContext,
  leg: Leg,
  operation: LegOperation,
  inputsSat: bigint,
): LedgerEntry[] {
  const { id: operationId, mint, amount } = operation;
  const atMs = context.clock.nowMs();
  const fee = inputsSat - amount;
  return [
    { operationId, mint, kind: leg.ledgerKind, delta: -amount, atMs },
    ...(fee === 0n ? [] : [{ operationId, mint, kind: "fee", delta: -fee, atMs } as const]),
  ];
}

function putPaid(tx: WalletTransaction, operation: LegOperation, quote: MeltQuote): void {
  const known = tx.quote(operation.mint, quote.quoteId);
  if (known !== undefined) tx.putQuote({ ...known, state: "PAID" });
}

/** Whether `preimage` (hex) is that of the invoice with `paymentHash`. */
export function isPreimageOf(preimage: string, paymentHash: string): boolean {
  if (!/^[0-9a-f]{64}$/i.test(preimage)) return false;
  return createHash("sha256").update(Uint8Array.fromHex(preimage)).digest("hex") === paymentHash;
}
