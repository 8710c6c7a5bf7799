/** What a swap between mints keeps, how one begins, and what it tells of itself. */
import { SeedmintError } from "../../src/core/errors.ts";
import { AMOUNT_SAT_MAX } from "../limits.ts";
import type { MintUrl } from "../types.ts";
import { assertExposure } from "./fund_plan.ts";
import { SWAP_WINDOW_MS, SWAP_WINDOW_MS_MIN } from "./melt_limits.ts";
import { feeMaxDefault, type LegPlan, type LegResult, meltResultOf, NEW_LEG } from "./melt_plan.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";
import type { SwapState } from "./swap_transition.ts";
import { newOperation, usableMint } from "./transition.ts";

/** The destination's quote, as the plan keeps it. Locked to a key of its own (NUT-20). */
export interface DestQuote {
  readonly quoteId: string;
  readonly keyIndex: number;
  /** The earlier of the quote's and its invoice's end. */
  readonly expiryMs?: number;
}

/** Plan of a swap: the source leg, and the destination. */
export interface SwapPlan extends LegPlan {
  readonly windowMs: number;
  readonly dest?: DestQuote;
  /** Requests for the destination's ecash that were frozen so far; the last counts. */
  readonly mintRound: number;
  /** When the destination's ecash was here. */
  readonly issuedMs?: number;
}

/** What {@link beginSwap} is asked. */
export interface SwapRequest {
  readonly from: MintUrl;
  readonly to: MintUrl;
  /** What is to arrive, in sat: with a later payment's input fee, if it must. */
  readonly amount: bigint;
  /** Most for all fees, in sat. @default {the larger of 50 sat and 5 %} */
  readonly feeMax?: bigint;
  /** Rest when everything is reserved, until somebody confirms or this long has passed. */
  readonly holdMs?: number;
  /** Pay only while both quotes last for this long. @default {SWAP_WINDOW_MS} */
  readonly windowMs?: number;
  readonly parent?: string;
}

/**
 * Writes down that ecash of one mint is wanted for ecash of another. Nothing is asked yet.
 *
 * @throws {RangeError} For an amount that is not 1 sat to 2^53 - 1, or a window below the narrowest.
 * @throws {SeedmintError} `denied` for a mint that is not listed, a destination that is not trusted, is
 * blocked or would hold too much; `usage` for a swap of a mint with itself.
 */
export async function beginSwap(
  context: SagaContext,
  request: SwapRequest,
): Promise<Operation<SwapPlan>> {
  const { from, to, amount, holdMs, windowMs = SWAP_WINDOW_MS } = request;
  if (amount < 1n || amount > AMOUNT_SAT_MAX) {
    throw new RangeError(`Cannot swap ${amount} sat: 1 to ${AMOUNT_SAT_MAX} sat wanted`);
  }
  if (windowMs < SWAP_WINDOW_MS_MIN) {
    throw new RangeError(
      `Cannot swap with a window of ${windowMs} ms: ${SWAP_WINDOW_MS_MIN} wanted`,
    );
  }
  if (from === to) {
    throw new SeedmintError("usage", `Cannot swap ${from} with itself: name another mint`);
  }
  // A source that is blocked may still be left: that is the way out.
  context.mints.of(from);
  if (usableMint(context, to).trust !== "trusted") {
    throw new SeedmintError(
      "denied",
      `Cannot swap into ${to}: it is not trusted to hold money; trust it with "wallet mints" first`,
    );
  }
  assertExposure(context, to, { more: amount });
  const operation = newOperation<SwapPlan>(context, {
    kind: "swap",
    state: "intent",
    mint: from,
    peerMint: to,
    amount,
    plan: {
      ...NEW_LEG,
      mintRound: 0,
      windowMs,
      invoice: "",
      paymentHash: "",
      feeMaxSat: String(request.feeMax ?? feeMaxDefault(amount)),
      ...(holdMs === undefined ? {} : { holdUntilMs: context.clock.nowMs() + holdMs }),
    },
    ...(request.parent === undefined ? {} : { parent: request.parent }),
  });
  return await Promise.resolve(context.store.transact((tx) => {
    tx.insertOperation(operation);
    return tx.operation<SwapPlan>(operation.id)!;
  }));
}

/** The mint that a swap goes to. */
export function destinationOf(operation: Operation): MintUrl {
  const { peerMint } = operation;
  if (peerMint === undefined) throw new TypeError("A swap names the mint that it goes to");
  return peerMint;
}

/** Whether the destination's ecash is here; the swap may still wait for the source's change. */
export function hasArrived(operation: Operation): boolean {
  const state = operation.state as SwapState;
  return operation.kind === "swap" && (state === "completed" || state === "change-due");
}

/** What became of a swap. Holds the preimage: show it only to who asks for it. */
export function swapResultOf(
  operation: Operation,
): LegResult & { readonly hasArrived: boolean; readonly arrivedSat: bigint } {
  const arrived = hasArrived(operation);
  return {
    ...meltResultOf(operation),
    hasArrived: arrived,
    arrivedSat: arrived ? operation.amount : 0n,
  };
}

/** Where a test or a crash may stop a swap; a phase of a second plan ends with `.2`. */
export const FAULT_POINTS: readonly string[] = [
  /** The destination has made a quote that nobody knows of yet. */
  "swap.intent.after-quote",
  /** The source has made a quote that nobody knows of yet. */
  "swap.dest-planned.after-quote",
  ...[
    "intent",
    "dest-quoted",
    "dest-planned",
    "source-quoted",
    "prepared",
    "source-splitting",
    "source-ready",
    "source-inflight",
    "source-pending",
    "source-unpaid",
    "source-fencing",
    "source-paid",
    "awaiting-dest",
    "issuing",
    "change-due",
  ].flatMap((state) => [`swap.${state}.before-commit`, `swap.${state}.after-commit`]),
  ...["split", "melt", "fence", "mint"]
    .flatMap((phase) => [`swap.${phase}.before-send`, `swap.${phase}.after-send`]),
];
