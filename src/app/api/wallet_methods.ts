/**
 * What can be asked of a node's wallet: every method of `WalletApi` under its name after `wallet.`, with
 * parameters and a result that are plain JSON objects.
 */
import type {
  BalanceReport,
  HistoryEntry,
  MintView,
  OperationView,
  PaymentOutcome,
  PaymentPlan,
  SellerCredit,
  WalletApi,
} from "../../../wallet/wallet_api.ts";

/** A method without events. */
interface Method<Params, Result> {
  readonly params: Params;
  readonly event: never;
  readonly result: Result;
}

/** What the first parameter of a method of the wallet is, without what may be absent. */
type Request<Name extends keyof WalletApi> = NonNullable<Parameters<WalletApi[Name]>[0]>;

type Nothing = Record<never, never>;
interface ById {
  readonly id: string;
}
interface OperationList {
  readonly operations: readonly OperationView[];
}

/** Every method: parameters and result. */
export interface WalletMethods {
  "wallet.balance": Method<Nothing, BalanceReport>;
  "wallet.mints": Method<{ readonly probe: boolean }, { readonly mints: readonly MintView[] }>;
  "wallet.addMint": Method<Request<"addMint">, MintView>;
  "wallet.removeMint": Method<Request<"removeMint">, Nothing>;
  "wallet.fund": Method<Request<"fund">, Awaited<ReturnType<WalletApi["fund"]>>>;
  "wallet.receive": Method<Request<"receive">, Awaited<ReturnType<WalletApi["receive"]>>>;
  "wallet.prepareSend": Method<Request<"prepareSend">, OperationView>;
  "wallet.preparePay": Method<Request<"preparePay">, OperationView>;
  "wallet.prepareWithdraw": Method<Request<"prepareWithdraw">, OperationView>;
  "wallet.prepareSwap": Method<Request<"prepareSwap">, OperationView>;
  "wallet.confirm": Method<ById, OperationView>;
  "wallet.cancel": Method<ById, OperationView>;
  "wallet.operation": Method<ById, OperationView>;
  "wallet.token": Method<ById, { readonly token: string }>;
  "wallet.preimage": Method<ById, { readonly preimage: string }>;
  "wallet.reclaim": Method<ById, OperationView>;
  "wallet.wait": Method<ById, OperationView>;
  "wallet.plan": Method<Request<"plan">, PaymentPlan>;
  "wallet.preparePayment": Method<Request<"preparePayment">, PaymentOutcome>;
  "wallet.history": Method<
    { readonly limit?: number; readonly before?: string },
    { readonly entries: readonly HistoryEntry[] }
  >;
  "wallet.pending": Method<Nothing, OperationList>;
  "wallet.resume": Method<{ readonly id?: string }, OperationList>;
  "wallet.backup": Method<
    { readonly path: string },
    { readonly path: string; readonly bytes: number }
  >;
  "wallet.restore": Method<Request<"restore">, Awaited<ReturnType<WalletApi["restore"]>>>;
  "wallet.credits": Method<Nothing, { readonly credits: readonly SellerCredit[] }>;
  "wallet.takeRefund": Method<
    Request<"takeRefund">,
    Awaited<ReturnType<WalletApi["takeRefund"]>>
  >;
  "wallet.audit": Method<Nothing, { readonly problems: readonly string[] }>;
}

/** Name of a method of the wallet. */
export type WalletMethodName = keyof WalletMethods;

/** Asks one method. */
export type WalletCall = <Name extends WalletMethodName>(
  method: Name,
  params: WalletMethods[Name]["params"],
  options?: { readonly signal?: AbortSignal },
) => Promise<WalletMethods[Name]["result"]>;

/** The code of each method, over a wallet in this process. */
export const WALLET_HANDLERS: {
  readonly [Name in WalletMethodName]: (
    wallet: WalletApi,
    params: WalletMethods[Name]["params"],
    options: { readonly signal: AbortSignal },
  ) => Promise<WalletMethods[Name]["result"]>;
} = {
  "wallet.balance": (wallet) => wallet.balance(),
  "wallet.mints": async (wallet, { probe }, options) => ({
    mints: await wallet.mints({ probe, ...options }),
  }),
  "wallet.addMint": (wallet, params, options) => wallet.addMint(params, options),
  "wallet.removeMint": async (wallet, params) => {
    await wallet.removeMint(params);
    return {};
  },
  "wallet.fund": (wallet, params, options) => wallet.fund(params, options),
  "wallet.receive": (wallet, params, options) => wallet.receive(params, options),
  "wallet.prepareSend": (wallet, params, options) => wallet.prepareSend(params, options),
  "wallet.preparePay": (wallet, params, options) => wallet.preparePay(params, options),
  "wallet.prepareWithdraw": (wallet, params, options) => wallet.prepareWithdraw(params, options),
  "wallet.prepareSwap": (wallet, params, options) => wallet.prepareSwap(params, options),
  "wallet.confirm": (wallet, { id }, options) => wallet.confirm(id, options),
  "wallet.cancel": (wallet, { id }) => wallet.cancel(id),
  "wallet.operation": (wallet, { id }) => wallet.operation(id),
  "wallet.token": async (wallet, { id }) => ({ token: await wallet.token(id) }),
  "wallet.preimage": async (wallet, { id }) => ({ preimage: await wallet.preimage(id) }),
  "wallet.reclaim": (wallet, { id }, options) => wallet.reclaim(id, options),
  "wallet.wait": (wallet, { id }, options) => wallet.wait(id, options),
  "wallet.plan": (wallet, params) => wallet.plan(params),
  "wallet.preparePayment": (wallet, params, options) => wallet.preparePayment(params, options),
  "wallet.history": async (wallet, params) => ({ entries: await wallet.history(params) }),
  "wallet.pending": async (wallet) => ({ operations: await wallet.pending() }),
  "wallet.resume": async (wallet, params, options) => ({
    operations: await wallet.resume(params, options),
  }),
  "wallet.backup": (wallet, { path }) => wallet.backup(path),
  "wallet.restore": (wallet, params, options) => wallet.restore(params, options),
  "wallet.credits": async (wallet) => ({ credits: await wallet.credits() }),
  "wallet.takeRefund": (wallet, params, options) => wallet.takeRefund(params, options),
  "wallet.audit": async (wallet) => ({ problems: await wallet.audit() }),
};

/** A wallet that is reached through calls, as that of a running node. */
export function walletOver(call: WalletCall): WalletApi {
  return {
    balance: () => call("wallet.balance", {}),
    mints: async ({ probe = false, ...options } = {}) =>
      (await call("wallet.mints", { probe }, options)).mints,
    addMint: (request, options) => call("wallet.addMint", request, options),
    removeMint: async (request) => void await call("wallet.removeMint", request),
    fund: (request, options) => call("wallet.fund", request, options),
    receive: (request, options) => call("wallet.receive", request, options),
    prepareSend: (request, options) => call("wallet.prepareSend", request, options),
    preparePay: (request, options) => call("wallet.preparePay", request, options),
    prepareWithdraw: (request, options) => call("wallet.prepareWithdraw", request, options),
    prepareSwap: (request, options) => call("wallet.prepareSwap", request, options),
    confirm: (id, options) => call("wallet.confirm", { id }, options),
    cancel: (id) => call("wallet.cancel", { id }),
    operation: (id) => call("wallet.operation", { id }),
    token: async (id) => (await call("wallet.token", { id })).token,
    preimage: async (id) => (await call("wallet.preimage", { id })).preimage,
    reclaim: (id, options) => call("wallet.reclaim", { id }, options),
    wait: (id, options) => call("wallet.wait", { id }, options),
    plan: (request) => call("wallet.plan", request),
    preparePayment: (request, options) => call("wallet.preparePayment", request, options),
    history: async (request = {}) => (await call("wallet.history", request)).entries,
    pending: async () => (await call("wallet.pending", {})).operations,
    resume: async (request = {}, options) =>
      (await call("wallet.resume", request, options)).operations,
    backup: (path) => call("wallet.backup", { path }),
    restore: (request, options) => call("wallet.restore", request, options),
    credits: async () => (await call("wallet.credits", {})).credits,
    takeRefund: (request, options) => call("wallet.takeRefund", request, options),
    audit: async () => (await call("wallet.audit", {})).problems,
  };
}
