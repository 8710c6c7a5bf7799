/** What a strip operation keeps, how one begins, and how its top-ups are revealed one by one. */
import { SeedmintError } from "../../src/core/errors.ts";
import { AMOUNT_SAT_MAX } from "../limits.ts";
import type { OutputLock } from "../outputs/planning.ts";
import type { StripPart } from "../store/buying_store.ts";
import type { WalletReads, WalletTransaction } from "../store/wallet_store.ts";
import { encodeToken } from "../token.ts";
import { type MintUrl, WALLET_UNIT } from "../types.ts";
import { STRIP_PARTS_MAX } from "./limits.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";
import { lockOf } from "./send_plan.ts";
import { newOperation, usableMint } from "./transition.ts";

/**
 * States of {@link StripPlan}'s operation: one swap makes many top-ups, each locked to one seller. They
 * are revealed while it is `ready`; after the locktime what was not redeemed is ours again.
 *
 *     planned ──▶ prepared ──▶ swap-inflight ──▶ ready ──────▶ done
 *       │ ▲          │             │              │ ▲           ▲
 *       │ └──────────│── new plan ─┘              ▼ │ lost      │
 *       ▼            ▼                     reclaim-inflight ────┘
 *     failed ◀───────┴─ refused
 */
export type StripState =
  /** Nothing is chosen. */
  | "planned"
  /** Inputs are reserved, and how many top-ups there will be is known. */
  | "prepared"
  /** The swap is frozen, and may have been sent. */
  | "swap-inflight"
  /** The top-ups exist. */
  | "ready"
  /** The swap that takes back what was not redeemed is frozen, and may have been sent. */
  | "reclaim-inflight"
  /** Every top-up was redeemed or is ours again. */
  | "done"
  | "failed";

/** Plan of a strip operation. */
export interface StripPlan {
  /** The seller. */
  readonly peer: string;
  readonly lock: OutputLock;
  /** Top-ups wanted at most. */
  readonly countMax: number;
  /** What each is worth to its seller after the fee of redeeming it, in sat. */
  readonly netSat: number;
  /** Nothing is begun after this, in milliseconds since 1970: whoever wanted it has gone on. */
  readonly useByMs: number;
  readonly maxFeeSat?: number;
  /** What each holds, once it is prepared. */
  readonly grossSat?: number;
  /** Top-ups, once it is prepared. */
  readonly count?: number;
  /** Fee of the swap, once it is prepared. */
  readonly feeMaxSat?: number;
  /** Swaps frozen so far. */
  readonly round: number;
  /** Blinded messages of each top-up, while the swap is under way. */
  readonly parts?: readonly (readonly string[])[];
  /** Swaps that take back, frozen so far. */
  readonly reclaimRound: number;
  readonly isStale?: boolean;
  /** Another copy of this wallet may have handed its top-ups over: they only wait for their locktime. */
  readonly isForeign?: boolean;
}

/** Where a test or a crash may stop a strip operation; see `FAULT_POINTS` of a send. */
export const FAULT_POINTS: readonly string[] = [
  "strip.planned.before-commit",
  "strip.planned.after-commit",
  "strip.prepared.before-commit",
  "strip.prepared.after-commit",
  "strip.swap.before-send",
  "strip.swap.after-send",
  "strip.swap-inflight.before-commit",
  "strip.swap-inflight.after-commit",
  /** Of a top-up that is about to leave the wallet. */
  "strip.reveal.before-commit",
  "strip.reveal.after-commit",
  /** Of a strip whose end is looked at. */
  "strip.ready.before-commit",
  "strip.ready.after-commit",
  "strip.reclaim.before-send",
  "strip.reclaim.after-send",
  "strip.reclaim-inflight.before-commit",
  "strip.reclaim-inflight.after-commit",
];

/** What {@link beginStrip} is asked. */
export interface StripRequest {
  readonly mint: MintUrl;
  /** The seller. */
  readonly peer: string;
  /** The key that the top-ups are locked to. */
  readonly publicKey: string;
  /** When they come back, in seconds since 1970. */
  readonly locktimeS: number;
  /** Top-ups wanted; as many as can be paid for are made. */
  readonly count: number;
  /** What each is worth to the seller, in sat. */
  readonly net: bigint;
  readonly maxFee?: bigint;
  /** Nothing is begun after this, in milliseconds since 1970. */
  readonly useByMs: number;
  readonly parent?: string;
}

/**
 * Writes down that a strip of top-ups is wanted. Nothing is reserved yet.
 *
 * @throws {RangeError | TypeError} For amounts, counts, keys or times that cannot be.
 * @throws {SeedmintError} `denied` for a mint that is not listed or is blocked.
 */
export function beginStrip(context: SagaContext, request: StripRequest): Operation<StripPlan> {
  const { mint, peer, publicKey, locktimeS, count, net, maxFee, parent } = request;
  if (!Number.isSafeInteger(count) || count < 1 || count > STRIP_PARTS_MAX) {
    throw new RangeError(`Cannot make ${count} top-ups: 1 to ${STRIP_PARTS_MAX} wanted`);
  }
  if (net < 1n || net * BigInt(count) > AMOUNT_SAT_MAX) {
    throw new RangeError(`Cannot make top-ups of ${net} sat: 1 sat or more wanted`);
  }
  usableMint(context, mint);
  const operation = newOperation<StripPlan>(context, {
    kind: "strip",
    state: "planned",
    mint,
    amount: net * BigInt(count),
    plan: {
      peer,
      lock: lockOf(context, { publicKey, locktimeS }),
      countMax: count,
      netSat: Number(net),
      useByMs: request.useByMs,
      round: 0,
      reclaimRound: 0,
      ...(maxFee === undefined ? {} : { maxFeeSat: Number(maxFee) }),
    },
    ...(parent === undefined ? {} : { parent }),
  });
  return context.store.transact((tx) => {
    tx.insertOperation(operation);
    return tx.operation<StripPlan>(operation.id)!;
  });
}

/**
 * The next top-up of a strip that nobody has seen; it still is locked for `lockedMs` at least. Undefined
 * when there is none.
 */
export function hiddenPart(
  reads: Pick<WalletReads, "stripParts">,
  operation: Operation<StripPlan>,
  options: { readonly nowMs: number; readonly lockedMs: number },
): StripPart | undefined {
  if (operation.state !== "ready" || operation.status !== "open") return undefined;
  if (lockedUntilMs(operation.plan) < options.nowMs + options.lockedMs) return undefined;
  return reads.stripParts({ operationId: operation.id, states: ["hidden"], limit: 1 })[0];
}

/** Until when nobody but the seller can spend it, in milliseconds since 1970. */
export function lockedUntilMs(plan: Pick<StripPlan, "lock">): number {
  return (plan.lock.locktimeS ?? 0) * 1000;
}

/**
 * Marks a top-up as revealed; flush the store before its token leaves the wallet. `also` runs in the same
 * transaction, before it, and stops it by throwing.
 */
export function revealPart(
  context: SagaContext,
  part: Pick<StripPart, "paymentId">,
  also: (tx: WalletTransaction) => void,
): StripPart {
  context.fault("strip.reveal.before-commit");
  const revealed = context.store.transact((tx) => {
    also(tx);
    return tx.moveStripPart(part.paymentId, "revealed");
  }, { isLazy: true });
  context.fault("strip.reveal.after-commit");
  return revealed;
}

/**
 * The token of a top-up: the same text each time.
 *
 * @throws {SeedmintError} `denied` for one that was never revealed, or is gone.
 */
export function tokenOfPart(reads: WalletReads, part: StripPart): string {
  const operation = reads.operation<StripPlan>(part.operationId);
  const proofs = part.ys.map((y) => reads.proof(y)!);
  const isOut = proofs.every((proof) => proof.state === "outgoing");
  if (operation === undefined || part.state === "hidden" || !isOut) {
    throw new SeedmintError(
      "denied",
      `There is no token of top-up ${part.place} of operation ${part.operationId} any more`,
    );
  }
  return encodeToken({ mint: operation.mint, unit: WALLET_UNIT, proofs });
}
