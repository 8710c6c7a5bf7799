/**
 * How the operations that cost something begin: what a person asked for is read, and written down as an
 * operation that waits for a word once its fees are known.
 */
import { requestInvoice, resolveLnurl } from "./lightning/lnurl.ts";
import { beginMelt, payableInvoice } from "./operations/melt_plan.ts";
import type { Operation } from "./operations/operation.ts";
import { beginSend } from "./operations/send_plan.ts";
import { beginSwap } from "./operations/swap_plan.ts";
import type { MintUrl } from "./types.ts";
import type { WaitOptions, WalletApi } from "./wallet_api.ts";
import { limitSat, sourceOf, wholeSat } from "./wallet_checks.ts";
import type { WalletParts } from "./wallet_parts.ts";

/** How long a prepared operation waits to be confirmed. */
const HOLD_MS = 5 * 60_000;

/** Begins {@link WalletApi.prepareSend}. */
export async function sendBegun(
  parts: WalletParts,
  request: Parameters<WalletApi["prepareSend"]>[0],
): Promise<Operation> {
  const amount = wholeSat(request.amountSat, "send");
  const mint = sourceMint(parts, { what: "send", amount, mint: request.mint });
  const { lockTo, locktimeS } = request;
  return await beginSend(parts.engine.context, {
    mint,
    amount,
    holdMs: holdMs(parts),
    ...lockTo === undefined
      ? {}
      : { lock: { publicKey: lockTo, ...locktimeS === undefined ? {} : { locktimeS } } },
  });
}

/** Begins {@link WalletApi.preparePay}. */
export async function payBegun(
  parts: WalletParts,
  request: Parameters<WalletApi["preparePay"]>[0],
): Promise<Operation> {
  const { invoice, maxFeeSat } = request;
  const { amount } = payableInvoice(invoice, parts.engine.context.clock.nowMs());
  const mint = sourceMint(parts, { what: "pay", amount, mint: request.mint });
  return await meltBegun(parts, { mint, invoice, maxFeeSat });
}

/** Begins {@link WalletApi.prepareWithdraw}: the payee is asked for an invoice first. */
export async function withdrawBegun(
  parts: WalletParts,
  request: Parameters<WalletApi["prepareWithdraw"]>[0],
  options: WaitOptions,
): Promise<Operation> {
  const amount = wholeSat(request.amountSat, "withdraw");
  const mint = sourceMint(parts, { what: "withdraw", amount, mint: request.mint });
  const { allowPrivate, fetch, resolve, clock } = parts.options;
  const ask = {
    clock,
    ...options,
    ...allowPrivate === undefined ? {} : { allowPrivate },
    ...fetch === undefined ? {} : { fetch },
    ...resolve === undefined ? {} : { resolve },
  };
  const payee = await resolveLnurl(request.to, ask);
  const { invoice } = await requestInvoice(payee, { amountMsat: amount * 1000n }, ask);
  return await meltBegun(parts, { mint, invoice, maxFeeSat: request.maxFeeSat });
}

/** Begins {@link WalletApi.prepareSwap}. */
export async function swapBegun(
  parts: WalletParts,
  request: Parameters<WalletApi["prepareSwap"]>[0],
): Promise<Operation> {
  const amount = wholeSat(request.amountSat, "swap");
  const feeMax = limitSat(request.maxFeeSat);
  return await beginSwap(parts.engine.context, {
    from: sourceMint(parts, { what: "swap", amount, mint: request.from }),
    to: parts.list.urlOf(request.to),
    amount,
    holdMs: holdMs(parts),
    ...feeMax === undefined ? {} : { feeMax },
  });
}

async function meltBegun(
  parts: WalletParts,
  request: {
    readonly mint: MintUrl;
    readonly invoice: string;
    readonly maxFeeSat: number | undefined;
  },
): Promise<Operation> {
  const { mint, invoice } = request;
  const feeMax = limitSat(request.maxFeeSat);
  return await beginMelt(parts.engine.context, {
    mint,
    invoice,
    holdMs: holdMs(parts),
    ...feeMax === undefined ? {} : { feeMax },
  });
}

/** The mint to pay from: the one that was named, or the best one that has enough. */
function sourceMint(
  { list, store }: WalletParts,
  wanted: { readonly what: string; readonly amount: bigint; readonly mint: string | undefined },
): MintUrl {
  const { what, amount, mint } = wanted;
  const url = mint === undefined ? undefined : list.urlOf(mint);
  return sourceOf(store, { what, amount, mint: url, home: list.home() });
}

function holdMs({ options }: WalletParts): number {
  return options.holdMs ?? HOLD_MS;
}
