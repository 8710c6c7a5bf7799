/** A wallet with ecash at a development mint, and a swap or an issue that is planned and frozen. */
import assert from "node:assert/strict";
import type { SagaContext } from "../../../wallet/operations/saga.ts";
import type { Operation, OperationKind } from "../../../wallet/operations/operation.ts";
import { exchange } from "../../../wallet/outputs/exchange.ts";
import type { ExchangeOutcome } from "../../../wallet/outputs/exchange_types.ts";
import { outputCountOf, planOutputs } from "../../../wallet/outputs/planning.ts";
import { mintBody, swapBody } from "../../../wallet/outputs/requests.ts";
import type { ProofRecord } from "../../../wallet/store/wallet_store.ts";
import type { PlannedOutput } from "../../../wallet/types.ts";
import type { TestWallet } from "../../support/wallet_kit.ts";

/** What happens to a request on its way: undefined lets it through. */
export type Fault = (
  send: () => Promise<Response>,
  request: { readonly path: string; readonly body: string },
) => Promise<Response> | undefined;

/** A `fetch` whose faults are set by the test. */
export class FaultyFetch {
  fault: Fault | undefined;

  readonly fetch: typeof fetch = async (input, init) => {
    const send = () => fetch(input, init);
    const path = new URL(String(input)).pathname;
    return await (this.fault?.(send, { path, body: String(init?.body ?? "") }) ?? send());
  };

  /** Does `fault` to the next `count` requests to `path`. */
  next(path: string, fault: Fault, count = 1): void {
    let left = count;
    this.fault = (send, request) =>
      request.path === path && left-- > 0 ? fault(send, request) : undefined;
  }
}

/** The mint does it, and its answer is lost. */
export const loseAnswer: Fault = async (send) => {
  await (await send()).body?.cancel();
  throw new TypeError("connection reset");
};

/** The mint never hears of it. */
export const loseRequest: Fault = () => Promise.reject(new TypeError("connection refused"));

/** Answers `body` after the mint did it. */
export function answerInstead(body: string, status = 200): Fault {
  return async (send) => {
    await (await send()).body?.cancel();
    return new Response(body, { status });
  };
}

let idCount = 0;

/** Inserts an operation of `kind` that nobody drives. */
export function newOperation(wallet: TestWallet, kind: OperationKind = "redeem"): Operation {
  const nowMs = wallet.kit.clock.nowMs();
  const operation: Operation = {
    id: (++idCount).toString(16).padStart(32, "0"),
    kind,
    state: "testing",
    status: "open",
    rev: 0,
    mint: wallet.kit.url(),
    amount: 0n,
    fee: 0n,
    plan: {},
    attempts: 0,
    createdMs: nowMs,
    updatedMs: nowMs,
  };
  wallet.store.transact((tx) => tx.insertOperation(operation));
  return wallet.store.operation(operation.id)!;
}

/** Freezes a swap of all free proofs into outputs of the same worth. */
export async function frozenSwap(
  wallet: TestWallet,
  options: { readonly firstCounter?: number; readonly amount?: bigint } = {},
): Promise<{ operation: Operation; inputs: ProofRecord[]; outputs: PlannedOutput[] }> {
  const { context, store } = wallet;
  const operation = newOperation(wallet);
  const keyset = await context.mints.of(wallet.kit.url()).activeKeyset();
  const inputs = store.proofs({ state: "free" });
  const amount = options.amount ?? inputs.reduce((sum, proof) => sum + proof.amount, 0n);
  const outputs = store.transact((tx) => {
    const count = outputCountOf(amount, keyset);
    const firstCounter = options.firstCounter ?? tx.takeCounters(keyset.id, count);
    const planned = planOutputs({
      amount,
      role: "receive",
      keyset,
      keys: context.keys,
      firstCounter,
    });
    tx.insertOutputs(operation.id, "swap", { mint: wallet.kit.url(), outputs: planned });
    tx.reserveProofs(operation.id, inputs.map(({ y }) => y));
    tx.freezeRequest({
      operationId: operation.id,
      phase: "swap",
      path: "/v1/swap",
      body: swapBody({ inputs, outputs: planned }),
    });
    return planned;
  });
  return { operation, inputs, outputs };
}

/** Freezes the issue of a quote, which is paid unless told otherwise. */
export async function frozenIssue(
  wallet: TestWallet,
  options: { readonly isPaid?: boolean; readonly amount?: bigint } = {},
): Promise<{ operation: Operation; outputs: PlannedOutput[]; quoteId: string }> {
  const { context } = wallet;
  const { isPaid = true, amount = 21n } = options;
  const operation = newOperation(wallet, "fund");
  const mint = context.mints.of(wallet.kit.url());
  const keyset = await mint.activeKeyset();
  const key = context.keys.quoteKey(context.store.transact((tx) => tx.takeQuoteKeyIndex()));
  const quote = await mint.createMintQuote({ amount, pubkey: key.publicKey });
  if (isPaid) {
    await wallet.kit.pay(quote.request);
    while ((await mint.mintQuote(quote.quoteId)).state === "UNPAID") {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  const outputs = context.store.transact((tx) => {
    const planned = planOutputs({
      amount,
      role: "receive",
      keyset,
      keys: context.keys,
      firstCounter: tx.takeCounters(keyset.id, outputCountOf(amount, keyset)),
    });
    tx.insertOutputs(operation.id, "mint", { mint: wallet.kit.url(), outputs: planned });
    tx.freezeRequest({
      operationId: operation.id,
      phase: "mint",
      path: "/v1/mint/bolt11",
      ...mintBody({ quoteId: quote.quoteId, outputs: planned, key }),
    });
    return planned;
  });
  return { operation, outputs, quoteId: quote.quoteId };
}

/** One try. */
export async function tryExchange(
  wallet: { readonly context: SagaContext },
  operation: Operation,
  phase: string,
): Promise<ExchangeOutcome> {
  return await exchange(wallet.context, operation, phase, { signal: new AbortController().signal });
}

/** Checks that `outcome` is success for exactly `outputs`, and that the mint takes the proofs. */
export async function assertSigned(
  wallet: TestWallet,
  outcome: ExchangeOutcome,
  outputs: readonly PlannedOutput[],
): Promise<void> {
  assert.equal(outcome.kind, "signed", JSON.stringify(outcome, (_, value) => String(value)));
  if (outcome.kind !== "signed") return;
  const sorted = (blinded: readonly { readonly blinded: string }[]) =>
    blinded.map((one) => one.blinded).sort();
  assert.deepEqual(sorted(outcome.proofs), sorted(outputs));
  const states = await wallet.context.mints.of(wallet.kit.url()).checkStates(
    outcome.proofs.map(({ y }) => y),
  );
  assert.ok(states.every(({ state }) => state === "UNSPENT"));
}
