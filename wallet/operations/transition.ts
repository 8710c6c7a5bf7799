/** The ways in which a saga commits what it learnt. */
import { SeedmintError } from "../../src/core/errors.ts";
import {
  type MintRecord,
  StaleOperationError,
  type WalletTransaction,
} from "../store/wallet_store.ts";
import type { MintUrl } from "../types.ts";
import { type Backoff, backoffMs, RETRY } from "./backoff.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";

/**
 * One transition in one transaction, between the fault points `<kind>.<state>.before-commit` and
 * `<kind>.<state>.after-commit`, `state` being the one that is left.
 *
 * @throws {StaleOperationError} If somebody else moved the operation.
 */
export function commit<T>(
  context: SagaContext,
  operation: Operation,
  change: (tx: WalletTransaction) => T,
): T {
  const point = `${operation.kind}.${operation.state}`;
  context.fault(`${point}.before-commit`);
  const result = context.store.transact((tx) => {
    assertFresh(tx, operation);
    return change(tx);
  });
  context.fault(`${point}.after-commit`);
  return result;
}

/** @throws {StaleOperationError} If the row is not the one that was read. */
export function assertFresh(tx: WalletTransaction, operation: Operation): void {
  const now = tx.operation(operation.id);
  if (now?.rev !== operation.rev) {
    throw new StaleOperationError(`Operation ${operation.id} was moved by somebody else`);
  }
}

/** Waits with backoff: nothing new is known. */
export function postpone(
  context: SagaContext,
  operation: Operation,
  options: { readonly reason: string; readonly backoff?: Backoff; readonly leastMs?: number },
): Operation {
  const waitMs = Math.max(
    options.leastMs ?? 0,
    backoffMs(options.backoff ?? RETRY, operation.attempts, context.random),
  );
  return context.store.transact((tx) =>
    tx.updateOperation(operation, {
      attempts: operation.attempts + 1,
      nextAtMs: context.clock.nowMs() + waitMs,
      reason: options.reason,
    })
  );
}

/** Stops until a person looks; everything is kept as it is. */
export function needAttention(
  context: SagaContext,
  operation: Operation,
  reason: string,
): Operation {
  const stopped = context.store.transact((tx) =>
    tx.updateOperation(operation, { status: "attention", nextAtMs: null, reason })
  );
  context.emit({
    event: "attention",
    operationId: operation.id,
    mint: operation.mint,
    message: reason,
  });
  return stopped;
}

/** The mint broke its promise: nothing more goes into it, and a person looks at the operation. */
export function blockMint(
  context: SagaContext,
  operation: Operation,
  options: { readonly mint: MintUrl; readonly reason: string },
): Operation {
  const { mint, reason } = options;
  const stopped = context.store.transact((tx) => {
    const record = tx.mint(mint);
    if (record !== undefined) tx.putMint({ ...record, blockedReason: reason });
    return tx.updateOperation(operation, { status: "attention", nextAtMs: null, reason });
  });
  context.emit({ event: "mint-blocked", operationId: operation.id, mint, message: reason });
  return stopped;
}

/**
 * The record of a mint that is listed, and not blocked unless that does not matter.
 *
 * @throws {SeedmintError} `denied`
 */
export function usableMint(
  context: SagaContext,
  url: MintUrl,
  options: { readonly evenBlocked?: boolean } = {},
): MintRecord {
  const record = context.store.mint(url);
  if (record === undefined) {
    throw new SeedmintError(
      "denied",
      `Cannot use the mint ${url}: it is not listed; add it with "wallet mints add" first`,
    );
  }
  if (record.blockedReason !== undefined && options.evenBlocked !== true) {
    throw new SeedmintError(
      "denied",
      `Cannot use the mint ${url}: it is blocked (${record.blockedReason})`,
    );
  }
  return record;
}

/** The `n`th phase of a name: `swap`, `swap.2`, `swap.3`, … */
export function phaseName(name: string, round: number): string {
  return round <= 1 ? name : `${name}.${round}`;
}

/** A new operation of `kind` in its first state, due at once; not stored yet. */
export function newOperation<Plan>(
  context: Pick<SagaContext, "clock" | "random">,
  fields: Pick<
    Operation<Plan>,
    "kind" | "state" | "mint" | "amount" | "plan" | "parent" | "peerMint"
  >,
): Operation<Plan> {
  const nowMs = context.clock.nowMs();
  return {
    id: context.random.bytes(16).toHex(),
    kind: fields.kind,
    state: fields.state,
    status: "open",
    rev: 0,
    mint: fields.mint,
    ...(fields.peerMint === undefined ? {} : { peerMint: fields.peerMint }),
    amount: fields.amount,
    fee: 0n,
    plan: fields.plan,
    ...(fields.parent === undefined ? {} : { parent: fields.parent }),
    nextAtMs: nowMs,
    attempts: 0,
    createdMs: nowMs,
    updatedMs: nowMs,
  };
}

/** Ends an operation that had no effect and releases what it had reserved. */
export function fail(context: SagaContext, operation: Operation, reason: string): "rest" {
  commit(context, operation, (tx) => {
    tx.releaseProofs(operation.id);
    tx.updateOperation(operation, { state: "failed", status: "failed", nextAtMs: null, reason });
  });
  return "rest";
}

/** As {@link fail}, for lack of free ecash: the same may go well as soon as some is back. */
export function failShort(
  context: SagaContext,
  operation: Operation<object>,
  reason: string,
): "rest" {
  commit(context, operation, (tx) => {
    const plan = { ...operation.plan, isShort: true };
    const over = { state: "failed", status: "failed", nextAtMs: null, reason } as const;
    tx.updateOperation(operation, { ...over, plan });
  });
  return "rest";
}

/** Whether an operation failed for lack of free ecash alone. */
export function wasShort(operation: Pick<Operation, "status" | "plan">): boolean {
  return operation.status === "failed" &&
    (operation.plan as { readonly isShort?: boolean }).isShort === true;
}
