/** How a swap writes the transitions of its own part. */
import { assert } from "../../src/core/assert.ts";
import type { WalletTransaction } from "../store/wallet_store.ts";
import { type PlanChange, planWith } from "./melt_leg.ts";
import { transition } from "./melt_transition.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";
import type { SwapPlan } from "./swap_plan.ts";
import { SWAP_TRANSITIONS, type SwapEvent, type SwapState } from "./swap_transition.ts";
import { commit } from "./transition.ts";

/** A swap as its parts see it. */
export type SwapOperation = Operation<SwapPlan>;

/** What changes with a transition, besides the state. */
export interface SwapChange {
  readonly plan?: PlanChange<SwapPlan>;
  readonly fee?: bigint;
  readonly nextAtMs?: number;
  readonly reason?: string;
}

/** The transition by `event` in a transaction of its own, with whatever `also` adds. */
export function moveSwap(
  context: SagaContext,
  operation: SwapOperation,
  event: SwapEvent,
  change: SwapChange & { readonly also?: (tx: WalletTransaction) => void } = {},
): void {
  commit(context, operation, (tx) => {
    change.also?.(tx);
    writeSwap(tx, context, operation, event, change);
  });
}

/** The transition by `event`, inside a transaction; due at once unless `change` says otherwise. */
export function writeSwap(
  tx: WalletTransaction,
  context: SagaContext,
  operation: SwapOperation,
  event: SwapEvent,
  change: SwapChange,
): void {
  const state = transition(SWAP_TRANSITIONS, operation.state as SwapState, event);
  assert(state !== undefined, `${event} may happen to a swap that is ${operation.state}`);
  const isDone = state === "completed";
  const isOver = isDone || state === "failed";
  tx.updateOperation(operation, {
    state,
    status: isDone ? "done" : state === "failed" ? "failed" : "open",
    nextAtMs: isOver ? null : change.nextAtMs ?? context.clock.nowMs(),
    reason: change.reason ?? null,
    plan: planWith(operation.plan, change.plan),
    ...(change.fee === undefined ? {} : { fee: change.fee }),
  });
}

/** Ends a swap of which nothing was sent. */
export function failSwap(context: SagaContext, operation: SwapOperation, reason: string): void {
  moveSwap(context, operation, "released", {
    reason,
    also: (tx) => {
      tx.releaseProofs(operation.id);
      voidDestination(tx, operation);
    },
  });
}

/** Marks void what was planned at the destination, in all rounds: it is never sent any more. */
export function voidDestination(tx: WalletTransaction, operation: Operation): void {
  const planned = tx.outputs(operation.id)
    .filter((output) => output.state === "planned" && output.mint === operation.peerMint);
  tx.markOutputs(planned.map((output) => output.blinded), "void");
}
