/** Quotes of melts: NUT-05, NUT-23, and parts of an invoice by NUT-15. */
import { isSeedmintError, messageOf } from "../../src/core/errors.ts";
import type { SqlRow } from "../../src/sqlite/mod.ts";
import { decodeInvoice, expiresAtS, type Invoice } from "../../wallet/lightning/bolt11.ts";
import { type MintContext, newQuoteId } from "./context.ts";
import { MintError, RequestError } from "./errors.ts";
import { paysParts } from "./lightning_port.ts";
import { MELT_QUOTE_EXPIRY_S } from "./limits.ts";
import { QUOTE_SAT_MAX, QUOTE_SAT_MIN } from "./mint_quotes.ts";
import { signaturesOf } from "./outputs.ts";
import { amountOf, type JsonObject, objectOf, textOf } from "./requests.ts";

/** A quote on disk. */
export interface MeltQuote {
  readonly id: string;
  readonly request: string;
  readonly paymentHash: string;
  readonly amount: bigint;
  /** What is paid of the invoice, or of it all. */
  readonly amountMsat: bigint;
  readonly partMsat: bigint | undefined;
  /** Whether the payer chose the amount. */
  readonly isAmountless: boolean;
  readonly feeReserve: bigint;
  readonly state: "UNPAID" | "PENDING" | "PAID";
  readonly expiryS: number;
  /** Neither paid nor given up until the admin interface says so. */
  readonly isHeld: boolean;
  /** Whether Lightning has answered that it has the payment. */
  readonly wasAsked: boolean;
  readonly inputAmount: bigint;
  readonly inputFee: bigint;
  readonly preimage: string | undefined;
}

/** Reads an invoice and says what paying it costs. */
export async function createMeltQuote(context: MintContext, body: JsonObject): Promise<JsonObject> {
  if (!context.settings.hasNut(5)) throw new RequestError(404, "Melting is disabled");
  if (body.unit !== "sat") throw new MintError("unitUnsupported", "Unit is not supported");
  const request = textOf(body.request, "request", 8192);
  const invoice = readInvoice(request);
  const { amountMsat, partMsat } = payableOf(context, invoice, body.options);
  const amount = (amountMsat + 999n) / 1000n;
  if (amount < QUOTE_SAT_MIN || amount > QUOTE_SAT_MAX) {
    throw new MintError("amountOutOfRange", "Amount outside of limit range");
  }
  if (expiresAtS(invoice) <= context.clock.nowS()) {
    throw new MintError("quoteExpired", "The invoice has expired");
  }
  checkNotPaid(context, invoice.paymentHash);
  const { feeReservePercent, feeReserveMinSat } = context.settings.behaviour;
  const estimateMsat = await estimateOf(context, invoice, { request, amountMsat });
  const share = amount * BigInt(Math.round(feeReservePercent * 100)) / 10_000n;
  const id = newQuoteId(context);
  context.db.run(
    `INSERT INTO melt_quotes
       (id, request, payment_hash, amount, part_msat, is_amountless, amount_msat, fee_reserve, state,
        expiry_s)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'UNPAID', ?)`,
    id,
    request,
    invoice.paymentHash,
    amount,
    partMsat ?? null,
    invoice.amountMsat === undefined ? 1 : 0,
    amountMsat,
    maxOf((estimateMsat + 999n) / 1000n, share, BigInt(feeReserveMinSat)),
    Math.min(context.clock.nowS() + MELT_QUOTE_EXPIRY_S, expiresAtS(invoice)),
  );
  return wireOfMeltQuote(context, meltQuote(context, id));
}

/** @throws {MintError} If another quote pays, or has paid, the same invoice. */
export function checkNotPaid(context: MintContext, paymentHash: string, exceptId = ""): void {
  const states = context.db.all(
    "SELECT state FROM melt_quotes WHERE payment_hash = ? AND id != ? AND state != 'UNPAID'",
    paymentHash,
    exceptId,
  ).map(({ state }) => state);
  if (states.includes("PAID")) throw new MintError("invoicePaid", "Invoice already paid");
  if (states.includes("PENDING")) throw new MintError("quotePending", "Invoice is being paid");
}

/** @throws {RequestError} 404 */
export function meltQuote(context: MintContext, id: string): MeltQuote {
  const row = context.db.get("SELECT * FROM melt_quotes WHERE id = ?", id);
  if (!row) throw new RequestError(404, "Quote not found");
  return quoteOfRow(row);
}

/** Ids of the quotes that are being paid. */
export function pendingMelts(context: MintContext): readonly MeltQuote[] {
  return context.db.all("SELECT * FROM melt_quotes WHERE state = 'PENDING'").map(quoteOfRow);
}

/** The quote as JSON has it, with change once it is paid. */
export function wireOfMeltQuote(context: MintContext, quote: MeltQuote): JsonObject {
  const change = quote.state === "PAID" ? signaturesOf(context, `melt:${quote.id}`) : [];
  return {
    quote: quote.id,
    request: quote.request,
    amount: Number(quote.amount),
    unit: "sat",
    fee_reserve: Number(quote.feeReserve),
    state: quote.state,
    expiry: quote.expiryS,
    payment_preimage: quote.preimage ?? null,
    ...(change.length > 0 ? { change } : {}),
  };
}

async function estimateOf(
  context: MintContext,
  invoice: Invoice,
  { request, amountMsat }: { readonly request: string; readonly amountMsat: bigint },
): Promise<bigint> {
  try {
    return await context.lightning.estimateFeeMsat(request, context.name, {
      signal: context.signal,
      ...(invoice.amountMsat === undefined ? { amountMsat } : {}),
    });
  } catch (error) {
    if (!isSeedmintError(error, "not-found") && !isSeedmintError(error, "usage")) throw error;
    throw new MintError("paymentFailed", `Lightning payment failed: ${error.message}`);
  }
}

function readInvoice(request: string): Invoice {
  try {
    return decodeInvoice(request);
  } catch (error) {
    throw new RequestError(422, `Cannot read the invoice: ${messageOf(error)}`);
  }
}

function payableOf(
  context: MintContext,
  invoice: Invoice,
  value: unknown,
): { readonly amountMsat: bigint; readonly partMsat: bigint | undefined } {
  const options = value === undefined || value === null ? {} : objectOf(value, "options");
  const part = msatOf(options.mpp, "amount");
  const chosen = msatOf(options.amountless, "amount_msat");
  if (invoice.amountMsat === undefined) {
    if (chosen === undefined) {
      throw new MintError("amountlessInvoice", "Amountless invoice without an amount to pay");
    }
    return { amountMsat: chosen, partMsat: undefined };
  }
  if (chosen !== undefined && chosen !== invoice.amountMsat) {
    throw new MintError("amountDiffers", "Amount in request does not equal invoice");
  }
  if (part === undefined) return { amountMsat: invoice.amountMsat, partMsat: undefined };
  if (!context.settings.hasNut(15) || !paysParts(context.lightning)) {
    throw new RequestError(422, "Partial payments are disabled");
  }
  if (part === 0n || part >= invoice.amountMsat) {
    throw new MintError("amountDiffers", "The part is not smaller than the invoice");
  }
  return { amountMsat: part, partMsat: part };
}

function msatOf(option: unknown, name: string): bigint | undefined {
  if (option === undefined || option === null) return undefined;
  return amountOf(objectOf(option, "an option")[name], name);
}

function maxOf(...amounts: readonly bigint[]): bigint {
  return amounts.reduce((most, amount) => amount > most ? amount : most);
}

function quoteOfRow(row: SqlRow): MeltQuote {
  return {
    id: String(row.id),
    request: String(row.request),
    paymentHash: String(row.payment_hash),
    amount: BigInt(Number(row.amount)),
    amountMsat: BigInt(Number(row.amount_msat)),
    partMsat: row.part_msat === null ? undefined : BigInt(Number(row.part_msat)),
    isAmountless: row.is_amountless === 1,
    feeReserve: BigInt(Number(row.fee_reserve)),
    state: row.state as MeltQuote["state"],
    expiryS: Number(row.expiry_s),
    isHeld: row.is_held === 1,
    wasAsked: row.was_asked === 1,
    inputAmount: BigInt(Number(row.input_amount)),
    inputFee: BigInt(Number(row.input_fee)),
    preimage: row.preimage === null ? undefined : String(row.preimage),
  };
}
