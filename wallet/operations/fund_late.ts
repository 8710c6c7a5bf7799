/**
 * Invoices that were paid although nobody looked any more. A watch has to end some day, or each invoice
 * that nobody pays would be asked about and shown as pending for ever; and an operation that has ended
 * stays ended, so that nothing that was told of it has to be taken back. A mint may see a payment after
 * that all the same, as when its Lightning node was away for days. So a fund operation that failed unpaid is
 * never opened again: whoever asks for it to be resumed has its mint asked once more, and only if the
 * mint has the money a new operation takes over the quote, with the key that the quote is locked to.
 */
import { MintRefusal } from "../mint/mint_api.ts";
import type { QuoteRecord, WalletReads } from "../store/wallet_store.ts";
import type { FundPlan } from "./fund_plan.ts";
import { LATE_PAYMENT_MS } from "./limits.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";
import { newOperation } from "./transition.ts";

/**
 * The operation that fetches the ecash of a failed fund operation whose invoice was paid after all:
 * begun now, or earlier. Undefined if `id` is no such operation, or its invoice is still unpaid.
 *
 * @throws {SeedmintError} When the mint cannot be asked.
 */
export async function claimLate(
  context: SagaContext,
  id: string,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Operation<FundPlan> | undefined> {
  const failed = context.store.operation<FundPlan>(id);
  if (failed?.kind !== "fund" || failed.status !== "failed") return undefined;
  const earlier = successorOf(context.store, id);
  if (earlier !== undefined) return earlier;
  const quote = unpaidQuote(context.store, failed);
  if (quote === undefined || !await isPaid(context, quote, signal)) return undefined;
  const { description } = failed.plan;
  const begun = newOperation<FundPlan>(context, {
    kind: "fund",
    state: "awaiting-payment",
    mint: failed.mint,
    amount: failed.amount,
    parent: parentOf(id),
    plan: {
      round: 0,
      quoteId: quote.quoteId,
      watchUntilMs: context.clock.nowMs() + LATE_PAYMENT_MS,
      ...(quote.keyIndex === undefined ? {} : { keyIndex: quote.keyIndex }),
      ...(description === undefined ? {} : { description }),
    },
  });
  return context.store.transact((tx) => {
    const other = successorOf(tx, id);
    if (other !== undefined) return other;
    tx.insertOperation(begun);
    return tx.operation<FundPlan>(begun.id)!;
  });
}

/** What the successor of a fund operation names as its parent. */
function parentOf(id: string): string {
  return `late:${id}`;
}

/** The newest successor that has not failed itself. */
function successorOf(
  reads: Pick<WalletReads, "operations">,
  id: string,
): Operation<FundPlan> | undefined {
  return reads.operations({ kind: "fund", parent: parentOf(id) })
    .find(({ status }) => status !== "failed") as Operation<FundPlan> | undefined;
}

/** Of a quote that was seen paid, an operation has taken what there is. */
function unpaidQuote(
  reads: Pick<WalletReads, "quote">,
  { mint, plan }: Operation<FundPlan>,
): QuoteRecord | undefined {
  const quote = plan.quoteId === undefined ? undefined : reads.quote(mint, plan.quoteId);
  return quote?.state === "UNPAID" ? quote : undefined;
}

async function isPaid(
  context: SagaContext,
  { mint, quoteId }: QuoteRecord,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const { state } = await context.mints.of(mint).mintQuote(
      quoteId,
      signal === undefined ? {} : { signal },
    );
    return state !== "UNPAID";
  } catch (error) {
    // A mint that has forgotten the quote, or calls it expired, has no money for it.
    if (error instanceof MintRefusal) return false;
    throw error;
  }
}
