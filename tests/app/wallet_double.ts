/** A wallet that answers what a test says, and notes what it was asked. */
import type { OperationView, WalletApi } from "../../wallet/wallet_api.ts";

export const MINT_A = "https://a.mint.example";
export const MINT_B = "https://b.mint.example";
export const ID = "0123456789abcdef0123456789abcdef";
export const TOKEN = `cashuB${"secret".repeat(10)}`;
export const PREIMAGE = "5e".repeat(32);
export const INVOICE = `lnbc210n1${"q".repeat(120)}`;

/** An operation with `changes`. */
export function operationOf(changes: Partial<OperationView> = {}): OperationView {
  return {
    id: ID,
    kind: "send",
    state: "prepared",
    status: "open",
    mint: MINT_A,
    peerMint: null,
    amountSat: 21,
    feeSat: 0,
    feeMaxSat: 1,
    reason: null,
    nextAtMs: null,
    createdMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    updatedMs: Date.UTC(2026, 0, 2, 3, 4, 6),
    ...changes,
  };
}

/** What was asked: the method and its first parameter. */
export type Asked = [method: string, request: unknown];

/** A wallet whose methods are those of `answers`, or say what such a wallet would. */
export function walletDouble(
  answers: Partial<WalletApi> = {},
): { readonly wallet: WalletApi; readonly asked: Asked[] } {
  const done = operationOf({ state: "done", status: "done", feeSat: 1 });
  const paid = operationOf({ kind: "melt", state: "done", status: "done", feeSat: 1 });
  const preparedPay = operationOf({ kind: "melt", feeMaxSat: 3 });
  const plain: WalletApi = {
    balance: () =>
      Promise.resolve({
        totalSat: 1121,
        mints: [
          {
            mint: MINT_A,
            trust: "trusted",
            freeSat: 1000,
            reservedSat: 21,
            outgoingSat: 64,
            incomingSat: 0,
          },
          {
            mint: MINT_B,
            trust: null,
            freeSat: 100,
            reservedSat: 0,
            outgoingSat: 0,
            incomingSat: 8,
          },
        ],
      }),
    mints: () =>
      Promise.resolve([
        {
          url: MINT_A,
          trust: "trusted",
          name: "Mint A",
          version: "mint/1.0",
          nuts: [4, 5, 7, 9, 12],
          inputFeePpk: 100,
          exposureMaxSat: 50_000,
          blockedReason: null,
          online: true,
          latencyMs: 12.4,
        },
        {
          url: MINT_B,
          trust: "accepted",
          name: null,
          version: null,
          nuts: [],
          inputFeePpk: null,
          exposureMaxSat: null,
          blockedReason: "gave a false signature",
          online: null,
          latencyMs: null,
        },
      ]),
    addMint: async (request) => ({ ...(await plain.mints())[0]!, ...request }),
    removeMint: () => Promise.resolve(),
    fund: () =>
      Promise.resolve({
        operation: operationOf({ kind: "fund", state: "awaiting-payment" }),
        invoice: INVOICE,
        expiresMs: null,
      }),
    receive: () =>
      Promise.resolve({
        operation: operationOf({ kind: "redeem", state: "redeemed", status: "done", feeSat: 1 }),
        receivedSat: 20,
      }),
    prepareSend: () => Promise.resolve(operationOf()),
    preparePay: () => Promise.resolve(preparedPay),
    prepareWithdraw: () => Promise.resolve(preparedPay),
    prepareSwap: () =>
      Promise.resolve(operationOf({ kind: "swap", peerMint: MINT_B, feeMaxSat: 5 })),
    confirm: () => Promise.resolve(done),
    cancel: () => Promise.resolve(operationOf({ state: "failed", status: "failed" })),
    operation: () => Promise.resolve(done),
    token: () => Promise.resolve(TOKEN),
    preimage: () => Promise.resolve(PREIMAGE),
    reclaim: () => Promise.resolve(operationOf({ state: "reclaimed", status: "done", feeSat: 1 })),
    wait: () => Promise.resolve(paid),
    plan: () => Promise.resolve({ kind: "direct", mint: MINT_A, amountSat: 21, feeMaxSat: 1 }),
    preparePayment: ({ paymentId = "p1" }) =>
      Promise.resolve({ status: "ready", paymentId, token: TOKEN, costSat: 22 }),
    history: () =>
      Promise.resolve([{
        ...done,
        entries: [{ mint: MINT_A, kind: "send", deltaSat: -22, atMs: 1 }],
      }]),
    pending: () =>
      Promise.resolve([
        operationOf({ kind: "fund", state: "awaiting-payment", nextAtMs: 0 }),
        operationOf({
          kind: "swap",
          state: "issuing",
          status: "attention",
          peerMint: MINT_B,
          reason: "the mint gave a false signature",
        }),
      ]),
    resume: () => Promise.resolve([done]),
    backup: (path) => Promise.resolve({ path, bytes: 4096 }),
    restore: () => Promise.resolve({ operations: [], foundSat: 100 }),
    credits: () =>
      Promise.resolve([{
        ...{ peerId: "12D3KooWSeller", leftMsat: 41_500, paidSat: 64, usedMsat: 22_500 },
        ...{ refundedSat: 0, avoidUntilMs: null, movedMs: 1 },
      }]),
    takeRefund: () =>
      Promise.resolve({
        operation: operationOf({ kind: "redeem", state: "redeemed", status: "done" }),
        receivedSat: 41,
      }),
    audit: () => Promise.resolve([]),
  };
  const asked: Asked[] = [];
  const wallet = Object.fromEntries(
    Object.entries({ ...plain, ...answers }).map(([name, method]) => [
      name,
      (request: unknown, options: unknown) => {
        asked.push([name, request]);
        return (method as (...all: unknown[]) => unknown)(request, options);
      },
    ]),
  );
  return { wallet: wallet as unknown as WalletApi, asked };
}
