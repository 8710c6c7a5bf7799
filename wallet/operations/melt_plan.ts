/** What a melt keeps, how one begins, and what it tells of itself. */
import { SeedmintError } from "../../src/core/errors.ts";
import { decodeInvoice, expiresAtS, type Invoice } from "../lightning/bolt11.ts";
import { AMOUNT_SAT_MAX } from "../limits.ts";
import type { MintUrl } from "../types.ts";
import { FEE_MAX_DEFAULT_PERCENT, FEE_MAX_DEFAULT_SAT, MELT_WINDOW_MS } from "./melt_limits.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";
import { newOperation } from "./transition.ts";

/** A whole number of sat as decimal text: plans are JSON. */
export type SatText = string;

/** A melt quote as the plan keeps it. Its id is a secret. */
export interface LegQuote {
  readonly quoteId: string;
  readonly feeReserveSat: SatText;
  readonly expiryMs?: number;
}

/** What the melt is paid with. */
export interface LegFunds {
  /** Fee of the melt's own inputs. */
  readonly inputFeeSat: SatText;
  /** A swap makes inputs of exactly this sum first. */
  readonly split?: { readonly sumSat: SatText; readonly feeSat: SatText };
}

/** How the mint answered the last time the melt was sent. */
export type LegAnswer =
  | { readonly kind: "refused"; readonly code: number }
  | { readonly kind: "limited"; readonly retryAfterMs: number }
  | { readonly kind: "unknown" };

/** A payment that the mint says it made. */
export interface LegPayment {
  readonly atMs: number;
  /** Proof of payment: a secret until somebody asks for it. */
  readonly preimage?: string;
  /** Its hash is that of the invoice. */
  readonly isProven: boolean;
  readonly inputsSat: SatText;
  /** Fees of the operation before the payment. */
  readonly preparationFeeSat: SatText;
}

/** What came back of what was put in too much. */
export interface LegChange {
  readonly state: "due" | "settled";
  readonly sat: SatText;
  readonly looks: number;
}

/** Plan of the spending leg: of a melt, and of the source of a swap. */
export interface LegPlan {
  readonly invoice: string;
  /** 64 hex characters, of the invoice. */
  readonly paymentHash: string;
  /** Most that it may cost on top of the amount, all fees together. */
  readonly feeMaxSat: SatText;
  /** Waits for a person until then, in milliseconds since 1970. */
  readonly holdUntilMs?: number;
  readonly quote?: LegQuote;
  readonly funds?: LegFunds;
  /** Most that it costs on top of the amount with this quote and these funds. */
  readonly worstFeeSat?: SatText;
  /** Quotes that went stale. */
  readonly requoteCount: number;
  /** Requests of each phase that were frozen so far; the last counts. */
  readonly splitRound: number;
  readonly meltRound: number;
  readonly fenceRound: number;
  /** When the melt was frozen, in milliseconds since 1970. */
  readonly dispatchedMs?: number;
  readonly answer?: LegAnswer;
  /** The same bytes are to be sent once more: the mint did not look at them. */
  readonly again?: boolean;
  /** The mint said once that the payment is under way. */
  readonly wasPending?: boolean;
  /** Times that the mint contradicted itself. */
  readonly conflictCount: number;
  readonly paid?: LegPayment;
  readonly change?: LegChange;
  /** People heard that it takes too long. */
  readonly isAlerted?: boolean;
}

/** Plan of a melt. */
export interface MeltPlan extends LegPlan {
  readonly windowMs: number;
}

/** The counters and rounds of a leg that has not begun. */
export const NEW_LEG: Pick<
  LegPlan,
  "requoteCount" | "splitRound" | "meltRound" | "fenceRound" | "conflictCount"
> = { requoteCount: 0, splitRound: 0, meltRound: 0, fenceRound: 0, conflictCount: 0 };

/** What {@link beginMelt} is asked. */
export interface MeltRequest {
  readonly mint: MintUrl;
  readonly invoice: string;
  /** Most for all fees, in sat. @default {the larger of 50 sat and 5 %} */
  readonly feeMax?: bigint;
  /** Rest when everything is reserved, until somebody confirms or this long has passed. */
  readonly holdMs?: number;
  readonly parent?: string;
}

/**
 * Writes down that an invoice is to be paid. Nothing is asked yet.
 *
 * @throws {SyntaxError} For an invoice that cannot be read.
 * @throws {SeedmintError} `usage` for one without an amount or too old, `denied` for a mint that is not
 * listed or an invoice that is being paid already.
 */
export async function beginMelt(
  context: SagaContext,
  request: MeltRequest,
): Promise<Operation<MeltPlan>> {
  // A mint that is blocked may still be paid from: that is the way out.
  context.mints.of(request.mint);
  const { text, invoice, amount } = payableInvoice(request.invoice, context.clock.nowMs());
  const holdMs = request.holdMs;
  const operation = newOperation<MeltPlan>(context, {
    kind: "melt",
    state: "intent",
    mint: request.mint,
    amount,
    plan: {
      ...NEW_LEG,
      invoice: text,
      paymentHash: invoice.paymentHash,
      feeMaxSat: String(request.feeMax ?? feeMaxDefault(amount)),
      windowMs: MELT_WINDOW_MS,
      ...(holdMs === undefined ? {} : { holdUntilMs: context.clock.nowMs() + holdMs }),
    },
    ...(request.parent === undefined ? {} : { parent: request.parent }),
  });
  return await Promise.resolve(context.store.transact((tx) => {
    const other = tx.operations({ kind: "melt", status: ["open", "attention"] })
      .find((one) => (one.plan as MeltPlan).paymentHash === invoice.paymentHash);
    if (other !== undefined) {
      throw new SeedmintError(
        "denied",
        `Cannot pay this invoice: operation ${other.id} is paying it already; see "wallet pending"`,
      );
    }
    tx.insertOperation(operation);
    return tx.operation<MeltPlan>(operation.id)!;
  }));
}

/** The fee cap where none is given. */
export function feeMaxDefault(amount: bigint): bigint {
  const part = amount * FEE_MAX_DEFAULT_PERCENT / 100n;
  return part > FEE_MAX_DEFAULT_SAT ? part : FEE_MAX_DEFAULT_SAT;
}

/**
 * An invoice that can be paid, and its amount in sat, rounded up as mints do.
 *
 * @throws {SyntaxError | SeedmintError}
 */
export function payableInvoice(
  text: string,
  nowMs: number,
): { readonly text: string; readonly invoice: Invoice; readonly amount: bigint } {
  const invoice = decodeInvoice(text);
  const bare = text.trim().replace(/^lightning:/i, "").toLowerCase();
  const amount = invoiceSat(invoice);
  if (amount === undefined || amount < 1n) {
    throw new SeedmintError(
      "usage",
      "Cannot pay an invoice without an amount: ask for one over the amount that you want to pay",
    );
  }
  if (amount > AMOUNT_SAT_MAX) {
    throw new SeedmintError("usage", `Cannot pay ${amount} sat: at most ${AMOUNT_SAT_MAX} sat`);
  }
  if (expiresAtS(invoice) * 1000 <= nowMs) {
    throw new SeedmintError("usage", "Cannot pay this invoice: it has expired; ask for a new one");
  }
  return { text: bare, invoice, amount };
}

/** What an invoice is over in whole sat, rounded up; undefined when it leaves that to the payer. */
export function invoiceSat(invoice: Invoice): bigint | undefined {
  const { amountMsat } = invoice;
  return amountMsat === undefined ? undefined : (amountMsat + 999n) / 1000n;
}

/** What a melt or the source of a swap came to. */
export interface LegResult {
  /** Proof of payment, once the mint gave it: a secret until somebody asks for it. */
  readonly preimage: string | null;
  /** The preimage is that of the invoice. */
  readonly isProven: boolean;
  /** Paid on top of the amount so far. */
  readonly feeSat: bigint;
  /** The most that it may cost on top; null before it is known. */
  readonly feeMaxSat: bigint | null;
  /** What came back of what was put in too much; null while it is not settled. */
  readonly changeSat: bigint | null;
}

/** What became of a melt. Holds the preimage: show it only to who asks for it. */
export function meltResultOf(operation: Operation): LegResult {
  const plan = operation.plan as LegPlan;
  return {
    preimage: plan.paid?.preimage ?? null,
    isProven: plan.paid?.isProven ?? false,
    feeSat: operation.fee,
    feeMaxSat: plan.worstFeeSat === undefined ? null : BigInt(plan.worstFeeSat),
    changeSat: plan.change?.state === "settled" ? BigInt(plan.change.sat) : null,
  };
}
