/** What a channel operation keeps, how one begins, and how its balances are signed one by one. */
import { assert } from "../../src/core/assert.ts";
import { SeedmintError } from "../../src/core/errors.ts";
import { ChannelEnd, type ChannelTerms, creditOf } from "../channel/terms.ts";
import { CHANNEL_UPDATES_MAX } from "../channel/limits.ts";
import { encodeChannelMessage } from "../channel/message.ts";
import { AMOUNT_SAT_MAX } from "../limits.ts";
import type { StripPart } from "../store/buying_store.ts";
import type { WalletReads, WalletTransaction } from "../store/wallet_store.ts";
import type { Keyset, MintUrl } from "../types.ts";
import type { Operation } from "./operation.ts";
import type { SagaContext } from "./saga.ts";
import { lockOf } from "./send_plan.ts";
import { lockedUntilMs, type StripPlan } from "./strip_plan.ts";
import { newOperation, usableMint } from "./transition.ts";

/**
 * Plan of a channel operation. Its states are those of a strip (`strip_plan.ts`): one top-up, so to
 * speak, that is handed over bit by bit while it is `ready`. When the seller has closed, or the expiry
 * has passed, what is left is ours again.
 */
export interface ChannelPlan extends StripPlan {
  /** The channel, once it is funded. */
  readonly channel?: {
    readonly id: string;
    /** Keyset of the funding. */
    readonly keysetId: string;
    /** The funding proofs, in their order. */
    readonly ys: readonly string[];
    /** Sums, in sat; see `ChannelSums`. */
    readonly balanceMaxSat: number;
    readonly redeemFeeMaxSat: number;
  };
  /** Nothing more is signed in it, and why. */
  readonly over?: string;
}

/** Where a test or a crash may stop a channel operation of a buyer. */
export const CHANNEL_FAULT_POINTS: readonly string[] = [
  "channel.planned.before-commit",
  "channel.planned.after-commit",
  "channel.prepared.before-commit",
  "channel.prepared.after-commit",
  "channel.swap.before-send",
  "channel.swap.after-send",
  "channel.swap-inflight.before-commit",
  "channel.swap-inflight.after-commit",
  /** Of a balance that is about to be signed for the seller. */
  "channel.sign.before-commit",
  "channel.sign.after-commit",
  /** Of a channel whose end is looked at. */
  "channel.ready.before-commit",
  "channel.ready.after-commit",
];

/** Those besides of one whose seller never closed. */
export const CHANNEL_RECLAIM_FAULT_POINTS: readonly string[] = [
  "channel.reclaim.before-send",
  "channel.reclaim.after-send",
  "channel.reclaim-inflight.before-commit",
  "channel.reclaim-inflight.after-commit",
];

/** What {@link beginChannel} is asked. */
export interface ChannelRequest {
  readonly mint: MintUrl;
  /** The seller. */
  readonly peer: string;
  /** Its payment key. */
  readonly publicKey: string;
  /** When all of it comes back, in seconds since 1970. */
  readonly expiryS: number;
  /** The most that can be paid, in sat, the closing swap paid for. */
  readonly net: bigint;
  readonly maxFee?: bigint;
  /** Nothing is begun after this, in milliseconds since 1970. */
  readonly useByMs: number;
  readonly parent?: string;
}

/**
 * Writes down that a channel is wanted. Nothing is reserved yet.
 *
 * @throws {RangeError | TypeError} For amounts, keys or times that cannot be.
 * @throws {SeedmintError} `denied` for a mint that is not listed or is blocked.
 */
export function beginChannel(
  context: SagaContext,
  request: ChannelRequest,
): Operation<ChannelPlan> {
  const { mint, peer, publicKey, expiryS, net, maxFee, parent } = request;
  if (net < 1n || net > AMOUNT_SAT_MAX) {
    throw new RangeError(`Cannot open a channel of ${net} sat: 1 sat or more wanted`);
  }
  if (publicKey.slice(2) === context.keys.payment.publicKey.slice(2)) {
    throw new RangeError("Cannot open a channel with this wallet itself");
  }
  usableMint(context, mint);
  const operation = newOperation<ChannelPlan>(context, {
    kind: "channel",
    state: "planned",
    mint,
    amount: net,
    plan: {
      peer,
      lock: lockOf(context, { publicKey, locktimeS: expiryS }),
      countMax: 1,
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
    return tx.operation<ChannelPlan>(operation.id)!;
  });
}

/** The terms of a channel that was funded. */
export function termsOfChannel(
  reads: Pick<WalletReads, "proof">,
  operation: Pick<Operation<ChannelPlan>, "plan" | "mint">,
): ChannelTerms {
  const { lock, channel } = operation.plan;
  assert(channel !== undefined, "a channel that was funded");
  return {
    mint: operation.mint,
    keysetId: channel.keysetId,
    buyer: lock.refundKey!,
    seller: lock.publicKey,
    expiryS: lock.locktimeS!,
    proofs: channel.ys.map((y) => {
      const { amount, secret, C, dleq } = reads.proof(y)!;
      const nonce = (JSON.parse(secret) as [string, { readonly nonce: string }])[1].nonce;
      return { amount, nonce, C, dleq: dleq ?? { e: "", s: "", r: "" } };
    }),
  };
}

/** Our end of a channel. `keyset` is that of its funding. */
export function endOfChannel(
  context: Pick<SagaContext, "store" | "keys">,
  operation: Pick<Operation<ChannelPlan>, "plan" | "mint">,
  keyset: Keyset,
): ChannelEnd {
  const key = context.keys.payment;
  return new ChannelEnd(termsOfChannel(context.store, operation), { keyset, key });
}

/** What can still be paid in a channel, in sat of credit to its seller; 0 when nothing is signed in it. */
export function roomOf(
  reads: Pick<WalletReads, "lastBalance">,
  operation: Pick<Operation<ChannelPlan>, "id" | "state" | "status" | "plan">,
): bigint {
  const { channel, over } = operation.plan;
  if (channel === undefined || over !== undefined) return 0n;
  if (operation.state !== "ready" || operation.status !== "open") return 0n;
  const redeemFeeMax = BigInt(channel.redeemFeeMaxSat);
  const paid = reads.lastBalance(operation.id)?.balance ?? 0n;
  return creditOf(BigInt(channel.balanceMaxSat), { redeemFeeMax }) -
    creditOf(paid, { redeemFeeMax });
}

/** A balance that is to be signed. */
export interface NextBalance {
  readonly paymentId: string;
  /** What it adds to the seller's credit, in sat. */
  readonly net: bigint;
  /** What it adds to the balance, in sat: the first pays for the redemption, too. */
  readonly gross: bigint;
  readonly balance: bigint;
}

/** The balance that pays `net` more; undefined when there is no room. */
export function nextBalance(
  context: Pick<SagaContext, "store" | "random">,
  operation: Operation<ChannelPlan>,
  net: bigint,
): NextBalance | undefined {
  if (net <= 0n || roomOf(context.store, operation) < net) return undefined;
  const last = context.store.lastBalance(operation.id)?.balance ?? 0n;
  const gross = last === 0n ? net + BigInt(operation.plan.channel!.redeemFeeMaxSat) : net;
  const paymentId = context.random.bytes(16).toHex();
  return { paymentId, net, gross, balance: last + gross };
}

/**
 * Signs a balance and writes it down, on disk before it leaves the wallet: a row of the seller's account
 * like a top-up. `also` runs in the same transaction, before it, and stops it by throwing.
 */
export function signBalance(
  context: SagaContext,
  operation: Operation<ChannelPlan>,
  options: {
    readonly end: ChannelEnd;
    readonly keyset: Keyset;
    readonly next: NextBalance;
    readonly also: (tx: WalletTransaction) => void;
  },
): StripPart {
  const { end, keyset, next, also } = options;
  const { paymentId, gross, net, balance } = next;
  const { signature, keysetId } = end.sign(balance, keyset);
  context.fault("channel.sign.before-commit");
  const part = context.store.transact((tx) => {
    const now = tx.operation<ChannelPlan>(operation.id)!;
    const isOpen = now.state === "ready" && now.plan.over === undefined;
    if (!isOpen || lockedUntilMs(now.plan) <= context.clock.nowMs()) {
      throw new SeedmintError("denied", "Cannot sign a balance: the channel is over");
    }
    const last = tx.lastBalance(operation.id);
    const place = last === undefined ? 0 : tx.stripPart(last.paymentId)!.place + 1;
    if (place >= CHANNEL_UPDATES_MAX) {
      throw new SeedmintError("denied", "Cannot sign a balance: too many were signed");
    }
    also(tx);
    const peer = operation.plan.peer;
    tx.insertStripParts([{
      paymentId,
      operationId: operation.id,
      place,
      peer,
      gross,
      net,
      ys: [],
    }]);
    tx.insertSignedBalance({
      paymentId,
      operationId: operation.id,
      balance,
      keysetId,
      signature,
      createdMs: context.clock.nowMs(),
    });
    return tx.moveStripPart(paymentId, "revealed");
  });
  context.fault("channel.sign.after-commit");
  return part;
}

/**
 * The message that hands a signed balance over: the same text each time. The first of a channel opens it.
 *
 * @throws {SeedmintError} `denied` for one that was never signed.
 */
export function messageOfPart(reads: WalletReads, part: StripPart): string {
  const operation = reads.operation<ChannelPlan>(part.operationId);
  const signed = reads.signedBalance(part.paymentId);
  if (operation?.plan.channel === undefined || signed === undefined) {
    throw new SeedmintError(
      "denied",
      `There is no balance ${part.place} of operation ${part.operationId}`,
    );
  }
  const { balance, keysetId, signature } = signed;
  return encodeChannelMessage({
    channelId: operation.plan.channel.id,
    ...part.place === 0 ? { open: termsOfChannel(reads, operation) } : {},
    balance,
    keysetId,
    signature,
  });
}

/** Signs nothing more in a channel. Of any other operation it does nothing. */
export function endChannel(context: SagaContext, id: string, reason: string): void {
  context.store.transact((tx) => {
    const operation = tx.operation<ChannelPlan>(id);
    if (operation?.kind !== "channel" || operation.state !== "ready") return;
    if (operation.plan.over !== undefined) return;
    tx.updateOperation(operation, { plan: { ...operation.plan, over: reason } });
  });
}
