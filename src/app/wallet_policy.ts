/** What the settings say where a request says nothing: what fees may come to. */
import type { WalletApi } from "../../wallet/wallet_api.ts";
import {
  WALLET_HANDLERS,
  type WalletCall,
  type WalletMethodName,
  type WalletMethods,
} from "./api/wallet_methods.ts";
import { feeMaxOf } from "./config/money_values.ts";
import type { Config } from "./config/settings.ts";

/** The settings that requests are completed with. */
export type WalletPolicy = Pick<Config, "paymentFeeMax">;

const MSAT = 1000n;

/** Calls of a wallet in this process, completed by the settings. */
export function callsOf(wallet: WalletApi, policy: WalletPolicy): WalletCall {
  return async (method, params, { signal = new AbortController().signal } = {}) => {
    const whole = await completed(method, params, policy);
    return await WALLET_HANDLERS[method](wallet, whole, { signal });
  };
}

async function completed<Name extends WalletMethodName>(
  method: Name,
  params: WalletMethods[Name]["params"],
  { paymentFeeMax }: WalletPolicy,
): Promise<WalletMethods[Name]["params"]> {
  const given: object = params;
  if ("maxFeeSat" in given && given.maxFeeSat !== undefined) return params;
  const amountSat = await paidBy(given, method);
  if (amountSat === undefined) return params;
  return { ...given, maxFeeSat: feeMaxOf(paymentFeeMax, amountSat) } as typeof params;
}

/** What a request would pay by Lightning; undefined for those that pay nothing. */
async function paidBy(params: object, method: WalletMethodName): Promise<number | undefined> {
  if (method === "wallet.preparePay" && "invoice" in params) {
    const { decodeInvoice } = await import("../../wallet/lightning/bolt11.ts");
    const { amountMsat = 0n } = decodeInvoice(String(params.invoice));
    return Number((amountMsat + MSAT - 1n) / MSAT);
  }
  const isPaying = method === "wallet.prepareWithdraw" || method === "wallet.prepareSwap";
  if (isPaying && "amountSat" in params) return Number(params.amountSat);
  if (method === "wallet.preparePayment" && "priceSat" in params) return Number(params.priceSat);
  return undefined;
}
