/** The first half of funding: an invoice is made, shown, and looked at until it is paid. */
import { isSeedmintError, SeedmintError } from "../../src/core/errors.ts";
import { decodeInvoice } from "../lightning/bolt11.ts";
import { type MintApi, type MintQuote, MintRefusal } from "../mint/mint_api.ts";
import type { QuoteRecord } from "../store/wallet_store.ts";
import { POLL, RETRY } from "./backoff.ts";
import { assertExposure, type FundPlan } from "./fund_plan.ts";
import { LATE_PAYMENT_MS, QUOTE_TRIES_MAX, UNEXPIRING_WATCH_MS } from "./limits.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext, Step } from "./saga.ts";
import { commit, fail, needAttention, postpone } from "./transition.ts";

/** intent → quoted; failed when the mint makes no invoice, for nothing was begun yet. */
export async function askQuote(
  operation: Operation<FundPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  try {
    return await makeQuote(operation, context, signal);
  } catch (error) {
    if (error instanceof MintRefusal) {
      return failNow(`the mint makes no such invoice (code ${error.code})`);
    }
    if (!isSeedmintError(error) || signal.aborted) throw error;
    const isLastTry = error.retryable && operation.attempts + 1 >= QUOTE_TRIES_MAX;
    if (error.code !== "denied" && !isLastTry) throw error;
    return failNow(error.message);
  }

  function failNow(reason: string): Step {
    // The key's index may have been taken meanwhile.
    const now = context.store.operation<FundPlan>(operation.id) ?? operation;
    return now.status === "open" ? fail(context, now, reason) : "rest";
  }
}

async function makeQuote(
  operation: Operation<FundPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const mint = context.mints.of(operation.mint);
  assertExposure(context, operation.mint, { more: operation.amount, of: operation.id });
  assertFundable(await mint.info({ signal }), operation);
  // Each try has a key of its own, so that no two quotes can be linked by it.
  const { keyed, keyIndex } = context.store.transact((tx) => {
    const keyIndex = tx.takeQuoteKeyIndex();
    return {
      keyIndex,
      keyed: tx.updateOperation(operation, { plan: { ...operation.plan, keyIndex } }),
    };
  });
  const pubkey = context.keys.quoteKey(keyIndex).publicKey;
  const { description } = keyed.plan;
  context.fault("fund.intent.before-quote");
  const quote = await mint.createMintQuote({
    amount: keyed.amount,
    pubkey,
    ...(description === undefined ? {} : { description }),
  }, { signal });
  context.fault("fund.intent.after-quote");
  const wrong = whatIsWrong(quote, { amount: keyed.amount, pubkey });
  if (wrong !== undefined) return fail(context, keyed, wrong);
  commitQuote(context, keyed, quote);
  return "rest";
}

function commitQuote(
  context: SagaContext,
  operation: Operation<FundPlan>,
  quote: MintQuote,
): void {
  const nowMs = context.clock.nowMs();
  // A quote that is expired when it is made names no time: some mints say 0, and clocks differ.
  const { expiryMs = 0 } = quote;
  const lastMs = nowMs + UNEXPIRING_WATCH_MS;
  const watchUntilMs = expiryMs > nowMs ? Math.min(expiryMs + LATE_PAYMENT_MS, lastMs) : lastMs;
  const { keyIndex } = operation.plan;
  commit(context, operation, (tx) => {
    tx.putQuote({
      mint: operation.mint,
      kind: "mint",
      quoteId: quote.quoteId,
      operationId: operation.id,
      amount: operation.amount,
      feeReserve: 0n,
      request: quote.request,
      state: "UNPAID",
      ...(quote.expiryMs === undefined ? {} : { expiryMs: quote.expiryMs }),
      ...(keyIndex === undefined ? {} : { keyIndex }),
    });
    tx.updateOperation(operation, {
      state: "quoted",
      plan: { ...operation.plan, quoteId: quote.quoteId, watchUntilMs },
      nextAtMs: nowMs + POLL.firstMs,
      reason: "waits for the invoice to be paid",
    });
  });
}

/** quoted or awaiting-payment → awaiting-payment, paid or failed. */
export async function lookForPayment(
  operation: Operation<FundPlan>,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const nowMs = context.clock.nowMs();
  if (operation.nextAtMs !== undefined && operation.nextAtMs > nowMs) return "rest";
  const quote = quoteOf(context, operation);
  const state = await stateOf(context.mints.of(operation.mint), quote, signal);
  if (state === "PAID" || state === "ISSUED") {
    // ISSUED without a plan of ours: the journal is older than the mint's memory. The same counters
    // make the same outputs, so asking for them finds what was issued.
    commit(context, operation, (tx) => {
      tx.putQuote({ ...quote, state: "PAID" });
      tx.updateOperation(operation, { state: "paid", nextAtMs: nowMs, reason: null });
    });
    return "again";
  }
  if (nowMs >= (operation.plan.watchUntilMs ?? 0)) {
    if (state === "refused") {
      needAttention(
        context,
        operation,
        'the mint tells nothing of its invoice, which may have been paid; "wallet resume" asks again',
      );
      return "rest";
    }
    return fail(
      context,
      operation,
      `nobody paid the invoice before it expired; if it was paid after all, "wallet resume ${operation.id}" fetches the ecash`,
    );
  }
  if (operation.state === "awaiting-payment") {
    const isOld = nowMs - operation.createdMs > LATE_PAYMENT_MS;
    postpone(context, operation, {
      reason: waitsFor(quote, nowMs, state),
      backoff: isOld ? { ...POLL, capMs: RETRY.capMs } : POLL,
    });
    return "rest";
  }
  commit(context, operation, (tx) => {
    tx.updateOperation(operation, {
      state: "awaiting-payment",
      nextAtMs: nowMs + POLL.firstMs,
      reason: waitsFor(quote, nowMs, state),
    });
  });
  return "rest";
}

/** The quote of a fund operation that has one. */
export function quoteOf(context: SagaContext, operation: Operation<FundPlan>): QuoteRecord {
  const { quoteId } = operation.plan;
  const quote = quoteId === undefined ? undefined : context.store.quote(operation.mint, quoteId);
  if (quote !== undefined) return quote;
  throw new Error("a fund operation in this state has a quote");
}

async function stateOf(
  mint: MintApi,
  quote: QuoteRecord,
  signal: AbortSignal,
): Promise<MintQuote["state"] | "refused"> {
  try {
    return (await mint.mintQuote(quote.quoteId, { signal })).state;
  } catch (error) {
    // A mint that answers "no such quote" or "expired" may think again, so the watch decides.
    if (error instanceof MintRefusal) return "refused";
    throw error;
  }
}

function waitsFor(quote: QuoteRecord, nowMs: number, state: string): string {
  if (state === "refused") return "the mint says nothing about its invoice";
  const isExpired = quote.expiryMs !== undefined && nowMs > quote.expiryMs;
  return isExpired
    ? "the invoice expired; it is looked at a while longer, for it may have been paid late"
    : "waits for the invoice to be paid";
}

function assertFundable(
  info: {
    readonly nuts: ReadonlySet<number>;
    readonly mintMin?: bigint;
    readonly mintMax?: bigint;
  },
  operation: Operation,
): void {
  const missing = [4, 9, 20].filter((nut) => !info.nuts.has(nut));
  if (missing.length > 0) {
    throw new SeedmintError(
      "denied",
      `Cannot fund at ${operation.mint}: it lacks NUT-${
        missing.join(", NUT-")
      }, without which ecash may be lost; use another mint`,
    );
  }
  const { mintMin = 0n, mintMax } = info;
  if (operation.amount < mintMin || (mintMax !== undefined && operation.amount > mintMax)) {
    throw new SeedmintError(
      "denied",
      `Cannot fund ${operation.amount} sat at ${operation.mint}: it takes ${mintMin} to ${
        mintMax ?? "any"
      } sat at a time`,
    );
  }
}

/** What a payer would lose by: another amount or another key than was asked for. */
function whatIsWrong(
  quote: MintQuote,
  wanted: { readonly amount: bigint; readonly pubkey: string },
): string | undefined {
  if (quote.amount !== undefined && quote.amount !== wanted.amount) {
    return `the mint quoted ${quote.amount} sat for ${wanted.amount} sat`;
  }
  if (quote.pubkey !== wanted.pubkey) return "the mint did not lock its quote to our key";
  try {
    const { amountMsat } = decodeInvoice(quote.request);
    if (amountMsat === wanted.amount * 1000n) return undefined;
    return `the mint's invoice is for ${amountMsat ?? "any"} msat, not ${wanted.amount * 1000n}`;
  } catch {
    return "the mint's invoice cannot be read";
  }
}
