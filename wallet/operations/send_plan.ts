/** What a send operation keeps, how one begins, and what a person may do to one. */
import { SeedmintError } from "../../src/core/errors.ts";
import { isPoint } from "../cashu.ts";
import { AMOUNT_SAT_MAX } from "../limits.ts";
import type { OutputLock } from "../outputs/planning.ts";
import type { ProofRecord, WalletTransaction } from "../store/wallet_store.ts";
import { encodeToken } from "../token.ts";
import { type MintUrl, WALLET_UNIT } from "../types.ts";
import { LOCKTIME_DEFAULT_S } from "./limits.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";
import { refundableFromMs } from "./take_back.ts";
import { newOperation, usableMint } from "./transition.ts";

/**
 * States of {@link SendPlan}'s operation.
 *
 *     planned ──▶ prepared ──▶ swap-inflight ──▶ token-ready ──▶ delivered ──▶ claimed
 *       │ ▲          │  └ exact ──────│─────────────▲ │ ▲            │ ▲          ▲
 *       │ └──────────│── new plan ────┘               │ └──────────┐ │ │          │ lost the race
 *       ▼            ▼ not confirmed                  └──────▶ reclaim-inflight ──┤
 *     failed ◀───────┴─ refused                                                   └▶ reclaimed
 */
export type SendState =
  /** Nothing is chosen. */
  | "planned"
  /** Inputs are reserved and the fee is known; waits for a word if it is held. */
  | "prepared"
  /** The swap is frozen, and may have been sent. */
  | "swap-inflight"
  /** The token exists, and nobody was given it. */
  | "token-ready"
  /** Somebody has the token. */
  | "delivered"
  /** The swap that takes the token back is frozen, and may have been sent. */
  | "reclaim-inflight"
  /** Redeemed by somebody. */
  | "claimed"
  /** Ours again. */
  | "reclaimed"
  | "failed";

/** Plan of a send operation. */
export interface SendPlan {
  readonly lock?: OutputLock;
  /** The receiver nets the amount: the token holds the fee of redeeming it as well. */
  readonly includeFees: boolean;
  readonly memo?: string;
  /** Most that may be paid on top of the amount. */
  readonly maxFeeSat?: number;
  /** Waits for {@link confirm} until then, in milliseconds since 1970. */
  readonly holdUntilMs?: number;
  /** What will be paid on top of the amount, once it is prepared. */
  readonly feeMaxSat?: number;
  /** What the token is worth, once it is prepared. */
  readonly tokenSat?: number;
  /** The inputs are the token: no swap is needed. */
  readonly isExact?: boolean;
  /** Swaps frozen so far. */
  readonly round: number;
  /** Y of each proof of the token, in the token's order. */
  readonly tokenYs?: readonly string[];
  /** Take it back as soon as that is possible. */
  readonly wantsReclaim?: boolean;
  /** Swaps that take it back, frozen so far. */
  readonly reclaimRound: number;
  /** The mint refused for its keysets or fees: ask for them anew. */
  readonly isStale?: boolean;
}

/**
 * Where a test or a crash may stop a send operation; a new plan's phases are `swap.2`, `reclaim.2`, …
 * In the words of the failure matrix: K1 before and K2 after it reserved is `planned.*-commit`, K3 after
 * it was journaled as under way `prepared.after-commit`, K4 with the request on its way
 * `swap.before-send` and a mint that is slow, K5 with an answer that is not written down
 * `swap.after-send` or `swap-inflight.before-commit`, K6 after that `swap-inflight.after-commit`.
 */
export const FAULT_POINTS: readonly string[] = [
  "send.planned.before-commit",
  "send.planned.after-commit",
  "send.prepared.before-commit",
  "send.prepared.after-commit",
  "send.swap.before-send",
  "send.swap.after-send",
  "send.swap-inflight.before-commit",
  "send.swap-inflight.after-commit",
  /** Of a token that is delivered, seen redeemed, or taken back. */
  "send.token-ready.before-commit",
  "send.token-ready.after-commit",
  "send.delivered.before-commit",
  "send.delivered.after-commit",
  "send.reclaim.before-send",
  "send.reclaim.after-send",
  "send.reclaim-inflight.before-commit",
  "send.reclaim-inflight.after-commit",
];

/** What {@link beginSend} is asked. */
export interface SendRequest {
  readonly mint: MintUrl;
  readonly amount: bigint;
  /** Locks the token to this key; it comes back to us after the locktime. @default {7 days from now} */
  readonly lock?: { readonly publicKey: string; readonly locktimeS?: number };
  /** Adds what redeeming the token costs, so that the receiver nets `amount`. @default {false} */
  readonly includeFees?: boolean;
  readonly memo?: string;
  readonly maxFee?: bigint;
  /** Waits this long for {@link confirm} once it is prepared. @default {does not wait} */
  readonly holdMs?: number;
  readonly parent?: string;
  /** Changes that belong to the beginning, in the same transaction. */
  readonly alongside?: (tx: WalletTransaction, operation: Operation<SendPlan>) => void;
}

/**
 * Writes down that a token of `amount` sat is wanted. Nothing is reserved yet.
 *
 * @throws {RangeError | TypeError} For an amount or a key that cannot be.
 * @throws {SeedmintError} `denied` for a mint that is not listed or is blocked.
 */
export async function beginSend(
  context: SagaContext,
  request: SendRequest,
): Promise<Operation<SendPlan>> {
  const { mint, amount, lock, memo, maxFee, holdMs, parent } = request;
  if (amount < 1n || amount > AMOUNT_SAT_MAX) {
    throw new RangeError(`Cannot send ${amount} sat: 1 to ${AMOUNT_SAT_MAX} sat wanted`);
  }
  usableMint(context, mint);
  const operation = newOperation<SendPlan>(context, {
    kind: "send",
    state: "planned",
    mint,
    amount,
    plan: {
      includeFees: request.includeFees ?? false,
      round: 0,
      reclaimRound: 0,
      ...(lock === undefined ? {} : { lock: lockOf(context, lock) }),
      ...(memo === undefined ? {} : { memo }),
      ...(maxFee === undefined ? {} : { maxFeeSat: Number(maxFee) }),
      ...(holdMs === undefined ? {} : { holdUntilMs: context.clock.nowMs() + holdMs }),
    },
    ...(parent === undefined ? {} : { parent }),
  });
  return await Promise.resolve(context.store.transact((tx) => {
    tx.insertOperation(operation);
    request.alongside?.(tx, operation);
    return tx.operation<SendPlan>(operation.id)!;
  }));
}

/**
 * A lock always has a way back: our own key, after the locktime.
 *
 * @throws {TypeError | RangeError} For a key or a time that cannot be.
 */
export function lockOf(
  context: SagaContext,
  lock: NonNullable<SendRequest["lock"]>,
): OutputLock {
  const { publicKey } = lock;
  if (!isPoint(publicKey)) {
    throw new TypeError("Cannot lock to this key: 33 bytes in hex of a secp256k1 point wanted");
  }
  const nowS = Math.floor(context.clock.nowMs() / 1000);
  const locktimeS = lock.locktimeS ?? nowS + LOCKTIME_DEFAULT_S;
  if (!Number.isSafeInteger(locktimeS) || locktimeS <= nowS) {
    throw new RangeError("Cannot lock until a time that has passed: seconds since 1970 wanted");
  }
  return { publicKey, locktimeS, refundKey: context.keys.payment.publicKey };
}

/**
 * The token of a send operation: the same text each time, for as long as nobody was seen redeeming it.
 *
 * @throws {SeedmintError} `denied` when there is none yet, or none any more.
 */
export function tokenOf(context: SagaContext, id: string): string {
  const operation = sendOperation(context, id);
  const proofs = tokenProofs(context, operation);
  if (proofs.length === 0 || proofs.some((proof) => proof.state !== "outgoing")) {
    throw new SeedmintError(
      "denied",
      `There is no token of operation ${id}: it is ${operation.state}; see "wallet history"`,
    );
  }
  const { memo, wantsReclaim } = operation.plan;
  if (wantsReclaim) {
    throw new SeedmintError(
      "denied",
      `The token of operation ${id} is being taken back: it is not given out any more`,
    );
  }
  return encodeToken({
    mint: operation.mint,
    unit: WALLET_UNIT,
    proofs,
    ...(memo === undefined ? {} : { memo }),
  });
}

/** The proofs of the token, in its order; empty before there is one. */
export function tokenProofs(
  context: SagaContext,
  operation: Operation<SendPlan>,
): readonly ProofRecord[] {
  return (operation.plan.tokenYs ?? []).map((y) => context.store.proof(y)!);
}

/** The order of proofs in a token, which never changes: by amount, then by Y. Gives their Ys. */
export function inTokenOrder(
  proofs: readonly { readonly y: string; readonly amount: bigint }[],
): string[] {
  return [...proofs].sort((a, b) =>
    a.amount !== b.amount ? (a.amount > b.amount ? -1 : 1) : a.y < b.y ? -1 : 1
  ).map((proof) => proof.y);
}

/** Says that the token was handed over: token-ready → delivered. Otherwise changes nothing. */
export function markDelivered(context: SagaContext, id: string): Operation<SendPlan> {
  const operation = sendOperation(context, id);
  if (operation.state !== "token-ready" || operation.status !== "open") return operation;
  context.fault("send.token-ready.before-commit");
  const delivered = context.store.transact((tx) =>
    tx.updateOperation(operation, {
      state: "delivered",
      attempts: operation.attempts,
      nextAtMs: operation.nextAtMs ?? null,
    })
  );
  context.fault("send.token-ready.after-commit");
  return delivered;
}

/**
 * Wants the token back: drive the operation then.
 *
 * @throws {SeedmintError} `denied` while it is locked, or when it is gone.
 */
export function requestReclaim(context: SagaContext, id: string): Operation<SendPlan> {
  const operation = sendOperation(context, id);
  if (operation.state === "reclaim-inflight" || operation.state === "reclaimed") return operation;
  if (operation.state !== "token-ready" && operation.state !== "delivered") {
    throw new SeedmintError(
      "denied",
      `Cannot take back operation ${id}: it is ${operation.state}`,
    );
  }
  const fromMs = reclaimableFromMs(operation.plan);
  if (fromMs > context.clock.nowMs()) {
    throw new SeedmintError(
      "denied",
      `Cannot take back operation ${id} yet: it is locked to its receiver until ${
        new Date(fromMs).toISOString()
      }, and comes back by itself after that`,
    );
  }
  return context.store.transact((tx) =>
    tx.updateOperation(operation, {
      status: "open",
      plan: { ...operation.plan, wantsReclaim: true },
      nextAtMs: context.clock.nowMs(),
    })
  );
}

/** When a token can be taken back: at once unless it is locked. */
export function reclaimableFromMs(plan: SendPlan): number {
  return refundableFromMs(plan.lock);
}

function sendOperation(context: SagaContext, id: string): Operation<SendPlan> {
  const operation = context.store.operation<SendPlan>(id);
  if (operation?.kind === "send") return operation;
  throw new SeedmintError("not-found", `No send operation ${id}: see "wallet history"`);
}
