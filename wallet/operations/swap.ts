/**
 * Ecash of one mint for ecash of another, over Lightning: a melt that pays the other's invoice. Exactly
 * the amount arrives, and the source is debited that, the fees and no more than the cap, or nothing but
 * a fence's fee.
 */
import { unreachable } from "../../src/core/assert.ts";
import { routeAfterFailure } from "../routes/mod.ts";
import { dispatchMelt, freezeMelt } from "./melt_dispatch.ts";
import { runFence } from "./melt_fence.ts";
import { type Leg, type LegOperation, release } from "./melt_leg.ts";
import { observe } from "./melt_observe.ts";
import { orGiveUp, patiently } from "./melt_patience.ts";
import { runSplit } from "./melt_split.ts";
import { handleUnpaid } from "./melt_unpaid.ts";
import type { Saga, SagaContext, Step } from "./saga.ts";
import { awaitDestination, claimSwapChange, issueDestination, leaveSource } from "./swap_dest.ts";
import { destinationOf, type SwapPlan } from "./swap_plan.ts";
import {
  goOnSwap,
  planDestination,
  prepareSwap,
  quoteDestination,
  quoteSource,
} from "./swap_source.ts";
import type { SwapState } from "./swap_transition.ts";
import { failSwap, type SwapOperation, voidDestination } from "./swap_write.ts";

export { beginSwap, FAULT_POINTS, hasArrived, swapResultOf } from "./swap_plan.ts";

/** The source leg of a swap. */
const LEG: Leg = {
  prefix: "source-",
  ledgerKind: "swap-out",
  sendBeforeMs({ plan }) {
    const { dest, quote, windowMs } = plan as SwapPlan;
    const ends = [dest?.expiryMs, quote?.expiryMs].filter((end) => end !== undefined);
    return ends.length === 0 ? undefined : Math.min(...ends) - windowMs;
  },
  onUnpaid(tx, operation, context) {
    voidDestination(tx, operation);
    // An answer that was lost says nothing about the route.
    const { answer, wasPending } = operation.plan;
    if (answer?.kind !== "refused" && wasPending !== true) return;
    const key = { from: operation.mint, to: destinationOf(operation) };
    tx.putRoute(routeAfterFailure(key, tx.route(key.from, key.to), context.clock.nowMs()));
  },
  onGivenUp: voidDestination,
  async isPaidElsewhere(operation: LegOperation, context: SagaContext, signal: AbortSignal) {
    const { dest } = operation.plan as SwapPlan;
    if (dest === undefined) return false;
    const quote = await context.mints.of(destinationOf(operation))
      .mintQuote(dest.quoteId, { signal });
    return quote.state !== "UNPAID";
  },
};

/** The saga of {@link SwapPlan}. */
export const swapSaga: Saga = {
  kind: "swap",
  step(operation, context, { signal }) {
    const swap = operation as SwapOperation;
    return patiently(context, swap, () => step(swap, context, signal));
  },
};

function step(
  operation: SwapOperation,
  context: SagaContext,
  signal: AbortSignal,
): Promise<Step> {
  const state = operation.state as SwapState;
  const unsent = (step: () => Promise<Step>) =>
    orGiveUp(operation, step, (reason) => {
      failSwap(context, operation, reason);
      return "rest";
    });
  switch (state) {
    case "intent":
      return unsent(() => quoteDestination(operation, context, signal));
    case "dest-quoted":
      return unsent(() => planDestination(operation, context, signal));
    case "dest-planned":
      return unsent(() => quoteSource(operation, context, signal));
    case "source-quoted":
      return unsent(() => prepareSwap(operation, context, signal));
    case "prepared":
      return unsent(() => goOnSwap(operation, context, { leg: LEG, signal }));
    case "source-splitting":
      return runSplit(context, LEG, operation, signal);
    case "source-ready":
      return orGiveUp(
        operation,
        () => freezeMelt(context, LEG, operation, { signal }),
        (reason) => release(context, LEG, { operation, reason }),
      );
    case "source-inflight":
      return dispatchMelt(context, LEG, operation, signal);
    case "source-pending":
      return observe(context, LEG, operation, signal);
    case "source-unpaid":
      return handleUnpaid(context, LEG, operation, signal);
    case "source-fencing":
      return runFence(context, LEG, operation, signal);
    case "source-paid":
      return leaveSource(operation, context);
    case "awaiting-dest":
      return awaitDestination(operation, context, signal);
    case "issuing":
      return issueDestination(operation, context, signal);
    case "change-due":
      return claimSwapChange(operation, context, signal);
    case "completed":
    case "failed":
    case "cancelled":
      return Promise.resolve("rest");
    default:
      return unreachable(state);
  }
}
