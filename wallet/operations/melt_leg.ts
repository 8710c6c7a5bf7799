/** What the parts of the spending leg share: whose leg it is, its next state, its inputs and phases. */
import { assert } from "../../src/core/assert.ts";
import type { OperationChange, ProofRecord, WalletTransaction } from "../store/wallet_store.ts";
import type { LegPlan, LegQuote } from "./melt_plan.ts";
import { LEG_TRANSITIONS, type LegEvent, type LegState, transition } from "./melt_transition.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext, Step } from "./saga.ts";
import { commit } from "./transition.ts";

/** An operation that has a spending leg. */
export type LegOperation = Operation<LegPlan>;

/** The saga that a leg is part of. */
export interface Leg {
  /** Before the names of {@link LegState}. */
  readonly prefix: "" | "source-";
  /** What the ledger calls the amount that is paid. */
  readonly ledgerKind: "melt" | "swap-out";
  /** Nothing is sent after this, in milliseconds since 1970; undefined when nothing expires. */
  sendBeforeMs(operation: LegOperation): number | undefined;
  /** In the transaction that ends the leg because the mint did not pay. */
  onUnpaid?(tx: WalletTransaction, operation: LegOperation, context: SagaContext): void;
  /** In the transaction that gives the quotes up for new ones, or ends the leg before it was sent. */
  onGivenUp?(tx: WalletTransaction, operation: LegOperation): void;
  /** Whether somebody else says that it was paid, so that the mint's `UNPAID` is not believed. */
  isPaidElsewhere?(
    operation: LegOperation,
    context: SagaContext,
    signal: AbortSignal,
  ): Promise<boolean>;
}

/** Names in {@link LEG_TRANSITIONS} that are never prefixed. */
const SHARED = ["prepared", "failed", "intent"] as const;

/** A state of {@link LEG_TRANSITIONS}. */
export type LegTableState = keyof typeof LEG_TRANSITIONS;

/** The name that `state` has in the saga of `leg`. */
export function stateName(leg: Leg, state: LegTableState): string {
  return (SHARED as readonly string[]).includes(state) ? state : leg.prefix + state;
}

/** The state of the leg that `operation` is in; undefined when it is in another part of its saga. */
export function legStateOf(leg: Leg, operation: Operation): LegState | undefined {
  if (!operation.state.startsWith(leg.prefix)) return undefined;
  const state = operation.state.slice(leg.prefix.length);
  const isShared = (SHARED as readonly string[]).includes(state);
  return Object.hasOwn(LEG_TRANSITIONS, state) && !isShared ? state as LegState : undefined;
}

/** What changes with a transition, besides the state. */
export type LegMoveChange = Omit<OperationChange<LegPlan>, "state" | "plan"> & {
  readonly plan?: PlanChange<LegPlan>;
};

/** Fields of a plan that change; undefined takes one away. */
export type PlanChange<Plan> = { readonly [Field in keyof Plan]?: Plan[Field] | undefined };

/** Writes the transition by `event`; due at once unless `change` says otherwise. */
export function moveLeg(
  tx: WalletTransaction,
  context: SagaContext,
  leg: Leg,
  move: {
    readonly operation: LegOperation;
    readonly event: LegEvent;
    readonly change?: LegMoveChange;
  },
): LegOperation {
  const { operation, event, change = {} } = move;
  const from = (legStateOf(leg, operation) ?? operation.state) as LegTableState;
  const to = transition(LEG_TRANSITIONS, from, event);
  assert(to !== undefined, `${event} may happen to a ${operation.kind} that is ${operation.state}`);
  return tx.updateOperation(operation, {
    reason: null,
    nextAtMs: context.clock.nowMs(),
    ...change,
    state: stateName(leg, to),
    plan: planWith(operation.plan, change.plan),
  });
}

/** `plan` with the fields of `change`; a field that is undefined is taken away. */
export function planWith<Plan extends LegPlan>(plan: Plan, change: PlanChange<Plan> = {}): Plan {
  const merged = Object.entries({ ...plan, ...change });
  return Object.fromEntries(merged.filter(([, value]) => value !== undefined)) as unknown as Plan;
}

/** {@link moveLeg} in a transaction of its own, with whatever `also` adds. */
export function commitLeg(
  context: SagaContext,
  leg: Leg,
  move: Parameters<typeof moveLeg>[3] & {
    readonly also?: (tx: WalletTransaction) => void;
  },
): Step {
  const moved = commit(context, move.operation, (tx) => {
    move.also?.(tx);
    return moveLeg(tx, context, leg, move);
  });
  const isDue = moved.status === "open" && moved.nextAtMs !== undefined &&
    moved.nextAtMs <= context.clock.nowMs();
  return isDue ? "again" : "rest";
}

/** The proofs that are reserved for the leg, oldest first. */
export function reservedInputs(
  store: { proofs: SagaContext["store"]["proofs"] },
  operation: Operation,
): ProofRecord[] {
  return store.proofs({ operationId: operation.id, state: "reserved" });
}

/** The quote that the leg pays. */
export function quoteOfLeg(operation: LegOperation): LegQuote {
  const { quote } = operation.plan;
  assert(quote !== undefined, "a leg that pays has a quote");
  return quote;
}

/** Sum of amounts. */
export function sumOf(proofs: readonly { readonly amount: bigint }[]): bigint {
  return proofs.reduce((sum, proof) => sum + proof.amount, 0n);
}

/** Ends the leg when nothing of it can be under way: what was reserved is free, what was planned void. */
export function release(
  context: SagaContext,
  leg: Leg,
  options: {
    readonly operation: LegOperation;
    readonly reason: string;
    readonly onlyIf?: (tx: WalletTransaction) => boolean;
  },
): Step {
  const { operation, reason, onlyIf } = options;
  return commitLeg(context, leg, {
    operation,
    event: "released",
    change: { status: "failed", reason },
    also: (tx) => {
      assert(onlyIf?.(tx) ?? true, "nothing was sent of what is released");
      voidPlanned(tx, operation);
      tx.releaseProofs(operation.id);
      leg.onGivenUp?.(tx, operation);
    },
  });
}

/** Marks void the outputs of `operation` at its own mint that were never sent or never signed. */
export function voidPlanned(tx: WalletTransaction, operation: LegOperation): void {
  const planned = tx.outputs(operation.id)
    .filter((output) => output.state === "planned" && output.mint === operation.mint);
  tx.markOutputs(planned.map((output) => output.blinded), "void");
}
