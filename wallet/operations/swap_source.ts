/** A swap before its source pays: quotes on both sides, the frozen request, what is reserved. */
import { assert } from "../../src/core/assert.ts";
import { decodeInvoice, expiresAtS, type Invoice } from "../lightning/bolt11.ts";
import { type MeltQuote, type MintInfo, type MintQuote, MintRefusal } from "../mint/mint_api.ts";
import { outputCountOf, planOutputs } from "../outputs/planning.ts";
import { mintBody } from "../outputs/requests.ts";
import type { WalletTransaction } from "../store/wallet_store.ts";
import type { Keyset } from "../types.ts";
import { holdOf, quoteFault, quotePlan, quoteRecord } from "./melt.ts";
import { freezeMelt } from "./melt_dispatch.ts";
import { fundsFor, preparedPlan } from "./melt_funds.ts";
import type { Leg } from "./melt_leg.ts";
import { invoiceSat } from "./melt_plan.ts";
import { freezeSplit } from "./melt_split.ts";
import type { SagaContext, Step } from "./saga.ts";
import { destinationOf } from "./swap_plan.ts";
import { failSwap, moveSwap, type SwapOperation } from "./swap_write.ts";
import { phaseName } from "./transition.ts";

/** What the source must be able to do: melt, tell states, restore. */
const SOURCE_NUTS = [5, 7, 9];

/** What the destination must be able to do: mint, restore, lock a quote to a key. */
const DESTINATION_NUTS = [4, 9, 20];

/** intent → dest-quoted: an invoice of the destination whose ecash only our key can claim. */
export async function quoteDestination(
  operation: SwapOperation,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { amount, mint } = operation;
  const peerMint = destinationOf(operation);
  const destination = context.mints.of(peerMint);
  const unable = whyUnable(operation, {
    source: await context.mints.of(mint).info({ signal }),
    destination: await destination.info({ signal }),
  });
  if (unable !== undefined) return fail(context, operation, unable);
  // Each try has a key of its own, so that no quote that was forgotten shares one.
  const keyIndex = context.store.transact((tx) => tx.takeQuoteKeyIndex());
  const pubkey = context.keys.quoteKey(keyIndex).publicKey;
  let quote: MintQuote;
  try {
    quote = await destination.createMintQuote({ amount, pubkey }, { signal });
  } catch (error) {
    if (!(error instanceof MintRefusal)) throw error;
    return fail(context, operation, `${peerMint} makes no invoice (code ${error.code})`);
  }
  context.fault("swap.intent.after-quote");
  const invoice = readInvoice(quote.request);
  const fault = destinationFault(operation, {
    quote,
    invoice,
    pubkey,
    nowMs: context.clock.nowMs(),
  });
  if (fault !== undefined || invoice === undefined) return fail(context, operation, fault ?? "");
  const expiryMs = Math.min(quote.expiryMs ?? Infinity, expiresAtS(invoice) * 1000);
  moveSwap(context, operation, "dest-quoted", {
    plan: {
      invoice: quote.request.toLowerCase(),
      paymentHash: invoice.paymentHash,
      dest: { quoteId: quote.quoteId, keyIndex, expiryMs },
    },
    also: (tx) =>
      tx.putQuote({
        mint: peerMint,
        kind: "mint",
        quoteId: quote.quoteId,
        operationId: operation.id,
        amount,
        feeReserve: 0n,
        request: quote.request,
        state: quote.state,
        expiryMs,
        keyIndex,
      }),
  });
  return "again";
}

/** Why these mints cannot do the swap; undefined when they can. */
function whyUnable(
  operation: SwapOperation,
  infos: { readonly source: MintInfo; readonly destination: MintInfo },
): string | undefined {
  const { source, destination } = infos;
  const { amount, mint, peerMint } = operation;
  const lacks = (info: MintInfo, nuts: readonly number[]) =>
    nuts.filter((nut) => !info.nuts.has(nut));
  const sourceLacks = lacks(source, SOURCE_NUTS);
  if (sourceLacks.length > 0) return `${mint} does not support NUT ${sourceLacks.join(", ")}`;
  const destinationLacks = lacks(destination, DESTINATION_NUTS);
  if (destinationLacks.length > 0) {
    return `${peerMint} does not support NUT ${destinationLacks.join(", ")}`;
  }
  const { meltMin = 0n, meltMax } = source;
  if (amount < meltMin || (meltMax !== undefined && amount > meltMax)) {
    return `${mint} does not pay ${amount} sat: its limits are ${meltMin} to ${
      meltMax ?? "any"
    } sat`;
  }
  const { mintMin = 0n, mintMax } = destination;
  if (amount < mintMin || (mintMax !== undefined && amount > mintMax)) {
    return `${peerMint} does not issue ${amount} sat: its limits are ${mintMin} to ${
      mintMax ?? "any"
    } sat`;
  }
  return undefined;
}

function readInvoice(text: string): Invoice | undefined {
  try {
    return decodeInvoice(text);
  } catch {
    return undefined;
  }
}

/** Why the destination's quote cannot be used: it must be for our amount and our key, and unpaid (P6). */
function destinationFault(
  operation: SwapOperation,
  found: {
    readonly quote: MintQuote;
    readonly invoice: Invoice | undefined;
    readonly pubkey: string;
    readonly nowMs: number;
  },
): string | undefined {
  const { quote, invoice, pubkey, nowMs } = found;
  const { amount, peerMint } = operation;
  if (invoice === undefined) return `the invoice of ${peerMint} cannot be read`;
  if (invoice.amountMsat !== amount * 1000n) {
    return `${peerMint} made an invoice of ${
      invoiceSat(invoice) ?? "any"
    } sat where ${amount} sat were asked for`;
  }
  if (quote.amount !== undefined && quote.amount !== amount) {
    return `${peerMint} quoted ${quote.amount} sat where ${amount} sat were asked for`;
  }
  if (quote.pubkey !== pubkey) return `${peerMint} did not lock its quote to our key`;
  if (quote.state !== "UNPAID") {
    return `${peerMint} made a quote that is ${quote.state} from the start`;
  }
  if (expiresAtS(invoice) * 1000 <= nowMs) return `the invoice of ${peerMint} has expired already`;
  return undefined;
}

/** dest-quoted → dest-planned: outputs, counters and the signed request in one commit. */
export async function planDestination(
  operation: SwapOperation,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const keyset = await context.mints.of(destinationOf(operation)).activeKeyset({ signal });
  const mintRound = operation.plan.mintRound + 1;
  moveSwap(context, operation, "dest-planned", {
    plan: { mintRound },
    also: (tx) => freezeMint(tx, context, operation, { keyset, round: mintRound }),
  });
  return "again";
}

/** Plans the destination's ecash and freezes the request for it, signed with the quote's key. */
export function freezeMint(
  tx: WalletTransaction,
  context: SagaContext,
  operation: SwapOperation,
  options: { readonly keyset: Keyset; readonly round: number },
): void {
  const { keyset, round } = options;
  const { dest } = operation.plan;
  assert(dest !== undefined, "a destination that is planned has a quote");
  const { amount } = operation;
  const outputs = planOutputs({
    amount,
    role: "receive",
    keyset,
    keys: context.keys,
    firstCounter: tx.takeCounters(keyset.id, outputCountOf(amount, keyset)),
  });
  const phase = phaseName("mint", round);
  tx.insertOutputs(operation.id, phase, { mint: destinationOf(operation), outputs });
  tx.freezeRequest({
    operationId: operation.id,
    phase,
    path: "/v1/mint/bolt11",
    ...mintBody({ quoteId: dest.quoteId, outputs, key: context.keys.quoteKey(dest.keyIndex) }),
  });
}

/** dest-planned → source-quoted: what the source asks for that very invoice. */
export async function quoteSource(
  operation: SwapOperation,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const { mint, plan } = operation;
  let quote: MeltQuote;
  try {
    quote = await context.mints.of(mint).createMeltQuote({ invoice: plan.invoice }, { signal });
  } catch (error) {
    if (!(error instanceof MintRefusal)) throw error;
    return fail(context, operation, `${mint} refuses to quote the invoice (code ${error.code})`);
  }
  context.fault("swap.dest-planned.after-quote");
  const fault = quoteFault(operation, quote);
  if (fault !== undefined) return fail(context, operation, fault);
  moveSwap(context, operation, "source-quoted", {
    plan: { quote: quotePlan(quote) },
    also: (tx) => tx.putQuote(quoteRecord(operation, quote)),
  });
  return "again";
}

/** source-quoted → prepared: reserves what it may cost at most. */
export async function prepareSwap(
  operation: SwapOperation,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const chosen = await fundsFor(context, operation, signal);
  if (typeof chosen === "string") return fail(context, operation, chosen);
  moveSwap(context, operation, "reserved", {
    plan: preparedPlan(operation.plan, chosen),
    nextAtMs: operation.plan.holdUntilMs ?? context.clock.nowMs(),
    also: (tx) => tx.reserveProofs(operation.id, chosen.inputs.map((proof) => proof.y)),
  });
  return "again";
}

/** prepared: waits for a person if it should, then splits or pays. */
export async function goOnSwap(
  operation: SwapOperation,
  context: SagaContext,
  options: { readonly leg: Leg; readonly signal: AbortSignal },
): Promise<Step> {
  const { leg, signal } = options;
  const held = holdOf(operation, context);
  if (held === "waits") return "rest";
  if (held === "over") return fail(context, operation, "it was not confirmed in time");
  return operation.plan.funds?.split === undefined
    ? await freezeMelt(context, leg, operation, { signal })
    : await freezeSplit(context, leg, operation, { signal });
}

function fail(context: SagaContext, operation: SwapOperation, reason: string): Step {
  failSwap(context, operation, reason);
  return "rest";
}
